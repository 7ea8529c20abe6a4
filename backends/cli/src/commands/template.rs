//! `hivematrix template`: the Template service alone.

use std::net::SocketAddr;

use hivematrix_backends::template::{TemplateSettings, router};

use crate::failure::Failure;
use crate::log::Form;
use crate::parts::{ReceiverArgs, serve_alone};

/// Run Template alone: what a new service is copied from.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5040")]
    listen: SocketAddr,
    #[command(flatten)]
    receiver: ReceiverArgs,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let auth = self.receiver.auth("template")?;
        serve_alone(self.listen, self.log, async || {
            Ok(router(TemplateSettings { auth }))
        })
    }
}
