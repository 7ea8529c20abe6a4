//! What happens around every request of every service.
//!
//! Responsible for: the correlation id (accepted, made, logged, answered), one log event per request, panics
//! that end as a plain 500, and the last form of refusals. Not responsible for: what a route does.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::body::{HttpBody as _, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use tracing::Instrument as _;

use super::Rejection;

/// How much of a request body any route reads, in bytes, unless it says otherwise by its own
/// [`DefaultBodyLimit`]: 1 MiB. More is answered 413.
pub const BODY_LIMIT: usize = 1024 * 1024;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

tokio::task_local! {
    static CURRENT: CorrelationId;
}

/// The id under which the gateway, this service and the logs know the request; in the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// The id of a request: what it brings if that is short and plain, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let plain = |id: &&str| {
            (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match headers
            .get(&CORRELATION_ID)
            .and_then(|value| value.to_str().ok())
            .filter(plain)
        {
            Some(id) => Self(id.to_owned()),
            None => Self::new(),
        }
    }

    /// The id of the request that the current task answers; a new one elsewhere (in tasks of their own, for one).
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_else(|_| Self::new())
    }

    fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()))
    }

    /// The id as text: 1 to 64 characters of `A-Z a-z 0-9 - _ .`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Puts around a service what belongs around every service.
pub(super) fn surround(router: Router) -> Router {
    router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(around))
}

async fn around(mut request: Request, next: Next) -> Response {
    let id = CorrelationId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!(
        "request",
        correlation_id = id.as_str(),
        method = %request.method(),
        // Without the query: it may hold what must not be logged.
        path = request.uri().path(),
    );
    let answer = async move {
        let started = Instant::now();
        let headers = request.headers().clone();
        let work = CURRENT.scope(id.clone(), next.run(request));
        let response = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => Rejection::internal(panic_message(panic.as_ref())).into_response(),
        };
        let mut response = finish(response, &headers, id.as_str()).await;
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(CORRELATION_ID, value);
        }
        let status = response.status().as_u16();
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status, milliseconds, "answered");
        response
    };
    answer.instrument(span).await
}

/// Gives a refusal its last form, and turns the bare errors of axum (no route, method not allowed, body too
/// large, malformed JSON) into refusals of the same form.
async fn finish(response: Response, headers: &HeaderMap, id: &str) -> Response {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        return rejection.render(headers, id);
    }
    let status = response.status();
    let bare = match response.headers().get(CONTENT_TYPE) {
        None => response.body().size_hint().exact() == Some(0),
        Some(kind) => kind.as_bytes().starts_with(b"text/plain"),
    };
    if !bare || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, 4096).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&text).trim() {
        // Whoever typed it cannot do anything with what axum says here.
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => {
            "What was sent is larger than this service takes. Nothing was changed; please send less."
                .to_owned()
        }
        "" => status.canonical_reason().unwrap_or("Error").to_owned(),
        text if status.is_client_error() => text.to_owned(),
        _ => "The service could not complete the request.".to_owned(),
    };
    let rendered = Rejection::new(status, detail).render(headers, id);
    // What else the answer said stays: `Allow` of a 405, for one.
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let (fresh, body) = rendered.into_parts();
    parts.headers.extend(fresh.headers);
    Response::from_parts(parts, body)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}
