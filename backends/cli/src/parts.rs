//! How the backends are put together and served: what the demo and the commands for single backends share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use clap::Args;
use hivematrix_backends::idp::{DevClient, DevUser};
use hivematrix_backends::kit::{self, Auth, Services};
use hivematrix_platform::{CoreClient, RemoteKeys, ServiceName, Verifier, http_client};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tracing::Level;
use url::Url;

use crate::failure::{Failure, taken};
use crate::{log, ready, runtime, signals};

/// Where the gateway takes up a login (platform README §2).
const CALLBACK_PATH: &str = "/keycloak-callback";
/// Where the gateway is told that the provider has ended a session (platform README §6).
const BACKCHANNEL_LOGOUT_PATH: &str = "/backchannel-logout";
/// Where the provider stands on the gateway's origins (platform README §11).
pub(crate) const PROVIDER_PATH: &str = "/keycloak";

/// Arguments of every backend that is told by tokens who calls.
#[derive(Debug, Args)]
pub(crate) struct ReceiverArgs {
    /// Core's address, for the keys that verify tokens.
    #[arg(
        long,
        value_name = "URL",
        env = "CORE_SERVICE_URL",
        default_value = "http://127.0.0.1:5000"
    )]
    core: Url,
    /// The issuer of Core's tokens.
    #[arg(long, value_name = "NAME", default_value = "hivematrix-core")]
    issuer: String,
}

impl ReceiverArgs {
    /// How the backend called `service` knows its callers.
    pub(crate) fn auth(&self, service: &str) -> Result<Auth, Failure> {
        auth(service, &self.core, &self.issuer)
    }

    /// How the backend called `service`, which has this secret at Core, calls the others.
    pub(crate) fn services<const N: usize>(
        &self,
        service: &str,
        secret: Option<SecretString>,
        others: [(&str, Url); N],
    ) -> Result<Services, Failure> {
        services(service, &self.core, secret, others)
    }
}

/// How the backend called `service`, which has this secret at the Core at `core`, calls the others.
pub(crate) fn services<const N: usize>(
    service: &str,
    core: &Url,
    secret: Option<SecretString>,
    others: [(&str, Url); N],
) -> Result<Services, Failure> {
    let core = CoreClient::new(client()?, core.clone(), name(service)?, secret);
    let addresses = others.into_iter().map(|(other, url)| Ok((name(other)?, url)));
    Ok(Services::new(
        core,
        client()?,
        addresses.collect::<Result<_, Failure>>()?,
    ))
}

/// How the backend called `service` knows its callers, where Core is at `core`.
pub(crate) fn auth(service: &str, core: &Url, issuer: &str) -> Result<Auth, Failure> {
    let jwks = core
        .join("/.well-known/jwks.json")
        .map_err(|error| Failure::Usage(format!("Core's address {core}: {error}")))?;
    let keys = Arc::new(RemoteKeys::new(client()?, jwks));
    Ok(Auth::new(Arc::new(Verifier::new(keys, issuer)), name(service)?))
}

/// An HTTP client for calls between the platform's parts.
pub(crate) fn client() -> Result<reqwest::Client, Failure> {
    http_client::internal().map_err(|error| Failure::outside("no HTTP client", error))
}

/// A service's name.
pub(crate) fn name(name: &str) -> Result<ServiceName, Failure> {
    ServiceName::parse(name).map_err(|error| Failure::Usage(format!("{name:?}: {error}")))
}

/// The gateway as a client of the development identity provider, reached under these origins (without a slash at the
/// end); `told` is the one where it hears that a session has ended.
pub(crate) fn gateway_client(
    id: &str,
    secret: SecretString,
    origins: &[String],
    told: Option<&String>,
) -> DevClient {
    DevClient {
        id: id.to_owned(),
        secret,
        redirect_uris: origins
            .iter()
            .map(|origin| format!("{origin}{CALLBACK_PATH}"))
            .collect(),
        post_logout_redirect_uris: origins.iter().map(|origin| format!("{origin}/")).collect(),
        backchannel_logout_uri: told
            .and_then(|origin| Url::parse(&format!("{origin}{BACKCHANNEL_LOGOUT_PATH}")).ok()),
    }
}

/// The addresses under which browsers find the provider behind these origins.
pub(crate) fn provider_addresses(origins: &[String]) -> Result<Vec<Url>, Failure> {
    let address = |origin: &String| {
        Url::parse(&format!("{origin}{PROVIDER_PATH}"))
            .map_err(|error| Failure::Usage(format!("{origin} is no origin: {error}")))
    };
    origins.iter().map(address).collect()
}

/// One user for each permission level.
pub(crate) const PEOPLE: [Person; 4] = [
    Person {
        username: "admin",
        name: "Ada Admin",
        group: "admins",
    },
    Person {
        username: "technician",
        name: "Theo Technician",
        group: "technicians",
    },
    Person {
        username: "billing",
        name: "Billie Billing",
        group: "billing",
    },
    Person {
        username: "client",
        name: "Chris Client",
        group: "client",
    },
];

/// Somebody who can sign in at the development identity provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) username: &'static str,
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
}

impl Person {
    /// As a user with this password.
    pub(crate) fn with_password(self, password: &str) -> DevUser {
        DevUser {
            username: self.username.to_owned(),
            password: password.into(),
            name: self.name.to_owned(),
            email: format!("{}@hivematrix.example", self.username),
            groups: vec![self.group.to_owned()],
        }
    }
}

/// Serves one backend alone until it is told to stop.
///
/// `router` is made on the runtime that serves it, after the port was taken: what is wrong is said at once.
pub(crate) fn serve_alone<R>(listen: SocketAddr, form: log::Form, router: R) -> Result<(), Failure>
where
    R: AsyncFnOnce() -> Result<Router, Failure>,
{
    if !listen.ip().is_loopback() {
        let sentence = "a backend listens on loopback only: it believes whoever reaches it, and people reach it \
                        through the gateway";
        return Err(Failure::Usage(format!("--listen {listen}: {sentence}")));
    }
    log::begin(form, Level::INFO)?;
    runtime::block_on(None, async move {
        let stop = signals::listen()?;
        let (listener, address) = bind(listen).await?;
        let router = router().await?;
        ready::announce(&format!("http://{address}"));
        kit::serve(listener, router, stop.asked)
            .await
            .map_err(|error| Failure::outside(address, error))
    })
}

/// A listener and its address, with the real port.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| taken(address, &error))?;
    let address = listener.local_addr().map_err(|error| taken(address, &error))?;
    Ok((listener, address))
}

/// A free port of this machine.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
