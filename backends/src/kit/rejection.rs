//! Refusals: what a handler returns when it does not do what it was asked.
//!
//! Responsible for: status, the one sentence a client reads, and its form (RFC 9457 for programs, a page for
//! people). Not responsible for: logging (the request log does), and Core's `{"error"}` bodies (the contract's
//! own form, in [`core`](crate::core)).

use axum::response::{IntoResponse, Response};
use hivematrix_platform::Problem;
use hivematrix_platform::problem::CONTENT_TYPE as PROBLEM;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::html;
use serde::Serialize;
use serde_json::{Map, Value};

/// A refusal. `Result<T, Rejection>` is what handlers return.
///
/// It leaves the service as `application/problem+json`, or as a page if the request came from a person's
/// navigation; the request's id is in both (platform README §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    status: StatusCode,
    detail: String,
    challenge: Option<&'static str>,
    retry_after: Option<u32>,
    extra: Map<String, Value>,
}

impl Rejection {
    /// A refusal with any status. `detail` is read by the client: no internals.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            challenge: None,
            retry_after: None,
            extra: Map::new(),
        }
    }

    /// 400: the request makes no sense.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401 with a `Bearer` challenge (RFC 6750 §3).
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self {
            challenge: Some("Bearer"),
            ..Self::new(StatusCode::UNAUTHORIZED, detail)
        }
    }

    /// 403: known, but not allowed.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: it contradicts what is there.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: understood, but a value is not acceptable.
    #[must_use]
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503 with `Retry-After` in seconds: something this service needs is down.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// 500. The cause goes to the log; the client reads only that it was not its fault.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(reason = "internal", %cause, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The service could not complete the request.",
        )
    }

    /// Adds a member to the problem, for programs: which fields were wrong, for one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.extra.insert(name.to_owned(), value);
        }
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence that the client reads.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Writes the refusal down for whoever asked by the request called `id`.
    pub(super) fn render(&self, headers: &HeaderMap, id: &str) -> Response {
        let mut response = if wants_page(headers) {
            self.as_page(id)
        } else {
            self.as_problem(Some(id))
        };
        self.decorate(&mut response);
        response
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn as_page(&self, id: &str) -> Response {
        let body = html! {
            main .card {
                div .card__header { h1 .card__title { (self.title()) } }
                div .card__body {
                    p { (self.detail) }
                    p { small { "Request " code { (id) } } }
                }
            }
        };
        (self.status, super::page(self.title(), body)).into_response()
    }

    fn as_problem(&self, id: Option<&str>) -> Response {
        let mut problem = Problem::new(self.status).detail(&self.detail);
        if let Some(id) = id {
            problem = problem.instance(id);
        }
        for (name, value) in &self.extra {
            problem = problem.with(name, value.clone());
        }
        (self.status, [(CONTENT_TYPE, PROBLEM)], problem.to_json()).into_response()
    }

    fn decorate(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

impl IntoResponse for Rejection {
    /// The answer without what only the outermost layer knows; the refusal travels with it, and that layer
    /// (part of [`serve`](super::serve)) writes the final form.
    fn into_response(self) -> Response {
        let mut response = self.as_problem(None);
        self.decorate(&mut response);
        response.extensions_mut().insert(self);
        response
    }
}

/// Whether a person's navigation asks, to whom JSON is of no use.
fn wants_page(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    if headers.contains_key("sec-fetch-mode") {
        return is("sec-fetch-mode", "navigate");
    }
    let accepts_html = headers
        .get(http::header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"));
    accepts_html && !headers.contains_key("x-requested-with") && !headers.contains_key("hx-request")
}
