//! `hivematrix template`: the Template service alone.

use std::net::SocketAddr;

use hivematrix_backends::template::{TemplateSettings, router};
use secrecy::SecretString;
use url::Url;

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
    /// Where Codex is, which Template asks for companies.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5010")]
    codex: Url,
    /// Template's own secret at Core, for tokens to call Codex with; rather the variable than the argument.
    #[arg(
        long,
        value_name = "SECRET",
        env = "HIVEMATRIX_SERVICE_SECRET",
        hide_env_values = true
    )]
    secret: Option<SecretString>,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let auth = self.receiver.auth("template")?;
        let known = [("codex", self.codex)];
        let services = self.receiver.services("template", self.secret, known)?;
        serve_alone(self.listen, self.log, async || {
            Ok(router(TemplateSettings {
                auth,
                services: Some(services),
            }))
        })
    }
}
