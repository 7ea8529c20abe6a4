//! Server: the listeners, TLS, and the life of the process's gateway from bound sockets to the last answer.
//!
//! Sockets are bound before anything runs, so that a taken port is a clear error and port 0 is known, and
//! handed to Pingora's service as inherited descriptors: the same way as in its graceful upgrade.
//!
//! Worker threads share the listening socket and what the gateway knows, and nothing else: each has a runtime, a
//! proxy and a pool of upstream connections of its own, so that a request never wakes another thread. An exchange
//! is never served on a runtime that has several threads: see [`Workers::for_runtime`].

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use pingora::listeners::tls::TlsSettings;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora_proxy::HttpProxy;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::config::Config;
use crate::cut::{ConnectionLimits, Door, Exchanges, OpenConnections};
use crate::gateway::Gateway;
use crate::proxy::Proxy;
use crate::tls::Certificates;

/// Idle upstream connections kept, over all services and threads.
const UPSTREAM_POOL: usize = 1024;

/// How long the threads may take to end, once nothing is waited for any more.
const FAREWELL: Duration = Duration::from_millis(500);

/// Where requests are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    /// On the caller's runtime, which has one thread.
    Here,
    /// On so many threads of their own.
    Threads(usize),
}

impl Workers {
    /// What suits the caller's runtime. The two halves of Pingora's proxy rely on the end of a request's body being
    /// passed on before the answer can be read. On one thread nothing can come between; on a runtime with several the
    /// system may hold this thread up while another one takes note of the answer, and half of the WebSockets to which
    /// that happens end with their 101.
    pub(crate) fn for_runtime(runtime: &Handle, threads: usize) -> Self {
        match runtime.runtime_flavor() {
            RuntimeFlavor::CurrentThread => Self::Here,
            _ => Self::Threads(threads.max(1)),
        }
    }
}

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
    /// Binds what the configuration names; `public` where that is bound already.
    ///
    /// # Errors
    /// [`StartError::Bind`].
    pub(crate) fn bind(config: &Config, public: Option<TcpListener>) -> Result<Self, StartError> {
        let failed = |address| move |error| StartError::Bind { address, error };
        let ready = |address: SocketAddr, listener: Option<TcpListener>| {
            let listener = listener.map_or_else(|| TcpListener::bind(address), Ok);
            let listener = listener.map_err(failed(address))?;
            listener.set_nonblocking(true).map_err(failed(address))?;
            Ok(listener)
        };
        let admin = config.admin.listen.map(|address| ready(address, None));
        Ok(Self {
            public: ready(config.server.listen, public)?,
            admin: admin.transpose()?,
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

/// Serves until `stop`. Requests in flight have the grace time to end.
///
/// # Errors
/// What the listeners can't be built from.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    sockets: Sockets,
    workers: Workers,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let config = gateway.snapshot.load().config.clone();
    let admin = sockets.admin.map(tokio::net::TcpListener::from_std).transpose();
    let admin = admin.map_err(|error| StartError::Other(format!("admin listener: {error}")))?;
    let (announce, shutdown) = watch::channel(false);
    let open = OpenConnections::default();
    let ended = CancellationToken::new();
    let end = ended.clone().drop_guard();
    let mut running = Vec::new();
    let threads = match workers {
        Workers::Here => 1,
        Workers::Threads(threads) => threads,
    };
    for number in 0..threads {
        let listener = sockets.public.try_clone();
        let listener = listener.map_err(|error| StartError::Other(format!("listener: {error}")))?;
        let service = service(&gateway, &config, threads, open.clone(), listener)?;
        let serving = service.run(shutdown.clone(), ended.clone());
        match workers {
            Workers::Here => drop(tokio::spawn(serving)),
            Workers::Threads(_) => running.push(spawn_worker(number, serving)?),
        }
    }
    drop(sockets.public);
    if let Some(listener) = admin {
        tokio::spawn(admin::serve(gateway.clone(), listener, stop.clone()));
    }
    stop.cancelled().await;
    let _ = announce.send(true);
    drain(&gateway, config.server.grace).await;
    drop(end);
    // What was still open leaves its lines in the log when it is dropped, with the thread.
    let ends =
        tokio::task::spawn_blocking(move || running.into_iter().for_each(|worker| drop(worker.join())));
    let _ = tokio::time::timeout(FAREWELL, ends).await;
    Ok(())
}

/// A service with the listener that it inherits.
struct Inheriting {
    service: Service<Door>,
    sockets: Fds,
}

impl Inheriting {
    /// Serves until `ended`; accepts nothing new after `shutdown`.
    async fn run(mut self, shutdown: watch::Receiver<bool>, ended: CancellationToken) {
        let sockets = Some(Arc::new(Mutex::new(self.sockets)));
        let serving = self.service.start_service(sockets, shutdown, 1);
        tokio::select! {
            () = serving => ended.cancelled().await,
            () = ended.cancelled() => {}
        }
    }
}

fn service(
    gateway: &Arc<Gateway>,
    config: &Config,
    threads: usize,
    open: OpenConnections,
    listener: TcpListener,
) -> Result<Inheriting, StartError> {
    let address = listener
        .local_addr()
        .map_err(|error| StartError::Other(format!("the listener has no address: {error}")))?
        .to_string();
    let exchanges = exchanges(gateway, config, threads);
    let door = Door::new(exchanges, open, config.server.trusted_proxies.clone());
    let mut service = Service::new("gateway".to_owned(), door);
    // Nothing is read ahead: the head has a buffer of its own, and a second one would be copied from and would hold 64 KiB
    // of each connection. What is written, `cut` gathers.
    let endpoint = ListenerConfig::tcp(address.clone()).l4_buffer(L4BufferSettings::unbuffered());
    service.add_listener(match &gateway.certificates {
        Some(certificates) => endpoint.tls(tls_settings(certificates.clone())?),
        None => endpoint,
    });
    let mut sockets = Fds::new();
    // Pingora owns the descriptor from here on, and closes it.
    sockets.add(address, listener.into_raw_fd());
    Ok(Inheriting { service, sockets })
}

/// A thread that does nothing else. Its tasks end with `serving`.
fn spawn_worker(
    number: usize,
    serving: impl Future<Output = ()> + Send + 'static,
) -> Result<thread::JoinHandle<()>, StartError> {
    let failed = |error: std::io::Error| StartError::Other(format!("no thread to serve on: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let worker = thread::Builder::new().name(format!("worker-{number}"));
    worker.spawn(move || runtime.block_on(serving)).map_err(failed)
}

/// Waits until nothing is in flight, at most the grace time.
async fn drain(gateway: &Gateway, grace: Duration) {
    let end = tokio::time::Instant::now() + grace;
    while gateway.metrics.in_flight.get() > 0 && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exchanges(gateway: &Arc<Gateway>, config: &Config, threads: usize) -> Exchanges {
    let conf = Arc::new(ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: UPSTREAM_POOL / threads,
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
