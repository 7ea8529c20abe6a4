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
use super::login_error::LoginError;

/// Not more often than this are the keys fetched, however many tokens fit none of them.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The provider's current keys.
pub(super) struct ProviderKeys {
    url: String,
    current: ArcSwap<CoreJsonWebKeySet>,
    fetched: Mutex<Option<Instant>>,
}

impl ProviderKeys {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            current: ArcSwap::default(),
            fetched: Mutex::new(None),
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
        let mut fetched = self.fetched.lock().await;
        let current = self.current();
        let recent = fetched.is_some_and(|at| at.elapsed() < MIN_INTERVAL);
        if !Arc::ptr_eq(&current, seen) || recent {
            return Ok(current);
        }
        let fresh = Arc::new(self.fetch(back_channel).await?);
        *fetched = Some(Instant::now());
        self.current.store(fresh.clone());
        Ok(fresh)
    }

    async fn fetch(&self, back_channel: &BackChannel) -> Result<CoreJsonWebKeySet, LoginError> {
        let down = |why: String| LoginError::ProviderDown(format!("its keys: {why}"));
        let answer = back_channel
            .get(&self.url)
            .await
            .map_err(|error| down(error.to_string()))?;
        if answer.status() != http::StatusCode::OK {
            return Err(down(format!("status {}", answer.status().as_u16())));
        }
        serde_json::from_slice(answer.body()).map_err(|_| down("unreadable".to_owned()))
    }
}
