//! The HTTP client for calls between the platform's own parts (platform README §1). Calls to the outside need another one.

use std::time::Duration;

/// A client for services on this machine: connects within 2 seconds, follows no redirects (a backend that redirects an API call
/// is misconfigured, and a token must not follow it elsewhere), and ignores the environment's proxy settings.
///
/// # Errors
/// If the TLS backend cannot be set up.
pub fn internal() -> Result<reqwest::Client, reqwest::Error> {
    builder().build()
}

/// As [`internal`], for a service whose certificate is known: it trusts these, in PEM form, beside the public authorities.
///
/// # Errors
/// If that is no certificate, or the TLS backend cannot be set up.
pub fn trusting(pem: &str) -> Result<reqwest::Client, reqwest::Error> {
    builder()
        .add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes())?)
        .build()
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(60))
        .user_agent(concat!("hivematrix/", env!("CARGO_PKG_VERSION")))
}

/// The answer's body, if it is at most `limit` bytes long.
///
/// # Errors
/// If it is longer or breaks off.
pub(crate) async fn read_limited(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| ReadError::Broken(error.without_url()))?
    {
        if body.len() + chunk.len() > limit {
            return Err(ReadError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer broke off: {0}")]
    Broken(reqwest::Error),
}
