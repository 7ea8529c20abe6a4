//! `loopback-only`: whoever reaches a service past the gateway is checked by nobody.

use super::Finding;
use super::source::{Language, Source, places};

const RULE: &str = "loopback-only";
const ADVICE: &str = "a service listens on 127.0.0.1 only; people reach it through the gateway";

/// What listens on every address of the machine, in the languages of services and in their servers' arguments.
const NEEDLES: [&str; 12] = [
    "0.0.0.0",
    "[::]",
    "UNSPECIFIED",
    "--bind :",
    "--bind=:",
    "-b :",
    "host=\"::\"",
    "host='::'",
    "host=\"\"",
    "host=''",
    "--host=::",
    "--listen *:",
];

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if matches!(source.language, Language::Html | Language::Script | Language::Css) {
        return;
    }
    for needle in NEEDLES {
        for at in places(&source.code, needle) {
            // `10.0.0.0` and `::1` are something else.
            let before = source
                .code
                .get(..at)
                .and_then(|before| before.chars().next_back());
            if !before.is_some_and(|letter| letter.is_ascii_digit() || letter == '.') {
                findings.push(source.finding(at, RULE, format!("{needle}: {ADVICE}")));
            }
        }
    }
}
