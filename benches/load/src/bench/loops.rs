//! What load programs drive: as much as everybody can, and then the same rate for all.

use super::{Bench, rounded, series};
use crate::error::BenchError;
use crate::load::Counted;
use crate::load::oha::Oha;
use crate::load::wrk::Wrk;
use crate::results::{LeftOut, Sample};
use crate::scenario::Scenario;
use crate::stage::usage;
use crate::statistics::Figure;
use crate::subject::Subject;

/// The share of the gateway's own throughput that the open loop offers to everybody.
const OFFERED: f64 = 0.6;
/// How much more than the offered rate a subject must manage, so that its latencies mean something.
const SPARE: f64 = 1.1;

impl Bench<'_> {
    /// Closed loop, everybody in turn.
    pub(super) async fn closed(&mut self, scenario: Scenario, round: u32) {
        let Some(wrk) = self.tools.wrk.clone() else { return };
        let wrk = Wrk {
            program: &wrk.path,
            connections: self.plan.connections,
            seconds: self.plan.seconds.as_secs().max(1),
        };
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            if !self.takes_part(target, scenario) {
                continue;
            }
            self.step(round, scenario, target.subject, "as much as it can");
            let (subject, group, job) = (target.subject, target.started.group, target.job(scenario));
            let before = usage::cpu_seconds(group);
            let counted = wrk.drive(self.stage, &job).await;
            let used = usage::cpu_seconds(group) - before;
            let Some(counted) = self.judged(scenario, subject, job.at_least, counted) else {
                continue;
            };
            let sample = Sample::new(series(scenario, subject), round)
                .closed(&counted)
                .used(used, &counted, group);
            self.samples.push(sample);
        }
    }

    /// Open loop at the same rate for everybody.
    pub(super) async fn open(&mut self, scenario: Scenario, round: u32) {
        let Some(oha) = self.tools.oha.clone() else { return };
        let Some(rate) = self.rate(scenario) else { return };
        let oha = Oha {
            program: &oha.path,
            connections: self.plan.connections,
            duration: self.plan.seconds,
            rate,
        };
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            if !self.takes_part(target, scenario) || !self.keeps_up(target.subject, scenario, rate) {
                continue;
            }
            let target = &self.targets[at];
            self.step(round, scenario, target.subject, &format!("{rate} per second"));
            let (subject, job) = (target.subject, target.job(scenario));
            let counted = oha.drive(&job).await;
            if let Some(counted) = self.judged(scenario, subject, job.at_least, counted) {
                let sample = Sample::new(series(scenario, subject), round);
                self.samples.push(sample.open(&counted, f64::from(rate)));
            }
        }
    }

    /// Whether a subject manages a rate at all: the latencies of one that does not say how long the measurement was, and
    /// nothing else.
    fn keeps_up(&mut self, subject: Subject, scenario: Scenario, rate: u32) -> bool {
        let own = self
            .samples
            .iter()
            .filter(|sample| sample.series == series(scenario, subject));
        let managed = Figure::of(own.filter_map(|sample| sample.per_second));
        let Some(managed) = managed
            .map(|figure| figure.median)
            .filter(|managed| *managed < f64::from(rate) * SPARE)
        else {
            return true;
        };
        let out = |left: &LeftOut| left.scenario == scenario && left.subject == Some(subject);
        if !self.left_out.iter().any(out) {
            self.left_out.push(LeftOut {
                scenario,
                subject: Some(subject),
                latencies_only: true,
                reason: format!("no latencies: it manages {managed:.0} per second, and {rate} were offered"),
            });
        }
        false
    }

    /// The rate of the open loop: what was asked for, or a share of what the gateway (or else the first that was
    /// measured) has managed in the first round.
    fn rate(&mut self, scenario: Scenario) -> Option<u32> {
        if let Some(rate) = self.plan.rate.or_else(|| self.rates.get(&scenario).copied()) {
            return Some(rate);
        }
        let measured = self
            .samples
            .iter()
            .filter(|sample| sample.series.scenario == scenario);
        let best = measured.min_by_key(|sample| sample.series.subject)?.per_second?;
        let rate = rounded(best * OFFERED);
        self.rates.insert(scenario, rate);
        Some(rate)
    }

    /// What was counted, if it was the work that was asked for; else the subject is left out from now on.
    pub(crate) fn judged(
        &mut self,
        scenario: Scenario,
        subject: Subject,
        at_least: u64,
        counted: Result<Counted, BenchError>,
    ) -> Option<Counted> {
        #[expect(clippy::cast_precision_loss, reason = "some kilobytes")]
        let reason = match counted {
            Ok(counted) if counted.done == 0 => "it answered nothing".to_owned(),
            Ok(counted) if counted.bytes_each < at_least as f64 => {
                format!(
                    "its answers had {:.0} bytes instead of {at_least}",
                    counted.bytes_each
                )
            }
            Ok(counted) => return Some(counted),
            Err(error) => error.to_string(),
        };
        self.progress
            .note(&format!("{}, {scenario}: {reason}", subject.title()));
        self.leave_out(scenario, Some(subject), reason);
        None
    }
}
