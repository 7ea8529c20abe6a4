//! The secrets that `hivematrix keycloak` needs and makes: from the environment, or from files of their owner's (mode
//! 0600); never on stdout, in a log or in an argument.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::failure::Failure;
use crate::private_file;

/// Shorter ones are guessed.
const SHORTEST: usize = 16;

/// A secret that may have to be made, and where it is kept.
pub(super) struct Kept {
    pub(super) secret: SecretString,
    /// The file it still has to be written to.
    unwritten: Option<PathBuf>,
}

impl Kept {
    /// What `given` (the environment) says, else what `file` holds.
    pub(super) fn find(given: Option<&SecretString>, file: &Path) -> Result<Option<Self>, Failure> {
        let secret = match given {
            Some(given) => given.clone(),
            None if file.exists() => read(file)?,
            None => return Ok(None),
        };
        if secret.expose_secret().len() < SHORTEST {
            let sentence = format!("a secret that was given is shorter than {SHORTEST} characters");
            return Err(Failure::Usage(sentence));
        }
        Ok(Some(Self {
            secret,
            unwritten: None,
        }))
    }

    /// A secret that still has to be written to `file`: one that is in use already, or a new one.
    pub(super) fn make(known: Option<SecretString>, file: &Path) -> Self {
        Self {
            secret: known.unwrap_or_else(generate),
            unwritten: Some(file.to_owned()),
        }
    }

    /// Writes it to its file, if it is not there yet; the file if it was.
    pub(super) fn keep(&self) -> Result<Option<&Path>, Failure> {
        let Some(file) = &self.unwritten else {
            return Ok(None);
        };
        private_file::create(file, self.secret.expose_secret())
            .map_err(|error| Failure::outside(file.display(), error))?;
        Ok(Some(file))
    }
}

/// The secret in a file that only its owner may read.
pub(super) fn read(file: &Path) -> Result<SecretString, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let text = private_file::read(file).map_err(|error| usage(&error))?;
    match text.trim() {
        "" => Err(usage(&"it is empty")),
        secret => Ok(SecretString::from(secret)),
    }
}

/// 256 random bits.
fn generate() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes))
}
