//! JSON from other systems: asked within a time, read up to a size, and every way in which that fails told apart.
//!
//! Used for the identity provider's users and for companies of other systems. Addresses are not repeated in errors:
//! they may hold credentials.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

/// How long one answer may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

/// Most bytes of one answer: 8 MiB.
const LARGEST: usize = 8 * 1024 * 1024;

/// Why there is no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutsideError {
    /// Nobody there, too slow, or cut off in mid-answer.
    #[error("it does not answer completely: {0}")]
    Unreachable(String),
    /// Another status than success.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// More than 8 MiB.
    #[error("its answer is longer than {} MiB", LARGEST / 1024 / 1024)]
    TooLong,
    /// Not the JSON that was expected.
    #[error("its answer is not what was expected: {0}")]
    Malformed(String),
}

impl OutsideError {
    /// Whether the same question may be answered in a moment.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            // Half an answer that ends like a whole one does not parse.
            Self::Malformed(_) => true,
            Self::TooLong => false,
        }
    }
}

/// Sends the request and reads the answer.
pub(crate) async fn fetch<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, OutsideError> {
    let mut response = request.timeout(TIMEOUT).send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(OutsideError::Status(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(OutsideError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| OutsideError::Malformed(error.to_string()))
}

/// The error with its causes, which name the operating system's reason, and without the address.
#[allow(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn unreachable(error: reqwest::Error) -> OutsideError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    OutsideError::Unreachable(text)
}
