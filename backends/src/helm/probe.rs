//! Asks services how they are: all at once, each with a time limit, and not more often than once a second.
//!
//! What an answer means is decided here and nowhere else; how it is shown is the business of `services` and `views`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::Watched;

/// How long an answer is good for. Pages that refresh themselves must not multiply the questions.
const FRESH: Duration = Duration::from_secs(1);

/// How many services are asked at the same time.
const AT_ONCE: usize = 32;

/// Largest health report that is read, in bytes.
const LARGEST_REPORT: usize = 64 * 1024;

/// Longest message that is shown, in characters.
const LONGEST_MESSAGE: usize = 300;

/// Whether a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Process {
    /// It answers.
    Running,
    /// Nothing listens.
    Stopped,
    /// Something listens, but does not answer.
    Unknown,
}

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wellness {
    /// It says that it is healthy.
    Healthy,
    /// It says that it is not, or answers with an error.
    Degraded,
    /// It cannot be asked.
    Unreachable,
    /// It answers, but not the question.
    Unknown,
}

/// What is known of a service, in the names of the contract (platform README §9). What only a process manager knows
/// is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ServiceStatus {
    pub(super) service_name: String,
    pub(super) configured_port: Option<u16>,
    pub(super) configured_url: String,
    pub(super) status: Process,
    pub(super) health: Wellness,
    pub(super) health_message: String,
    pub(super) pid: Option<u32>,
    pub(super) cpu_percent: Option<u32>,
    pub(super) memory_mb: Option<u32>,
    pub(super) started_at: Option<String>,
}

/// Asks, and remembers the answers for a moment.
pub(super) struct Probe {
    http: reqwest::Client,
    timeout: Duration,
    services: Arc<[Watched]>,
    /// Held while asking: whoever comes meanwhile waits for the same answers.
    last: Mutex<Option<(Instant, Arc<[ServiceStatus]>)>>,
}

impl Probe {
    pub(super) fn new(http: reqwest::Client, timeout: Duration, services: Arc<[Watched]>) -> Self {
        Self {
            http,
            timeout,
            services,
            last: Mutex::new(None),
        }
    }

    /// How every service is, in their order.
    pub(super) async fn all(&self) -> Arc<[ServiceStatus]> {
        let mut last = self.last.lock().await;
        if let Some((when, statuses)) = last.as_ref()
            && when.elapsed() < FRESH
        {
            return Arc::clone(statuses);
        }
        // Collected first: the compiler cannot follow the closure's lifetimes through the stream.
        let questions: Vec<_> = self.services.iter().map(|service| self.ask(service)).collect();
        let statuses: Vec<ServiceStatus> = stream::iter(questions).buffered(AT_ONCE).collect().await;
        let statuses: Arc<[ServiceStatus]> = statuses.into();
        *last = Some((Instant::now(), Arc::clone(&statuses)));
        statuses
    }

    async fn ask(&self, service: &Watched) -> ServiceStatus {
        let (status, health, message) =
            match tokio::time::timeout(self.timeout, self.fetch(&service.url)).await {
                Ok(Ok(answer)) => {
                    let (health, message) = understand(answer.code, &answer.body);
                    (Process::Running, health, message)
                }
                Ok(Err(error)) if error.is_connect() => (
                    Process::Stopped,
                    Wellness::Unreachable,
                    "Nothing answers at this address.".to_owned(),
                ),
                Ok(Err(_)) => (
                    Process::Unknown,
                    Wellness::Unreachable,
                    "The connection broke off.".to_owned(),
                ),
                Err(_) => {
                    let message = format!("No answer within {} ms.", self.timeout.as_millis());
                    (Process::Unknown, Wellness::Unreachable, message)
                }
            };
        ServiceStatus {
            service_name: service.name.to_string(),
            configured_port: service.url.port_or_known_default(),
            configured_url: service.url.to_string(),
            status,
            health,
            health_message: message,
            pid: None,
            cpu_percent: None,
            memory_mb: None,
            started_at: None,
        }
    }

    async fn fetch(&self, url: &Url) -> reqwest::Result<Answer> {
        let mut response = self.http.get(health_url(url)).send().await?;
        let mut body = Vec::new();
        // A report that is too long is cut off; it is then no JSON and counts as none.
        while body.len() <= LARGEST_REPORT
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            code: response.status().as_u16(),
            body,
        })
    }
}

struct Answer {
    code: u16,
    body: Vec<u8>,
}

/// `health` below the service's address, whether or not that ends with a slash.
fn health_url(service: &Url) -> Url {
    let mut url = service.clone();
    url.set_path(&format!("{}/health", service.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// What an answer to `/health` says.
fn understand(code: u16, body: &[u8]) -> (Wellness, String) {
    let report: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = report["status"].as_str();
    match (code, said) {
        (200..=299, Some("healthy") | None) => (Wellness::Healthy, "Everything works.".to_owned()),
        (_, Some("degraded" | "unhealthy")) => (Wellness::Degraded, complaint(&report, code)),
        (300..=499, _) => (
            Wellness::Unknown,
            format!("It answers, but has no health report (status {code})."),
        ),
        _ => (Wellness::Degraded, complaint(&report, code)),
    }
}

/// Which checks did not pass; the report comes from another program and is taken as such.
fn complaint(report: &Value, code: u16) -> String {
    let failed: Vec<String> = report["checks"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, check)| {
            // The Python services write the check's status as a text, ours as an object with a message.
            let status = check["status"].as_str().or_else(|| check.as_str())?;
            let message = check["message"].as_str().unwrap_or(status);
            (!matches!(status, "healthy" | "ok")).then(|| format!("{name}: {message}"))
        })
        .collect();
    let text = if failed.is_empty() {
        format!("It answers with status {code}.")
    } else {
        failed.join("; ")
    };
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST_MESSAGE)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn an_answer_means_what_it_says() {
        let rows: &[(u16, &str, Wellness, &str)] = &[
            (
                200,
                r#"{"status":"healthy"}"#,
                Wellness::Healthy,
                "Everything works.",
            ),
            (200, "OK", Wellness::Healthy, "Everything works."),
            (
                503,
                r#"{"status":"unhealthy","checks":{"database":{"status":"unhealthy","message":"gone"},"disk":{"status":"healthy"}}}"#,
                Wellness::Degraded,
                "database: gone",
            ),
            (
                503,
                r#"{"status":"degraded","checks":{"redis":"slow"}}"#,
                Wellness::Degraded,
                "redis: slow",
            ),
            (
                200,
                r#"{"status":"degraded"}"#,
                Wellness::Degraded,
                "It answers with status 200.",
            ),
            (500, "<html>", Wellness::Degraded, "It answers with status 500."),
            (
                404,
                "<html>",
                Wellness::Unknown,
                "It answers, but has no health report (status 404).",
            ),
            (
                302,
                "",
                Wellness::Unknown,
                "It answers, but has no health report (status 302).",
            ),
            (
                200,
                r#"{"status":"unheard of"}"#,
                Wellness::Degraded,
                "It answers with status 200.",
            ),
            (
                503,
                r#"{"status":{"a":1},"checks":[1,2]}"#,
                Wellness::Degraded,
                "It answers with status 503.",
            ),
        ];
        for (code, body, health, message) in rows {
            assert_eq!(
                understand(*code, body.as_bytes()),
                (*health, (*message).to_owned()),
                "for {code} {body}"
            );
        }
    }

    #[test]
    fn health_is_asked_below_the_services_address() {
        for (service, asked) in [
            ("http://127.0.0.1:5010", "http://127.0.0.1:5010/health"),
            ("http://127.0.0.1:5010/", "http://127.0.0.1:5010/health"),
            (
                "http://127.0.0.1:5010/codex/?a#b",
                "http://127.0.0.1:5010/codex/health",
            ),
        ] {
            assert_eq!(health_url(&service.parse().unwrap()).as_str(), asked);
        }
    }

    #[test]
    fn a_long_complaint_is_cut_and_has_no_control_characters() {
        let report =
            serde_json::json!({"checks": {"x": {"status": "bad", "message": "a\u{1b}[31m".repeat(1000)}}});
        let text = complaint(&report, 503);
        assert_eq!(text.chars().count(), LONGEST_MESSAGE);
        assert!(!text.contains(char::is_control));
    }
}
