//! When and from where a session was last used: `hm:seen:<hash of handle>` (platform README §4).
//!
//! Responsible for: noting it without a write per request. A request costs one comparison; once a minute a session
//! enters a queue, and what is in the queue is written together. Not responsible for what is shown of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hivematrix_platform::{SealingKeys, Store, unix_now};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::caller::{Identity, Recognised};
use super::record::Records;

/// How often a session in use is noted, in seconds.
const EVERY: u64 = 60;

/// How long notes are collected before they are written together.
const BATCH_TIME: Duration = Duration::from_secs(2);

/// Notes that are written together at most; written side by side, so that one slow write delays few.
const BATCH: usize = 512;

/// Notes that may wait. Beyond, some are lost, and the next minute brings them again.
const WAITING: usize = 8192;

/// Last use of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Unix seconds.
    pub(super) at: u64,
    /// From where.
    pub(super) address: Option<IpAddr>,
}

/// Notes uses of sessions.
pub struct Presence(mpsc::Sender<(String, Seen)>);

impl Presence {
    /// Writes notes on the current Tokio runtime until it is dropped; sessions last at most `lifetime`.
    pub fn new(store: Arc<dyn Store>, sealing: Arc<SealingKeys>, lifetime: Duration) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let records = Records::new(store.clone(), sealing);
        tokio::spawn(write(receiver, store, records, lifetime));
        Self(sender)
    }

    /// A request of this caller has come. Never waits, and nearly always does nothing.
    pub fn note(&self, identity: &Identity, address: Option<IpAddr>) {
        let Recognised::Handle(handle) = identity.proof.key else {
            return;
        };
        let at = unix_now();
        if identity.proof.line.is_seen_again(at, EVERY) {
            let _ = self.0.try_send((handle.key_with(PREFIX), Seen { at, address }));
        }
    }
}

/// What the keys begin with; a hash of the handle follows.
pub(super) const PREFIX: &str = "hm:seen:";

async fn write(
    mut notes: mpsc::Receiver<(String, Seen)>,
    store: Arc<dyn Store>,
    records: Records,
    lifetime: Duration,
) {
    while let Some((key, seen)) = notes.recv().await {
        let mut batch = HashMap::from([(key, seen)]);
        let end = Instant::now() + BATCH_TIME;
        while batch.len() < BATCH
            && let Ok(Some((key, seen))) = timeout_at(end, notes.recv()).await
        {
            batch.insert(key, seen);
        }
        let writes = batch.iter().map(async |(key, seen)| {
            let sealed = records.seal(key, seen).ok()?;
            store.put(key, &sealed, lifetime).await.err()
        });
        let failed = join_all(writes).await.into_iter().flatten();
        if let Some(error) = failed.last() {
            tracing::debug!(%error, "when sessions were last seen could not be written");
        }
    }
}
