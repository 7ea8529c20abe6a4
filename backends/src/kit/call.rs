//! One service calls another (platform README §3, §10): with a token of its own, again where that is safe, under the
//! same correlation id.
//!
//! Responsible for: addresses by name, service tokens, retries within one deadline, bounded answers. Not responsible for:
//! what is asked and answered, nor for acting in a user's name: a service calls on its own behalf, and decides itself
//! what it shows to whom.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{CoreClient, ServiceName};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::CorrelationId;
use super::call_error::CallError;

/// For a call with all its attempts, unless it says otherwise: 10 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes: 4 MiB.
pub const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// Attempts of one call at most.
const ATTEMPTS: u32 = 4;

/// Before the second attempt; doubled before each further one, with up to half of it more at random.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest that a called service may ask to be left alone (`Retry-After`) and still be asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// The other services, as this one reaches them. Clones share connections and tokens.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    core: CoreClient,
    http: Client,
    addresses: HashMap<ServiceName, Url>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.addresses.keys()).finish()
    }
}

impl Services {
    /// Services at these addresses, called in the name that `core` asks for tokens under.
    #[must_use]
    pub fn new(core: CoreClient, http: Client, addresses: HashMap<ServiceName, Url>) -> Self {
        Self(Arc::new(Inner {
            core,
            http,
            addresses,
        }))
    }

    /// A call of `path` (with its query, as the service sees it: without a prefix) at the service called `target`.
    pub fn call(&self, target: &ServiceName, method: Method, path: &str) -> Call {
        Call {
            services: self.clone(),
            target: target.clone(),
            method,
            path: path.to_owned(),
            body: None,
            timeout: CALL_TIMEOUT,
        }
    }

    /// `GET` of a JSON document: the usual call.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get<T: DeserializeOwned>(&self, target: &ServiceName, path: &str) -> Result<T, CallError> {
        self.call(target, Method::GET, path).json().await
    }
}

/// One call, before it is made.
#[must_use = "a call is made by `send` or `json`"]
#[derive(Debug)]
pub struct Call {
    services: Services,
    target: ServiceName,
    method: Method,
    path: String,
    body: Option<Result<Vec<u8>, String>>,
    timeout: Duration,
}

/// What came of one attempt.
enum Outcome {
    Done(Result<Vec<u8>, CallError>),
    /// The token was not accepted.
    Unauthorized(CallError),
    /// Worth another attempt, not before this time has passed.
    Again(CallError, Duration),
}

impl Call {
    /// Sends this as JSON.
    pub fn body(mut self, value: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(value).map_err(|error| error.to_string()));
        self
    }

    /// For the call with all its attempts. Default [`CALL_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the call, and reads the answer as JSON.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, CallError> {
        let service = self.target.clone();
        let body = self.send().await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Malformed {
            service,
            cause: error.to_string(),
        })
    }

    /// Makes the call: the body of a 2xx answer.
    ///
    /// Tried again, up to four times in all: whatever never reached the service, and for `GET`, `HEAD`, `PUT`, `DELETE`
    /// and `OPTIONS` (RFC 9110 §9.2.2) also broken connections and 429, 502, 503 and 504, as long as `Retry-After` is
    /// short. A token that is refused is replaced once.
    ///
    /// # Errors
    /// [`CallError`], after the last attempt.
    pub async fn send(self) -> Result<Vec<u8>, CallError> {
        let Some(base) = self.services.0.addresses.get(&self.target) else {
            return Err(CallError::Unknown(self.target));
        };
        let url = base
            .join(self.path.trim_start_matches('/'))
            .map_err(|error| self.malformed(error))?;
        // A path like `//host` must not lead elsewhere, with our token.
        if url.origin() != base.origin() {
            return Err(self.malformed("the path leads to another host"));
        }
        let body = match &self.body {
            Some(Err(error)) => return Err(self.malformed(error)),
            Some(Ok(body)) => Some(body.clone()),
            None => None,
        };
        let id = CorrelationId::current();
        let deadline = Instant::now() + self.timeout;
        let attempts = self.attempts(&url, body.as_deref(), &id, deadline);
        match tokio::time::timeout_at(deadline, attempts).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::TimedOut(self.target)),
        }
    }

    async fn attempts(
        &self,
        url: &Url,
        body: Option<&[u8]>,
        id: &CorrelationId,
        deadline: Instant,
    ) -> Result<Vec<u8>, CallError> {
        let (mut pause, mut fresh_token) = (PAUSE, false);
        let mut attempt = 1;
        loop {
            let (error, wait) = match self.attempt(url, body, id).await {
                Outcome::Done(answer) => return answer,
                Outcome::Unauthorized(error) if fresh_token => return Err(error),
                Outcome::Unauthorized(error) => {
                    fresh_token = true;
                    self.services.0.core.forget_service_token(&self.target);
                    (error, Duration::ZERO)
                }
                Outcome::Again(error, wait) => (error, wait.max(jittered(pause))),
            };
            if attempt == ATTEMPTS || Instant::now() + wait >= deadline {
                return Err(error);
            }
            tracing::info!(reason = error.reason(), target = %self.target, attempt, %error, "calling again");
            attempt += 1;
            pause *= 2;
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, url: &Url, body: Option<&[u8]>, id: &CorrelationId) -> Outcome {
        let token = match self.services.0.core.service_token(&self.target).await {
            Ok(token) => token,
            Err(error) => {
                let again = error.is_outage();
                let error = CallError::NoToken {
                    service: self.target.clone(),
                    error,
                };
                return if again {
                    Outcome::Again(error, Duration::ZERO)
                } else {
                    Outcome::Done(Err(error))
                };
            }
        };
        let mut request = self
            .services
            .0
            .http
            .request(self.method.clone(), url.clone())
            .bearer_auth(token)
            .header("x-correlation-id", id.as_str());
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_vec());
        }
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) => self.broken(&error),
        }
    }

    /// Whether a broken call may be made again: if it never left, or makes no difference.
    fn broken(&self, error: &reqwest::Error) -> Outcome {
        let unreachable = CallError::Unreachable {
            service: self.target.clone(),
            cause: causes(error),
        };
        if error.is_connect() || self.method.is_idempotent() {
            Outcome::Again(unreachable, Duration::ZERO)
        } else {
            Outcome::Done(Err(unreachable))
        }
    }

    async fn judge(&self, response: reqwest::Response) -> Outcome {
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let body = match read(response).await {
            Ok(body) => body,
            Err(Unread::TooLarge) => {
                return Outcome::Done(Err(self.malformed(format!("more than {ANSWER_LIMIT} bytes"))));
            }
            Err(Unread::Broken(error)) => return self.broken(&error),
        };
        if status.is_success() {
            return Outcome::Done(Ok(body));
        }
        let refused = CallError::Refused {
            service: self.target.clone(),
            status,
            detail: detail(&body),
        };
        let passing = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        match wait {
            _ if status == StatusCode::UNAUTHORIZED => Outcome::Unauthorized(refused),
            wait if passing && self.method.is_idempotent() && wait <= PATIENCE => {
                Outcome::Again(refused, wait)
            }
            _ => Outcome::Done(Err(refused)),
        }
    }

    fn malformed(&self, cause: impl std::fmt::Display) -> CallError {
        CallError::Malformed {
            service: self.target.clone(),
            cause: cause.to_string(),
        }
    }
}

enum Unread {
    TooLarge,
    Broken(reqwest::Error),
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Seconds only: our services write no dates there.
fn retry_after(headers: &HeaderMap) -> Duration {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = value.and_then(|value| value.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

/// So that many callers that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() / 2.0)
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the call broke off".to_owned()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// What the called service says of its refusal.
fn detail(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = ["detail", "error", "message", "title"]
        .iter()
        .find_map(|member| value.get(member)?.as_str());
    let text = text.unwrap_or_default().chars();
    text.filter(|character| !character.is_control())
        .take(200)
        .collect()
}
