//! What a request costs on its whole way through the gateway, without the connections: finding its route, tidying its
//! head, and everything from the head's arrival to the line in the log.

use std::hint::black_box;

use hivematrix_benches::passage::{Errand, Passage, answer};

use crate::Criterion;

/// Services of small, large and very large platforms.
const SERVICES: [usize; 3] = [1, 100, 1000];

pub(crate) fn measure(criterion: &mut Criterion) {
    let runtime = crate::runtime();
    let mut group = criterion.benchmark_group("route");
    for services in SERVICES {
        let site = runtime.block_on(Passage::new(services));
        let last = format!("/service-{}/a/b", services - 1);
        for (name, path, is_there) in [
            ("found", last.as_str(), true),
            ("readings", "/codex/a%2Fb;v=1/c", true),
            ("nowhere", "/nowhere/a/b", false),
        ] {
            assert_eq!(site.path.route(path).is_some(), is_there, "{path}");
            group.bench_function(format!("{name}/{services}"), |bencher| {
                bencher.iter(|| site.path.route(black_box(path)));
            });
        }
    }
    group.finish();
    let site = runtime.block_on(Passage::new(10));
    let mut group = criterion.benchmark_group("request");
    for (name, errand) in [
        ("json", Errand::Json),
        ("page_composed", Errand::Page),
        ("page_of_five_plugins", Errand::PageOfFive),
    ] {
        group.bench_function(format!("head_tidied/{name}"), |bencher| {
            bencher.iter_batched(
                || site.request(errand),
                |mut head| {
                    site.path
                        .arrive(&mut head)
                        .expect("a request that is not refused");
                    head
                },
                crate::BATCH,
            );
        });
        let (head, body) = answer(errand);
        let body = [body];
        group.bench_function(format!("whole_way/{name}"), |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || (site.request(errand), head.clone()),
                |(request, head)| site.pass(request, head, &body),
                crate::BATCH,
            );
        });
    }
    group.finish();
}
