//! People who are signed in and whom Codex does not know: the contract's "Agent not found".

use std::sync::Arc;

use hivematrix_gateway::config::Config;

use super::finding::{Check, Finding, Report};
use super::probe::Probe;

/// People who are asked about.
const PEOPLE: usize = 50;

/// Asks Codex about people.
pub(crate) async fn examine(
    config: &Config,
    probe: &Probe,
    token: Option<Arc<str>>,
    people: &[String],
) -> Report {
    let mut report = Report::default();
    let (Some(codex), Some(token)) = (&config.codex, token) else {
        report
            .skipped
            .push("codex: whether it knows who is signed in (no Codex, or no service token)".to_owned());
        return report;
    };
    let bearer = format!("Bearer {token}");
    let mut unknown = Vec::new();
    for email in people.iter().take(PEOPLE) {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("email", email)
            .finish();
        let path = format!("/api/public/user/theme?{query}");
        match probe.get(&codex.url, &path, &[("authorization", &bearer)]).await {
            // Codex has defaults for whom it does not know, and says that they are.
            Ok(seen) if seen.status == 404 || seen.json()["source"] == "default" => {
                unknown.push(email.as_str());
            }
            Ok(_) => {}
            // That it is down is another finding.
            Err(_) => break,
        }
    }
    if !unknown.is_empty() {
        let seen = format!("signed in, and not known to Codex: {}", unknown.join(", "));
        let fix = "synchronise agents from the identity provider (Codex, Agents, \"Sync from Keycloak\")";
        report.find(Finding::new(Check::AgentNotFound, "codex", seen, fix));
    }
    report
}
