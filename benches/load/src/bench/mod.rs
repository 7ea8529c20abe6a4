//! A run: everything is started, everybody is proven, and each round lets everybody do each work in turn, so that the
//! machine's drift falls on all alike.

mod admission;
mod loops;
mod many;
mod own;
mod tls;

use std::collections::BTreeMap;

use crate::error::BenchError;
use crate::plan::Plan;
use crate::programs::{Found, Missing};
use crate::progress::Progress;
use crate::results::{LeftOut, Sample, Series};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::target::Target;
use crate::world::World;
use admission::Tools;

/// A run under way.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) stage: &'a Stage,
    pub(crate) progress: &'a Progress,
    pub(crate) world: World,
    pub(crate) http: reqwest::Client,
    pub(crate) targets: Vec<Target>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) tools: Tools,
    pub(crate) programs: Vec<Found>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) samples: Vec<Sample>,
    /// Requests per second of the open loop; the same in all rounds.
    rates: BTreeMap<Scenario, u32>,
    /// Who asks where many ask; made when they are first needed.
    callers: Option<many::Callers>,
}

impl Bench<'_> {
    pub(crate) fn leave_out(&mut self, scenario: Scenario, subject: Option<Subject>, reason: String) {
        let left_out = LeftOut {
            scenario,
            subject,
            latencies_only: false,
            reason,
        };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// Whether this subject takes part in that.
    pub(crate) fn takes_part(&self, target: &Target, scenario: Scenario) -> bool {
        let out = |left: &LeftOut| {
            let who = left.subject.is_none_or(|who| who == target.subject);
            who && left.scenario == scenario && !left.latencies_only
        };
        !self.left_out.iter().any(out)
    }

    /// Those who let nobody in without a token.
    pub(crate) async fn who_refuses_strangers(&self) -> Vec<Subject> {
        let mut refusing = Vec::new();
        for target in &self.targets {
            if target.refuses_strangers(&self.http).await {
                refusing.push(target.subject);
            }
        }
        refusing
    }

    /// How many measurements there will be, as far as one can know before.
    pub(crate) fn steps(&self) -> usize {
        let of = |scenario: Scenario| {
            let each = match scenario {
                Scenario::Json | Scenario::Page if self.tools.oha.is_some() => 2,
                Scenario::Login => 2,
                Scenario::Revocation => own::GATEWAYS.len(),
                _ => 1,
            };
            each * self
                .targets
                .iter()
                .filter(|target| self.takes_part(target, scenario))
                .count()
        };
        let once: usize = self.scenarios.iter().map(|scenario| of(*scenario)).sum();
        once * self.plan.rounds as usize
    }

    /// Whose figures ratios are multiples of: nginx, or the bare proxy, whichever took part.
    pub(crate) fn reference(&self) -> Option<Subject> {
        let there = |subject: &Subject| self.targets.iter().any(|target| target.subject == *subject);
        [Subject::Nginx, Subject::Forwarder].into_iter().find(there)
    }

    /// One round: each work, done by everybody in turn.
    pub(crate) async fn round(&mut self, round: u32) -> Result<(), BenchError> {
        for scenario in self.scenarios.clone() {
            match scenario {
                Scenario::Json | Scenario::Page => {
                    self.closed(scenario, round).await;
                    self.open(scenario, round).await;
                }
                Scenario::Unedited | Scenario::Compressed | Scenario::Upload => {
                    self.closed(scenario, round).await
                }
                Scenario::Sessions => self.many_sessions(round).await?,
                Scenario::Idle => self.idle(round).await,
                Scenario::WebSocket => self.websocket(round).await,
                Scenario::Login => self.login(round).await?,
                Scenario::Tls => self.tls(round).await,
                Scenario::Revocation => self.revocation(round).await?,
            }
            self.stage.forget_logs();
        }
        Ok(())
    }

    pub(crate) fn step(&self, round: u32, scenario: Scenario, subject: Subject, how: &str) {
        let rounds = self.plan.rounds;
        self.progress.step(&format!(
            "round {round} of {rounds}: {scenario}, {}, {how}",
            subject.title()
        ));
    }
}

/// One kind of work by one subject.
pub(crate) fn series(scenario: Scenario, subject: Subject) -> Series {
    Series {
        scenario,
        variant: String::new(),
        subject,
    }
}

/// Two digits that count; at least ten.
fn rounded(rate: f64) -> u32 {
    let step = 10_f64.powf((rate.max(10.0).log10() - 1.0).floor());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
    let rounded = ((rate / step).round() * step) as u32;
    rounded.max(10)
}

/// Whether it is one request that can be asked once before it is asked often.
const fn provable(scenario: Scenario) -> bool {
    match scenario {
        Scenario::Json
        | Scenario::Page
        | Scenario::Unedited
        | Scenario::Compressed
        | Scenario::Sessions
        | Scenario::Upload
        | Scenario::Tls
        | Scenario::Idle => true,
        Scenario::WebSocket | Scenario::Login | Scenario::Revocation => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits_that_count() {
        for (rate, expected) in [
            (12_345.0, 12_000),
            (987.0, 990),
            (99_999.0, 100_000),
            (3.0, 10),
            (14.6, 15),
        ] {
            assert_eq!(rounded(rate), expected, "{rate}");
        }
    }
}
