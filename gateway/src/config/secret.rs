//! Fetches secrets from where the file says they are. A secret that stands in the file itself is a problem.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::environment::Environment;
use super::file::Secret;
use super::problem::{Place, Problem};
use super::read::Written;

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
    pub(super) fn fetch(&mut self, secret: &Written<Secret>, problems: &mut Vec<Problem>) -> Option<SecretString> {
        let found = match &secret.value {
            Secret::Given(value) => Ok(value.clone()),
            Secret::Inline(_) => Err(inline(secret)),
            Secret::Env(name) => self
                .environment
                .get(name)
                .map(SecretString::from)
                .ok_or_else(|| secret.problem(format!("the environment variable {name} is not set"))),
            Secret::File(path) => {
                let path = self.base.join(path);
                self.files.push(path.clone());
                warn_if_exposed(&path, &secret.place, problems);
                read(&path).map_err(|why| secret.problem(format!("the secret cannot be read: {why}")))
            }
        };
        match found {
            Ok(value) => Some(value),
            Err(problem) if self.environment.lacks_secrets() && !matches!(secret.value, Secret::Inline(_)) => {
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

/// The problem of a secret that stands in the file.
pub(super) fn inline(secret: &Written<Secret>) -> Problem {
    let problem = secret
        .problem("a secret may not stand in this file")
        .help("write { env = \"NAME\" } or { file = \"path\" }");
    match &secret.place {
        Place::Span(span) => problem.hiding(span.clone()),
        Place::Variable(_) | Place::Document => problem,
    }
}

fn read(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let size = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.len();
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
    let Ok(metadata) = std::fs::metadata(path) else { return };
    if metadata.permissions().mode() & 0o077 != 0 {
        problems.push(
            Problem::new(place.clone(), "others on this machine may read this file")
                .help(format!("chmod 600 {}", path.display()))
                .warning(),
        );
    }
}
