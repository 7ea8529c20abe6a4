//! Opens the configured session store. A Redis that is down at the start is no reason not to start: requests
//! are refused until it is back, and doors without a session stay open. One that can never serve is.

use std::sync::Arc;

use hivematrix_platform::{MemoryStore, RedisSettings, RedisStore, Store, StoreError};

use crate::config::{Sessions, StoreChoice};

/// Opens it: for whoever starts something beside the gateway that uses the same store, and hands it to
/// [`Builder::store`](crate::Builder::store).
///
/// # Errors
/// A sentence, when the address is no address, or leads to a Redis that cannot be used.
pub async fn open(sessions: &Sessions) -> Result<Arc<dyn Store>, String> {
    let redis = match &sessions.store {
        StoreChoice::Memory => return Ok(Arc::new(MemoryStore::default())),
        StoreChoice::Redis(redis) => redis,
    };
    let address = redis.address().map_err(|error| error.to_string())?;
    let settings = RedisSettings {
        replicas: redis.replicas,
        command_timeout: redis.timeout,
        ..RedisSettings::default()
    };
    let store = RedisStore::open(&address, settings).map_err(|error| error.to_string())?;
    match store.ping().await {
        Err(error @ StoreError::Unsupported(_)) => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(Arc::new(store)),
    }
}
