//! A person who presses "reload" when a connection broke before there was an answer, as it does when the process at
//! its other end is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::{Answer, Ask, Client};

/// After so many attempts even that person gives up.
const ATTEMPTS: usize = 10;

/// How often somebody pressed "reload".
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<AtomicUsize>);

impl Reloads {
    /// So far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Client {
    /// From now on requests whose connection breaks before there is a whole answer are sent again, and counted.
    #[must_use]
    pub fn reloading(mut self, reloads: &Reloads) -> Self {
        self.reloads = Some(reloads.clone());
        self
    }
}

impl Ask {
    /// Sends it, again and again if need be.
    pub(super) async fn send_reloading(self, reloads: &Reloads) -> Answer {
        let what = self.url.clone();
        for _ in 0..ATTEMPTS {
            let request = self
                .request
                .try_clone()
                .expect("a request that can be sent again");
            let attempt = Self {
                request,
                url: self.url.clone(),
                jar: self.jar.clone(),
                reloads: None,
            };
            if let Ok(answer) = attempt.try_send().await {
                return answer;
            }
            reloads.0.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what}: no answer in {ATTEMPTS} attempts");
    }
}
