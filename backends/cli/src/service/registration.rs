//! A registry (`services.json`) that a new service is added to: read before anything is made, changed after it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hivematrix_platform::{Registry, ServiceName};

use crate::failure::Failure;

/// The registry, as it was found.
#[derive(Debug)]
pub(crate) struct Registration {
    file: PathBuf,
    text: String,
    registry: Registry,
}

impl Registration {
    /// Reads it.
    ///
    /// # Errors
    /// If it cannot be read or is no registry.
    pub(crate) fn read(file: PathBuf) -> Result<Self, Failure> {
        let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
        let text = fs::read_to_string(&file).map_err(|error| usage(&error))?;
        let registry = Registry::parse(&text).map_err(|error| usage(&error))?;
        Ok(Self { file, text, registry })
    }

    /// Where it is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether a service of it listens on this port.
    pub(super) fn uses(&self, port: u16) -> bool {
        self.registry
            .services
            .iter()
            .any(|service| service.url.port_or_known_default() == Some(port))
    }

    /// Refuses a name that a service of it has.
    pub(super) fn must_not_have(&self, name: &ServiceName) -> Result<(), Failure> {
        if self.registry.get(name.as_str()).is_none() {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{}: there is a service {name} already",
            self.file.display()
        )))
    }

    /// Adds `entry` (a member of a JSON object) at its end, which is that of the menu. The text is kept as it is, up to the
    /// brace at its end.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn add(&self, entry: &str) -> Result<(), Failure> {
        let shown = self.file.display();
        let (before, after) = self
            .text
            .rsplit_once('}')
            .ok_or_else(|| Failure::Usage(format!("{shown}: it has no end")))?;
        let comma = if self.registry.services.is_empty() {
            ""
        } else {
            ","
        };
        let whole = format!("{}{comma}\n  {entry}\n}}{after}", before.trim_end());
        Registry::parse(&whole).map_err(|error| Failure::outside(&shown, error))?;
        replace(&self.file, &whole).map_err(|error| Failure::outside(&shown, error))
    }
}

/// Beside the file and then into its place: whoever watches it never reads half of it.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    fs::set_permissions(new.path(), fs::metadata(file)?.permissions())?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_registry_gets_one_more_entry_at_its_end_and_keeps_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services.json");
        let stock: ServiceName = "stock".parse().unwrap();
        let read = || Registration::read(file.clone());
        for before in [
            "{}\n",
            "{\n  \"codex\": {\"url\": \"http://localhost:5010\", \"extra\": [1]}\n}\n",
        ] {
            fs::write(&file, before).unwrap();
            read().unwrap().must_not_have(&stock).unwrap();
            let entry = r#""stock": { "url": "http://127.0.0.1:5061" }"#;
            read().unwrap().add(entry).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            let registry = Registry::parse(&text).unwrap();
            assert_eq!(registry.services.last().unwrap().name, stock);
            assert!(
                !before.contains("extra") || text.contains("\"extra\": [1]"),
                "{text}"
            );
        }
        let refused = read().unwrap().must_not_have(&stock).unwrap_err();
        assert!(refused.to_string().contains("already"), "{refused}");
        assert!(read().unwrap().uses(5061) && read().unwrap().uses(5010));
        assert!(!read().unwrap().uses(5062));
        fs::write(&file, "{ nonsense").unwrap();
        assert_eq!(read().unwrap_err().status(), 64);
    }
}
