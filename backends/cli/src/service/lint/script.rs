//! `credentials`: a script's request says that it rides on the session.

use super::Finding;
use super::source::{Language, Source, closing, is_word, places};

const RULE: &str = "credentials";

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if source.language != Language::Script {
        return;
    }
    for at in places(&source.bare, "fetch(") {
        let own_word = at
            .checked_sub(1)
            .and_then(|before| source.bare.as_bytes().get(before))
            .is_some_and(|byte| is_word(*byte));
        let end = closing(&source.bare, at + "fetch".len());
        let call = source.code.get(at..end).unwrap_or_default();
        if !own_word && !call.contains("credentials") {
            let message =
                "fetch without credentials: \"same-origin\"; older browsers send no session without it";
            findings.push(source.finding(at, RULE, message));
        }
    }
}
