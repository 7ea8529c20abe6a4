//! What the demo tells the person who started it: where to go, who can sign in, where the rest is.

use std::fmt::Write as _;

use super::{Plan, Platform};
use crate::parts::Person;

/// The text, ending with a newline.
pub(crate) fn banner(plan: &Plan, platform: &Platform) -> String {
    let mut text = String::from("\n  HiveMatrix is running.\n\n");
    let mut row = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", format!("    {name:<9} {value}").trim_end());
    };
    row("open", &plan.url());
    for origin in plan.origins.iter().skip(1) {
        row("or", &origin.to_string());
    }
    if plan.tls.is_some() {
        row("", "The certificate is self-signed: your browser will ask, once.");
    }
    row("", "");
    row(
        "sign in",
        &format!("{:<12} {:<17} and see", "as", "with password"),
    );
    for (person, password) in &plan.people {
        row(
            "",
            &format!("{:<12} {password:<17} {}", person.username, sees(*person)),
        );
    }
    row("", "");
    if let Some(admin) = platform.admin() {
        row(
            "metrics",
            &format!("http://{admin}/metrics    (health in detail: /health)"),
        );
    }
    row(
        "sessions",
        if plan.redis.is_some() {
            "in Redis"
        } else {
            "in memory"
        },
    );
    row("data", &data(plan));
    for service in &plan.services {
        row(
            "service",
            &format!(
                "{}{}/    (from {})",
                plan.url(),
                format_args!("/{}", service.name),
                service.url
            ),
        );
    }
    if !plan.services.is_empty() {
        row(
            "core",
            &format!(
                "http://{}    (CORE_SERVICE_URL of your services)",
                platform.core()
            ),
        );
    }
    row("stop", "Ctrl-C");
    text.push('\n');
    text
}

/// What tells the users apart.
fn sees(person: Person) -> &'static str {
    match person.group {
        "admins" => "everything, Helm included",
        "technicians" | "billing" => "Codex and Template, and may change companies",
        _ => "their own company in Codex, and Template",
    }
}

fn data(plan: &Plan) -> String {
    match plan.data() {
        (folder, true) => format!("in {}", folder.display()),
        (_, false) => "gone at the end (keep it with --data DIR)".to_owned(),
    }
}
