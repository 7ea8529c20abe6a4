//! The client of Core's API (platform README §5): token exchange, revocation, service tokens. What Core does with a call is the
//! backend's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dashmap::DashMap;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::clock::unix_now;
use crate::http_client::{ReadError, read_limited};
use crate::service_name::ServiceName;
use crate::single_flight::SingleFlight;

/// A service token is not used in the last seconds of its life.
const SPARE_SECONDS: u64 = 30;
/// For one call, unless set otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MAX_BYTES: usize = 64 * 1024;

/// Why Core did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// No connection, or it broke.
    #[error("Core is unreachable: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("Core did not answer in time")]
    TimedOut,
    /// An answer other than success.
    #[error("Core refused ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Core's `error` or `message`; for logs, not for users.
        message: String,
    },
    /// An answer that is not Core's.
    #[error("Core's answer is malformed: {0}")]
    Malformed(String),
}

impl CoreError {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "core_unreachable",
            Self::TimedOut => "core_timed_out",
            Self::Refused { .. } => "core_refused",
            Self::Malformed(_) => "core_malformed",
        }
    }

    /// Whether the same call may succeed later: Core is down or in trouble. False where Core has decided.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::Malformed(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
        }
    }
}

impl From<reqwest::Error> for CoreError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Unreachable(causes(&error))
        }
    }
}

/// An error with all that caused it: the outermost sentence of an HTTP client's error says next to nothing.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Calls Core as one service. Clones share the connections and the service tokens.
#[derive(Clone)]
pub struct CoreClient(Arc<Inner>);

struct Inner {
    client: Client,
    /// Replicas of Core, at least one.
    bases: Vec<Url>,
    /// Which of them answered last.
    answering: AtomicUsize,
    caller: ServiceName,
    secret: Option<SecretString>,
    timeout: Duration,
    tokens: DashMap<ServiceName, ServiceToken>,
    flights: SingleFlight<ServiceName, Result<Arc<str>, CoreError>>,
}

struct ServiceToken {
    token: Arc<str>,
    exp: u64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: String,
}

impl CoreClient {
    /// Calls the Core at `base` as `caller`, which proves itself by `secret` where service tokens are asked for. Each call may take
    /// 5 seconds.
    #[must_use]
    pub fn new(client: Client, base: Url, caller: ServiceName, secret: Option<SecretString>) -> Self {
        Self::with_timeout(client, base, caller, secret, DEFAULT_TIMEOUT)
    }

    /// As [`CoreClient::new`], with another limit for each call.
    #[must_use]
    pub fn with_timeout(
        client: Client,
        base: Url,
        caller: ServiceName,
        secret: Option<SecretString>,
        timeout: Duration,
    ) -> Self {
        Self::replicated(client, (base, Vec::new()), caller, secret, timeout)
    }

    /// As [`CoreClient::with_timeout`], where Core runs more than once, on one Redis and with the same keys. The one that answered
    /// last is asked first; when it does not answer, or is in trouble, the next. All calls may be repeated: what an exchange whose
    /// answer was lost has begun is a session of which nobody has the token. The limit is for all attempts together.
    #[must_use]
    pub fn replicated(
        client: Client,
        (first, others): (Url, Vec<Url>),
        caller: ServiceName,
        secret: Option<SecretString>,
        timeout: Duration,
    ) -> Self {
        let (tokens, flights) = (DashMap::new(), SingleFlight::new());
        Self(Arc::new(Inner {
            client,
            bases: std::iter::once(first).chain(others).collect(),
            answering: AtomicUsize::new(0),
            caller,
            secret,
            timeout,
            tokens,
            flights,
        }))
    }

    /// Where Core, and each of its replicas, publishes its keys.
    #[must_use]
    pub fn jwks_urls(&self) -> Vec<Url> {
        let jwks = |base| endpoint(base, "/.well-known/jwks.json");
        self.0.bases.iter().map(jwks).collect()
    }

    /// Exchanges an access token of the identity provider for a HiveMatrix token, whose session Core creates.
    ///
    /// # Errors
    /// If Core cannot be asked, or refuses: `Refused` with 401 means that the access token is not (or no longer) good.
    pub async fn exchange(&self, access_token: &str) -> Result<String, CoreError> {
        let body = json!({ "access_token": access_token });
        let answer: TokenAnswer = parse(&self.0.call("/api/token/exchange", &body, None).await?)?;
        Ok(answer.token)
    }

    /// Renews the session of a HiveMatrix token that is still good, with a fresh access token of the same person, until `until`
    /// (seconds since the epoch) at the latest: a new token of the same session.
    ///
    /// # Errors
    /// If Core cannot be asked, or refuses: `Refused` with 401 means that the session is over, or the access token not good; 404 or
    /// 405 that this Core renews nothing (the Python Core does not).
    pub async fn renew(&self, token: &str, access_token: &str, until: u64) -> Result<String, CoreError> {
        let body = json!({ "token": token, "access_token": access_token, "until": until });
        let answer: TokenAnswer = parse(&self.0.call("/api/token/renew", &body, None).await?)?;
        Ok(answer.token)
    }

    /// Revokes the session of a HiveMatrix token, which may have expired. Success also where there is no such session any more.
    ///
    /// # Errors
    /// If Core cannot be asked, or refuses. The session may then be alive still.
    pub async fn revoke(&self, token: &str) -> Result<(), CoreError> {
        let body = json!({ "token": token });
        match self.0.call("/api/token/revoke", &body, None).await {
            Ok(_) => Ok(()),
            Err(CoreError::Refused { status: 404, message })
                if message.contains("not found or already revoked") =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A token with which this caller may call `target`. Kept until half a minute before it expires; many that ask at once cause one
    /// call.
    ///
    /// # Errors
    /// If Core cannot be asked, or refuses.
    pub async fn service_token(&self, target: &ServiceName) -> Result<Arc<str>, CoreError> {
        if let Some(known) = self.0.tokens.get(target)
            && unix_now() + SPARE_SECONDS < known.exp
        {
            return Ok(Arc::clone(&known.token));
        }
        let load = || {
            let (inner, target) = (Arc::clone(&self.0), target.clone());
            async move { inner.fetch_service_token(&target).await }
        };
        let lost = || Err(CoreError::Unreachable("the call was abandoned".to_owned()));
        self.0
            .flights
            .run(target, load, |_| ())
            .await
            .unwrap_or_else(lost)
    }

    /// Forgets the token for `target`: for a caller whose token was not accepted.
    pub fn forget_service_token(&self, target: &ServiceName) {
        self.0.tokens.remove(target);
    }
}

impl Inner {
    async fn fetch_service_token(&self, target: &ServiceName) -> Result<Arc<str>, CoreError> {
        let body = json!({ "calling_service": self.caller, "target_service": target });
        let answer: TokenAnswer = parse(&self.call("/service-token", &body, self.secret.as_ref()).await?)?;
        let exp = expiry(&answer.token)
            .ok_or_else(|| CoreError::Malformed("the service token has no expiry".to_owned()))?;
        let token: Arc<str> = answer.token.into();
        self.tokens.insert(
            target.clone(),
            ServiceToken {
                token: Arc::clone(&token),
                exp,
            },
        );
        Ok(token)
    }

    /// The body of a successful answer, of the first replica that gives one or decides otherwise. `proof` is sent as that of the
    /// caller.
    async fn call(
        &self,
        path: &str,
        body: &Value,
        proof: Option<&SecretString>,
    ) -> Result<Vec<u8>, CoreError> {
        let (count, first) = (self.bases.len(), self.answering.load(Ordering::Relaxed));
        let patience = self.timeout / u32::try_from(count).unwrap_or(u32::MAX);
        let mut trouble = CoreError::Unreachable("no address".to_owned());
        for (index, base) in self.bases.iter().enumerate().cycle().skip(first).take(count) {
            let mut request = self
                .client
                .post(endpoint(base, path))
                .timeout(patience)
                .json(body);
            if let Some(secret) = proof {
                request = request.basic_auth(&self.caller, Some(secret.expose_secret()));
            }
            match ask(request).await {
                Err(error) if error.is_outage() => {
                    if count > 1 {
                        tracing::warn!(%error, at = base.as_str(), "a replica of Core did not do its part");
                    }
                    trouble = error;
                }
                decided => {
                    self.answering.store(index, Ordering::Relaxed);
                    return decided;
                }
            }
        }
        Err(trouble)
    }
}

/// The body of a successful answer.
async fn ask(request: RequestBuilder) -> Result<Vec<u8>, CoreError> {
    let response = request.send().await?;
    let status = response.status();
    let body = read_limited(response, MAX_BYTES)
        .await
        .map_err(|error| match error {
            ReadError::Broken(error) => CoreError::from(error),
            ReadError::TooLong(_) => CoreError::Malformed(error.to_string()),
        })?;
    if status == StatusCode::OK {
        Ok(body)
    } else {
        Err(CoreError::Refused {
            status: status.as_u16(),
            message: message(&body),
        })
    }
}

/// A path below a base address, whether or not that ends with a slash.
pub(crate) fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&[base.path().trim_end_matches('/'), path].concat());
    url
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CoreError> {
    serde_json::from_slice(body).map_err(|error| CoreError::Malformed(error.to_string()))
}

/// What Core says about a refusal, cut to a line of a log.
fn message(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = ["error", "message", "detail", "title"]
        .iter()
        .find_map(|field| value.get(field)?.as_str())
        .unwrap_or_default();
    text.chars()
        .filter(|character| !character.is_control())
        .take(200)
        .collect()
}

/// The expiry that a token carries. Only for deciding when to ask for the next one: the receiver verifies it.
fn expiry(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Exp {
        exp: u64,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Exp>(&payload)
        .ok()
        .map(|claims| claims.exp)
}

impl std::fmt::Debug for CoreClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoreClient")
            .field("bases", &self.0.bases.iter().map(Url::as_str).collect::<Vec<_>>())
            .field("caller", &self.0.caller)
            .finish_non_exhaustive()
    }
}
