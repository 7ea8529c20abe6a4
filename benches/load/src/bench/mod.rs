//! A run: everything is started, everybody is proven, and each round lets everybody do each work in turn, so that the
//! machine's drift falls on all alike.

mod loops;
mod many;
mod own;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::error::BenchError;
use crate::load::idle;
use crate::plan::Plan;
use crate::programs::{Found, Missing, OHA, WRK};
use crate::progress::Progress;
use crate::results::{LeftOut, Sample, Series};
use crate::rivals;
use crate::scenario::Scenario;
use crate::stage::{Stage, Started};
use crate::subject::Subject;
use crate::target::{Target, cookie_for, http_client};
use crate::world::{PAUSE, World, gateway};

/// How long somebody may listen before it does its work.
const UNTIL_READY: Duration = Duration::from_secs(3);

/// A run under way.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) stage: &'a Stage,
    pub(crate) progress: &'a Progress,
    pub(crate) world: World,
    pub(crate) http: reqwest::Client,
    pub(crate) targets: Vec<Target>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) wrk: Option<Found>,
    pub(crate) oha: Option<Found>,
    pub(crate) programs: Vec<Found>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) samples: Vec<Sample>,
    /// Requests per second of the open loop; the same in all rounds.
    rates: BTreeMap<Scenario, u32>,
    /// Who asks where many ask; made when they are first needed.
    callers: Option<many::Callers>,
    /// Connections that there is room for.
    room: u64,
}

impl<'a> Bench<'a> {
    /// Starts everything that stands behind the subjects, then the subjects.
    pub(crate) async fn start(
        stage: &'a Stage,
        plan: &'a Plan,
        progress: &'a Progress,
    ) -> Result<Self, BenchError> {
        // Before anything is started: what is started inherits it.
        let room = idle::make_room();
        progress.now("starting Redis, the service, Core and the identity provider");
        let (wrk, oha) = (WRK.find(&plan.programs).await, OHA.find(&plan.programs).await);
        let missing = [&wrk, &oha]
            .into_iter()
            .filter_map(|found| found.as_ref().err().cloned());
        let missing: Vec<Missing> = missing.collect();
        let (scenarios, left_out) = choose(plan, wrk.is_ok())?;
        let world = World::start(stage, plan).await?;
        let mut programs = world.programs.clone();
        programs.extend(
            [&wrk, &oha]
                .into_iter()
                .filter_map(|found| found.as_ref().ok().cloned()),
        );
        let mut bench = Self {
            plan,
            stage,
            progress,
            world,
            http: http_client()?,
            targets: Vec::new(),
            scenarios,
            wrk: wrk.ok(),
            oha: oha.ok(),
            programs,
            missing,
            left_out,
            samples: Vec::new(),
            rates: BTreeMap::new(),
            callers: None,
            room,
        };
        for subject in Subject::ALL
            .into_iter()
            .filter(|subject| plan.subjects.contains(subject))
        {
            bench.admit(subject).await?;
        }
        Ok(bench)
    }

    /// Starts a subject and looks whether it does its work; whoever does not is told and left out.
    async fn admit(&mut self, subject: Subject) -> Result<(), BenchError> {
        self.progress.now(&format!("starting {}", subject.title()));
        let target = match rivals::of(subject) {
            None => {
                let (started, port) = gateway::start(self.stage, &self.world, self.plan, 0).await?;
                Some(self.target(subject, (started, port), None)?)
            }
            Some(rival) => self.start_rival(rival).await?,
        };
        let Some(target) = target else {
            return Ok(());
        };
        for scenario in self.scenarios.clone() {
            if let Some(reason) = rivals::unable(subject, scenario) {
                self.leave_out(scenario, Some(subject), reason.to_owned());
            } else if provable(scenario)
                && let Err(error) = self.proven(&target, scenario).await
            {
                if subject == Subject::Gateway {
                    return Err(error);
                }
                self.leave_out(scenario, Some(subject), error.to_string());
            }
        }
        self.targets.push(target);
        Ok(())
    }

    /// Whether a subject does its work; some listen before they know what to do.
    async fn proven(&self, target: &Target, scenario: Scenario) -> Result<(), BenchError> {
        let end = Instant::now() + UNTIL_READY;
        loop {
            match target.prove(&self.http, scenario).await {
                Err(_) if Instant::now() < end => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn start_rival(&mut self, rival: &rivals::Rival) -> Result<Option<Target>, BenchError> {
        let found = match rival.find(self.plan).await {
            Ok(found) => found,
            Err(missing) => {
                self.missing.push(missing);
                return Ok(None);
            }
        };
        let start = async |service| {
            rival
                .start(self.stage, &self.world, self.plan, &found, service)
                .await
        };
        let running = match start(self.world.service).await {
            Ok(running) => running,
            Err(error) => {
                self.progress
                    .note(&format!("{} is left out: {error}", rival.subject.title()));
                for scenario in self.scenarios.clone() {
                    self.leave_out(scenario, Some(rival.subject), error.to_string());
                }
                return Ok(None);
            }
        };
        if !self.programs.iter().any(|known| known.name == found.name) {
            self.programs.push(found.clone());
        }
        // It forwards to one place only: for WebSockets there is another one.
        let sockets = match rival.subject {
            Subject::Forwarder if self.scenarios.contains(&Scenario::WebSocket) => {
                Some(start(self.world.sockets).await?)
            }
            _ => None,
        };
        let sockets = sockets.map(|running| (running.started, running.port));
        Ok(Some(self.target(
            rival.subject,
            (running.started, running.port),
            sockets,
        )?))
    }

    fn target(
        &self,
        subject: Subject,
        (started, port): (Started, u16),
        sockets: Option<(Started, u16)>,
    ) -> Result<Target, BenchError> {
        let cookie = match subject {
            Subject::Pingap => format!("access_token={}", self.world.people.shared_secret_token()?),
            _ => cookie_for(subject, &self.world.person),
        };
        Ok(Target {
            sockets: sockets.unwrap_or_else(|| (started.clone(), port)),
            subject,
            started,
            port,
            cookie,
        })
    }

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
                Scenario::Json | Scenario::Page if self.oha.is_some() => 2,
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

/// Microseconds for each.
pub(crate) fn each_us(seconds: f64, done: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let done = done.max(1) as f64;
    seconds * 1e6 / done
}

/// Two digits that count; at least ten.
fn rounded(rate: f64) -> u32 {
    let step = 10_f64.powf((rate.max(10.0).log10() - 1.0).floor());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
    let rounded = ((rate / step).round() * step) as u32;
    rounded.max(10)
}

/// What can be measured of what was asked for, and what cannot, and why.
fn choose(plan: &Plan, wrk: bool) -> Result<(Vec<Scenario>, Vec<LeftOut>), BenchError> {
    let (mut scenarios, mut left_out) = (Vec::new(), Vec::new());
    let asked = Scenario::ALL
        .into_iter()
        .filter(|scenario| plan.scenarios.contains(scenario));
    for scenario in asked {
        let own = matches!(scenario, Scenario::Login | Scenario::Revocation);
        let reason = if !wrk && provable(scenario) {
            format!("{} is not installed: {}", WRK.name, WRK.get)
        } else if own && !plan.subjects.contains(&Subject::Gateway) {
            "only the gateway does that, and it takes no part".to_owned()
        } else {
            scenarios.push(scenario);
            continue;
        };
        left_out.push(LeftOut {
            scenario,
            subject: None,
            latencies_only: false,
            reason,
        });
    }
    match (scenarios.is_empty(), wrk) {
        (true, false) => Err(WRK.missing().into()),
        _ => Ok((scenarios, left_out)),
    }
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
        | Scenario::Idle => true,
        Scenario::WebSocket | Scenario::Login | Scenario::Revocation => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_driven_is_left_out_and_if_that_is_all_the_program_is_asked_for() {
        let mut plan = Plan::new("hivematrix".into());
        plan.subjects = vec![Subject::Nginx];
        let (scenarios, left_out) = choose(&plan, true).unwrap();
        assert!(scenarios.contains(&Scenario::Json) && !scenarios.contains(&Scenario::Login));
        assert_eq!(left_out.len(), 2);
        let (scenarios, left_out) = choose(&plan, false).unwrap();
        assert_eq!(scenarios, [Scenario::WebSocket]);
        assert!(left_out[0].reason.contains("apt-get install wrk"), "{left_out:?}");
        plan.scenarios = vec![Scenario::Json];
        assert!(matches!(choose(&plan, false), Err(BenchError::Missing(_))));
    }

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

    #[test]
    fn processor_time_is_told_for_each() {
        assert_eq!(each_us(1.5, 50_000), 30.0);
        assert_eq!(each_us(1.5, 0), 1_500_000.0);
    }
}
