//! What it costs to open a page that comes packed, to edit it, and to pack it again: each step by itself and all
//! together, in bytes of unpacked page per second.
//!
//! A codec is made for each page, so making it is part of the measurement; the rewriter is made before the clock
//! starts, as in `html.rs`. In `pieces` a backend flushes every KiB, and what comes of each is flushed here, too.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkGroup, Throughput};
use hivematrix_benches::browser::{self, Ask};
use hivematrix_benches::chains::{Plugins, way_in, way_out};
use hivematrix_benches::pages::{self, Page};
use hivematrix_gateway::EditedBody;
use hivematrix_gateway::coding::{Coding, Decoder, Encoder};
use hivematrix_plugins::Rewriter;

use crate::Criterion;
use crate::cpu_time::CpuTime;

pub(crate) fn measure(criterion: &mut Criterion) {
    for page in pages::all() {
        let mut group = criterion.benchmark_group(format!("coding/{}", page.name));
        group.throughput(Throughput::Bytes(page.body.len() as u64));
        edit(&mut group, &page);
        for coding in Coding::ALL {
            steps(&mut group, &page, coding);
        }
        group.finish();
    }
}

/// The page in this coding, as many chunks as it came in.
fn packed(chunks: &[Bytes], coding: Coding) -> Vec<Bytes> {
    let mut encoder = Encoder::new(coding).expect("an encoder");
    let mut packed: Vec<_> = chunks
        .iter()
        .map(|chunk| encoder.push(chunk).expect("memory"))
        .collect();
    packed.push(encoder.finish().expect("memory"));
    packed
}

fn unpacked(chunks: &[Bytes], coding: Coding) -> Vec<Bytes> {
    let mut decoder = Decoder::new(coding).expect("a decoder");
    let mut unpacked: Vec<_> = chunks
        .iter()
        .map(|chunk| decoder.push(chunk).expect("a packed page"))
        .collect();
    unpacked.push(decoder.finish().expect("a packed page"));
    unpacked
}

fn passed(mut body: EditedBody, chunks: &[Bytes]) -> Vec<Bytes> {
    let mut passed: Vec<_> = chunks
        .iter()
        .map(|chunk| body.pass(Some(chunk.clone()), false).expect("a page"))
        .collect();
    passed.push(body.pass(None, true).expect("a page"));
    passed
}

fn rewriter(page: &Page) -> Rewriter {
    let (chain, ask) = (Plugins::Composition.chain(), Ask::document());
    crate::runtime().block_on(async {
        let mut visits = way_in(&chain, &ask).await;
        let rewriter = way_out(&mut visits, &mut browser::page_head(page.body.len(), &[])).await;
        rewriter.expect("an editable page")
    })
}

fn edit(group: &mut BenchmarkGroup<'_, CpuTime>, page: &Page) {
    group.bench_function("edit", |bencher| {
        bencher.iter_batched(
            || EditedBody::new(None, rewriter(page), None).expect("a body"),
            |body| black_box(passed(body, &page.whole())),
            crate::BATCH,
        );
    });
}

fn steps(group: &mut BenchmarkGroup<'_, CpuTime>, page: &Page, coding: Coding) {
    let name = coding.token();
    let (plain, whole, pieces) = (
        page.whole(),
        packed(&page.whole(), coding),
        packed(&page.pieces(), coding),
    );
    assert_eq!(unpacked(&whole, coding).concat(), page.body);
    assert_eq!(unpacked(&pieces, coding).concat(), page.body);
    let through = |rewriter| EditedBody::new(Some(coding), rewriter, Some(coding)).expect("a body");
    let composed = unpacked(&passed(through(rewriter(page)), &whole), coding).concat();
    assert!(composed.len() > page.body.len() + 1_000, "{name}: a panel");
    group.bench_function(format!("{name}/decode"), |bencher| {
        bencher.iter(|| black_box(unpacked(&whole, coding)));
    });
    group.bench_function(format!("{name}/encode"), |bencher| {
        bencher.iter(|| black_box(packed(&plain, coding)));
    });
    for (arrival, chunks) in [("whole", &whole), ("pieces", &pieces)] {
        group.bench_function(format!("{name}/all_three/{arrival}"), |bencher| {
            bencher.iter_batched(
                || rewriter(page),
                |rewriter| black_box(passed(through(rewriter), chunks)),
                crate::BATCH,
            );
        });
    }
}
