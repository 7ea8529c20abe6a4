//! `hivematrix check`: explains every problem of a configuration file.

use std::io::Write as _;
use std::path::PathBuf;

use hivematrix_gateway::config::{Environment, Location, text_of_original};

use crate::failure::Failure;

/// Explain every problem of a gateway's configuration at once, and exit with 64 if it has any.
///
/// The environment's overrides count, as they would for the gateway. Secrets need not be there: a missing one is a
/// warning.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file, for example config/gateway.toml, or the folder of the original gateway.
    place: PathBuf,
    /// Of an original's folder: print it as a configuration file, to be written into that folder and changed there.
    #[arg(long)]
    show: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let shown = self.place.display().to_string();
        let environment = Environment::of_process().without_secrets();
        let (location, text) = if self.place.is_dir() {
            let text = text_of_original(&self.place);
            (Location::Original(self.place), Some(text))
        } else {
            (Location::File(self.place), None)
        };
        let config = location.load(&environment).map_err(Failure::Configuration)?;
        if !config.warnings.is_empty() {
            eprint!("{}", config.warnings);
        }
        // Nothing can be done where nobody reads it.
        let _ = match text.filter(|_| self.show) {
            Some(text) => write!(std::io::stdout(), "{text}"),
            None => writeln!(std::io::stdout(), "{shown}: ok"),
        };
        Ok(())
    }
}
