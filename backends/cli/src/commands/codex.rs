//! `hivematrix codex`: the Codex service alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use hivematrix_backends::codex::{CodexSettings, router};

use crate::failure::Failure;
use crate::log::Form;
use crate::parts::{ReceiverArgs, name, serve_alone};

/// Run Codex alone: companies, contacts, and each user's theme and home page.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5010")]
    listen: SocketAddr,
    #[command(flatten)]
    receiver: ReceiverArgs,
    /// The SQLite database; created if it is not there.
    #[arg(
        long,
        value_name = "FILE",
        env = "HIVEMATRIX_CODEX_DATABASE",
        default_value = "codex.db"
    )]
    database: PathBuf,
    /// Fill an empty database with invented companies.
    #[arg(long)]
    demo_data: bool,
    /// A service that people may choose as their home page; repeatable. Without any, they may write any name.
    #[arg(long = "home-page", value_name = "SERVICE")]
    home_pages: Vec<String>,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = CodexSettings {
            database: database_url(&self.database),
            auth: self.receiver.auth("codex")?,
            demo_data: self.demo_data,
            home_pages: self
                .home_pages
                .iter()
                .map(|service| name(service))
                .collect::<Result<_, _>>()?,
        };
        let database = self.database;
        serve_alone(self.listen, self.log, async move || {
            router(settings)
                .await
                .map_err(|error| Failure::outside(database.display(), error))
        })
    }
}

/// A file as the URL that Codex takes.
pub(crate) fn database_url(file: &std::path::Path) -> String {
    let path = file.display().to_string();
    format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3F"))
}
