//! Core's key set, fetched over HTTP and kept: refetched on an unknown key id and when it has grown old, never by two at once, never
//! more often than every few seconds, and kept while Core is down.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use reqwest::Client;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::jwks::{Jwks, KeySource, KeysUnavailable, StaticKeys};

/// No fetch within this time after one that succeeded.
const PAUSE: Duration = Duration::from_secs(5);
/// No fetch within this time after one that failed: shorter, for Core may be just starting.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// A set that is older is refetched beside its use, so that a key that Core has withdrawn goes here too.
const OLD: Duration = Duration::from_secs(300);
/// For one fetch.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of a key set.
const MAX_BYTES: usize = 256 * 1024;

/// Keys from Core's `/.well-known/jwks.json`. Clones share one set.
#[derive(Debug, Clone)]
pub struct RemoteKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    urls: Vec<Url>,
    current: ArcSwapOption<Fetched>,
    /// Held during a fetch: when and how the last one ended.
    last: Mutex<Option<Attempt>>,
}

#[derive(Debug)]
struct Fetched {
    keys: StaticKeys,
    at: Instant,
}

#[derive(Debug, Clone)]
struct Attempt {
    ended: Instant,
    outcome: Result<(), KeysUnavailable>,
}

impl RemoteKeys {
    /// Keys from the document at `url`. Nothing is fetched before the first key is asked for.
    #[must_use]
    pub fn new(client: Client, url: Url) -> Self {
        Self::any_of(client, vec![url])
    }

    /// Keys from the first of these documents that can be had: replicas of Core publish the same keys.
    #[must_use]
    pub fn any_of(client: Client, urls: Vec<Url>) -> Self {
        Self(Arc::new(Inner {
            client,
            urls,
            current: ArcSwapOption::empty(),
            last: Mutex::new(None),
        }))
    }
}

impl Inner {
    fn known(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        self.current.load().as_ref()?.keys.at_hand(kid)
    }

    /// Fetches unless that was done just now. Callers that arrive during a fetch wait for it and share its outcome.
    async fn refresh(&self) -> Result<(), KeysUnavailable> {
        let mut last = self.last.lock().await;
        if let Some(attempt) = &*last {
            let pause = if attempt.outcome.is_ok() {
                PAUSE
            } else {
                PAUSE_AFTER_FAILURE
            };
            if attempt.ended.elapsed() < pause {
                return attempt.outcome.clone();
            }
        }
        let outcome = self.fetch_any().await.map(|keys| {
            self.current.store(Some(Arc::new(Fetched {
                keys,
                at: Instant::now(),
            })))
        });
        *last = Some(Attempt {
            ended: Instant::now(),
            outcome: outcome.clone(),
        });
        outcome
    }

    async fn fetch_any(&self) -> Result<StaticKeys, KeysUnavailable> {
        let mut outcome = Err(KeysUnavailable("nobody to ask".to_owned()));
        for url in &self.urls {
            outcome = self.fetch(url).await;
            match &outcome {
                Ok(_) => break,
                Err(error) => tracing::warn!(%error, %url, "cannot fetch the keys that verify tokens"),
            }
        }
        outcome
    }

    async fn fetch(&self, url: &Url) -> Result<StaticKeys, KeysUnavailable> {
        let unavailable = |error: reqwest::Error| KeysUnavailable(error.without_url().to_string());
        let response = self
            .client
            .get(url.clone())
            .timeout(TIMEOUT)
            .send()
            .await
            .map_err(unavailable)?;
        let response = response.error_for_status().map_err(unavailable)?;
        let body = crate::http_client::read_limited(response, MAX_BYTES)
            .await
            .map_err(|error| KeysUnavailable(error.to_string()))?;
        let jwks: Jwks = serde_json::from_slice(&body)
            .map_err(|error| KeysUnavailable(format!("not a key set: {error}")))?;
        let keys = StaticKeys::new(&jwks);
        // A set without keys would lock everybody out; whatever Core is doing, the keys we have are better.
        if keys.is_empty() {
            Err(KeysUnavailable("the key set has no key for RS256".to_owned()))
        } else {
            Ok(keys)
        }
    }
}

#[async_trait]
impl KeySource for RemoteKeys {
    fn at_hand(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        let fetched = self.0.current.load();
        let fetched = fetched.as_ref()?;
        // Whoever holds the lock is fetching already.
        if fetched.at.elapsed() > OLD && self.0.last.try_lock().is_ok() {
            let inner = Arc::clone(&self.0);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { inner.refresh().await });
            }
        }
        fetched.keys.at_hand(kid)
    }

    async fn key(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, KeysUnavailable> {
        if let Some(key) = self.at_hand(kid) {
            return Ok(Some(key));
        }
        let outcome = self.0.refresh().await;
        match (self.0.known(kid), outcome) {
            (Some(key), _) => Ok(Some(key)),
            (None, Ok(())) => Ok(None),
            (None, Err(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::SigningKey;

    /// Keys that were fetched this long ago from a Core that is not there any more.
    async fn keys_of_a_core_that_is_gone(age: Duration) -> RemoteKeys {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let keys = RemoteKeys::new(Client::new(), format!("http://127.0.0.1:{port}").parse().unwrap());
        let set = StaticKeys::new(&Jwks {
            keys: vec![SigningKey::generate("known").unwrap().jwk()],
        });
        let at = Instant::now()
            .checked_sub(age)
            .expect("the machine is up for longer than that");
        keys.0.current.store(Some(Arc::new(Fetched { keys: set, at })));
        keys
    }

    #[tokio::test]
    async fn the_keys_we_have_outlive_an_outage_of_core() {
        let keys = keys_of_a_core_that_is_gone(Duration::ZERO).await;
        assert!(
            keys.key("unknown").await.is_err(),
            "nobody can say whether there is such a key"
        );
        assert!(keys.key("known").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn an_old_set_is_refetched_beside_its_use() {
        let keys = keys_of_a_core_that_is_gone(OLD + Duration::from_secs(1)).await;
        assert!(keys.at_hand("known").is_some(), "nobody waits");
        while keys.0.last.lock().await.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(keys.at_hand("known").is_some(), "and a failure costs nothing");
    }
}
