//! `unprotected-route` in Rust: every address but `/health` is behind a guard, or its handler asks who calls.
//!
//! A route counts as protected if its router is handed to `guard(…)` or gets a `route_layer`, or if every handler of it
//! takes a `User` or another type that only a verified token gives.

use std::collections::HashMap;
use std::ops::Range;

use super::Finding;
use super::source::{Language, Source, closing, is_word, places};

const RULE: &str = "unprotected-route";

/// Arguments of handlers that exist only where a token was verified.
const IDENTITIES: [&str; 6] = ["User", "Caller", "Visitor", "Claims", "Scope", "Rights"];

/// What makes a handler of a function.
const METHODS: [&str; 9] = [
    "get", "post", "put", "delete", "patch", "any", "head", "options", "connect",
];

/// The parameters of every function, by its name.
type Functions<'a> = HashMap<&'a str, Vec<&'a str>>;

pub(super) fn check(sources: &[Source], findings: &mut Vec<Finding>) {
    let rust = || sources.iter().filter(|source| source.language == Language::Rust);
    let functions = functions(rust());
    for source in rust() {
        for at in places(&source.bare, ".route(") {
            let open = at + ".route".len();
            let end = closing(&source.bare, open);
            let path = source
                .code
                .get(open + 1..end)
                .and_then(|call| call.split('"').nth(1))
                .unwrap_or_default();
            if path == "/health" || protected(source, at) || handlers_ask(source, open..end, &functions) {
                continue;
            }
            let message = format!(
                "{path} answers without a token; put it behind `guard`, or let its handler take a `User` or `Caller`"
            );
            findings.push(source.finding(at + 1, RULE, message));
        }
    }
}

/// Whether the router that gets the route here ends up behind a guard.
fn protected(source: &Source, at: usize) -> bool {
    let statement = statement(&source.bare, at);
    let text = source.bare.get(statement.clone()).unwrap_or_default();
    let after = source.bare.get(at..statement.end).unwrap_or_default();
    if after.contains(".route_layer(") || inside_guard(&source.bare, &statement, at) {
        return true;
    }
    let name = text
        .trim_start()
        .strip_prefix("let ")
        .map(|rest| rest.trim_start_matches("mut ").trim_start())
        .and_then(|rest| {
            rest.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
                .next()
        })
        .filter(|name| !name.is_empty());
    let Some(name) = name else { return false };
    let rest = source.bare.get(statement.end..).unwrap_or_default();
    let guarded = |start: usize| {
        let open = start + "guard".len();
        let arguments = rest.get(open + 1..closing(rest, open)).unwrap_or_default();
        arguments
            .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
            .any(|word| word == name)
    };
    places(rest, "guard(").any(guarded) || rest.contains(&format!("{name}.route_layer("))
}

/// Whether the place is between the brackets of a `guard(…)`.
fn inside_guard(bare: &str, statement: &Range<usize>, at: usize) -> bool {
    let text = bare.get(statement.clone()).unwrap_or_default();
    places(text, "guard(").any(|start| {
        let open = statement.start + start + "guard".len();
        open < at && at < closing(bare, open)
    })
}

/// The statement around a place: from the semicolon or brace before it to the one after, at its own depth.
fn statement(bare: &str, at: usize) -> Range<usize> {
    let bytes = bare.as_bytes();
    let mut depth = 0_i32;
    let mut start = at;
    while let Some(byte) = start.checked_sub(1).and_then(|before| bytes.get(before)) {
        match byte {
            b')' | b']' | b'}' => depth += 1,
            b'(' | b'[' if depth > 0 => depth -= 1,
            b'{' if depth > 0 => depth -= 1,
            b'{' => break,
            b';' if depth <= 0 => break,
            _ => {}
        }
        start -= 1;
    }
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'(' | b'[' | b'{' => end = closing(bare, end),
            b';' | b'}' => break,
            _ => {}
        }
        end += 1;
    }
    start..end.min(bare.len())
}

/// Whether every handler in `("/path", get(one).post(other))` takes an identity.
fn handlers_ask(source: &Source, call: Range<usize>, functions: &Functions<'_>) -> bool {
    let text = source.bare.get(call).unwrap_or_default();
    let mut handlers = 0;
    for method in METHODS {
        for at in places(text, method) {
            let own_word = !at
                .checked_sub(1)
                .and_then(|before| text.as_bytes().get(before))
                .is_some_and(|byte| is_word(*byte));
            let Some(argument) = text
                .get(at + method.len()..)
                .and_then(|rest| rest.strip_prefix('('))
            else {
                continue;
            };
            if !own_word {
                continue;
            }
            let name = argument.split(')').next().unwrap_or_default().trim();
            let name = name.rsplit("::").next().unwrap_or_default();
            let asks = functions
                .get(name)
                .is_some_and(|all| all.iter().any(|parameters| takes_identity(parameters)));
            if !asks {
                return false;
            }
            handlers += 1;
        }
    }
    handlers > 0
}

fn takes_identity(parameters: &str) -> bool {
    parameters
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .any(|word| IDENTITIES.contains(&word))
}

fn functions<'a>(sources: impl Iterator<Item = &'a Source>) -> Functions<'a> {
    let mut functions = Functions::new();
    for source in sources {
        for at in places(&source.bare, "fn ") {
            let rest = source.bare.get(at + 3..).unwrap_or_default();
            let Some(open) = rest.find('(') else { continue };
            let name = rest
                .get(..open)
                .unwrap_or_default()
                .split('<')
                .next()
                .unwrap_or_default()
                .trim();
            let parameters = rest.get(open..closing(rest, open)).unwrap_or_default();
            functions.entry(name).or_default().push(parameters);
        }
    }
    functions
}
