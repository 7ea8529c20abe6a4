//! What it costs to edit pages while they stream by, in bytes of page per second.
//!
//! The rewriter is made before the clock starts (`chain.rs` and `policy.rs` measure that); its end is part of
//! the measurement. Two yardsticks: `untouched` hands the chunks on as a route without plugins does, `copied`
//! copies each once.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkGroup, Throughput};
use hivematrix_benches::browser::{self, Ask};
use hivematrix_benches::chains::{Plugins, way_in, way_out};
use hivematrix_benches::pages::{self, Page};

use crate::Criterion;
use crate::cpu_time::CpuTime;

const EDITED: [(&str, Plugins); 4] = [
    ("composed", Plugins::Composition),
    ("five_plugins", Plugins::Five),
    ("title_edited", Plugins::EditingTitle),
    ("links_edited", Plugins::EditingLinks),
];

pub(crate) fn measure(criterion: &mut Criterion) {
    for page in pages::all() {
        let mut group = criterion.benchmark_group(format!("html/{}", page.name));
        group.throughput(Throughput::Bytes(page.body.len() as u64));
        for (arrival, chunks) in [("whole", page.whole()), ("pieces", page.pieces())] {
            yardsticks(&mut group, arrival, &chunks);
            for (name, plugins) in EDITED {
                edited(&mut group, &format!("{name}/{arrival}"), plugins, &page, &chunks);
            }
        }
        group.finish();
    }
}

fn yardsticks(group: &mut BenchmarkGroup<'_, CpuTime>, arrival: &str, chunks: &[Bytes]) {
    group.bench_function(format!("untouched/{arrival}"), |bencher| {
        bencher.iter(|| {
            for chunk in chunks {
                black_box(chunk.clone());
            }
        });
    });
    group.bench_function(format!("copied/{arrival}"), |bencher| {
        bencher.iter(|| {
            for chunk in chunks {
                black_box(BytesMut::from(&chunk[..]).freeze());
            }
        });
    });
}

fn edited(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    name: &str,
    plugins: Plugins,
    page: &Page,
    chunks: &[Bytes],
) {
    let runtime = crate::runtime();
    let (chain, ask) = (plugins.chain(), Ask::document());
    let head = browser::page_head(page.body.len(), &[]);
    let rewriter = || {
        runtime.block_on(async {
            let mut visits = way_in(&chain, &ask).await;
            way_out(&mut visits, &mut head.clone())
                .await
                .expect("an editable page")
        })
    };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            rewriter,
            |mut rewriter| {
                for chunk in chunks {
                    black_box(rewriter.push(chunk));
                }
                black_box(rewriter.finish());
            },
            crate::BATCH,
        );
    });
}
