//! JSON over TLS and HTTP/2: as much as everybody can.

use super::{Bench, series};
use crate::load::h2load::H2load;
use crate::results::Sample;
use crate::scenario::Scenario;
use crate::stage::usage;

impl Bench<'_> {
    /// One round, everybody in turn.
    pub(super) async fn tls(&mut self, round: u32) {
        let Some(h2load) = self.tools.h2load.clone() else {
            return;
        };
        let h2load = H2load {
            program: &h2load.path,
            connections: self.plan.connections,
            duration: self.plan.seconds,
        };
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            if !self.takes_part(target, Scenario::Tls) {
                continue;
            }
            self.step(round, Scenario::Tls, target.subject, "as much as it can");
            let (subject, group, job) = (target.subject, target.tls.0.group, target.job(Scenario::Tls));
            let before = usage::cpu_seconds(group);
            let counted = h2load.drive(&job).await;
            let used = usage::cpu_seconds(group) - before;
            let Some(counted) = self.judged(Scenario::Tls, subject, job.at_least, counted) else {
                continue;
            };
            let sample = Sample::new(series(Scenario::Tls, subject), round)
                .closed(&counted)
                .used(used, &counted, group);
            self.samples.push(sample);
        }
    }
}
