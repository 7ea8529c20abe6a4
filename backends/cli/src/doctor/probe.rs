//! The doctor's own requests: `GET` only, bounded in time and size, redirects looked at and not followed.

use std::time::Duration;

use hivematrix_platform::http_client;
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use crate::failure::Failure;

/// For one request, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(4);
/// How much of an answer is looked at, in bytes.
const LIMIT: usize = 512 * 1024;

/// Asks.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    http: reqwest::Client,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody listens there.
    Refused(String),
    /// Somebody accepts connections and does not answer.
    Hangs,
    /// What came is no answer.
    Broken(String),
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(cause) => write!(f, "no connection ({cause})"),
            Self::Hangs => write!(
                f,
                "it accepts connections and does not answer within {} s",
                TIMEOUT.as_secs()
            ),
            Self::Broken(cause) => write!(f, "what it answers is no HTTP ({cause})"),
        }
    }
}

impl Seen {
    /// Where it sends whoever asked, if it does.
    pub(crate) fn location(&self) -> Option<&str> {
        let redirects = (300..400).contains(&self.status);
        self.headers.get(LOCATION).filter(|_| redirects)?.to_str().ok()
    }

    /// Whether the body is a page.
    pub(crate) fn is_page(&self) -> bool {
        self.kind().starts_with("text/html") || self.kind().starts_with("application/xhtml")
    }

    /// The media type.
    pub(crate) fn kind(&self) -> &str {
        let kind = self.headers.get("content-type");
        kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// When the server says it is, in seconds since 1970.
    pub(crate) fn date(&self) -> Option<i64> {
        let date = self.headers.get("date")?.to_str().ok()?;
        let date = time::OffsetDateTime::parse(date, &time::format_description::well_known::Rfc2822).ok()?;
        Some(date.unix_timestamp())
    }
}

impl Probe {
    pub(crate) fn new() -> Result<Self, Failure> {
        let http = http_client::internal().map_err(|error| Failure::outside("no HTTP client", error))?;
        Ok(Self { http })
    }

    /// The client, for calls of the platform's own.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks for a path below `base`, which has none, with these headers.
    pub(crate) async fn get(
        &self,
        base: &Url,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Seen, Silence> {
        let url = base
            .join(path)
            .map_err(|error| Silence::Broken(error.to_string()))?;
        let mut request = self.http.get(url).timeout(TIMEOUT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Result<Seen, Silence> {
        read(self.http.post(url).timeout(TIMEOUT).form(fields)).await
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Seen, Silence> {
    let mut response = request.send().await.map_err(silence)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    // An answer without an end (events) is no fault; what has come is looked at.
    while body.len() < LIMIT
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(LIMIT);
    Ok(Seen {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn silence(error: reqwest::Error) -> Silence {
    let (connect, timeout) = (error.is_connect(), error.is_timeout());
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match (connect, timeout) {
        (true, _) => Silence::Refused(cause.to_string()),
        (_, true) => Silence::Hangs,
        _ => Silence::Broken(cause.to_string()),
    }
}
