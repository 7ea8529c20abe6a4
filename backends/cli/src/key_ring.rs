//! Core's key ring as the command line names it: which ring, opened where, followed by whom. What a ring is and what
//! changes it atomically is Core's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hivematrix_backends::core::{Keys, RingPlace, follow as follow_ring};
use hivematrix_platform::{SealingKeys, Store, unix_now};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Which ring.
#[derive(Debug, clap::Args)]
#[group(id = "ring", multiple = true)]
pub(crate) struct RingArgs {
    /// The ring of signing keys: a JSON file that only its owner may read, made if it is not there.
    #[arg(long, value_name = "FILE", env = "HIVEMATRIX_CORE_KEY_RING")]
    key_ring: Option<PathBuf>,
    /// Keep the ring in Redis instead, sealed, for Cores on several machines.
    #[arg(long, conflicts_with = "key_ring", requires = "ring_sealing_keys")]
    key_ring_in_redis: bool,
    /// The keys that seal a ring in Redis: a file that only its owner may read, made if it is not there; the same for
    /// all Cores, and nobody else's.
    #[arg(
        long,
        value_name = "FILE",
        env = "HIVEMATRIX_CORE_SEALING_KEYS",
        requires = "key_ring_in_redis"
    )]
    ring_sealing_keys: Option<PathBuf>,
}

impl RingArgs {
    /// The ring that is named, if one is.
    pub(crate) fn place(&self) -> Option<Place> {
        match (&self.key_ring, &self.ring_sealing_keys) {
            (Some(file), _) => Some(Place::File(file.clone())),
            (None, Some(sealing)) if self.key_ring_in_redis => Some(Place::Redis(sealing.clone())),
            (None, _) => None,
        }
    }
}

/// A ring that is not open yet.
pub(crate) enum Place {
    /// In this file.
    File(PathBuf),
    /// In Redis, sealed by the keys in this file.
    Redis(PathBuf),
}

impl Place {
    /// The ring of this store, where it is in one.
    pub(crate) fn of(self, store: &Arc<dyn Store>) -> Result<RingPlace, Failure> {
        Ok(match self {
            Self::File(file) => RingPlace::File(file),
            Self::Redis(file) => RingPlace::Store {
                store: Arc::clone(store),
                sealing: Arc::new(
                    SealingKeys::load_or_create_file(&file)
                        .map_err(|error| Failure::Usage(format!("--ring-sealing-keys: {error}")))?,
                ),
            },
        })
    }
}

/// Keys that stay in step with the ring for as long as the runtime lives.
pub(crate) async fn follow(
    place: RingPlace,
    issuer: &str,
    rotate_every: Option<Duration>,
) -> Result<Arc<Keys>, Failure> {
    let ring = place
        .open()
        .await
        .map_err(|error| Failure::outside("the key ring", error))?;
    let keys = Keys::new(ring.minter(issuer, unix_now()));
    let stop = CancellationToken::new();
    tokio::spawn(follow_ring(
        place,
        Arc::clone(&keys),
        issuer.to_owned(),
        rotate_every,
        stop,
    ));
    Ok(keys)
}
