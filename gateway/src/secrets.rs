//! The keys that seal what the gateway stores about sessions, from a file (0600, made if missing) or from
//! the environment. Never derived from anything that services share.

use hivematrix_platform::SealingKeys;
use secrecy::ExposeSecret;

use crate::config::{SealingKeysSource, Sessions};

/// Reads them: for whoever seals something in the gateway's name.
///
/// # Errors
/// A sentence that names the source.
pub fn sealing_keys(sessions: &Sessions) -> Result<SealingKeys, String> {
    match &sessions.sealing_keys {
        SealingKeysSource::File(path) => {
            SealingKeys::load_or_create_file(path).map_err(|error| format!("{}: {error}", path.display()))
        }
        SealingKeysSource::Environment(keys) => SealingKeys::from_base64(keys.expose_secret())
            .map_err(|error| format!("sealing keys from the environment: {error}")),
        SealingKeysSource::Generated => Ok(SealingKeys::generate()),
    }
}
