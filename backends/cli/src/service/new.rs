//! Begins a service: checks the name, writes the folder, says what comes next.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use hivematrix_platform::ServiceName;

use super::registration::Registration;
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
    /// Checks everything that can be checked before anything is written. Where there is a registry, neither its names nor
    /// its ports are taken again.
    ///
    /// # Errors
    /// What makes no sense, and what would be better.
    pub(crate) fn plan(
        name: &str,
        flavour: Flavour,
        folder: Option<PathBuf>,
        port: Option<u16>,
        registry: Option<&Registration>,
    ) -> Result<Self, Failure> {
        let name = ServiceName::parse(name)
            .map_err(|error| Failure::Usage(format!("{name:?} cannot be a service's name: {error}")))?;
        if TAKEN.contains(&name.as_str()) {
            return Err(Failure::Usage(format!(
                "{name} is a part of the platform already; please choose another name"
            )));
        }
        if let Some(registry) = registry {
            registry.must_not_have(&name)?;
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
            None => free_port(registry)?,
        };
        Ok(Self {
            name,
            flavour,
            folder,
            port,
        })
    }

    /// Writes the folder, and the service's entry into the registry.
    ///
    /// # Errors
    /// If either cannot be written.
    pub(crate) fn write(&self, registry: Option<&Registration>) -> Result<(), Failure> {
        self.write_folder()?;
        registry.map_or(Ok(()), |registry| registry.add(&self.json_entry()))
    }

    fn write_folder(&self) -> Result<(), Failure> {
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

    fn json_entry(&self) -> String {
        format!(
            "\"{}\": {{ \"url\": \"{}\", \"visible\": true }}",
            self.name,
            self.url()
        )
    }

    /// What to do now; `program` is what starts this one.
    pub(crate) fn next_steps(&self, registry: Option<&Registration>, program: &str) -> String {
        let (name, url, label) = (&self.name, self.url(), self.label());
        let folder = self.folder.display();
        let registered = match registry {
            Some(registry) => format!("It was added to {}.", registry.file().display()),
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
             \x20   {program} demo --service {name}={url}\n\n\
             and open http://localhost:8000/{name}/ (sign in as admin, the password is admin).\n\n{registered}\n",
            self.flavour.start()
        )
    }
}

fn free_port(registry: Option<&Registration>) -> Result<u16, Failure> {
    PORTS
        .filter(|port| !registry.is_some_and(|registry| registry.uses(*port)))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| {
            Failure::Outside("no port from 5060 to 5099 is free; choose one with --port".to_owned())
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    fn plan(name: &str, flavour: Flavour, folder: &Path) -> Result<New, Failure> {
        New::plan(name, flavour, Some(folder.join(name)), Some(5061), None)
    }

    #[test]
    fn a_folder_is_written_with_its_own_name_and_port_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        for (name, flavour) in [("stock-room", Flavour::Axum), ("stock_2", Flavour::Flask)] {
            let new = plan(name, flavour, folder.path()).unwrap();
            new.write(None).unwrap();
            for file in flavour.files() {
                let text = fs::read_to_string(folder.path().join(name).join(file.path)).unwrap();
                for left in [NAME, LABEL, PORT] {
                    assert!(!text.contains(left), "{left} is left in {}", file.path);
                }
            }
            let readme = fs::read_to_string(folder.path().join(name).join("README.md")).unwrap();
            assert!(readme.contains(name) && readme.contains("5061"), "{readme}");
            assert!(
                new.next_steps(None, "hivematrix")
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
    fn a_registrys_names_and_ports_are_not_taken_again_and_nothing_is_written_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services.json");
        let taken = free_port(None).unwrap();
        fs::write(
            &file,
            format!("{{\"stock\": {{\"url\": \"http://127.0.0.1:{taken}\"}}}}"),
        )
        .unwrap();
        let plan = |name: &str| {
            let registry = Registration::read(file.clone()).unwrap();
            let made = folder.path().join(name);
            New::plan(name, Flavour::Flask, Some(made), None, Some(&registry))
        };
        assert_ne!(plan("other").unwrap().port, taken);
        let refused = plan("stock").unwrap_err();
        assert_eq!(refused.status(), 64, "{refused}");
        assert!(!folder.path().join("stock").exists());
    }
}
