//! The configuration file as written: which tables it has, which keys they have, what kind of value each takes.
//!
//! Every key is optional here; what is needed, and what fits together, is decided in `check`. A key that is added
//! here must also be added to `config/gateway.toml`; a test compares the two.

use std::net::SocketAddr;
use std::path::PathBuf;

use hivematrix_platform::{Access, Levels, PermissionLevel, ServiceName};
use http::Method;
use ipnet::IpNet;
use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::core::CoreChoice;
use super::identity::Renewal;
use super::owned;
use super::problem::Problem;
use super::quantity::{Count, Period, Size};
use super::read::{
    FromToml, Heading, Leaf, Named, Written, as_written, refuse_unknown, table_of, take, unexpected,
};
use super::redis::RedisUrl;
use super::server::Origin;
use super::service::{Composed, LogFormat, Outage};
use super::value::{AdminListen, HttpUrl, InstanceName, Issuer, RulePath, StoreKind};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
const MANY: u64 = 1_000_000_000;

as_written! {
    /// The whole file.
    struct File, "the configuration" {
        registry: Written<PathBuf>,
        flaskenv: Written<PathBuf>,
        server: Server,
        admin: Admin,
        limits: Limits,
        timeouts: Timeouts,
        sessions: Sessions,
        provider: Provider,
        core: CoreChoice,
        codex: Codex,
        home: Home,
        log: Log,
        service_defaults: ServiceDefaults,
        services: Named<ServiceName, Service>,
        redirects: Named<RulePath, Written<String>>,
        plugins: Named<InstanceName, Plugin>,
    }
}

as_written! {
    /// `[server]`
    struct Server, "[server]" {
        listen: Written<SocketAddr>,
        threads: Written<Count<1, 1024>>,
        public_origins: Vec<Written<Origin>>,
        trusted_proxies: Vec<Written<IpNet>>,
        grace: Written<Period>,
        tls: Tls,
    }
}

as_written! {
    /// `[server.tls]`
    struct Tls, "[server.tls]" {
        certificate: Written<PathBuf>,
        key: Written<PathBuf>,
    }
}

as_written! {
    /// `[admin]`
    struct Admin, "[admin]" {
        listen: Written<AdminListen>,
    }
}

as_written! {
    /// `[limits]`. The ceilings of target and headers are Pingora's: 1 MiB and 256 fields.
    struct Limits, "[limits]" {
        target_bytes: Written<Size<256, { 64 * KIB }>>,
        header_bytes: Written<Size<KIB, { 512 * KIB }>>,
        header_count: Written<Count<16, 256>>,
        body_bytes: Written<Size<0, TIB>>,
        cookies_bytes: Written<Size<256, { 64 * KIB }>>,
        cookies_count: Written<Count<1, 1000>>,
        connections_per_address: Written<Count<1, 1_000_000>>,
        requests_per_minute: Written<Count<0, MANY>>,
        requests_per_hour: Written<Count<0, MANY>>,
        concurrent_streams: Written<Count<1, 10_000>>,
        attempts_per_browser: Written<Count<1, 100>>,
        attempts_per_address: Written<Count<1, 1_000_000>>,
        sessions_per_user: Written<Count<1, 10_000>>,
        kept_form_bytes: Written<Size<0, { 16 * MIB }>>,
        rewrite_bytes: Written<Size<{ 64 * KIB }, { 64 * MIB }>>,
    }
}

as_written! {
    /// `[timeouts]`
    struct Timeouts, "[timeouts]" {
        header: Written<Period>,
        client_body: Written<Period>,
        connect: Written<Period>,
        first_byte: Written<Period>,
        upstream_idle_body: Written<Period>,
        upstream_pool_idle: Written<Period>,
        keepalive: Written<Period>,
        stream_idle: Written<Period>,
        write: Written<Period>,
    }
}

as_written! {
    /// `[sessions]`
    struct Sessions, "[sessions]" {
        store: Written<StoreKind>,
        redis_url: Written<RedisUrl>,
        redis_replicas: Written<Count<0, 16>>,
        redis_timeout: Written<Period>,
        redis_tls: RedisTls,
        sealing_keys: Written<Secret>,
        lifetime: Written<Period>,
        renewal: Written<Renewal>,
        recheck_within: Written<Period>,
        cache_entries: Written<Count<1, 100_000_000>>,
        strict: Written<bool>,
        legacy_bearer: Written<bool>,
    }
}

as_written! {
    /// `[sessions.redis_tls]`
    struct RedisTls, "[sessions.redis_tls]" {
        ca: Written<PathBuf>,
        certificate: Written<PathBuf>,
        key: Written<PathBuf>,
    }
}

as_written! {
    /// `[provider]`
    struct Provider, "[provider]" {
        issuer: Written<Issuer>,
        public_path: Written<RulePath>,
        backend_url: Written<HttpUrl>,
        identity_origin: Written<Origin>,
        realm: Written<String>,
        client_id: Written<String>,
        client_secret: Written<Secret>,
        scopes: Vec<Written<String>>,
        recheck_passwords: Written<bool>,
    }
}

as_written! {
    /// `[codex]`
    struct Codex, "[codex]" {
        url: Written<HttpUrl>,
        timeout: Written<Period>,
        deadline: Written<Period>,
    }
}

as_written! {
    /// `[home]`
    struct Home, "[home]" {
        default_service: Written<ServiceName>,
    }
}

as_written! {
    /// `[log]`
    struct Log, "[log]" {
        format: Written<LogFormat>,
        level: Written<tracing::Level>,
    }
}

as_written! {
    /// `[service_defaults]`
    struct ServiceDefaults, "[service_defaults]" {
        composition: Written<Composed>,
        plugins: Vec<Written<String>>,
        outage: Written<Outage>,
    }
}

as_written! {
    /// `[services.<name>]`
    struct Service, "a service" {
        url: Written<HttpUrl>,
        prefix: Written<RulePath>,
        label: Written<String>,
        icon: Written<String>,
        access: Written<Access>,
        visible: Written<bool>,
        http2: Written<bool>,
        public: Vec<PublicRule>,
        composition: Written<Composed>,
        plugins: Vec<Written<String>>,
        outage: Written<Outage>,
        timeouts: ServiceTimeouts,
    }
}

as_written! {
    /// An element of `public`.
    struct PublicRule, "a public rule" {
        path: Written<RulePath>,
        prefix: Written<RulePath>,
        methods: Vec<Written<Method>>,
    }
}

as_written! {
    /// `[services.<name>.timeouts]`
    struct ServiceTimeouts, "a service's timeouts" {
        connect: Written<Period>,
        first_byte: Written<Period>,
        upstream_idle_body: Written<Period>,
        stream_idle: Written<Period>,
    }
}

/// The dotted name of every key that the file may hold; `*` stands for a name of the user's choice.
pub(super) fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    File::keys("", &mut keys);
    keys
}

/// `[plugins.<name>]`: the kind is ours to read, the rest is the plugin's.
#[derive(Debug)]
pub(super) struct Plugin {
    pub(super) kind: Written<String>,
    pub(super) settings: Spanned<DeTable<'static>>,
}

impl FromToml for Plugin {
    fn keys(path: &str, keys: &mut Vec<String>) {
        keys.push(format!("{path}.kind"));
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
        let table = table_of(value, problems)?;
        if !table.contains_key("kind") {
            problems.push(
                Problem::at(value.span(), "`kind` is missing: which plugin is this?")
                    .help("for example kind = \"composition\""),
            );
        }
        let kind = take(table, "kind", &mut Heading::default(), problems)?;
        Some(Self {
            kind,
            settings: Spanned::new(value.span(), owned::table(table)),
        })
    }
}

/// A secret: never the value itself, always where it is.
#[derive(Clone, Debug)]
pub(super) enum Secret {
    /// `{ env = "NAME" }`
    Env(String),
    /// `{ file = "path" }`
    File(PathBuf),
    /// From an environment variable that overrides the file.
    Given(SecretString),
}

impl Leaf for Secret {
    const EXPECTED: &'static str = "{ env = \"NAME\" } or { file = \"path\" }";

    fn hides(_: &DeValue<'_>) -> bool {
        true
    }

    fn from_text(_: &str) -> Result<Self, String> {
        Err(format!(
            "a secret may not stand in this file: expected {}",
            Self::EXPECTED
        ))
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        let table = match value {
            DeValue::Table(table) => table,
            DeValue::String(text) => return Self::from_text(text),
            other => return Err(unexpected::<Self>(other)),
        };
        let mut entries = table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()));
        match (entries.next(), entries.next()) {
            (Some(("env", DeValue::String(name))), None) if !name.is_empty() => {
                Ok(Self::Env(name.to_string()))
            }
            (Some(("file", DeValue::String(path))), None) if !path.is_empty() => {
                Ok(Self::File(PathBuf::from(path.as_ref())))
            }
            _ => Err(String::new()),
        }
    }
}

/// `"any"`, one permission level, or a list of them.
impl Leaf for Access {
    const EXPECTED: &'static str =
        "\"any\" or a list of \"client\", \"billing\", \"technician\" and \"admin\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::AnyUser),
            level => Ok(Self::Levels(Levels::NONE.with(parse_level(level)?))),
        }
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Self::from_text(text),
            DeValue::Array(items) => {
                let levels: Levels = items
                    .iter()
                    .map(|item| parse_level(item.get_ref().as_str().unwrap_or_default()))
                    .collect::<Result<_, _>>()?;
                if levels.is_empty() {
                    Err("this lets nobody in".to_owned())
                } else {
                    Ok(Self::Levels(levels))
                }
            }
            other => Err(unexpected::<Self>(other)),
        }
    }
}

fn parse_level(text: &str) -> Result<PermissionLevel, String> {
    text.parse().map_err(|_| String::new())
}
