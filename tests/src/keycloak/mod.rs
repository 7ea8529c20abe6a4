//! A real Keycloak 26: one process for all cases of a test binary, because its start takes longer than they do.
//!
//! It runs as in production: its public address is fixed (`hostname`), it believes `X-Forwarded-*`, plain HTTP stays
//! on loopback, and beside it there is a listener with TLS, an origin of its own. Cases have realms of their own.
//! `.dev/keycloak` prepares it. What a realm has to look like is not known here; the product makes it so.

mod start;

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::OnceCell;
use url::Url;

use crate::tls::Certificate;

/// The one for all.
pub struct Keycloak {
    http: SocketAddr,
    hostname: Url,
    own_origin: Url,
    certificate: Arc<Certificate>,
    /// Its input is closed when this process ends, however it ends; then Keycloak ends too.
    _lifeline: std::process::Child,
}

impl Keycloak {
    /// The administrator of everything.
    pub const ADMIN: &str = "admin";
    /// The administrator's password.
    pub const PASSWORD: &str = "root-of-the-harness";

    /// The Keycloak of this process, started by whoever asks first. `None`, after saying so, where there is none to
    /// be had: the case ends then.
    ///
    /// # Panics
    /// If it does not start; and, with `CI=true`, if there is none to be had.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<Option<Keycloak>> = OnceCell::const_new();
        SHARED.get_or_init(start::start).await.as_ref()
    }

    /// Where the gateway, Core and administrators reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.http
    }

    /// The same as a URL.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.http)).expect("a URL")
    }

    /// The gateway's origin in whose name it answers where a realm does not say another: its `hostname` is
    /// `/keycloak` there. One case can have it.
    #[must_use]
    pub fn hostname_origin(&self) -> &Url {
        &self.hostname
    }

    /// Its own origin: the same Keycloak without a gateway in front.
    #[must_use]
    pub fn own_origin(&self) -> &Url {
        &self.own_origin
    }

    /// The certificate of its own origin, which it also believes when it calls a gateway.
    #[must_use]
    pub fn certificate(&self) -> Arc<Certificate> {
        self.certificate.clone()
    }
}

/// A realm that is ready for a gateway: what a [`Stack`](crate::Stack) with a real Keycloak is told.
#[derive(Clone)]
pub struct Realm {
    /// Its name.
    pub name: String,
    /// The gateway's origin; a free port of `localhost`.
    pub origin: Url,
    /// The secret of the gateway's client.
    pub client_secret: SecretString,
    /// Where browsers find Keycloak, if not on the gateway's origin.
    pub identity_origin: Option<Url>,
}
