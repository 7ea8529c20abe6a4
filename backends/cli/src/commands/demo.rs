//! `hivematrix demo`: the whole platform in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use tracing::Level;

use crate::demo::{Plan, Platform, banner};
use crate::failure::Failure;
use crate::{log, ready, runtime, signals};

/// How long the end may take, all in all.
const GRACE: Duration = Duration::from_millis(600);

/// Run the whole platform in one process: gateway, Core, Codex, Template, Helm, identity provider.
///
/// Needs nothing else: sessions are in memory and Codex's data in a temporary folder that is removed at the end,
/// unless --redis and --data say otherwise. Prints where to go and who can sign in, and `ready URL` on stdout once it
/// answers. Ctrl-C ends it. HIVEMATRIX_LOG=info shows what it does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the gateway listens. An address that other machines can reach needs --tls, and gets random passwords.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub(crate) listen: SocketAddr,
    /// Serve HTTPS and HTTP/2, with a self-signed certificate that is made on the spot.
    #[arg(long)]
    pub(crate) tls: bool,
    /// A further name under which browsers reach the demo, for example this machine's; repeatable.
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// Keep sessions in this Redis (6.2 or later) instead of in memory.
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<SecretString>,
    /// Keep Codex's data in this folder; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A service of your own that runs beside the demo, for the menu: stock=http://127.0.0.1:5060; repeatable.
    #[arg(long = "service", value_name = "NAME=URL")]
    pub(crate) services: Vec<String>,
    /// Where Core listens, for services of your own. Default: 127.0.0.1:5000 with --service, else any free port.
    #[arg(long, value_name = "ADDR")]
    pub(crate) core: Option<SocketAddr>,
    /// Begin without invented companies.
    #[arg(long)]
    pub(crate) no_demo_data: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let plan = Plan::new(self)?;
        log::begin(log::Form::Human, Level::WARN)?;
        // The plan, and with it the temporary folder, outlives everything that runs.
        runtime::block_on(None, run(&plan))
    }
}

async fn run(plan: &Plan) -> Result<(), Failure> {
    let stop = signals::listen()?;
    let start = async {
        let platform = Platform::start(plan).await?;
        ready::wait(&plan.url(), plan.loopback_address(), plan.certificate()).await?;
        Ok::<_, Failure>(platform)
    };
    let mut platform = tokio::select! {
        biased;
        () = stop.asked.cancelled() => return Ok(()),
        started = start => started?,
    };
    eprint!("{}", banner(plan, &platform));
    ready::announce(&plan.url());
    let outcome = tokio::select! {
        () = stop.asked.cancelled() => Ok(()),
        failure = platform.failure() => Err(failure),
    };
    let _ = tokio::time::timeout(GRACE, platform.stop()).await;
    outcome
}
