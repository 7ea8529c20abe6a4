//! What it costs to read a request's cookies and to keep our own from backends.

use std::hint::black_box;

use hivematrix_benches::browser::{self, Ask};
use hivematrix_gateway::identity::cookies;
use hivematrix_platform::Handle;

use crate::Criterion;

pub(crate) fn measure(criterion: &mut Criterion) {
    let handle = Handle::generate();
    let (line, crumbs) = (browser::cookies(&handle), browser::cookie_crumbs(&handle));
    let ask = Ask::document();
    let mut group = criterion.benchmark_group("cookies");
    for (name, headers, ours) in [
        ("one_line", &line, true),
        ("crumbs", &crumbs, true),
        ("none_of_ours", ask.headers(), false),
    ] {
        let found = cookies::session_handle(headers).expect("one session at most");
        assert_eq!(found, ours.then_some(handle), "{name}");
        assert_eq!(cookies::without_ours(headers).is_some(), ours, "{name}");
        group.bench_function(format!("session_handle/{name}"), |bencher| {
            bencher.iter(|| cookies::session_handle(black_box(headers)));
        });
        group.bench_function(format!("without_ours/{name}"), |bencher| {
            bencher.iter(|| cookies::without_ours(black_box(headers)));
        });
    }
    group.finish();
}
