//! Server: the listeners, TLS, and the life of the process's gateway from bound sockets to the last answer.
//!
//! Sockets are bound before anything runs, so that a taken port is a clear error and port 0 is known, and
//! handed to Pingora's service as inherited descriptors: the same way as in its graceful upgrade.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora::listeners::tls::TlsSettings;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora_proxy::HttpProxy;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::config::Config;
use crate::cut::{ConnectionLimits, Door, Exchanges};
use crate::gateway::Gateway;
use crate::proxy::Proxy;
use crate::tls::Certificates;

/// Idle upstream connections kept, over all services.
const UPSTREAM_POOL: usize = 1024;

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket is taken or not ours.
    #[error("can't listen on {address}: {error}; choose another address or stop what listens there")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The certificate or its key is missing or unusable.
    #[error("TLS: {0}")]
    Tls(String),
    /// A plugin's settings are wrong.
    #[error("plugins: {0}")]
    Plugins(String),
    /// A secret or key is missing or malformed.
    #[error("secrets: {0}")]
    Secrets(String),
    /// The session store's address is wrong.
    #[error("session store: {0}")]
    Store(String),
    /// Something else that should not happen.
    #[error("{0}")]
    Other(String),
}

/// Bound sockets, before anything is served.
pub(crate) struct Sockets {
    public: TcpListener,
    admin: Option<TcpListener>,
}

impl Sockets {
    /// Binds what the configuration names.
    ///
    /// # Errors
    /// [`StartError::Bind`].
    pub(crate) fn bind(config: &Config) -> Result<Self, StartError> {
        let bind = |address: SocketAddr| {
            let listener = TcpListener::bind(address).map_err(|error| StartError::Bind { address, error })?;
            listener
                .set_nonblocking(true)
                .map_err(|error| StartError::Bind { address, error })?;
            Ok(listener)
        };
        Ok(Self {
            public: bind(config.server.listen)?,
            admin: config.admin.listen.map(bind).transpose()?,
        })
    }

    /// The public address, with the real port.
    pub(crate) fn public(&self) -> Option<SocketAddr> {
        self.public.local_addr().ok()
    }

    /// The admin address, with the real port.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.admin
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }
}

/// Serves until `stop`, on the runtime of the caller. Requests in flight have the grace time to end.
///
/// # Errors
/// What the listeners can't be built from.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    sockets: Sockets,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let config = gateway.snapshot.load().config.clone();
    let address = sockets
        .public()
        .ok_or_else(|| StartError::Other("the listener has no address".into()))?;
    let mut service = Service::new(
        "gateway".to_owned(),
        Door::new(
            exchanges(&gateway, &config),
            config.server.trusted_proxies.clone(),
        ),
    );
    match &gateway.certificates {
        Some(certificates) => {
            service.add_tls_with_settings(&address.to_string(), None, tls_settings(certificates.clone())?);
        }
        None => service.add_tcp(&address.to_string()),
    }
    let mut inherited = Fds::new();
    // Pingora owns the descriptor from here on, and closes it.
    inherited.add(address.to_string(), sockets.public.into_raw_fd());

    let (announce, shutdown) = watch::channel(false);
    let admin = sockets.admin.map(tokio::net::TcpListener::from_std).transpose();
    let admin = admin.map_err(|error| StartError::Other(format!("admin listener: {error}")))?;
    if let Some(listener) = admin {
        tokio::spawn(admin::serve(gateway.clone(), listener, stop.clone()));
    }
    let running = tokio::spawn(async move {
        service
            .start_service(Some(Arc::new(Mutex::new(inherited))), shutdown, 1)
            .await;
    });
    stop.cancelled().await;
    let _ = announce.send(true);
    drain(&gateway, config.server.grace).await;
    running.abort();
    Ok(())
}

/// Waits until nothing is in flight, at most the grace time.
async fn drain(gateway: &Gateway, grace: Duration) {
    let end = tokio::time::Instant::now() + grace;
    while gateway.metrics.in_flight.get() > 0 && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exchanges(gateway: &Arc<Gateway>, config: &Config) -> Exchanges {
    let conf = Arc::new(ServerConf {
        threads: config.server.threads,
        upstream_keepalive_pool_size: UPSTREAM_POOL,
        ..ServerConf::default()
    });
    let mut proxy = HttpProxy::new(Proxy::new(gateway.clone()), conf);
    proxy.handle_init_modules();
    let mut h2 = H2Options::default();
    h2.max_concurrent_streams(config.limits.concurrent_streams);
    h2.max_header_list_size(u32::try_from(config.limits.header_bytes).unwrap_or(64 * 1024));
    let limits = ConnectionLimits {
        per_address: config.limits.connections_per_address,
        head: config.timeouts.header,
        keepalive: config.timeouts.keepalive,
        body: config.timeouts.client_body,
        write: config.timeouts.write,
    };
    Exchanges::new(proxy, h2, limits, gateway.metrics.clone())
}

fn tls_settings(certificates: Arc<Certificates>) -> Result<TlsSettings, StartError> {
    // No files: the resolver shows what was read and checked before.
    let mut settings =
        TlsSettings::intermediate("", "").map_err(|error| StartError::Tls(error.to_string()))?;
    settings.set_cert_resolver(certificates);
    settings.enable_h2();
    Ok(settings)
}
