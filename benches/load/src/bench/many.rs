//! Where many are at it: many sessions in turn, and many connections that are idle.

use std::path::PathBuf;

use super::{Bench, series};
use crate::error::BenchError;
use crate::load::wrk::Wrk;
use crate::load::{callers, idle};
use crate::results::{Sample, Series};
use crate::scenario::Scenario;
use crate::stage::usage;
use crate::subject::Subject;
use crate::target::cookie_for;

/// Rounds begin at different places of the draws, so that none is a repetition of another.
const STRIDE: f64 = 0.37;
/// The longest that everybody may take to be asked for once, in seconds.
const LONGEST_WARMING: u64 = 20;

/// Many callers, as wrk's script reads them.
#[derive(Clone, Debug)]
pub(super) struct Callers {
    /// A gateway's cookie in each line.
    handles: PathBuf,
    /// A rival's cookie in each line.
    tokens: PathBuf,
    /// Who comes after whom.
    draws: PathBuf,
    /// Everybody once.
    all: PathBuf,
    count: u32,
}

impl Bench<'_> {
    /// JSON for many callers. In the first round those who remember callers are measured twice: before they know
    /// anybody, and when they know everybody.
    pub(super) async fn many_sessions(&mut self, round: u32) -> Result<(), BenchError> {
        let Some(wrk) = self.tools.wrk.clone() else {
            return Ok(());
        };
        let callers = self.callers().await?;
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            if !self.takes_part(target, Scenario::Sessions) {
                continue;
            }
            let subject = target.subject;
            self.step(round, Scenario::Sessions, subject, "as much as it can");
            if round == 1 && remembers(subject) {
                self.ask_many(&wrk.path, &callers, at, round, "cold").await;
                self.ask_all(&wrk.path, &callers, at).await;
            }
            let variant = if remembers(subject) { "warm" } else { "" };
            self.ask_many(&wrk.path, &callers, at, round, variant).await;
        }
        Ok(())
    }

    async fn ask_many(
        &mut self,
        wrk: &std::path::Path,
        callers: &Callers,
        at: usize,
        round: u32,
        variant: &str,
    ) {
        let target = &self.targets[at];
        let (subject, group, job) = (
            target.subject,
            target.started.group,
            target.job(Scenario::Sessions),
        );
        let wrk = self.wrk_at(wrk, self.plan.seconds.as_secs().max(1));
        let (cookies, start) = (callers.cookies(subject), (f64::from(round) * STRIDE).fract());
        let before = usage::cpu_seconds(group);
        let counted = wrk
            .drive_callers(self.stage, &job, cookies, &callers.draws, start)
            .await;
        let used = usage::cpu_seconds(group) - before;
        let Some(counted) = self.judged(Scenario::Sessions, subject, job.at_least, counted) else {
            return;
        };
        let series = Series {
            variant: variant.to_owned(),
            ..series(Scenario::Sessions, subject)
        };
        let sample = Sample::new(series, round)
            .closed(&counted)
            .used(used, &counted, group);
        self.samples.push(sample);
    }

    /// Asks as everybody once, so that a subject knows them.
    async fn ask_all(&mut self, wrk: &std::path::Path, callers: &Callers, at: usize) {
        let target = &self.targets[at];
        let managed = self
            .samples
            .last()
            .and_then(|sample| sample.per_second)
            .unwrap_or(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some seconds"
        )]
        let seconds = (f64::from(callers.count) / managed.max(1.0) * 1.2).ceil() as u64;
        let wrk = self.wrk_at(wrk, seconds.clamp(1, LONGEST_WARMING));
        let (job, cookies) = (target.job(Scenario::Sessions), callers.cookies(target.subject));
        let counted = wrk
            .drive_callers(self.stage, &job, cookies, &callers.all, 0.0)
            .await;
        if let Err(error) = counted {
            self.progress.note(&format!(
                "{}, sessions: {error}",
                self.targets[at].subject.title()
            ));
        }
    }

    fn wrk_at<'b>(&self, program: &'b std::path::Path, seconds: u64) -> Wrk<'b> {
        Wrk {
            program,
            connections: self.plan.connections,
            seconds,
        }
    }

    /// Signs everybody in, when it is first needed.
    async fn callers(&mut self) -> Result<Callers, BenchError> {
        if let Some(callers) = &self.callers {
            return Ok(callers.clone());
        }
        let count = self.plan.sessions;
        self.progress.now(&format!("signing {count} people in"));
        let people = self.world.people.sign_in(count as usize).await?;
        let lines = |subject| {
            let lines = people.iter().map(|person| cookie_for(subject, person) + "\n");
            lines.collect::<String>()
        };
        let callers = Callers {
            handles: self
                .stage
                .write_secret("callers.handles", &lines(Subject::Gateway))?,
            tokens: self
                .stage
                .write_secret("callers.tokens", &lines(Subject::Nginx))?,
            draws: self.stage.write("callers.draws", callers::drawn(count))?,
            all: self.stage.write("callers.all", callers::all(count))?,
            count,
        };
        self.callers = Some(callers.clone());
        Ok(callers)
    }

    /// JSON while many connections are idle, and what each of those takes.
    pub(super) async fn idle(&mut self, round: u32) {
        let Some(wrk) = self.tools.wrk.clone() else { return };
        let count = self.plan.idle;
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            if !self.takes_part(target, Scenario::Idle) {
                continue;
            }
            self.step(
                round,
                Scenario::Idle,
                target.subject,
                &format!("{count} connections idle"),
            );
            let (subject, group, job) = (target.subject, target.started.group, target.job(Scenario::Idle));
            let before = usage::memory_mib(group);
            let streams = idle::open(&job, target.port, count).await;
            let grown = usage::memory_mib(group) - before;
            let (cpu, driven) = (
                usage::cpu_seconds(group),
                self.wrk_at(&wrk.path, self.plan.seconds.as_secs().max(1)),
            );
            let counted = driven.drive(self.stage, &job).await;
            let used = usage::cpu_seconds(group) - cpu;
            let held = idle::still_open(&streams);
            if held < count as usize {
                let reason = format!("it held {held} of {count} connections");
                self.leave_out(Scenario::Idle, Some(subject), reason);
                continue;
            }
            let Some(counted) = self.judged(Scenario::Idle, subject, job.at_least, counted) else {
                continue;
            };
            let mut sample = Sample::new(series(Scenario::Idle, subject), round)
                .closed(&counted)
                .used(used, &counted, group);
            // Memory that was used once is kept for the next time: only the first round tells.
            sample.connection_kib = (round == 1).then(|| grown.max(0.0) * 1024.0 / f64::from(count));
            self.samples.push(sample);
        }
    }
}

impl Callers {
    fn cookies(&self, subject: Subject) -> &PathBuf {
        if subject == Subject::Gateway {
            &self.handles
        } else {
            &self.tokens
        }
    }
}

/// Whether it remembers those whom it has checked.
const fn remembers(subject: Subject) -> bool {
    matches!(subject, Subject::Gateway | Subject::Envoy)
}
