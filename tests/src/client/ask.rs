//! One request of a client, from its headers to its answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderName, HeaderValue};
use reqwest::RequestBuilder;
use url::Url;

use super::answer::{Answer, Streaming};
use super::jar::Jar;
use super::reload::Reloads;

/// A request that is being put together.
pub struct Ask {
    pub(super) request: RequestBuilder,
    pub(super) url: Url,
    pub(super) jar: Arc<Mutex<Jar>>,
    pub(super) reloads: Option<Reloads>,
}

impl Ask {
    /// Adds a header.
    ///
    /// # Panics
    /// If it is no header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        self.request = self
            .request
            .header(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.body(body);
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// Sets a form as body.
    #[must_use]
    pub fn form(mut self, fields: &[(String, String)]) -> Self {
        self.request = self.request.form(fields);
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// If there is none, or it breaks off.
    pub async fn send(mut self) -> Answer {
        if let Some(reloads) = self.reloads.take() {
            return self.send_reloading(&reloads).await;
        }
        let what = self.url.clone();
        match self.stream().await.whole().await {
            Ok(answer) => answer,
            Err(error) => panic!("{what}: the answer broke off: {error:?}"),
        }
    }

    /// Sends it and reads the whole answer; an error if it breaks off.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        self.try_stream().await?.whole().await
    }

    /// Waits longer than other requests: for answers that take a busy machine their time.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.request = self.request.timeout(Duration::from_secs(300));
        self
    }

    /// Sends it and reads the answer's head; the body comes piece by piece.
    ///
    /// # Panics
    /// If there is none.
    pub async fn stream(self) -> Streaming {
        let what = self.url.clone();
        match self.try_stream().await {
            Ok(streaming) => streaming,
            Err(error) => panic!("{what}: no answer: {error:?}"),
        }
    }

    /// As [`Ask::stream`].
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn try_stream(self) -> Result<Streaming, reqwest::Error> {
        let response = self.request.send().await?;
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        for line in response.headers().get_all(SET_COOKIE) {
            let _ = line.to_str().map(|line| jar.store(&self.url, line));
        }
        drop(jar);
        Ok(Streaming::new(self.url, response))
    }
}
