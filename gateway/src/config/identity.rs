//! Settings of who the caller is: sessions, the identity provider, Core, Codex. Not what is done with them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hivematrix_platform::ServiceName;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::redis::Redis;
use super::server::{InvalidOrigin, Origin};

/// Sessions and where they are kept. `[sessions]`
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Where. Default Redis at `redis://127.0.0.1:6379/0`.
    pub store: StoreChoice,
    /// The keys that seal what is ours in the store.
    pub sealing_keys: SealingKeysSource,
    /// How long after its login a session ends, whatever its use. Default 12 h.
    pub lifetime: Duration,
    /// By what a session that is used goes on beyond Core's hour. Default Core's renewal.
    pub renewal: Renewal,
    /// How late a change of a user at the provider may be noticed while the user is active. Default 15 min.
    pub recheck_within: Duration,
    /// Sessions that are kept in memory at most. Default 100 000.
    pub cache_entries: usize,
    /// Ask the store on every request, even while the change feed is live. Default no.
    pub strict: bool,
    /// Accept a HiveMatrix JWT as `Authorization: Bearer` from outside: API clients, benchmarks. Default no.
    pub legacy_bearer: bool,
}

impl Sessions {
    /// Sessions in a store, with defaults for the rest.
    #[must_use]
    pub fn new(store: StoreChoice, sealing_keys: SealingKeysSource) -> Self {
        Self {
            store,
            sealing_keys,
            lifetime: DEFAULT_LIFETIME,
            renewal: Renewal::Core,
            recheck_within: DEFAULT_RECHECK_WITHIN,
            cache_entries: DEFAULT_CACHE_ENTRIES,
            strict: false,
            legacy_bearer: false,
        }
    }

    /// Sessions that end with the process: demos and tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(StoreChoice::Memory, SealingKeysSource::Generated)
    }
}

/// How long a session lasts unless told otherwise.
pub(super) const DEFAULT_LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How late a change at the provider may be unless told otherwise.
pub(super) const DEFAULT_RECHECK_WITHIN: Duration = Duration::from_secs(15 * 60);
/// How many sessions are cached unless told otherwise.
pub(super) const DEFAULT_CACHE_ENTRIES: usize = 100_000;

/// By what a session that is used goes on beyond the hour of Core's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Our Core renews it, under the same identifier.
    Core,
    /// It is exchanged for another at Core, as at a login: for a Core that does not renew.
    Exchange,
    /// Nothing: it ends with its hour.
    Off,
}

/// Where sessions are.
#[derive(Clone, Debug)]
pub enum StoreChoice {
    /// In Redis.
    Redis(Redis),
    /// In this process.
    Memory,
}

/// Where the sealing keys come from.
#[derive(Clone, Debug)]
pub enum SealingKeysSource {
    /// A file (mode 0600), made if it is not there; newest key first.
    File(PathBuf),
    /// Given by an environment variable: base64 of 32 bytes each, newest first, separated by commas.
    Environment(SecretString),
    /// Made at start and forgotten at the end; only for sessions in memory.
    Generated,
}

/// The identity provider (OpenID Connect; Keycloak or the development one). `[provider]`
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer of a provider that is no Keycloak behind this gateway: its addresses are discovered there (OpenID Connect
    /// Discovery 1.0), browsers go to it directly, and `public_path`, `backend_url`, `identity_origin` and `realm` follow from
    /// it or mean nothing. Default none.
    pub issuer: Option<String>,
    /// Where it stands on its public origin: `/keycloak`, without a slash at the end; empty for the root of an
    /// `identity_origin`. Default `/keycloak`.
    pub public_path: String,
    /// Where the gateway reaches it. Default `http://localhost:8080`.
    pub backend_url: Url,
    /// An origin of its own, recommended; otherwise it is on the gateway's. Default none.
    pub identity_origin: Option<Origin>,
    /// The realm, never `master`. Default `hivematrix`.
    pub realm: String,
    /// The gateway's client there. Default `core-client`.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// What is asked for. Default `openid email profile`.
    pub scopes: Vec<String>,
    /// Ask Keycloak at each renewal when the person's password was set, and end a session that was begun with an earlier one.
    /// Without effect with an `issuer`: no other provider says. Default yes.
    pub recheck_passwords: bool,
}

impl Provider {
    /// The platform's defaults (platform README §2) at this address with this secret.
    #[must_use]
    pub fn new(backend_url: Url, client_secret: SecretString) -> Self {
        Self {
            issuer: None,
            public_path: DEFAULT_PUBLIC_PATH.to_owned(),
            backend_url,
            identity_origin: None,
            realm: DEFAULT_REALM.to_owned(),
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            client_secret,
            scopes: default_scopes(),
            recheck_passwords: true,
        }
    }

    /// Any OpenID Connect provider, by its issuer (which is compared to the letter), with the platform's client id.
    ///
    /// # Errors
    /// If the issuer is no http or https URL with a host.
    pub fn discovered(issuer: &str, client_secret: SecretString) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(issuer).map_err(|_| InvalidOrigin::Malformed)?;
        let origin = Origin::parse(&url.origin().ascii_serialization())?;
        Ok(Self {
            issuer: Some(issuer.to_owned()),
            public_path: url.path().trim_end_matches('/').to_owned(),
            identity_origin: Some(origin),
            recheck_passwords: false,
            ..Self::new(url, client_secret)
        })
    }

    /// Where browsers that use `origin` find the provider: `https://host/keycloak`.
    #[must_use]
    pub fn public_base(&self, origin: &Origin) -> String {
        format!(
            "{}{}",
            self.identity_origin.as_ref().unwrap_or(origin),
            self.public_path
        )
    }
}

/// Where the provider stands unless told otherwise (platform README §11).
pub(super) const DEFAULT_PUBLIC_PATH: &str = "/keycloak";
/// The platform's realm.
pub(super) const DEFAULT_REALM: &str = "hivematrix";
/// The platform's client.
pub(super) const DEFAULT_CLIENT_ID: &str = "core-client";

/// The scopes of the platform's login.
pub(super) fn default_scopes() -> Vec<String> {
    ["openid", "email", "profile"].map(str::to_owned).to_vec()
}

/// Core, which mints tokens and owns the session records. `[core]`
#[derive(Clone, Debug)]
pub struct Core {
    /// Its base address. Default: the registry's `core`, else `http://localhost:5000`.
    pub url: Url,
    /// Where else it runs, on the same Redis and with the same keys. Default nowhere.
    pub other_urls: Vec<Url>,
    /// The `iss` of its tokens. Default `hivematrix-core`.
    pub issuer: String,
    /// The gateway's own secret at Core, with which it asks for service tokens. Default none.
    pub secret: Option<SecretString>,
    /// For one call. Default 5 s.
    pub timeout: Duration,
    /// Core inside the gateway's process. The library does not run it (it knows no services); the binary does, and so may
    /// whoever embeds the gateway. Default none.
    pub embedded: Option<EmbeddedCore>,
}

/// How Core runs inside the gateway's process, so that gateway, store and any OpenID Connect provider suffice.
/// `[core.embedded]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedCore {
    /// Where it listens, for services that verify tokens; loopback. Default `127.0.0.1:5000`.
    pub listen: SocketAddr,
    /// Where its signing keys are. Default the file `core-keys.json`, made if it is not there.
    pub key_ring: KeyRingPlace,
    /// How old the newest signing key may become before another is made. Default: as old as it likes.
    pub rotate_every: Option<Duration>,
    /// The services' secrets, `{"SERVICE": "SECRET"}`, in a file of mode 0600. Default none.
    pub secrets: Option<PathBuf>,
    /// Services that get service tokens without proof, from this machine only. Default none.
    pub legacy_callers: Vec<ServiceName>,
}

/// Where signing keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRingPlace {
    /// A file of mode 0600.
    File(PathBuf),
    /// The session store, sealed by the gateway's sealing keys.
    Store,
}

impl Core {
    /// Core at this address, with defaults for the rest.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            other_urls: Vec::new(),
            issuer: DEFAULT_ISSUER.to_owned(),
            secret: None,
            timeout: DEFAULT_CORE_TIMEOUT,
            embedded: None,
        }
    }
}

/// Core's issuer unless told otherwise (platform README §3).
pub(super) const DEFAULT_ISSUER: &str = "hivematrix-core";
/// For a call of Core unless told otherwise.
pub(super) const DEFAULT_CORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Codex, which knows users' themes and home pages. `[codex]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codex {
    /// Its base address. Default: that of the service `codex`.
    pub url: Url,
    /// For one call. Default 2 s (platform README §8).
    pub timeout: Duration,
    /// How long a page may wait for preferences that are not cached yet. Default 150 ms.
    pub deadline: Duration,
}

impl Codex {
    /// Codex at this address, with defaults for the rest.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            timeout: DEFAULT_CODEX_TIMEOUT,
            deadline: DEFAULT_CODEX_DEADLINE,
        }
    }
}

/// For a call of Codex unless told otherwise.
pub(super) const DEFAULT_CODEX_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a page waits for preferences unless told otherwise.
pub(super) const DEFAULT_CODEX_DEADLINE: Duration = Duration::from_millis(150);

/// Whether two configurations agree in everything of this file; what differs needs other clients and caches.
pub(super) fn differences(old: &super::Config, new: &super::Config) -> Vec<(&'static str, bool)> {
    let sessions = |config: &super::Config| {
        let sessions = &config.sessions;
        let store = match &sessions.store {
            StoreChoice::Redis(redis) => Some(redis.content()),
            StoreChoice::Memory => None,
        };
        let keys = match &sessions.sealing_keys {
            SealingKeysSource::File(path) => Some(path.display().to_string()),
            SealingKeysSource::Environment(keys) => Some(keys.expose_secret().to_owned()),
            SealingKeysSource::Generated => None,
        };
        (
            store,
            keys,
            (sessions.lifetime, sessions.renewal, sessions.recheck_within),
            sessions.cache_entries,
            sessions.strict,
            sessions.legacy_bearer,
        )
    };
    let provider = |config: &super::Config| {
        let Provider {
            issuer,
            public_path,
            backend_url,
            identity_origin,
            realm,
            client_id,
            client_secret,
            scopes,
            recheck_passwords,
        } = config.provider.clone();
        let secret = client_secret.expose_secret().to_owned();
        (
            issuer,
            public_path,
            backend_url,
            identity_origin,
            realm,
            client_id,
            secret,
            (scopes, recheck_passwords),
        )
    };
    let core = |config: &super::Config| {
        let Core {
            url,
            other_urls,
            issuer,
            secret,
            timeout,
            embedded,
        } = config.core.clone();
        (
            url,
            other_urls,
            issuer,
            secret.map(|secret| secret.expose_secret().to_owned()),
            timeout,
            embedded,
        )
    };
    vec![
        ("sessions", sessions(old) != sessions(new)),
        ("provider", provider(old) != provider(new)),
        ("core", core(old) != core(new)),
        ("codex", old.codex != new.codex),
    ]
}
