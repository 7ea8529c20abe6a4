//! What a provider says of itself (OpenID Connect Discovery 1.0 §4), for providers whose addresses follow no pattern that we know.
//!
//! Responsible for: fetching the document from the configured issuer, checking that it is that issuer's, and keeping it. Not
//! responsible for what is done at the addresses.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use openidconnect::AuthType;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::back_channel::BackChannel;
use super::login_error::LoginError;

/// A document is good this long. Addresses change seldom; keys are fetched on their own.
const FRESH: Duration = Duration::from_secs(3600);

/// While the provider does not answer it is asked again after this, and not before.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A provider's addresses, by discovery.
pub(super) struct Discovery {
    /// As configured, to the letter.
    issuer: String,
    known: ArcSwapOption<Metadata>,
    last: Mutex<Option<(Instant, Option<LoginError>)>>,
}

/// The part of the document that matters.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Metadata {
    /// How the client proves itself: in the header unless the provider wants it in the body (Discovery §3: the header is
    /// the default).
    pub(super) fn auth_type(&self) -> AuthType {
        match &self.token_endpoint_auth_methods_supported {
            Some(methods) if !methods.iter().any(|method| method == "client_secret_basic") => {
                AuthType::RequestBody
            }
            Some(_) | None => AuthType::BasicAuth,
        }
    }

    /// Tokens and secrets are sent to these addresses, and browsers are sent there: over TLS, or on this machine.
    fn is_trustworthy(&self) -> bool {
        let end_session = self.end_session_endpoint.iter();
        [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri]
            .into_iter()
            .chain(end_session)
            .all(|address| Url::parse(address).is_ok_and(|url| is_protected(&url)))
    }
}

fn is_protected(url: &Url) -> bool {
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

impl Discovery {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            known: ArcSwapOption::empty(),
            last: Mutex::new(None),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What is known; `None` before the first answer.
    pub(super) fn known(&self) -> Option<Arc<Metadata>> {
        self.known.load_full()
    }

    /// Sees to it that something is known, and not too old. One caller asks, and the others wait for it.
    ///
    /// # Errors
    /// [`LoginError::ProviderDown`] if nothing is known; an old document is better than none.
    pub(super) async fn refresh(&self, back_channel: &BackChannel) -> Result<(), LoginError> {
        let mut last = self.last.lock().await;
        let known = self.known.load().is_some();
        match &*last {
            Some((at, None)) if at.elapsed() < FRESH => return Ok(()),
            Some((at, Some(error))) if at.elapsed() < AFTER_FAILURE => {
                return if known { Ok(()) } else { Err(error.clone()) };
            }
            Some(_) | None => {}
        }
        let fetched = self.fetch(back_channel).await;
        *last = Some((Instant::now(), fetched.as_ref().err().cloned()));
        match fetched {
            Ok(metadata) => self.known.store(Some(Arc::new(metadata))),
            Err(error) if known => {
                tracing::warn!(%error, "the provider's discovery document stays as it was")
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn fetch(&self, back_channel: &BackChannel) -> Result<Metadata, LoginError> {
        let down = |why: String| LoginError::ProviderDown(format!("its discovery document: {why}"));
        let url = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.trim_end_matches('/')
        );
        let answer = back_channel
            .get(&url)
            .await
            .map_err(|error| down(error.to_string()))?;
        if answer.status() != http::StatusCode::OK {
            return Err(down(format!("status {}", answer.status().as_u16())));
        }
        let metadata: Metadata =
            serde_json::from_slice(answer.body()).map_err(|error| down(format!("unreadable ({error})")))?;
        // Or one provider could speak for another (Discovery §4.3).
        if metadata.issuer != self.issuer {
            return Err(down(format!("it is of the issuer {:?}", metadata.issuer)));
        }
        if !metadata.is_trustworthy() {
            return Err(down(
                "an address in it is neither https nor on this machine".to_owned(),
            ));
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use axum::{Router, routing::get};
    use serde_json::{Value, json};

    use super::*;

    fn document(issuer: &str) -> Value {
        json!({
            "issuer": issuer,
            "authorization_endpoint": "https://id.example/auth",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://id.example/keys",
        })
    }

    /// A provider that answers with what `made` makes of its address, and counts.
    async fn provider(made: fn(&str) -> Value) -> (Discovery, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/tenant", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (counter, document) = (asked.clone(), made(&issuer).to_string());
        let answer = get(async move || {
            counter.fetch_add(1, SeqCst);
            document.clone()
        });
        let router = Router::new().route("/tenant/.well-known/openid-configuration", answer);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (Discovery::new(issuer), asked)
    }

    #[tokio::test]
    async fn a_document_is_fetched_once_and_kept() {
        let (discovery, asked) = provider(document).await;
        let channel = BackChannel::new().unwrap();
        for _ in 0..3 {
            discovery.refresh(&channel).await.unwrap();
        }
        let known = discovery.known().unwrap();
        assert_eq!(
            (asked.load(SeqCst), known.token_endpoint.as_str()),
            (1, "https://id.example/token")
        );
        assert!(known.end_session_endpoint.is_none());
        assert!(matches!(known.auth_type(), AuthType::BasicAuth));
    }

    #[tokio::test]
    async fn a_document_of_another_issuer_or_with_addresses_in_the_clear_is_refused() {
        let channel = BackChannel::new().unwrap();
        for made in [
            (|_| document("https://id.example")) as fn(&str) -> Value,
            |issuer| document(&format!("{issuer}/")),
            |issuer| {
                let mut document = document(issuer);
                document["token_endpoint"] = json!("http://id.example/token");
                document
            },
            |issuer| {
                let mut document = document(issuer);
                document["end_session_endpoint"] = json!("javascript:alert(1)");
                document
            },
            |issuer| json!({"issuer": issuer}),
        ] {
            let (discovery, _) = provider(made).await;
            let refused = discovery.refresh(&channel).await;
            assert!(matches!(refused, Err(LoginError::ProviderDown(_))), "{refused:?}");
            assert!(discovery.known().is_none());
        }
    }

    #[test]
    fn the_client_proves_itself_as_the_provider_wants_it() {
        for (methods, in_body) in [
            (None, false),
            (Some(vec!["client_secret_post"]), true),
            (Some(vec!["client_secret_post", "client_secret_basic"]), false),
        ] {
            let mut document = document("i");
            if let Some(methods) = methods {
                document["token_endpoint_auth_methods_supported"] = json!(methods);
            }
            let metadata: Metadata = serde_json::from_value(document).unwrap();
            assert_eq!(matches!(metadata.auth_type(), AuthType::RequestBody), in_body);
        }
    }
}
