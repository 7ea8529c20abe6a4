//! `hivematrix gateway`: the gateway alone, as it runs in production.

use std::path::PathBuf;

use hivematrix_gateway::config::{Config, Environment, Location, Watch};
use hivematrix_gateway::{Builder, Running};
use hivematrix_plugins::Registry;

use crate::embedded_core::EmbeddedCore;
use crate::failure::Failure;
use crate::{log, ready, runtime, signals};

/// Run the gateway alone.
///
/// Changes of the configuration file, and of files that it names, are taken over without dropping a connection; a
/// bad one is reported and changes nothing. SIGTERM and Ctrl-C end it when the requests under way have ended, a second
/// one at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: ConfigArgs,
    /// Listen on this port instead, and let browsers find the gateway there: beside the original, which has its own.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ConfigArgs {
    /// The configuration file; config/gateway.toml shows and explains every key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the original gateway (hivematrix-nexus), read as it is: services.json, .flaskenv, certs/nexus.crt and
    /// certs/nexus.key.
    #[arg(long, value_name = "FOLDER")]
    original: Option<PathBuf>,
}

impl ConfigArgs {
    /// The one that was given; the parser sees to it that it is one.
    pub(crate) fn location(self) -> Location {
        match (self.config, self.original) {
            (_, Some(folder)) => Location::Original(folder),
            (file, None) => Location::File(file.unwrap_or_default()),
        }
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut environment = Environment::of_process();
        if let Some(port) = self.port {
            environment = environment.at_port(port);
        }
        let location = self.place.location();
        let config = location.load(&environment).map_err(Failure::Configuration)?;
        log::begin_as_configured(config.log)?;
        if !config.warnings.is_empty() {
            tracing::warn!("the configuration should be looked at:\n{}", config.warnings);
        }
        // Requests have threads of their own: this one follows the store's feed, the files and the admin listener.
        runtime::block_on(Some(1), serve(location, environment, config))
    }
}

async fn serve(location: Location, environment: Environment, config: Config) -> Result<(), Failure> {
    let stop = signals::listen()?;
    let watch = Watch::start(location, environment, Registry::standard(), &config);
    let watch = watch
        .inspect_err(|error| tracing::warn!(%error, "changes take effect at the next start only"))
        .ok();
    let (builder, mut core) = match EmbeddedCore::start(&config).await? {
        Some((core, builder)) => (builder, Some(core)),
        None => (Builder::new(config.clone()), None),
    };
    let running = builder.start().await?;
    ready::announce(&address(&config, &running));
    let ended = running.stop_token();
    let broken = tokio::select! {
        () = stop.asked.cancelled() => Ok(()),
        () = ended.cancelled() => Ok(()),
        () = reload(watch, &running, config) => Ok(()),
        failure = EmbeddedCore::failure(core.as_mut()) => Err(failure),
    };
    tracing::info!("stopping");
    tokio::select! {
        biased;
        () = stop.insisted.cancelled() => {}
        stopped = running.stop() => stopped?,
    }
    // After the gateway, which asks it until its last request has ended.
    if let Some(core) = core {
        core.stop().await;
    }
    broken
}

/// The origin that browsers use, or where it listens.
fn address(config: &Config, running: &Running) -> String {
    match config.server.public_origins.first() {
        Some(origin) => origin.to_string(),
        None => running.address().to_string(),
    }
}

/// Takes over changed configurations, for as long as the gateway runs.
async fn reload(watch: Option<Watch>, running: &Running, started: Config) {
    let Some(mut watch) = watch else {
        return std::future::pending().await;
    };
    loop {
        let newer = watch.changed().await;
        for setting in started.needs_restart(&newer) {
            tracing::warn!(
                setting,
                "differs from what the gateway was started with; takes effect at the next start"
            );
        }
        match running.reload(newer) {
            Ok(()) => tracing::info!("the changed configuration is in use"),
            Err(problems) => {
                tracing::error!(%problems, "the changed configuration is not used, the old one stays")
            }
        }
    }
}
