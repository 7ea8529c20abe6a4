//! The load benchmark: the whole gateway, and whoever is installed that does the same work, side by side in one run.
//!
//! [`run`] starts everything on free loopback ports (Redis, a service, Core, the identity provider, the gateway, its
//! rivals), lets all do the same work in turn, round by round, and ends everything. What comes out can be shown as a
//! [`table()`] and as a page ([`report()`]). `hivematrix bench` is the command; `benches/README.md` says how to read it.
//!
//! Not responsible for the load itself, where others do that well: wrk drives the closed loop, oha the open one.

mod bench;
mod error;
mod load;
mod machine;
mod plan;
mod programs;
mod progress;
mod report;
mod results;
mod rivals;
mod scenario;
mod serve;
mod stage;
mod statistics;
mod subject;
mod table;
mod target;
mod world;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

pub use crate::error::BenchError;
pub use crate::machine::Machine;
pub use crate::plan::Plan;
pub use crate::programs::{Found, Missing};
pub use crate::progress::Progress;
pub use crate::report::report;
pub use crate::results::{LeftOut, Parameters, Results, Row, Series};
pub use crate::scenario::{Scenario, Unknown};
pub use crate::serve::serve;
pub use crate::statistics::Figure;
pub use crate::subject::Subject;
pub use crate::table::table;

use crate::bench::Bench;
use crate::stage::{Stage, usage};

/// Open files that a connection may take where it takes most: at a proxy that reserves them beforehand.
const CONNECTION_FILES: u32 = 4;

/// Measures what the plan says. Whatever happens, nothing that was started is left when this returns; a cancelled `stop`
/// ends it early. Wants a Tokio runtime.
///
/// # Errors
/// If a program is missing that nothing goes without, if one of our own parts does not start or does not do its work, or
/// if it was stopped.
pub async fn run(plan: &Plan, progress: &Progress, stop: &CancellationToken) -> Result<Results, BenchError> {
    usage::supported()?;
    let machine = Machine::this();
    // Before anything is started: what is started inherits it.
    let room = u32::try_from(load::idle::make_room()).unwrap_or(u32::MAX);
    let plan = &Plan {
        idle: plan.idle.min(room / CONNECTION_FILES),
        ..plan.clone()
    };
    let stage = Stage::new()?;
    let outcome = tokio::select! {
        outcome = measured(&stage, plan, progress, machine) => outcome,
        () = stop.cancelled() => Err(BenchError::Stopped),
    };
    progress.end();
    stage.clear().await;
    outcome
}

async fn measured(
    stage: &Stage,
    plan: &Plan,
    progress: &Progress,
    machine: Machine,
) -> Result<Results, BenchError> {
    let date = OffsetDateTime::now_utc()
        .truncate_to_second()
        .format(&Rfc3339)
        .unwrap_or_default();
    let mut bench = Bench::start(stage, plan, progress).await?;
    let refuse_strangers = bench.who_refuses_strangers().await;
    progress.expect(bench.steps());
    for round in 1..=plan.rounds {
        bench.round(round).await?;
    }
    let reference = bench.reference();
    let (samples, left_out) = (bench.samples, bench.left_out);
    Ok(Results {
        machine,
        date,
        command: plan.command.clone(),
        version: plan.version.clone(),
        unoptimized: plan.unoptimized,
        parameters: Parameters {
            rounds: plan.rounds,
            seconds: plan.seconds.as_secs_f64(),
            connections: plan.connections,
            threads: plan.threads,
            sessions: plan.sessions,
            idle: plan.idle,
            service: bench.world.service_is.to_owned(),
        },
        reference,
        programs: bench.programs,
        missing: bench.missing,
        left_out,
        refuse_strangers,
        rows: results::rows(&samples, reference),
        samples,
    })
}
