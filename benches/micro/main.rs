//! Micro benchmarks of the request path, one file per subject. How to run and read them: `../README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark whose fixtures are broken must not measure anything"
)]

mod chain;
mod coding;
mod cookies;
mod cpu_time;
mod first_byte;
mod html;
mod policy;
mod request;
mod session;
mod token;

use std::time::Duration;

use cpu_time::CpuTime;
use criterion::BatchSize;
use tokio::runtime::Runtime;

/// Criterion on our clock.
type Criterion = criterion::Criterion<CpuTime>;

/// How many inputs are prepared at a time: few enough to stay in the cache, many enough for the clock.
const BATCH: BatchSize = BatchSize::NumIterations(64);

fn main() {
    let mut criterion = criterion::Criterion::default()
        .with_measurement(CpuTime::new())
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    html::measure(&mut criterion);
    coding::measure(&mut criterion);
    policy::measure(&mut criterion);
    chain::measure(&mut criterion);
    token::measure(&mut criterion);
    session::measure(&mut criterion);
    cookies::measure(&mut criterion);
    first_byte::measure(&mut criterion);
    request::measure(&mut criterion);
    criterion.final_summary();
}

/// A runtime on this thread alone.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Whether each benchmark runs once, to see that it works. Criterion's own rule: `cargo bench` says `--bench`.
fn only_a_smoke_run() -> bool {
    let said = |word: &str| std::env::args().any(|argument| argument == word);
    said("--test") || !said("--bench")
}
