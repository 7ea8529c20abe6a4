//! `hivematrix keycloak`: the tools for the identity provider of production.

mod configure;
mod secrets;

use crate::failure::Failure;

/// Make a Keycloak ready for the platform, and find out what is unsafe about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Configure(Box<configure::Args>),
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Configure(args) => args.run(),
        }
    }
}
