//! A guard against a slower request path that no noise can trip: instructions are counted, not time.
//!
//! Each subject runs under valgrind's callgrind in a process of its own, and what it takes is held against
//! `budget.toml`. `--write` writes what was counted, with some room, as the new budget: a decision to be seen in the
//! commit that needs it. How to read it: `../README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a guard whose fixtures are broken must not pass"
)]

mod budget;
mod subjects;

use std::path::Path;
use std::process::{Command, ExitCode};

use budget::{Budget, Verdict};
use subjects::Subject;

/// Rounds that are counted, after some that are not.
const ROUNDS: u64 = 50;
const WARM_UP: u64 = 20;

/// The function whose instructions are counted, with those of all that it calls. Valgrind knows it by this name.
#[inline(never)]
fn counted_by_callgrind(round: &mut dyn FnMut()) {
    for _ in 0..ROUNDS {
        round();
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, name] = arguments.as_slice()
        && word == "--run"
    {
        run(name);
        return ExitCode::SUCCESS;
    }
    let version = Command::new("valgrind").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        eprintln!("valgrind is missing: apt-get install valgrind");
        return ExitCode::FAILURE;
    }
    let counted: Vec<(Subject, u64)> = Subject::ALL.map(|subject| (subject, count(subject))).to_vec();
    let mut budget = Budget::read();
    if arguments.iter().any(|argument| argument == "--write") {
        budget.set(&counted);
        return ExitCode::SUCCESS;
    }
    println!("instructions per round, built {}:", budget::build());
    let mut passed = true;
    for (subject, instructions) in counted {
        let verdict = budget.judge(subject, instructions);
        passed &= verdict != Verdict::TooMany;
        println!(
            "{:28} {instructions:>9}  {}",
            subject.name(),
            verdict.sentence(budget.of(subject))
        );
    }
    if passed {
        ExitCode::SUCCESS
    } else {
        eprintln!("{}", budget::ADVICE);
        ExitCode::FAILURE
    }
}

/// What callgrind watches: one subject, warmed up.
fn run(name: &str) {
    let subject = Subject::ALL.into_iter().find(|subject| subject.name() == name);
    let mut round = subject.expect("a subject").prepare(WARM_UP + ROUNDS);
    for _ in 0..WARM_UP {
        round();
    }
    counted_by_callgrind(&mut round);
}

/// Instructions per round.
fn count(subject: Subject) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("callgrind.out");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .arg("--toggle-collect=*counted_by_callgrind*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args(["--run", subject.name()])
        .status()
        .expect("valgrind");
    assert!(status.success(), "{}: {status}", subject.name());
    total(&out) / ROUNDS
}

/// The sum that callgrind wrote at the end of its file.
fn total(out: &Path) -> u64 {
    let text = std::fs::read_to_string(out).expect("callgrind's file");
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")))
        .and_then(|figures| figures.split_whitespace().next()?.parse().ok())
        .expect("a sum");
    assert!(total > ROUNDS, "nothing was counted");
    total
}
