//! Opens the configured session store. A Redis that is down at the start is no reason not to start: requests
//! are refused until it is back, and doors without a session stay open.

use std::sync::Arc;

use hivematrix_platform::{MemoryStore, RedisSettings, RedisStore, Store};
use secrecy::ExposeSecret;

use crate::config::{Sessions, StoreChoice};

/// Opens it: for whoever starts something beside the gateway that uses the same store, and hands it to
/// [`Builder::store`](crate::Builder::store).
///
/// # Errors
/// A sentence, when the address is no address.
pub fn open(sessions: &Sessions) -> Result<Arc<dyn Store>, String> {
    match &sessions.store {
        StoreChoice::Memory => Ok(Arc::new(MemoryStore::default())),
        StoreChoice::Redis(url) => RedisStore::lazy(url.expose_secret(), RedisSettings::default())
            .map(|store| Arc::new(store) as Arc<dyn Store>)
            .map_err(|error| error.to_string()),
    }
}
