//! What composition adds until the first byte of a page is there: a whole gateway on loopback, a signed-in browser,
//! and one backend behind a service that is composed and one that is not.
//!
//! Time on the wall, because waiting counts. Each of the two is asked for in turn, and of each batch the median is
//! taken, so that a busy machine's pauses fall out and meet both alike.

use std::time::Duration;

use hivematrix_benches::pages;
use hivematrix_benches::site::{COMPOSED, Came, Connection, Site, UNTOUCHED};

use crate::Criterion;

type Measured = fn(&Came) -> Duration;

const MEASURED: [(&str, Measured); 2] = [
    ("first_byte", |came| came.first_byte),
    ("last_byte", |came| came.whole),
];

pub(crate) fn measure(criterion: &mut Criterion) {
    for page in pages::all() {
        let site = Site::of(&page.body);
        let mut connection = site.connect();
        assert!(connection.navigate(COMPOSED, "identity").has_panel);
        assert!(!connection.navigate(UNTOUCHED, "identity").has_panel);
        for (what, measured) in MEASURED {
            let mut group = criterion.benchmark_group(format!("{what}/{}", page.name));
            for (name, path, other, coding) in [
                ("untouched", UNTOUCHED, COMPOSED, "identity"),
                ("composed", COMPOSED, UNTOUCHED, "identity"),
                ("composed_and_packed", COMPOSED, UNTOUCHED, "zstd"),
            ] {
                group.bench_function(name, |bencher| {
                    bencher.iter_custom(|times| {
                        typical(&mut connection, times, (path, coding), other, measured)
                    });
                });
            }
            group.finish();
        }
    }
}

/// The median of so many navigations, as often.
fn typical(
    connection: &mut Connection,
    times: u64,
    (path, coding): (&str, &str),
    other: &str,
    measured: Measured,
) -> Duration {
    let mut all: Vec<_> = (0..times)
        .map(|_| {
            connection.navigate(other, "identity");
            measured(&connection.navigate(path, coding))
        })
        .collect();
    all.sort_unstable();
    let median = all.get(all.len() / 2).copied().unwrap_or_default();
    median * u32::try_from(times).unwrap_or(u32::MAX)
}
