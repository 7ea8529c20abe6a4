//! Who and what takes part: everything is started, and everybody has to prove that they do the work before it is measured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Bench, provable};
use crate::error::BenchError;
use crate::plan::Plan;
use crate::programs::{Found, H2LOAD, Missing, OHA, WRK};
use crate::progress::Progress;
use crate::results::LeftOut;
use crate::rivals;
use crate::scenario::Scenario;
use crate::stage::{Stage, Started};
use crate::subject::Subject;
use crate::target::{Target, cookie_for, http_client};
use crate::world::{PAUSE, World, gateway};

/// How long somebody may listen before it does its work.
const UNTIL_READY: Duration = Duration::from_secs(3);

/// Programs that drive load, as far as they are there.
pub(crate) struct Tools {
    pub(crate) wrk: Option<Found>,
    pub(crate) oha: Option<Found>,
    pub(crate) h2load: Option<Found>,
}

impl Tools {
    /// Looks for them; those that are not there.
    async fn find(plan: &Plan) -> (Self, Vec<Missing>) {
        let (wrk, oha) = (WRK.find(&plan.programs).await, OHA.find(&plan.programs).await);
        let h2load = H2LOAD.find(&plan.programs).await;
        let missing = [&wrk, &oha, &h2load]
            .into_iter()
            .filter_map(|found| found.as_ref().err().cloned());
        let missing = missing.collect();
        let tools = Self {
            wrk: wrk.ok(),
            oha: oha.ok(),
            h2load: h2load.ok(),
        };
        (tools, missing)
    }

    fn all(&self) -> impl Iterator<Item = &Found> {
        [&self.wrk, &self.oha, &self.h2load].into_iter().flatten()
    }
}

impl<'a> Bench<'a> {
    /// Starts everything that stands behind the subjects, then the subjects.
    pub(crate) async fn start(
        stage: &'a Stage,
        plan: &'a Plan,
        progress: &'a Progress,
    ) -> Result<Self, BenchError> {
        progress.now("starting Redis, the service, Core and the identity provider");
        let (tools, missing) = Tools::find(plan).await;
        let (scenarios, left_out) = choose(plan, &tools)?;
        let world = World::start(stage, plan).await?;
        let mut programs = world.programs.clone();
        programs.extend(tools.all().cloned());
        let mut bench = Self {
            plan,
            stage,
            progress,
            world,
            http: http_client()?,
            targets: Vec::new(),
            scenarios,
            tools,
            programs,
            missing,
            left_out,
            samples: Vec::new(),
            rates: BTreeMap::new(),
            callers: None,
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
                let start = async |number| gateway::start(self.stage, &self.world, self.plan, number).await;
                let (started, port) = start(0).await?;
                let mut target = self.target(subject, (started, port))?;
                if self.scenarios.contains(&Scenario::Tls) {
                    target.tls = start(gateway::WITH_TLS).await?;
                }
                Some(target)
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
        let mut target = self.target(rival.subject, (running.started.clone(), running.port))?;
        target.tls = (running.started, running.tls);
        if let Some(sockets) = sockets {
            target.sockets = (sockets.started, sockets.port);
        }
        Ok(Some(target))
    }

    fn target(&self, subject: Subject, (started, port): (Started, u16)) -> Result<Target, BenchError> {
        let cookie = match subject {
            Subject::Pingap => format!("access_token={}", self.world.people.shared_secret_token()?),
            _ => cookie_for(subject, &self.world.person),
        };
        Ok(Target {
            sockets: (started.clone(), port),
            tls: (started.clone(), port),
            subject,
            started,
            port,
            cookie,
        })
    }
}

/// What can be measured of what was asked for, and what cannot, and why.
fn choose(plan: &Plan, tools: &Tools) -> Result<(Vec<Scenario>, Vec<LeftOut>), BenchError> {
    let (mut scenarios, mut left_out) = (Vec::new(), Vec::new());
    let asked = Scenario::ALL
        .into_iter()
        .filter(|scenario| plan.scenarios.contains(scenario));
    for scenario in asked {
        let own = matches!(scenario, Scenario::Login | Scenario::Revocation);
        let (driver, there) = match scenario {
            Scenario::Tls => (&H2LOAD, tools.h2load.is_some()),
            _ => (&WRK, tools.wrk.is_some()),
        };
        let reason = if !there && provable(scenario) {
            format!("{} is not installed: {}", driver.name, driver.get)
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
    if scenarios.is_empty() && tools.wrk.is_none() {
        return Err(WRK.missing().into());
    }
    Ok((scenarios, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(there: bool) -> Tools {
        let found = || {
            there.then(|| Found {
                name: "a program".to_owned(),
                version: "1".to_owned(),
                path: "/bin/true".into(),
            })
        };
        Tools {
            wrk: found(),
            oha: found(),
            h2load: found(),
        }
    }

    #[test]
    fn what_cannot_be_driven_is_left_out_and_if_that_is_all_the_program_is_asked_for() {
        let mut plan = Plan::new("hivematrix".into());
        plan.subjects = vec![Subject::Nginx];
        let (scenarios, left_out) = choose(&plan, &tools(true)).unwrap();
        assert!(scenarios.contains(&Scenario::Json) && !scenarios.contains(&Scenario::Login));
        assert_eq!(left_out.len(), 2);
        let (scenarios, left_out) = choose(&plan, &tools(false)).unwrap();
        assert_eq!(scenarios, [Scenario::WebSocket]);
        assert!(
            left_out.iter().any(|left| left.reason.contains("nghttp2-client")),
            "{left_out:?}"
        );
        assert!(left_out[0].reason.contains("apt-get install wrk"), "{left_out:?}");
        plan.scenarios = vec![Scenario::Json];
        assert!(matches!(
            choose(&plan, &tools(false)),
            Err(BenchError::Missing(_))
        ));
    }
}
