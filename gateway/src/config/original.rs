//! Where a configuration comes from: a file of our own, or the folder of the original gateway (platform README §7), which is
//! read as it is.
//!
//! An original folder becomes the text of a configuration file, which then goes the way of every other: whoever wants to
//! change more than the original could say writes that text into a file and goes on from there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hivematrix_platform::{Registry, RegistryError};
use hivematrix_plugins::Registry as Plugins;

use super::{Config, Environment, Problems, read_file};

/// What the original gateway calls its registry, the newer name first.
const REGISTRIES: [&str; 2] = ["services.json", "master_services.json"];

/// Where a configuration is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A configuration file.
    File(PathBuf),
    /// The folder of the original gateway: `services.json`, `.flaskenv`, `certs/nexus.crt` and `certs/nexus.key`.
    Original(PathBuf),
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Location {
    fn from(file: &P) -> Self {
        Self::File(file.as_ref().to_owned())
    }
}

impl Location {
    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Original(path) => path,
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(&self, environment: &Environment) -> Result<Config, Problems> {
        self.load_with(environment, &Plugins::standard())
    }

    /// As [`Location::load`], for a gateway that knows other kinds of plugins.
    ///
    /// # Errors
    /// As [`Location::load`].
    pub fn load_with(&self, environment: &Environment, plugins: &Plugins) -> Result<Config, Problems> {
        match self {
            Self::File(path) => Config::load_with(path, environment, plugins),
            Self::Original(folder) => {
                let name = format!("{} (as a gateway.toml)", folder.display());
                Config::parse_with(&text_of_original(folder), &name, folder, environment, plugins)
            }
        }
    }

    /// The text of the configuration.
    pub(super) fn text(&self) -> std::io::Result<String> {
        match self {
            Self::File(path) => read_file(path),
            Self::Original(folder) => Ok(text_of_original(folder)),
        }
    }
}

/// What the folder of the original gateway says, as the text of a configuration file that lies in it.
#[must_use]
pub fn text_of_original(folder: &Path) -> String {
    let registry = REGISTRIES
        .iter()
        .find(|name| folder.join(name).exists())
        .unwrap_or(&REGISTRIES[0]);
    let mut text = format!(
        "# What this folder of the original gateway says. NEXUS_SERVICE_URL, NEXUS_HOST, NEXUS_PORT, the KEYCLOAK_* and\n\
         # the other variables of the original are in its .flaskenv; those of the process win over them.\n\
         registry = \"{registry}\"\n\
         flaskenv = \".flaskenv\"\n\
         \n\
         [server]\n\
         # Unless NEXUS_HOST and NEXUS_PORT say otherwise.\n\
         listen = \"0.0.0.0:443\"\n\
         \n\
         [server.tls]\n\
         certificate = \"certs/nexus.crt\"\n\
         key = \"certs/nexus.key\"\n\
         \n\
         [sessions]\n\
         # The only file that is added to the folder, at the first start; HIVEMATRIX_SEALING_KEYS takes its place.\n\
         sealing_keys = {{ file = \"hivematrix-sealing.keys\" }}\n"
    );
    // Beacon's pages without login and the two addresses that lead to it are written into the original's code.
    if registered(&folder.join(registry)).is_ok_and(|registry| registry.get("beacon").is_some()) {
        let _ = write!(text, "{BEACON}");
    }
    text
}

const BEACON: &str = "
[services.beacon]
public = [
    { path = \"/display\" },
    { prefix = \"/display/\" },
    { prefix = \"/api/tickets/\" },
    { prefix = \"/static/\" },
    { path = \"/health\" },
]

[redirects]
\"/helpdesk\" = \"/beacon/helpdesk\"
\"/professional-services\" = \"/beacon/professional-services\"
";

fn registered(file: &Path) -> Result<Registry, RegistryError> {
    Registry::parse(&read_file(file).unwrap_or_default())
}
