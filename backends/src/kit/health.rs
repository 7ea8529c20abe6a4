//! The `/health` answer that operators and Helm read.
//!
//! Responsible for: the shape of platform README §9 and its status. Not responsible for: what is checked.

use std::collections::BTreeMap;
use std::fmt::Display;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How a part, or the whole, is. The whole is as bad as its worst part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Healthy,
    /// It works with less than it should have.
    Degraded,
    /// It does not work.
    Unhealthy,
}

#[derive(Clone, Debug, Serialize)]
struct Check {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A health report in the making; return it from the handler of `/health`.
///
/// `{"service","status","timestamp","checks":{name:{"status","message"?}}}`, 200 only when everything is healthy,
/// else 503.
#[derive(Clone, Debug)]
pub struct Health {
    service: String,
    checks: BTreeMap<&'static str, Check>,
}

impl Health {
    /// A report of a service about which nothing bad is known yet.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            checks: BTreeMap::new(),
        }
    }

    /// Adds a check that either passed, or made the service unhealthy.
    ///
    /// The error's text is not shown, only logged: `/health` may be public.
    #[must_use]
    pub fn check<T, E: Display>(self, name: &'static str, result: Result<T, E>) -> Self {
        match result {
            Ok(_) => self.add(name, Status::Healthy, None),
            Err(error) => {
                tracing::warn!(reason = "health", check = name, %error, "a health check failed");
                self.add(name, Status::Unhealthy, Some("unavailable".to_owned()))
            }
        }
    }

    /// Adds a finding with a message that anybody may read.
    #[must_use]
    pub fn finding(self, name: &'static str, status: Status, message: impl Into<String>) -> Self {
        self.add(name, status, Some(message.into()))
    }

    fn add(mut self, name: &'static str, status: Status, message: Option<String>) -> Self {
        self.checks.insert(name, Check { status, message });
        self
    }

    /// The worst of all findings.
    #[must_use]
    pub fn status(&self) -> Status {
        self.checks
            .values()
            .map(|check| check.status)
            .max()
            .unwrap_or(Status::Healthy)
    }
}

impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let status = self.status();
        let code = if status == Status::Healthy {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let body = serde_json::json!({
            "service": self.service,
            "status": status,
            "timestamp": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            "checks": self.checks,
        });
        (code, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn answered(health: Health) -> (StatusCode, serde_json::Value) {
        let response = health.into_response();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn only_a_healthy_service_answers_200() {
        let fine = Health::new("codex").check::<_, &str>("database", Ok(()));
        let (status, body) = answered(fine.clone()).await;
        assert_eq!(
            (status, body["status"].as_str()),
            (StatusCode::OK, Some("healthy"))
        );
        assert_eq!(body["service"], "codex");
        assert!(OffsetDateTime::parse(body["timestamp"].as_str().unwrap(), &Rfc3339).is_ok());

        let (status, body) = answered(fine.clone().finding("disk", Status::Degraded, "90 % full")).await;
        assert_eq!(
            (status, body["status"].as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, Some("degraded"))
        );
        assert_eq!(body["checks"]["disk"]["message"], "90 % full");

        let down = fine.check::<(), _>("redis", Err("connection to redis://secret@host refused"));
        let (status, body) = answered(down).await;
        assert_eq!(
            (status, body["status"].as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, Some("unhealthy"))
        );
        assert!(!body.to_string().contains("secret"), "causes belong into the log");
    }
}
