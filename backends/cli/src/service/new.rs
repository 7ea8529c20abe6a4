//! Begins a service: checks the name, writes the folder, says what comes next.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hivematrix_platform::{Registry, ServiceName};

use super::templates::{Flavour, LABEL, NAME, PORT};
use crate::failure::Failure;

/// Where a port is looked for: those of the platform's applications that nobody has (platform README §1).
const PORTS: std::ops::RangeInclusive<u16> = 5060..=5099;

/// First parts of addresses that are the gateway's, or parts of the platform.
const TAKEN: [&str; 14] = [
    "api",
    "codex",
    "core",
    "health",
    "helm",
    "keycloak",
    "keycloak-callback",
    "login",
    "logout",
    "nexus",
    "realms",
    "resources",
    "static",
    "template",
];

/// A service that is about to be made.
#[derive(Debug)]
pub(crate) struct New {
    name: ServiceName,
    flavour: Flavour,
    folder: PathBuf,
    port: u16,
}

impl New {
    /// Checks everything that can be checked before anything is written.
    ///
    /// # Errors
    /// What makes no sense, and what would be better.
    pub(crate) fn plan(
        name: &str,
        flavour: Flavour,
        folder: Option<PathBuf>,
        port: Option<u16>,
    ) -> Result<Self, Failure> {
        let name = ServiceName::parse(name)
            .map_err(|error| Failure::Usage(format!("{name:?} cannot be a service's name: {error}")))?;
        if TAKEN.contains(&name.as_str()) {
            return Err(Failure::Usage(format!(
                "{name} is a part of the platform already; please choose another name"
            )));
        }
        let folder = folder.unwrap_or_else(|| PathBuf::from(name.as_str()));
        let used = fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        if used || folder.is_file() {
            return Err(Failure::Usage(format!(
                "{} is there already; remove it, or choose another with --folder",
                folder.display()
            )));
        }
        let port = match port {
            Some(0) => return Err(Failure::Usage("--port 0 is no port to be found at".to_owned())),
            Some(port) => port,
            None => free_port()?,
        };
        Ok(Self {
            name,
            flavour,
            folder,
            port,
        })
    }

    /// Writes the folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        for file in self.flavour.files() {
            let path = self.folder.join(file.path);
            let failed = |error| Failure::outside(path.display(), error);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            fs::write(&path, self.filled(file.text)).map_err(failed)?;
            if file.executable {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn filled(&self, text: &str) -> String {
        text.replace(LABEL, &self.label())
            .replace(NAME, self.name.as_str())
            .replace(PORT, &self.port.to_string())
    }

    /// `stock-room` becomes `Stock room`.
    fn label(&self) -> String {
        let words = self.name.as_str().replace(['-', '_'], " ");
        let words = words.trim();
        let mut letters = words.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => self.name.to_string(),
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds the service to the end of a registry, which is that of the menu.
    ///
    /// # Errors
    /// If it is no registry, has such a service, or cannot be written.
    pub(crate) fn register(&self, file: &Path) -> Result<(), Failure> {
        let shown = file.display();
        let text = fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
        let registry = Registry::parse(&text).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
        if registry.get(self.name.as_str()).is_some() {
            return Err(Failure::Usage(format!(
                "{shown}: there is a service {} already",
                self.name
            )));
        }
        // The text is kept as it is, up to the brace at its end.
        let (before, after) = text
            .rsplit_once('}')
            .ok_or_else(|| Failure::Usage(format!("{shown}: it has no end")))?;
        let comma = if registry.services.is_empty() { "" } else { "," };
        let entry = self.json_entry();
        let whole = format!("{}{comma}\n  {entry}\n}}{after}", before.trim_end());
        Registry::parse(&whole).map_err(|error| Failure::outside(&shown, error))?;
        // Beside the file and then into its place: whoever watches it never reads half of it.
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut new =
            tempfile::NamedTempFile::new_in(folder).map_err(|error| Failure::outside(&shown, error))?;
        new.write_all(whole.as_bytes())
            .map_err(|error| Failure::outside(&shown, error))?;
        let permissions = fs::metadata(file)
            .map_err(|error| Failure::outside(&shown, error))?
            .permissions();
        fs::set_permissions(new.path(), permissions).map_err(|error| Failure::outside(&shown, error))?;
        new.persist(file)
            .map_err(|error| Failure::outside(&shown, error.error))?;
        Ok(())
    }

    fn json_entry(&self) -> String {
        format!(
            "\"{}\": {{ \"url\": \"{}\", \"visible\": true }}",
            self.name,
            self.url()
        )
    }

    /// What to do now.
    pub(crate) fn next_steps(&self, registry: Option<&Path>) -> String {
        let (name, url, label) = (&self.name, self.url(), self.label());
        let folder = self.folder.display();
        let registered = match registry {
            Some(file) => format!("It was added to {}.", file.display()),
            None => format!(
                "In an installation of your own, add it to gateway.toml:\n\n\
                 \x20   [services.{name}]\n    url = \"{url}\"\n    label = \"{label}\"\n    icon = \"package\"\n\n\
                 or to services.json:\n\n    {}",
                self.json_entry()
            ),
        };
        format!(
            "Made {folder}. Next, in two terminals:\n\n\
             \x20   cd {folder} && {}\n\
             \x20   hivematrix demo --service {name}={url}\n\n\
             and open http://localhost:8000/{name}/ (sign in as admin, the password is admin).\n\n{registered}\n",
            self.flavour.start()
        )
    }
}

fn free_port() -> Result<u16, Failure> {
    PORTS
        .into_iter()
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| {
            Failure::Outside("no port from 5060 to 5099 is free; choose one with --port".to_owned())
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plan(name: &str, flavour: Flavour, folder: &Path) -> Result<New, Failure> {
        New::plan(name, flavour, Some(folder.join(name)), Some(5061))
    }

    #[test]
    fn a_folder_is_written_with_its_own_name_and_port_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        for (name, flavour) in [("stock-room", Flavour::Axum), ("stock_2", Flavour::Flask)] {
            let new = plan(name, flavour, folder.path()).unwrap();
            new.write().unwrap();
            for file in flavour.files() {
                let text = fs::read_to_string(folder.path().join(name).join(file.path)).unwrap();
                for left in [NAME, LABEL, PORT] {
                    assert!(!text.contains(left), "{left} is left in {}", file.path);
                }
            }
            let readme = fs::read_to_string(folder.path().join(name).join("README.md")).unwrap();
            assert!(readme.contains(name) && readme.contains("5061"), "{readme}");
            assert!(
                new.next_steps(None)
                    .contains(&format!("--service {name}=http://127.0.0.1:5061"))
            );
        }
        let run = fs::metadata(folder.path().join("stock_2/run")).unwrap();
        assert_eq!(run.permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_name_that_is_taken_or_none_and_a_folder_that_is_used_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["codex", "login", "Stock", "a b", "../stock", ""] {
            let failure = plan(name, Flavour::Axum, folder.path()).unwrap_err();
            assert_eq!(failure.status(), 64, "{failure}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::create_dir(folder.path().join("stock")).unwrap();
        plan("stock", Flavour::Flask, folder.path()).unwrap();
        fs::write(folder.path().join("stock/mine"), "").unwrap();
        let failure = plan("stock", Flavour::Flask, folder.path()).unwrap_err();
        assert!(failure.to_string().contains("--folder"), "{failure}");
    }

    #[test]
    fn a_registry_gets_one_more_entry_at_its_end_and_keeps_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services.json");
        let new = plan("stock", Flavour::Axum, folder.path()).unwrap();
        for before in [
            "{}\n",
            "{\n  \"codex\": {\"url\": \"http://localhost:5010\", \"extra\": [1]}\n}\n",
        ] {
            fs::write(&file, before).unwrap();
            new.register(&file).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            let registry = Registry::parse(&text).unwrap();
            assert_eq!(registry.services.last().unwrap().name.as_str(), "stock");
            assert!(
                !before.contains("extra") || text.contains("\"extra\": [1]"),
                "{text}"
            );
        }
        assert!(new.register(&file).unwrap_err().to_string().contains("already"));
        fs::write(&file, "{ nonsense").unwrap();
        assert_eq!(new.register(&file).unwrap_err().status(), 64);
        assert_eq!(fs::read_to_string(&file).unwrap(), "{ nonsense");
    }
}
