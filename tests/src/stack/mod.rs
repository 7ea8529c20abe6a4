//! The platform in one process, a world of its own for each case.
//!
//! | path | what is there |
//! |---|---|
//! | `/codex/ /helm/ /template/` | the real services; Helm for administrators |
//! | `/echo/` | [`Stack::echo`], behind a relay: for whoever is signed in |
//! | `/echo/deep/` | [`Stack::second`]: a longer prefix in the same tree |
//! | `/second/` | [`Stack::second`] |
//! | `/admins/`, `/money/` | [`Stack::second`], for administrators; for billing and administrators |
//! | `/hidden/` | [`Stack::second`], not in the menu |
//! | `/beacon/` | [`Stack::beacon`], with the contract's public paths; `POST` on `/hook` is public too |
//! | `/plain/` | [`Stack::echo`] without plugins |
//! | `/core/ /nexus/ /keycloak/` | in the configuration, and never mounted |

mod build;
mod mounts;
mod parts;
mod platform;
mod provider;
mod sessions;

use std::sync::Arc;

use hivematrix_gateway::Running;
use hivematrix_gateway::config::Config;
use hivematrix_platform::Minter;
use hivematrix_plugins::Registry;
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::subscriber::DefaultGuard;
use url::Url;

pub use self::build::Builder;
use self::build::Relays;
pub use self::parts::{PEOPLE, Part, Person};
use self::platform::Platform;
pub use self::platform::{AnotherCore, CODEX_SECRET};
pub use self::sessions::claims;
use crate::backend::Backend;
use crate::client::{Client, Wire};
use crate::http2::{self, Http2};
use crate::logs::Logs;
use crate::raw::{Raw, RawAnswer};
use crate::redis::Redis;
use crate::relay::Relay;
use crate::sentinels::Sentinels;
use crate::tls::Certificate;
use crate::websocket::{Duplex, WebSocket};

/// The platform, running.
pub struct Stack {
    /// The backend of `/echo/`.
    pub echo: Backend,
    /// The backend of `/second/` and of others that differ in who may enter.
    pub second: Backend,
    /// The backend of `/beacon/`, with public paths.
    pub beacon: Backend,
    /// The session store.
    pub redis: Redis,
    /// What the gateway (and everything else in here) logs.
    pub logs: Logs,
    /// What the gateway runs with.
    pub config: Config,
    /// Signs tokens as Core does.
    pub minter: Arc<Minter>,
    sentinels: Option<Sentinels>,
    /// What gateways are told of Redis.
    store_url: String,
    /// How long they wait for it.
    patience: std::time::Duration,
    relays: Relays,
    gateway: Running,
    sealing: SecretString,
    platform: Platform,
    certificate: Option<Arc<Certificate>>,
    origin: Url,
    _subscriber: DefaultGuard,
}

impl Stack {
    /// Everything, with the settings that a case seldom needs to change.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// The same, to be changed before it starts.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A new browser without cookies.
    #[must_use]
    pub fn client(&self) -> Client {
        let trust = self
            .certificate
            .as_ref()
            .map(|certificate| certificate.pem().to_owned());
        Client::new(self.origin.clone(), self.gateway.address(), &Wire { trust })
    }

    /// A new browser in which this person is signed in.
    ///
    /// # Panics
    /// If the login fails.
    pub async fn signed_in(&self, name: &str) -> Client {
        let client = self.client();
        client.login(name).await;
        client
    }

    /// A bare connection to the gateway.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.gateway.address(), &self.authority()).await
    }

    /// Sends a request byte for byte (`{host}` stands for our host) and reads its answer.
    ///
    /// # Panics
    /// If there is none.
    pub async fn raw_request(&self, request: &str) -> RawAnswer {
        let mut raw = self.raw().await;
        raw.send(request).await;
        raw.answer().await
    }

    /// An HTTP/2 connection to a gateway that was built with TLS.
    ///
    /// # Panics
    /// If it has none.
    pub async fn http2(&self) -> Http2 {
        let certificate = self
            .certificate
            .as_ref()
            .expect("a stack that was built with TLS");
        Http2::connect(self.gateway.address(), certificate).await
    }

    /// Agrees on HTTP/2, says `said`, falls silent, and returns when the gateway has ended the connection.
    ///
    /// # Panics
    /// If the stack has no certificate.
    pub async fn http2_that_falls_silent(&self, said: &[u8]) {
        let certificate = self.certificate.as_ref();
        let certificate = certificate.expect("a stack that was built with TLS");
        http2::falls_silent(self.gateway.address(), certificate, said).await;
    }

    /// Opens a WebSocket as a page of the gateway would, with the cookies of `client`.
    ///
    /// # Errors
    /// The status that came in place of 101.
    pub async fn websocket(&self, client: &Client, path: &str) -> Result<WebSocket, u16> {
        self.websocket_from(client, path, &client.origin_text()).await
    }

    /// As [`Stack::websocket`], from a page of `origin`.
    ///
    /// # Errors
    /// The status that came in place of 101.
    pub async fn websocket_from(&self, client: &Client, path: &str, origin: &str) -> Result<WebSocket, u16> {
        let stream = TcpStream::connect(self.gateway.address())
            .await
            .expect("the gateway accepts connections");
        let url = format!("ws://{}{path}", self.authority());
        self.websocket_on(Box::new(stream), &url, client, path, origin)
            .await
    }

    /// As [`Stack::websocket`], to a gateway that was built with TLS.
    ///
    /// # Errors
    /// The status that came in place of 101.
    ///
    /// # Panics
    /// If it was not.
    pub async fn secure_websocket(&self, client: &Client, path: &str) -> Result<WebSocket, u16> {
        let stream = TcpStream::connect(self.gateway.address())
            .await
            .expect("the gateway accepts connections");
        let stream = self.certificate().connect(stream, &["http/1.1"]).await;
        let url = format!("wss://{}{path}", self.authority());
        self.websocket_on(Box::new(stream), &url, client, path, &client.origin_text())
            .await
    }

    async fn websocket_on(
        &self,
        stream: Box<dyn Duplex>,
        url: &str,
        client: &Client,
        path: &str,
        origin: &str,
    ) -> Result<WebSocket, u16> {
        let cookies = client.cookie_header(path);
        let headers = [("Cookie", cookies.as_str()), ("Origin", origin)];
        WebSocket::open(stream, url, &headers[usize::from(cookies.is_empty())..]).await
    }

    /// The relay in front of a part.
    ///
    /// # Panics
    /// Never: every part has one.
    #[must_use]
    pub fn relay(&self, part: Part) -> &Relay {
        self.relays.of(part)
    }

    /// The Sentinels of a stack that was built with some.
    ///
    /// # Panics
    /// If it was not.
    #[must_use]
    pub fn sentinels(&self) -> &Sentinels {
        self.sentinels
            .as_ref()
            .expect("a stack that was built with Sentinels")
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> &Running {
        &self.gateway
    }

    /// Where the gateway's admin listener is.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn admin(&self) -> Url {
        let address = self.gateway.admin().expect("an admin listener");
        Url::parse(&format!("http://{address}")).expect("a URL")
    }

    /// Where Core is, past its relay.
    #[must_use]
    pub fn core(&self) -> Url {
        Url::parse(&format!("http://{}", self.platform.core)).expect("a URL")
    }

    /// Where the provider is, past the gateway and the relay.
    #[must_use]
    pub fn provider(&self) -> Url {
        Url::parse(&format!("http://{}", self.platform.provider)).expect("a URL")
    }

    /// The public origin, `http://localhost:<port>/`.
    #[must_use]
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    /// The host and port of the public origin.
    #[must_use]
    pub fn authority(&self) -> String {
        self.origin[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
    }

    /// The certificate of a gateway that was built with TLS.
    ///
    /// # Panics
    /// If it was not.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        self.certificate
            .as_deref()
            .expect("a stack that was built with TLS")
    }

    /// Another gateway on the same store and with the same keys: a second machine, or this one after a restart.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn another_gateway(&self) -> (Running, Client) {
        self.another_gateway_with(&self.sealing, |_| {}).await
    }

    /// The keys that seal what the gateway keeps in Redis.
    #[must_use]
    pub fn sealing_keys(&self) -> SecretString {
        self.sealing.clone()
    }

    /// As [`Stack::another_gateway`], with these sealing keys and a changed configuration: one that was set up wrongly.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn another_gateway_with(
        &self,
        sealing: &SecretString,
        change: impl FnOnce(&mut Config),
    ) -> (Running, Client) {
        let mut config = self.config.clone();
        config.server.listen.set_port(0);
        change(&mut config);
        let store = build::redis_store(&self.store_url, self.patience, 0).await;
        let gateway = build::start_gateway(config, store, sealing, Registry::standard()).await;
        let client = self.client().with_gateway(gateway.address());
        (gateway, client)
    }

    /// Another Core on the same Redis and for the same provider, with a signing key of its own.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn another_core(&self) -> AnotherCore {
        let store = build::redis_store(&self.redis.url(), self.patience, 0).await;
        AnotherCore::start(store, self.platform.provider, &self.config.provider.realm).await
    }

    /// Ends the gateway in good order, within its grace time.
    ///
    /// # Panics
    /// If it fails.
    pub fn stop_token(&self) -> CancellationToken {
        self.gateway.stop_token()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.gateway.stop_token().cancel();
        if std::thread::panicking() {
            self.logs.show_last(40);
        }
        crate::panics::raise();
    }
}
