//! What no load program drives: WebSockets, logins, revocations.

use std::time::Duration;

use super::{Bench, rounded, series};
use crate::error::BenchError;
use crate::load::login::Logins;
use crate::load::revocation::revoke;
use crate::load::websocket::Talk;
use crate::results::{Sample, Series};
use crate::scenario::Scenario;
use crate::stage::usage;
use crate::subject::Subject;
use crate::world::{GATEWAYS as MOST, gateway};

/// Messages per second, of all connections together.
const MESSAGES: u32 = 4000;
/// The share of what the gateway manages at which logins are timed.
const LOGINS_OFFERED: f64 = 0.5;
/// So many gateways are asked at the same time.
pub(super) const GATEWAYS: [usize; 3] = [1, 2, MOST];
/// Sessions that are revoked one after the other, each time.
const REVOKED: usize = 100;
/// The longest that takes.
const LONGEST: Duration = Duration::from_secs(10);

impl Bench<'_> {
    /// Messages there and back.
    pub(super) async fn websocket(&mut self, round: u32) {
        let rate = self.plan.rate.unwrap_or(MESSAGES).min(MESSAGES);
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            if !self.takes_part(target, Scenario::WebSocket) {
                continue;
            }
            self.step(
                round,
                Scenario::WebSocket,
                target.subject,
                &format!("{rate} per second"),
            );
            let (subject, (started, port)) = (target.subject, target.sockets.clone());
            let headers = [
                ("Cookie", target.cookie.clone()),
                ("Origin", format!("http://127.0.0.1:{port}")),
            ];
            let talk = Talk {
                port,
                path: if subject == Subject::Forwarder {
                    "/socket"
                } else {
                    "/ws/socket"
                },
                headers: &headers,
                connections: self.plan.connections,
                rate,
                duration: self.plan.seconds,
            };
            let mut used = 0.0;
            let counted = match talk.connect().await {
                Ok(open) => {
                    let before = usage::cpu_seconds(started.group);
                    let counted = talk.talk(open).await;
                    used = usage::cpu_seconds(started.group) - before;
                    counted
                }
                Err(error) => Err(error),
            };
            if let Some(counted) = self.judged(Scenario::WebSocket, subject, 0, counted) {
                let sample = Sample::new(series(Scenario::WebSocket, subject), round);
                let sample = sample
                    .open(&counted, f64::from(rate))
                    .used(used, &counted, started.group);
                self.samples.push(sample);
            }
        }
    }

    /// Logins: as many as can be, and then half as many, to time them.
    pub(super) async fn login(&mut self, round: u32) -> Result<(), BenchError> {
        let Some((group, port)) = self.gateway() else {
            return Ok(());
        };
        self.step(round, Scenario::Login, Subject::Gateway, "as many as can be");
        let logins = Logins::to(
            self.http.clone(),
            &format!("{}/codex/page", gateway::origin(port)),
        )?;
        logins.one(0).await?;
        let before = usage::cpu_seconds(group);
        let counted = logins.as_many_as_can_be(self.plan.seconds).await?;
        let used = usage::cpu_seconds(group) - before;
        let sample = Sample::new(series(Scenario::Login, Subject::Gateway), round)
            .closed(&counted)
            .used(used, &counted, group);
        self.samples.push(sample);
        let known = self.rates.get(&Scenario::Login).copied();
        let rate = known.unwrap_or_else(|| rounded(counted.rate() * LOGINS_OFFERED));
        self.rates.insert(Scenario::Login, rate);
        self.step(
            round,
            Scenario::Login,
            Subject::Gateway,
            &format!("{rate} per second"),
        );
        let counted = logins.at_rate(f64::from(rate), self.plan.seconds).await?;
        let sample = Sample::new(series(Scenario::Login, Subject::Gateway), round);
        self.samples.push(sample.open(&counted, f64::from(rate)));
        Ok(())
    }

    /// Revocations, on one gateway and on several.
    pub(super) async fn revocation(&mut self, round: u32) -> Result<(), BenchError> {
        let Some((_, first)) = self.gateway() else {
            return Ok(());
        };
        let (mut ports, mut others) = (vec![first], Vec::new());
        for number in 1..MOST {
            let (started, port) = gateway::start(self.stage, &self.world, self.plan, number).await?;
            others.push(started);
            ports.push(port);
        }
        for count in GATEWAYS {
            self.step(
                round,
                Scenario::Revocation,
                Subject::Gateway,
                &format!("{count} gateway(s)"),
            );
            let people = self.world.people.sign_in(REVOKED).await?;
            let counted = revoke(&self.http, &self.world.people, people, &ports[..count], LONGEST).await?;
            let series = Series {
                variant: if count == 1 {
                    "1 gateway".to_owned()
                } else {
                    format!("{count} gateways")
                },
                ..series(Scenario::Revocation, Subject::Gateway)
            };
            let mut sample = Sample::new(series, round);
            sample.latency.clone_from(&counted.latency);
            sample.failed = counted.failed;
            self.samples.push(sample);
        }
        for other in others {
            self.stage.end(&other).await;
        }
        Ok(())
    }

    /// The gateway's process group and port, if it takes part.
    fn gateway(&self) -> Option<(i32, u16)> {
        let gateway = self
            .targets
            .iter()
            .find(|target| target.subject == Subject::Gateway)?;
        Some((gateway.started.group, gateway.port))
    }
}
