//! `unprotected-route` and `prefix` in Python: every view but `/health` is behind a decorator that asks for a token, and
//! `ProxyFix`, nothing else, knows the prefix.

use super::Finding;
use super::source::{Language, Source, closing, places};

const ROUTE: &str = "unprotected-route";
const PREFIX: &str = "prefix";

/// What `ProxyFix` must be told, because the gateway sets these headers with exactly one value each.
const TRUSTED: [&str; 4] = ["x_for=1", "x_proto=1", "x_host=1", "x_prefix=1"];

pub(super) fn check(sources: &[Source], findings: &mut Vec<Finding>) {
    let python: Vec<&Source> = sources
        .iter()
        .filter(|source| source.language == Language::Python)
        .collect();
    // An application may ask before every request instead of in every view.
    let asks_always = python.iter().any(|source| {
        source.code.contains("before_request")
            && (source.code.contains("Authorization") || source.code.contains("token"))
    });
    for source in &python {
        if !asks_always {
            routes(source, findings);
        }
        for needle in ["SCRIPT_NAME", "PrefixMiddleware"] {
            for at in places(&source.code, needle) {
                let message = format!(
                    "{needle}: use ProxyFix and url_for; the gateway says the prefix in X-Forwarded-Prefix"
                );
                findings.push(source.finding(at, PREFIX, message));
            }
        }
    }
    proxy_fix(&python, findings);
}

fn routes(source: &Source, findings: &mut Vec<Finding>) {
    let lines: Vec<(usize, &str)> = lines(&source.code);
    let mut decorators: Vec<(usize, &str)> = Vec::new();
    for (at, line) in lines {
        let text = line.trim();
        if text.starts_with('@') {
            decorators.push((at + line.len() - line.trim_start().len(), text));
        } else if text.starts_with("def ") || text.starts_with("async def ") {
            view(source, &decorators, findings);
            decorators.clear();
        } else if !text.is_empty() && !text.ends_with(')') && !text.ends_with(',') {
            decorators.clear();
        }
    }
}

/// A decorator counts below the route only: above it, Flask has taken the bare function already.
fn view(source: &Source, decorators: &[(usize, &str)], findings: &mut Vec<Finding>) {
    let is_guard = |text: &str| {
        ["required", "protected", "authenticated"]
            .iter()
            .any(|word| text.contains(word))
    };
    for (index, (at, text)) in decorators.iter().enumerate() {
        let Some(path) = route(text) else { continue };
        let guarded = decorators.iter().skip(index + 1).any(|(_, text)| is_guard(text));
        if guarded || path == "/health" {
            continue;
        }
        let message = if decorators.iter().take(index).any(|(_, text)| is_guard(text)) {
            format!(
                "{path} answers without a token: the decorator that asks for one must stand below the route"
            )
        } else {
            format!("{path} answers without a token; put @token_required between the route and the function")
        };
        findings.push(source.finding(*at, ROUTE, message));
    }
}

/// The path in `@app.route("/path", …)` and its like.
fn route(decorator: &str) -> Option<&str> {
    let call = decorator.split_once('.')?.1;
    let (method, arguments) = call.split_once('(')?;
    if !["route", "get", "post", "put", "delete", "patch"].contains(&method) {
        return None;
    }
    let quote = arguments
        .trim_start()
        .chars()
        .next()
        .filter(|quote| ['"', '\''].contains(quote))?;
    arguments.split(quote).nth(1)
}

fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        lines.push((at, line));
        at += line.len() + 1;
    }
    lines
}

fn proxy_fix(python: &[&Source], findings: &mut Vec<Finding>) {
    let app = python
        .iter()
        .find_map(|source| places(&source.bare, "Flask(").next().map(|at| (*source, at)));
    let Some((app, at)) = app else { return };
    let mut used = false;
    for source in python {
        for at in places(&source.bare, "ProxyFix(") {
            used = true;
            let open = at + "ProxyFix".len();
            let call: String = source
                .bare
                .get(open..closing(&source.bare, open))
                .unwrap_or_default()
                .to_owned();
            let call = call.replace(char::is_whitespace, "");
            for trusted in TRUSTED.iter().filter(|trusted| !call.contains(**trusted)) {
                findings.push(source.finding(
                    at,
                    PREFIX,
                    format!("ProxyFix without {trusted}: links and redirects would be wrong"),
                ));
            }
        }
    }
    if !used {
        let message = "Flask without ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1): links and \
                       redirects would leave the service's prefix";
        findings.push(app.finding(at, PREFIX, message));
    }
}
