//! The gateway's own calls to the identity provider.
//!
//! Responsible for: an HTTP client that follows no redirects, takes a bounded time and reads a bounded
//! answer. Not responsible for what is asked or answered.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use super::endpoints::Forwarded;

/// For one call, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// No connection, no answer in time, or a broken one.
    #[error("{}", without_address(.0))]
    Http(reqwest::Error),
    /// The answer is larger than any that makes sense.
    #[error("the answer is too large")]
    TooLarge,
    /// The request or the answer is not HTTP.
    #[error("{0}")]
    Malformed(#[from] http::Error),
}

fn without_address(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the call failed"
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error)
    }
}

/// The client for these calls.
pub(super) struct BackChannel {
    http: reqwest::Client,
}

impl BackChannel {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: hivematrix_platform::http_client::internal()?,
        })
    }

    /// For the OpenID Connect library: calls that tell the provider its public address.
    pub(super) fn on_behalf_of(&self, forwarded: Forwarded) -> OnBehalfOf<'_> {
        OnBehalfOf {
            back_channel: self,
            forwarded,
        }
    }

    async fn send(&self, request: HttpRequest, forwarded: &Forwarded) -> Result<HttpResponse, CallError> {
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(TIMEOUT);
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = http::HeaderValue::from_str(value)
                && !value.is_empty()
            {
                request.headers_mut().insert(name, value);
            }
        };
        set("x-forwarded-proto", forwarded.proto);
        set("x-forwarded-host", &forwarded.host);
        set("x-forwarded-port", &forwarded.port);
        set("x-forwarded-prefix", &forwarded.prefix);
        read(self.http.execute(request).await?).await
    }

    /// Fetches a document.
    pub(super) async fn get(&self, url: &str) -> Result<HttpResponse, CallError> {
        read(self.http.get(url).timeout(TIMEOUT).send().await?).await
    }
}

/// See [`BackChannel::on_behalf_of`].
pub(super) struct OnBehalfOf<'a> {
    back_channel: &'a BackChannel,
    forwarded: Forwarded,
}

impl<'c> AsyncHttpClient<'c> for OnBehalfOf<'_> {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.back_channel.send(request, &self.forwarded))
    }
}

async fn read(mut answer: reqwest::Response) -> Result<HttpResponse, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
    }
    Ok(response.body(body)?)
}
