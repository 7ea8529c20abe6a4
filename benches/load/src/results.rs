//! What was measured, sample by sample, and the rows that tables and the report show of it.

use serde::Serialize;

use crate::load::Counted;
use crate::machine::Machine;
use crate::programs::{Found, Missing};
use crate::scenario::Scenario;
use crate::stage::usage;
use crate::statistics::{Figure, ratio};
use crate::subject::Subject;

/// What is counted together: one kind of work by one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Series {
    /// The work.
    pub scenario: Scenario,
    /// What is special about it, such as a number of gateways; else empty.
    pub variant: String,
    /// Who does it.
    pub subject: Subject,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) series: Series,
    pub(crate) round: u32,
    /// Requests (messages, logins) per second, where as many were made as could be.
    pub(crate) per_second: Option<f64>,
    /// Processor time of the subject for each of them, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// Memory of the subject afterwards; in the first round only, because what was used once is kept.
    pub(crate) memory_mib: Option<f64>,
    /// Memory of the subject for each idle connection.
    pub(crate) connection_kib: Option<f64>,
    /// At this many per second the latencies were taken.
    pub(crate) offered: Option<f64>,
    /// Percentiles (of 100) and milliseconds.
    pub(crate) latency: Vec<(f64, f64)>,
    /// How many failed.
    pub(crate) failed: u64,
}

impl Sample {
    /// An empty one.
    pub(crate) fn new(series: Series, round: u32) -> Self {
        Self {
            series,
            round,
            per_second: None,
            cpu_us: None,
            memory_mib: None,
            connection_kib: None,
            offered: None,
            latency: Vec::new(),
            failed: 0,
        }
    }

    /// What the subject has used for it: seconds of processor time before and after, and memory, by its process group.
    pub(crate) fn used(mut self, seconds: f64, counted: &Counted, group: i32) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
        let done = counted.done.max(1) as f64;
        self.cpu_us = Some(seconds * 1e6 / done);
        self.memory_mib = (self.round == 1).then(|| usage::memory_mib(group));
        self
    }

    /// What a closed loop has counted: throughput. Its latencies are those of a queue that is always full.
    pub(crate) fn closed(mut self, counted: &Counted) -> Self {
        self.per_second = Some(counted.rate());
        self.failed += counted.failed;
        self
    }

    /// What an open loop has counted: latencies.
    pub(crate) fn open(mut self, counted: &Counted, offered: f64) -> Self {
        self.offered = Some(offered);
        self.latency.clone_from(&counted.latency);
        self.failed += counted.failed;
        self
    }
}

/// One line of the table: figures over all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was counted.
    pub series: Series,
    /// Per second, as many as could be.
    pub per_second: Option<Figure>,
    /// The same in multiples of the reference, round by round.
    pub per_second_ratio: Option<f64>,
    /// Processor time for each, in microseconds.
    pub cpu_us: Option<Figure>,
    /// The same in multiples of the reference.
    pub cpu_ratio: Option<f64>,
    /// Memory, in MiB.
    pub memory_mib: Option<Figure>,
    /// Memory for each idle connection, in KiB.
    pub connection_kib: Option<Figure>,
    /// At this rate the latencies were taken.
    pub offered: Option<f64>,
    /// Percentiles and milliseconds: medians over rounds.
    pub latency: Vec<(f64, f64)>,
    /// How many failed, in all rounds.
    pub failed: u64,
}

impl Row {
    /// The median of a percentile, in milliseconds.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let found = self.latency.iter().find(|(of, _)| (of - percent).abs() < 1e-6);
        found.map(|(_, milliseconds)| *milliseconds)
    }
}

/// Somebody took no part in something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// In what.
    pub scenario: Scenario,
    /// Who; nobody in particular if the scenario itself was left out.
    pub subject: Option<Subject>,
    /// Whether it took part as far as throughput goes, and only its latencies were not taken.
    pub latencies_only: bool,
    /// Why.
    pub reason: String,
}

/// Everything that a run has found out.
#[derive(Debug, Serialize)]
pub struct Results {
    /// On what.
    pub machine: Machine,
    /// When it began, in UTC.
    pub date: String,
    /// By which command.
    pub command: String,
    /// The version of the executable.
    pub version: String,
    /// Whether the executable was built without optimization.
    pub unoptimized: bool,
    /// Rounds, seconds of each measurement, connections, worker threads.
    pub parameters: Parameters,
    /// Whose figures the ratios are multiples of.
    pub reference: Option<Subject>,
    /// What took part.
    pub programs: Vec<Found>,
    /// What was not there.
    pub missing: Vec<Missing>,
    /// Who took no part in what.
    pub left_out: Vec<LeftOut>,
    /// Those who let nobody in without a token.
    pub refuse_strangers: Vec<Subject>,
    /// The figures, in the order of scenarios and subjects.
    pub rows: Vec<Row>,
    /// Every single measurement.
    pub(crate) samples: Vec<Sample>,
}

/// How it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Parameters {
    /// How often.
    pub rounds: u32,
    /// For how long each time, in seconds.
    pub seconds: f64,
    /// Connections of the load.
    pub connections: u32,
    /// Worker threads of each subject.
    pub threads: u32,
    /// Sessions where there are many.
    pub sessions: u32,
    /// Idle connections where there are many.
    pub idle: u32,
    /// Who plays the service.
    pub service: String,
}

/// Rows of samples, in order; ratios are to the reference's sample of the same round.
pub(crate) fn rows(samples: &[Sample], reference: Option<Subject>) -> Vec<Row> {
    let mut series: Vec<&Series> = samples.iter().map(|sample| &sample.series).collect();
    series.sort_by_key(|series| place(series));
    series.dedup();
    series
        .into_iter()
        .map(|series| row(samples, series, reference))
        .collect()
}

/// Where a series stands in tables.
fn place(series: &Series) -> (usize, usize, String) {
    let scenario = Scenario::ALL
        .iter()
        .position(|scenario| *scenario == series.scenario);
    let subject = Subject::ALL.iter().position(|subject| *subject == series.subject);
    (
        scenario.unwrap_or(0),
        subject.unwrap_or(0),
        series.variant.clone(),
    )
}

fn row(samples: &[Sample], series: &Series, reference: Option<Subject>) -> Row {
    let own: Vec<&Sample> = samples.iter().filter(|sample| sample.series == *series).collect();
    let figure = |of: fn(&Sample) -> Option<f64>| Figure::of(own.iter().filter_map(|sample| of(sample)));
    let against = |of: fn(&Sample) -> Option<f64>| {
        let reference = reference?;
        let pair = |sample: &&Sample| {
            let mut beside = samples.iter().filter(|other| {
                other.series.subject == reference
                    && other.series.scenario == series.scenario
                    && other.round == sample.round
                    && of(other).is_some()
            });
            Some((of(sample)?, of(beside.next()?)?))
        };
        ratio(own.iter().filter_map(pair))
    };
    Row {
        series: series.clone(),
        per_second: figure(|sample| sample.per_second),
        per_second_ratio: against(|sample| sample.per_second),
        cpu_us: figure(|sample| sample.cpu_us),
        cpu_ratio: against(|sample| sample.cpu_us),
        memory_mib: figure(|sample| sample.memory_mib),
        connection_kib: figure(|sample| sample.connection_kib),
        offered: figure(|sample| sample.offered).map(|figure| figure.median),
        latency: latency(&own),
        failed: own.iter().map(|sample| sample.failed).sum(),
    }
}

/// The median of each percentile that all samples have, if they have latencies at all.
fn latency(samples: &[&Sample]) -> Vec<(f64, f64)> {
    let all: Vec<_> = samples
        .iter()
        .map(|sample| &sample.latency)
        .filter(|latency| !latency.is_empty())
        .collect();
    let percents = all
        .first()
        .into_iter()
        .flat_map(|latency| latency.iter())
        .map(|(of, _)| *of);
    let median = |percent: f64| {
        let of = |latency: &&Vec<(f64, f64)>| {
            latency
                .iter()
                .find(|(of, _)| *of == percent)
                .map(|(_, value)| *value)
        };
        let values: Option<Vec<f64>> = all.iter().map(of).collect();
        Some((percent, Figure::of(values?)?.median))
    };
    percents.filter_map(median).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(subject: Subject, round: u32, per_second: f64) -> Sample {
        let series = Series {
            scenario: Scenario::Json,
            variant: String::new(),
            subject,
        };
        let mut sample = Sample::new(series, round);
        sample.per_second = Some(per_second);
        sample
    }

    #[test]
    fn rows_have_medians_and_ratios_of_their_own_round() {
        let mut samples = vec![
            sample(Subject::Nginx, 1, 100.0),
            sample(Subject::Gateway, 1, 50.0),
            sample(Subject::Nginx, 2, 10.0),
            sample(Subject::Gateway, 2, 5.0),
        ];
        samples[1].latency = vec![(50.0, 1.0), (99.0, 4.0), (99.9, 5.0)];
        samples[3].latency = vec![(50.0, 3.0), (99.0, 8.0)];
        samples[3].failed = 2;
        let rows = rows(&samples, Some(Subject::Nginx));
        let subjects: Vec<Subject> = rows.iter().map(|row| row.series.subject).collect();
        assert_eq!(subjects, [Subject::Gateway, Subject::Nginx]);
        assert_eq!(rows[0].per_second_ratio, Some(0.5));
        assert_eq!(rows[0].per_second.unwrap().median, 27.5);
        assert_eq!(
            (rows[0].percentile(50.0), rows[0].percentile(99.0)),
            (Some(2.0), Some(6.0))
        );
        assert_eq!(rows[0].percentile(99.9), None, "one round had too few for it");
        assert_eq!((rows[0].failed, rows[0].cpu_us), (2, None));
        assert_eq!(rows[1].per_second_ratio, Some(1.0));
    }

    #[test]
    fn whoever_is_measured_twice_is_compared_with_a_reference_that_is_measured_once() {
        let mut samples = [
            sample(Subject::Gateway, 1, 50.0),
            sample(Subject::Nginx, 1, 100.0),
        ];
        samples[0].series.variant = "warm".to_owned();
        assert_eq!(
            rows(&samples, Some(Subject::Nginx))[0].per_second_ratio,
            Some(0.5)
        );
    }

    #[test]
    fn without_a_reference_there_are_no_ratios() {
        let samples = [sample(Subject::Gateway, 1, 50.0)];
        assert_eq!(rows(&samples, None)[0].per_second_ratio, None);
        assert_eq!(rows(&samples, Some(Subject::Nginx))[0].per_second_ratio, None);
    }
}
