//! The examination of a running installation: what of it is not as it should be, named and explained (`hivematrix doctor`).
//!
//! It looks, and changes nothing: `GET` requests, one token request with a code that nobody made, reads of Redis, of /proc
//! and of files. Each part is one file; what can be found stands in `finding`.

mod address;
mod agents;
mod core;
mod finding;
mod folder;
mod page;
mod place;
mod probe;
mod provider;
mod service;
mod skew;
mod sockets;
mod store;

use futures_util::future::join_all;
use hivematrix_gateway::config::{Config, Location, Service};

pub(crate) use finding::Report;

use self::core::Core;
use folder::Installation;
use probe::Probe;
use service::Subject;
use sockets::Sockets;

use crate::failure::Failure;

/// Looks at everything that a configuration names.
pub(crate) async fn examine(location: &Location, config: &Config) -> Result<Report, Failure> {
    let probe = Probe::new()?;
    let sockets = Sockets::look();
    let installation = Installation::around(location, config);
    let core = Core::new(config, &probe);
    let mut report = Report::default();
    if sockets.is_none() {
        report
            .skipped
            .push("who listens where: there is no /proc/net/tcp here".to_owned());
    }
    report.take(core.examine().await);
    report.take(provider::examine(config, &probe).await);
    let (store, connection) = store::examine(config, sockets.as_ref()).await;
    report.take(store);
    report.take(installation.compare(config));
    let services = config.services.iter().map(async |service: &Service| {
        let folder = installation.folder_of(service);
        let mut report = match &folder {
            Some(folder) => folder::examine(service, folder, config),
            None => Report::default(),
        };
        let subject = Subject {
            config,
            service,
            probe: &probe,
            sockets: sockets.as_ref(),
            folder,
            token: core.token(&service.name).await,
        };
        report.take(subject.examine().await);
        report
    });
    for each in join_all(services).await {
        report.take(each);
    }
    if let Some(mut connection) = connection {
        let people = store::people(&mut connection).await;
        let codex = config
            .services
            .iter()
            .find(|service| service.name.as_str() == "codex");
        let token = match codex {
            Some(codex) => core.token(&codex.name).await,
            None => None,
        };
        report.take(agents::examine(config, &probe, token, &people).await);
    }
    Ok(report)
}
