//! The keys with which the identity provider signs.
//!
//! Responsible for: keeping them, and fetching them again when a signature fits none, by one caller at a
//! time and not more often than every few seconds. Not responsible for signatures.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use openidconnect::core::CoreJsonWebKeySet;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::back_channel::BackChannel;
use super::endpoints::Endpoints;
use super::login_error::LoginError;

/// Not more often than this are the keys fetched, however many tokens fit none of them.
const AFTER_SUCCESS: Duration = Duration::from_secs(5);

/// The same while the provider does not answer: those who waited for one call do not wait for another.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The provider's current keys.
pub(super) struct ProviderKeys {
    endpoints: Endpoints,
    current: ArcSwap<CoreJsonWebKeySet>,
    last: Mutex<Option<Fetch>>,
}

/// How the last fetch ended, and when.
struct Fetch {
    at: Instant,
    failure: Option<LoginError>,
}

impl ProviderKeys {
    pub(super) fn new(endpoints: Endpoints) -> Self {
        Self {
            endpoints,
            current: ArcSwap::default(),
            last: Mutex::new(None),
        }
    }

    /// The keys as last fetched; none at the start.
    pub(super) fn current(&self) -> Arc<CoreJsonWebKeySet> {
        self.current.load_full()
    }

    /// Keys fetched after `seen`, or `seen` again if they were fetched a moment ago.
    pub(super) async fn newer_than(
        &self,
        seen: &Arc<CoreJsonWebKeySet>,
        back_channel: &BackChannel,
    ) -> Result<Arc<CoreJsonWebKeySet>, LoginError> {
        let mut last = self.last.lock().await;
        let current = self.current();
        if !Arc::ptr_eq(&current, seen) {
            return Ok(current);
        }
        match &*last {
            Some(Fetch { at, failure: None }) if at.elapsed() < AFTER_SUCCESS => return Ok(current),
            Some(Fetch {
                at,
                failure: Some(error),
            }) if at.elapsed() < AFTER_FAILURE => {
                return Err(error.clone());
            }
            Some(_) | None => {}
        }
        let fetched = self.fetch(back_channel).await;
        *last = Some(Fetch {
            at: Instant::now(),
            failure: fetched.as_ref().err().cloned(),
        });
        let fresh = Arc::new(fetched?);
        self.current.store(fresh.clone());
        Ok(fresh)
    }

    async fn fetch(&self, back_channel: &BackChannel) -> Result<CoreJsonWebKeySet, LoginError> {
        let down = |why: String| LoginError::ProviderDown(format!("its keys: {why}"));
        self.endpoints.ready(back_channel).await?;
        let answer = back_channel
            .get(&self.endpoints.keys())
            .await
            .map_err(|error| down(error.to_string()))?;
        if answer.status() != http::StatusCode::OK {
            return Err(down(format!("status {}", answer.status().as_u16())));
        }
        serde_json::from_slice(answer.body()).map_err(|_| down("unreadable".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::config::Provider;
    use axum::http::StatusCode;
    use axum::{Json, Router, routing::get};
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    /// Keys whose provider counts how often it is asked, and always has a new one.
    async fn keys(fails: bool) -> (Arc<ProviderKeys>, Arc<AtomicUsize>, Arc<BackChannel>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let answer = async move || {
            let kid = counter.fetch_add(1, SeqCst).to_string();
            match fails {
                true => Err(StatusCode::SERVICE_UNAVAILABLE),
                false => Ok(Json(
                    json!({"keys": [{"kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB"}]}),
                )),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let endpoints = Endpoints::new(Provider::new(url.parse().unwrap(), "secret".into()));
        let router = Router::new().route("/realms/hivematrix/protocol/openid-connect/certs", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (
            Arc::new(ProviderKeys::new(endpoints)),
            asked,
            Arc::new(BackChannel::new().unwrap()),
        )
    }

    /// Makes the last fetch look old.
    async fn time_passes(keys: &ProviderKeys) {
        let mut last = keys.last.lock().await;
        last.as_mut().unwrap().at -= AFTER_SUCCESS;
    }

    #[tokio::test]
    async fn new_keys_of_the_provider_are_fetched_when_they_are_needed() {
        let (keys, asked, channel) = keys(false).await;
        let none = keys.current();
        assert!(none.keys().is_empty());
        let first = keys.newer_than(&none, &channel).await.unwrap();
        assert_eq!(first.keys().len(), 1);
        time_passes(&keys).await;
        let second = keys.newer_than(&first, &channel).await.unwrap();
        assert_ne!(first.keys(), second.keys());
        assert_eq!(keys.current().keys(), second.keys());
        assert_eq!(asked.load(SeqCst), 2);
    }

    #[tokio::test]
    async fn however_many_ask_the_provider_is_asked_once_in_a_while() {
        let (keys, asked, channel) = keys(false).await;
        let none = keys.current();
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let (keys, none, channel) = (keys.clone(), none.clone(), channel.clone());
                tokio::spawn(async move { keys.newer_than(&none, &channel).await.unwrap() })
            })
            .collect();
        for each in asking {
            let got = each.await.unwrap();
            assert!(Arc::ptr_eq(&got, &keys.current()));
            let again = keys.newer_than(&got, &channel).await.unwrap();
            assert!(Arc::ptr_eq(&got, &again));
        }
        assert_eq!(asked.load(SeqCst), 1);
    }

    #[tokio::test]
    async fn while_the_provider_fails_the_old_keys_stay_and_it_is_left_alone_for_a_moment() {
        let (keys, asked, channel) = keys(true).await;
        let none = keys.current();
        for _ in 0..5 {
            let error = keys.newer_than(&none, &channel).await.unwrap_err();
            assert!(matches!(error, LoginError::ProviderDown(_)));
        }
        assert_eq!(asked.load(SeqCst), 1);
        time_passes(&keys).await;
        assert!(keys.newer_than(&none, &channel).await.is_err());
        assert_eq!(asked.load(SeqCst), 2);
        assert!(Arc::ptr_eq(&none, &keys.current()));
    }
}
