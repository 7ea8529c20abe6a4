//! Fetches secrets from where the file says they are.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::environment::Environment;
use super::file::Secret;
use super::problem::{Place, Problem};

/// Longer files are no secrets.
const LONGEST: u64 = 64 << 10;
/// Stands in for a secret that is not on this machine.
const PLACEHOLDER: &str = "placeholder";

/// Where secrets are looked up.
pub(super) struct Vault<'a> {
    /// The variables.
    pub(super) environment: &'a Environment,
    /// Relative paths are relative to this.
    pub(super) base: &'a Path,
    /// Files that were read.
    pub(super) files: Vec<PathBuf>,
}

impl Vault<'_> {
    /// Whether this stands in for a secret that is not here.
    pub(super) fn is_placeholder(&self, secret: &SecretString) -> bool {
        self.environment.lacks_secrets() && secret.expose_secret() == PLACEHOLDER
    }

    /// The secret, or `None` and a problem.
    pub(super) fn fetch(
        &mut self,
        secret: &Secret,
        place: &Place,
        problems: &mut Vec<Problem>,
    ) -> Option<SecretString> {
        let problem = |message| Problem::new(place.clone(), message);
        let found = match secret {
            Secret::Given(value) => Ok(value.clone()),
            Secret::Env(name) => self
                .environment
                .get(name)
                .map(SecretString::from)
                .ok_or_else(|| problem(format!("the environment variable {name} is not set"))),
            Secret::File(path) => {
                let path = self.base.join(path);
                self.files.push(path.clone());
                warn_if_exposed(&path, place, problems);
                read(&path).map_err(|why| problem(format!("the secret cannot be read: {why}")))
            }
        };
        match found {
            Ok(value) => Some(value),
            Err(problem) if self.environment.lacks_secrets() => {
                problems.push(problem.warning());
                Some(SecretString::from(PLACEHOLDER))
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }
}

fn read(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let size = std::fs::metadata(path)
        .map_err(|error| format!("{shown}: {error}"))?
        .len();
    if size > LONGEST {
        return Err(format!("{shown} is longer than {LONGEST} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    match text.trim() {
        "" => Err(format!("{shown} is empty")),
        secret => Ok(SecretString::from(secret)),
    }
}

/// Says so when others on the machine can read the file.
pub(super) fn warn_if_exposed(path: &Path, place: &Place, problems: &mut Vec<Problem>) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = std::fs::metadata(path) else {
        return;
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        problems.push(
            Problem::new(place.clone(), "others on this machine may read this file")
                .help(format!("chmod 600 {}", path.display()))
                .warning(),
        );
    }
}
