//! Encryption at rest for what the gateway keeps of a session (platform README §4): XChaCha20-Poly1305 under keys of its own, which
//! come from a file or the environment and never from a secret that other services share.
//!
//! Sealed bytes: version (1), key id (4 bytes), nonce (24 bytes), ciphertext with tag. The first three and the caller's context are
//! authenticated, so a value cannot be moved to where another belongs.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::handle::random_32;

const VERSION: u8 = 1;
const ID_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const HEAD_LEN: usize = 1 + ID_LEN + NONCE_LEN;

/// The bytes were not sealed by one of our keys in this context, or were changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sealed by a known key for this use")]
pub struct Unsealed;

/// Why there are no sealing keys.
#[derive(Debug, thiserror::Error)]
pub enum SealingKeysError {
    /// The list names no key.
    #[error("no sealing key given")]
    Empty,
    /// One entry (counted from 1) is not the base64 of 32 bytes.
    #[error("sealing key {0} is not the base64 of 32 bytes")]
    Key(usize),
    /// The file may be read or written by others than its owner.
    #[error("{0} must not be accessible to group or others (chmod 600)")]
    TooOpen(String),
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, #[source] io::Error),
}

/// One or more keys: the first seals, all of them open, so that keys can be exchanged without losing sessions.
pub struct SealingKeys {
    keys: Vec<Key>,
}

struct Key {
    id: [u8; ID_LEN],
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn new(secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"hivematrix sealing key id\0");
        hash.update(secret);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        Self {
            id: [a, b, c, d],
            cipher: XChaCha20Poly1305::new(secret.into()),
        }
    }
}

impl SealingKeys {
    /// One fresh key, which nobody else knows: what it seals is lost with this process.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            keys: vec![Key::new(&random_32())],
        }
    }

    /// Reads a list of keys, the newest first: each the base64 (either alphabet, padded or not) of 32 bytes, separated by commas or
    /// white space. Lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// If there is none or one is malformed.
    pub fn from_base64(list: &str) -> Result<Self, SealingKeysError> {
        let mut keys = Vec::new();
        let lines = list.lines().filter(|line| !line.trim_start().starts_with('#'));
        let words = lines
            .flat_map(|line| line.split(|c: char| c == ',' || c.is_whitespace()))
            .filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                .iter()
                .find_map(|engine| engine.decode(word).ok());
            let secret: [u8; 32] = bytes
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(SealingKeysError::Key(index + 1))?;
            keys.push(Key::new(&secret));
        }
        if keys.is_empty() {
            Err(SealingKeysError::Empty)
        } else {
            Ok(Self { keys })
        }
    }

    /// One fresh key in the form that [`SealingKeys::from_base64`] reads: for rotation.
    #[must_use]
    pub fn fresh_base64() -> SecretString {
        URL_SAFE_NO_PAD.encode(random_32()).into()
    }

    /// Reads the keys of a file; where there is none, makes it (mode 0600) with one fresh key. Of several processes that do so at
    /// once, all end up with the same key.
    ///
    /// # Errors
    /// If the file is malformed, accessible to others, or cannot be read or written.
    pub fn load_or_create_file(path: &Path) -> Result<Self, SealingKeysError> {
        let file_error = |error| SealingKeysError::File(path.display().to_string(), error);
        match read_private(path) {
            Err(SealingKeysError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                create_private(path, &Self::fresh_base64()).map_err(file_error)?;
                Self::from_base64(read_private(path)?.expose_secret())
            }
            text => Self::from_base64(text?.expose_secret()),
        }
    }

    /// Seals with the newest key. `context` says what the value is and where it belongs (for instance the store's key); it is not
    /// kept, and the same one must be given to [`SealingKeys::open`]. Plain text beyond 256 GiB cannot be sealed; the result is
    /// empty then.
    #[must_use]
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let Some(key) = self.keys.first() else {
            return Vec::new();
        };
        // 192 random bits: no two alike, however many are made.
        let random = random_32();
        let nonce = random.first_chunk::<NONCE_LEN>().copied().unwrap_or_default();
        let mut sealed = Vec::with_capacity(HEAD_LEN + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        let aad = [&sealed, context].concat();
        let Ok(ciphertext) = key.cipher.encrypt(
            XNonce::from_slice(&nonce),
            Payload {
                msg: plain,
                aad: &aad,
            },
        ) else {
            return Vec::new();
        };
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what one of the keys sealed in the same context.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unsealed> {
        let (head, ciphertext) = sealed.split_at_checked(HEAD_LEN).ok_or(Unsealed)?;
        let (version, rest) = head.split_first().ok_or(Unsealed)?;
        let (id, nonce) = rest.split_at_checked(ID_LEN).ok_or(Unsealed)?;
        if *version != VERSION {
            return Err(Unsealed);
        }
        let aad = [head, context].concat();
        // Key ids are short; in the unlikely case that two keys share one, both are tried.
        let mut candidates = self.keys.iter().filter(|key| key.id == id);
        candidates
            .find_map(|key| {
                key.cipher
                    .decrypt(
                        XNonce::from_slice(nonce),
                        Payload {
                            msg: ciphertext,
                            aad: &aad,
                        },
                    )
                    .ok()
            })
            .ok_or(Unsealed)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys({})", self.keys.len())
    }
}

/// The text of a file that nobody else may read.
fn read_private(path: &Path) -> Result<SecretString, SealingKeysError> {
    let name = || path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| SealingKeysError::File(name(), error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = file
            .metadata()
            .map_err(|error| SealingKeysError::File(name(), error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(SealingKeysError::TooOpen(name()));
        }
    }
    let text = io::read_to_string(file).map_err(|error| SealingKeysError::File(name(), error))?;
    Ok(text.into())
}

/// Makes the file whole or not at all; does nothing if somebody else was faster.
fn create_private(path: &Path, secret: &SecretString) -> io::Result<()> {
    let suffix = URL_SAFE_NO_PAD.encode(random_32().first_chunk::<6>().copied().unwrap_or_default());
    let draft = path.with_file_name(format!(
        ".{}.{suffix}",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let text = format!(
        "# Sealing keys of the gateway, newest first, one per line.\n{}\n",
        secret.expose_secret()
    );
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // A link, unlike a rename, never replaces what is there.
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests;
