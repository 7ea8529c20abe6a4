//! `hivematrix doctor`: what is wrong with a running installation.

use std::io::Write as _;

use hivematrix_gateway::config::Environment;

use super::gateway::ConfigArgs;
use crate::failure::Failure;
use crate::{doctor, runtime};

/// Look at a running installation and name what is wrong with it: each service, Core, Redis and the identity provider.
///
/// It asks as the gateway would and changes nothing. Run it where the gateway runs, as the gateway's user (as root it also
/// sees whose process listens where). Exit status 1 if there is anything to tell.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: ConfigArgs,
    /// The port of a gateway that runs beside the original (see `gateway --port`).
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// For programs: {"healthy", "findings": [{"check", "service", "seen", "why", "fix"}], "examined", "skipped"}.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut environment = Environment::of_process();
        if let Some(port) = self.port {
            environment = environment.at_port(port);
        }
        let location = self.place.location();
        let config = location.load(&environment).map_err(Failure::Configuration)?;
        let report = runtime::block_on(None, doctor::examine(&location, &config))?;
        let mut stdout = std::io::stdout();
        // Nothing can be done where nobody reads it.
        let _ = if self.json {
            writeln!(stdout, "{:#}", report.to_json())
        } else {
            write!(stdout, "{report}")
        };
        match report.findings.len() {
            0 => Ok(()),
            1 => Err(Failure::Outside("1 finding".to_owned())),
            many => Err(Failure::Outside(format!("{many} findings"))),
        }
    }
}
