//! Where Core's key ring is kept, and how running Cores follow it.
//!
//! Responsible for: a file that only its owner may read, or a sealed value in the store that all Cores share; one
//! atomic step for every change; rotation when it is due. Not responsible for: which key does what at which time
//! (`KeyRing`), nor for the keys that seal the value: they come from a file or the environment, never from the store.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{KeyRing, RingError, SealingKeys, Store, StoreError, unix_now};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::keys::Keys;

/// The store's key of the sealed ring (platform README §4).
const KEY: &str = "hm:core:keys";

/// The ring outlives anything in the store that it signs; every look at it renews this.
const LIFE: Duration = Duration::from_secs(400 * 24 * 3600);

/// How often a running Core looks at the ring. Far below the time for which a new key is published before it signs.
const LOOK: Duration = Duration::from_secs(5);

/// How often a change is tried when others change the ring at the same time.
const TRIES: usize = 16;

/// Longer files are no key rings, in bytes.
const LONGEST: u64 = 256 * 1024;

/// Where the ring is.
#[derive(Clone)]
pub enum RingPlace {
    /// A file of mode 0600, JSON, made if it is not there. Several Cores on one machine may share it.
    File(PathBuf),
    /// The store, sealed. Cores anywhere may share it; who can only read or write the store learns and forges nothing.
    Store {
        /// The store that the sessions are in.
        store: Arc<dyn Store>,
        /// Core's sealing keys.
        sealing: Arc<SealingKeys>,
    },
}

/// Why the ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RingFailure {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// Others than its owner may read the file.
    #[error("{0}: others on this machine may read it (chmod 600 {0})")]
    TooOpen(String),
    /// The store cannot be asked.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What is in the store was not sealed by any of the sealing keys.
    #[error("the key ring in the store cannot be opened with these sealing keys")]
    Sealed,
    /// The ring is malformed, or refuses the change.
    #[error("{0}")]
    Ring(#[from] RingError),
    /// Somebody else changes the ring all the time.
    #[error("the key ring was changed by somebody else again and again; try once more")]
    Contended,
}

impl RingPlace {
    /// The ring; makes one with a fresh key where there is none. Of several that do so at once, all get the same.
    ///
    /// # Errors
    /// If it cannot be read or made.
    pub async fn open(&self) -> Result<KeyRing, RingFailure> {
        match self {
            Self::File(path) => in_file(path.clone(), |_| Ok(())).await,
            Self::Store { store, sealing } => {
                if let Some(sealed) = store.get(KEY).await? {
                    store.expire(KEY, LIFE).await?;
                    return unseal(sealing, &sealed);
                }
                let ring = made()?;
                if store.put_new(KEY, &seal(sealing, &ring), LIFE).await? {
                    return Ok(ring);
                }
                unseal(sealing, &store.get(KEY).await?.ok_or(RingFailure::Contended)?)
            }
        }
    }

    /// Changes the ring in one atomic step, and returns it as it is then. `change` may run several times.
    ///
    /// # Errors
    /// If it cannot be read or written, or `change` refuses.
    pub async fn change(
        &self,
        change: impl Fn(&mut KeyRing) -> Result<(), RingError> + Send + Sync + 'static,
    ) -> Result<KeyRing, RingFailure> {
        match self {
            Self::File(path) => in_file(path.clone(), change).await,
            Self::Store { store, sealing } => {
                for _ in 0..TRIES {
                    self.open().await?;
                    let Some(before) = store.get(KEY).await? else {
                        continue;
                    };
                    let mut ring = unseal(sealing, &before)?;
                    change(&mut ring)?;
                    if store.replace(KEY, &before, &seal(sealing, &ring)).await? {
                        return Ok(ring);
                    }
                }
                Err(RingFailure::Contended)
            }
        }
    }
}

/// Keeps `keys` in step with the ring until `stop`: new keys, keys whose turn has come, keys that are over. Makes a new
/// key when the newest is older than `rotate_every`. A ring that cannot be read changes nothing, and is said.
pub async fn follow(
    place: RingPlace,
    keys: Arc<Keys>,
    issuer: String,
    rotate_every: Option<Duration>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = look(&place, &keys, &issuer, rotate_every, unix_now()).await {
            tracing::warn!(reason = "key_ring", %error, "the key ring cannot be followed; the keys stay as they are");
        }
    }
}

/// One look at the ring, at `now`.
pub(super) async fn look(
    place: &RingPlace,
    keys: &Keys,
    issuer: &str,
    rotate_every: Option<Duration>,
    now: u64,
) -> Result<(), RingFailure> {
    let mut ring = place.open().await?;
    if let Some(period) = rotate_every
        && ring.is_due(period.as_secs(), now)
    {
        ring = place
            .change(move |ring| {
                // Another Core may have been quicker.
                if ring.is_due(period.as_secs(), now) {
                    ring.rotate(now).map(drop)?;
                }
                Ok(())
            })
            .await?;
        tracing::info!(?ring, "the key ring has a new key");
    }
    let minter = ring.minter(issuer, now);
    let kids = |jwks: &hivematrix_platform::Jwks| -> Vec<String> {
        jwks.keys.iter().map(|key| key.kid.clone()).collect()
    };
    // The first key is the one that signs: its turn changes the order.
    if kids(&minter.jwks()) != kids(&keys.now().jwks) {
        tracing::info!(keys = ?kids(&minter.jwks()), "Core's keys have changed; the first one signs");
        keys.exchange(minter);
    }
    Ok(())
}

fn made() -> Result<KeyRing, RingFailure> {
    KeyRing::generate(unix_now()).map_err(|error| {
        RingFailure::Ring(RingError::Key {
            kid: String::new(),
            error,
        })
    })
}

fn seal(sealing: &SealingKeys, ring: &KeyRing) -> Vec<u8> {
    sealing.seal(KEY.as_bytes(), ring.to_json().expose_secret().as_bytes())
}

fn unseal(sealing: &SealingKeys, sealed: &[u8]) -> Result<KeyRing, RingFailure> {
    let plain = sealing
        .open(KEY.as_bytes(), sealed)
        .ok()
        .and_then(|plain| String::from_utf8(plain).ok())
        .map(SecretString::from)
        .ok_or(RingFailure::Sealed)?;
    Ok(KeyRing::from_json(plain.expose_secret())?)
}

/// [`changed_file`] on a thread that may wait.
async fn in_file(
    path: PathBuf,
    change: impl Fn(&mut KeyRing) -> Result<(), RingError> + Send + 'static,
) -> Result<KeyRing, RingFailure> {
    let work = {
        let path = path.clone();
        move || changed_file(&path, change)
    };
    let abandoned = |error: tokio::task::JoinError| RingFailure::File {
        path,
        error: io::Error::other(error),
    };
    tokio::task::spawn_blocking(work).await.map_err(abandoned)?
}

/// Reads the ring of a file, makes it if there is none, changes it and writes it back if that changed anything. Other
/// processes that do the same wait for the lock.
fn changed_file(
    path: &Path,
    change: impl Fn(&mut KeyRing) -> Result<(), RingError>,
) -> Result<KeyRing, RingFailure> {
    let failed = |error| RingFailure::File {
        path: path.to_owned(),
        error,
    };
    // The ring's own file is replaced, so the lock needs one that stays.
    let lock = private(&beside(path, "lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let before = match read(path)? {
        Some(text) => Some(KeyRing::from_json(text.expose_secret())?),
        None => None,
    };
    let mut ring = match &before {
        Some(ring) => ring.clone(),
        None => made()?,
    };
    change(&mut ring)?;
    let changed =
        before.is_none_or(|before| before.to_json().expose_secret() != ring.to_json().expose_secret());
    if changed {
        let draft = beside(path, "new");
        let mut file = private(&draft).map_err(failed)?;
        file.set_len(0).map_err(failed)?;
        file.write_all(ring.to_json().expose_secret().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&draft, path))
            .map_err(failed)?;
    }
    Ok(ring)
}

fn read(path: &Path) -> Result<Option<SecretString>, RingFailure> {
    let failed = |error| RingFailure::File {
        path: path.to_owned(),
        error,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(RingFailure::TooOpen(path.display().to_string()));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text.into()))
}

/// A file that nobody else may read, made if it is not there.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.open(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}
