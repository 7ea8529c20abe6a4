//! What a request's way through the plugins of its route costs, apart from its body: beginning, the hooks, and
//! the decision on edits.

use std::hint::black_box;

use hivematrix_benches::browser::{self, Ask};
use hivematrix_benches::chains::{Plugins, way_in, way_out};
use hivematrix_plugins::Intent;
use http::Method;

use crate::Criterion;

const CHAINS: [(&str, Plugins); 3] = [
    ("0_plugins", Plugins::None),
    ("1_plugin", Plugins::Composition),
    ("5_plugins", Plugins::Five),
];

pub(crate) fn measure(criterion: &mut Criterion) {
    let page = browser::page_head(23_000, &[]);
    let requests = [
        ("document", Ask::document(), page),
        ("fetch", Ask::fetch(), browser::json_head()),
    ];
    let runtime = crate::runtime();
    for (intent, ask, head) in &requests {
        let mut group = criterion.benchmark_group(format!("chain/{intent}"));
        group.bench_function("intent", |bencher| {
            bencher.iter(|| Intent::of(black_box(&Method::GET), black_box(ask.headers())));
        });
        for (name, plugins) in CHAINS {
            let chain = plugins.chain();
            group.bench_function(format!("begin/{name}"), |bencher| {
                bencher.iter(|| chain.begin(black_box(&ask.request())));
            });
            group.bench_function(format!("whole_way/{name}"), |bencher| {
                bencher.to_async(&runtime).iter_batched(
                    || head.clone(),
                    |mut head| {
                        let chain = &chain;
                        async move {
                            let mut visits = way_in(chain, ask).await;
                            let rewriter = way_out(&mut visits, &mut head).await;
                            // Freed within the measurement; only the head is handed back.
                            drop(black_box((visits, rewriter)));
                            head
                        }
                    },
                    crate::BATCH,
                );
            });
        }
        group.finish();
    }
}
