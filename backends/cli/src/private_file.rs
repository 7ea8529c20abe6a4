//! Files that only their owner may read: keys and secrets.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Writes a new file that nobody else may read, from its first byte on (mode 0600).
///
/// # Errors
/// Also if there is one already: a key is never overwritten.
pub(crate) fn create(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a file that nobody else may read.
///
/// # Errors
/// Also if others may.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        let advice = format!(
            "others on this machine may read it (chmod 600 {})",
            path.display()
        );
        return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, advice));
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_created_is_private_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, "secret").unwrap();
        assert_eq!(read(&path).unwrap(), "secret");
        assert!(create(&path, "other").is_err());
        assert_eq!(read(&path).unwrap(), "secret");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, "secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
