//! `hivematrix check`: explains every problem of a configuration file.

use std::io::Write as _;
use std::path::PathBuf;

use hivematrix_gateway::config::{Config, Environment};

use crate::failure::Failure;

/// Explain every problem of a gateway's configuration file at once, and exit with 64 if it has any.
///
/// The environment's overrides count, as they would for the gateway. Secrets need not be there: a missing one is a
/// warning.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file, for example config/gateway.toml.
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let environment = Environment::of_process().without_secrets();
        let config = Config::load(&self.file, &environment).map_err(Failure::Configuration)?;
        if !config.warnings.is_empty() {
            eprint!("{}", config.warnings);
        }
        let _ = writeln!(std::io::stdout(), "{}: ok", self.file.display());
        Ok(())
    }
}
