//! oha, the open loop: requests begin at a fixed rate, whether or not earlier ones have been answered, and a latency counts
//! from the moment at which its request was due (`--latency-correction`): nothing is omitted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{Counted, beyond, output};
use crate::error::BenchError;
use crate::target::Job;

/// What oha writes about requests that were still under way at the end: they are neither done nor failed.
const UNDER_WAY: &str = "aborted due to deadline";

/// How oha is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oha<'a> {
    /// The executable.
    pub(crate) program: &'a Path,
    /// Connections.
    pub(crate) connections: u32,
    /// For how long.
    pub(crate) duration: Duration,
    /// Requests per second.
    pub(crate) rate: u32,
}

/// What oha tells (`--output-format json`), as far as it is needed.
#[derive(Deserialize)]
struct Told {
    summary: Summary,
    #[serde(rename = "latencyPercentiles")]
    latency: BTreeMap<String, f64>,
    #[serde(rename = "statusCodeDistribution")]
    statuses: BTreeMap<String, u64>,
    #[serde(rename = "errorDistribution")]
    errors: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Summary {
    total: f64,
    #[serde(rename = "sizePerRequest")]
    bytes_each: Option<f64>,
}

impl Oha<'_> {
    /// Drives one job without a body.
    pub(crate) async fn drive(self, job: &Job) -> Result<Counted, BenchError> {
        let mut arguments: Vec<String> = [
            "--no-tui",
            "--output-format",
            "json",
            "--latency-correction",
            // It accepts every coding otherwise; the jobs say themselves what they accept.
            "--disable-compression",
            "--worker-threads",
            "1",
            "-r",
            "0",
            "-t",
            "10s",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(["-q".to_owned(), self.rate.to_string()]);
        arguments.extend(["-c".to_owned(), self.connections.to_string()]);
        arguments.extend(["-z".to_owned(), format!("{}ms", self.duration.as_millis())]);
        arguments.extend(["-m".to_owned(), job.method.to_owned()]);
        let headers = job.headers.iter();
        arguments.extend(headers.flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]));
        arguments.push(job.url.clone());
        let text = output(self.program, &arguments, self.duration).await?;
        read(&text).map_err(|error| BenchError::outside("oha said something unexpected", error))
    }
}

fn read(text: &str) -> Result<Counted, serde_json::Error> {
    let told: Told = serde_json::from_str(text)?;
    let good = |status: &str| status.starts_with("200");
    let of = |wanted: bool| {
        let matching = told
            .statuses
            .iter()
            .filter(move |(status, _)| good(status) == wanted);
        matching.map(|(_, count)| count).sum::<u64>()
    };
    let broken = told.errors.iter().filter(|(error, _)| !error.contains(UNDER_WAY));
    let mut latency: Vec<(f64, f64)> = told
        .latency
        .iter()
        .filter_map(|(name, seconds)| Some((name.strip_prefix('p')?.parse().ok()?, seconds * 1000.0)))
        .collect();
    latency.retain(|(percent, _)| beyond(of(true), *percent));
    latency.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(Counted {
        done: of(true),
        seconds: told.summary.total,
        failed: of(false) + broken.map(|(_, count)| count).sum::<u64>(),
        latency,
        bytes_each: told.summary.bytes_each.unwrap_or(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{
        "summary": {"successRate": 1.0, "total": 2.0, "slowest": 0.01, "requestsPerSec": 1000.0, "sizePerRequest": 1018},
        "latencyPercentiles": {"p10": 0.0001, "p50": 0.0002, "p99": 0.001, "p99.9": 0.0019, "p99.99": 0.002},
        "statusCodeDistribution": {"200": 1990, "503": 2},
        "errorDistribution": {"aborted due to deadline": 3, "connection closed before message completed": 1}
    }"#;

    #[test]
    fn what_oha_tells_is_read_and_what_was_under_way_is_no_failure() {
        let counted = read(TOLD).unwrap();
        assert_eq!((counted.done, counted.failed, counted.rate()), (1990, 3, 995.0));
        let percents: Vec<f64> = counted.latency.iter().map(|(percent, _)| *percent).collect();
        assert_eq!(
            percents,
            [10.0, 50.0, 99.0, 99.9],
            "of 1990, nobody stands beyond the 99.99th"
        );
        assert_eq!(counted.latency[2].1, 1.0);
    }

    #[test]
    fn a_run_without_any_answer_has_no_size() {
        let text = TOLD.replace("\"sizePerRequest\": 1018", "\"sizePerRequest\": null");
        assert_eq!(read(&text).unwrap().bytes_each, 0.0);
        assert!(read("oha 1.0").is_err());
    }
}
