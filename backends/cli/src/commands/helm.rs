//! `hivematrix helm`: the Helm service alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hivematrix_backends::helm::{HelmSettings, Watched, router};
use hivematrix_platform::Registry;

use crate::failure::Failure;
use crate::log::Form;
use crate::parts::{ReceiverArgs, client, name, serve_alone};

/// The services of this binary on the ports of platform README §1.
const USUAL: [(&str, &str); 4] = [
    ("core", "http://127.0.0.1:5000"),
    ("helm", "http://127.0.0.1:5004"),
    ("codex", "http://127.0.0.1:5010"),
    ("template", "http://127.0.0.1:5040"),
];

/// Run Helm alone: the services, how they are, and what they have logged. For administrators.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5004")]
    listen: SocketAddr,
    #[command(flatten)]
    receiver: ReceiverArgs,
    /// The registry (services.json) of the services to watch; without it, those of this binary on their usual ports.
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = HelmSettings {
            auth: self.receiver.auth("helm")?,
            services: match &self.registry {
                Some(file) => watched(&read_registry(file)?),
                None => usual()?,
            },
            http: client()?,
            probe_timeout: HelmSettings::PROBE_TIMEOUT,
            log_lines: HelmSettings::LOG_LINES,
        };
        serve_alone(self.listen, self.log, async || Ok(router(settings)))
    }
}

fn watched(registry: &Registry) -> Vec<Watched> {
    let entries = registry.services.iter();
    entries
        .map(|entry| Watched {
            name: entry.name.clone(),
            url: entry.url.clone(),
            visible: entry.visible,
        })
        .collect()
}

fn usual() -> Result<Vec<Watched>, Failure> {
    let watched = |(service, url): &(&str, &str)| {
        let url = url.parse().map_err(|error| Failure::outside(url, error))?;
        Ok(Watched {
            name: name(service)?,
            url,
            visible: true,
        })
    };
    USUAL.iter().map(watched).collect()
}

/// Reads a registry file.
pub(crate) fn read_registry(file: &Path) -> Result<Registry, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
    Registry::parse(&text).map_err(|error| Failure::Usage(format!("{shown}: {error}")))
}
