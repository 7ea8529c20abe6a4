//! Where a Redis is, as people write it: the URL of one server, or of Sentinels that know which server is the master; and what
//! it takes to speak TLS with them. Which of several servers is the master is found out in `masters.rs`.

use std::time::Duration;

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    RedisError, TlsCertificates,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::masters::Masters;

/// Sentinel's port, where a URL names none.
const SENTINEL_PORT: u16 = 26379;

/// The address of a Redis.
///
/// | written | meant |
/// |---|---|
/// | `redis://[user:password@]host[:port][/db]`, `rediss://…` | one server, with TLS |
/// | `unix:///path` | one server on this machine |
/// | `redis+sentinel://[user:password@]host[:port],host[:port],…/name[/db]`, `rediss+sentinel://…` | the master that these Sentinels call `name`; Sentinels of their own password: `?sentinel_username=…&sentinel_password=…` |
#[derive(Clone)]
pub struct RedisAddress {
    kind: Kind,
    tls: Option<TlsCertificates>,
}

#[derive(Clone)]
enum Kind {
    Server(ConnectionInfo),
    Sentinels(SentinelAddress),
}

#[derive(Clone)]
struct SentinelAddress {
    sentinels: Vec<ConnectionInfo>,
    /// What the Sentinels call the master.
    name: String,
    /// How to reach it, but for host and port.
    server: ConnectionInfo,
}

/// What TLS needs beyond the certificate authorities that everybody knows. PEM.
#[derive(Clone, Default)]
pub struct RedisTls {
    /// The authorities that are trusted instead of the public ones.
    pub authorities: Option<String>,
    /// The certificate chain and the private key by which we prove who we are.
    pub identity: Option<(String, SecretString)>,
}

/// Why a text is no address of a Redis. Shows nothing of the text: a password may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRedisAddress(String);

fn invalid<T>(why: &str) -> Result<T, InvalidRedisAddress> {
    Err(InvalidRedisAddress(why.to_owned()))
}

impl RedisAddress {
    /// Reads a URL.
    ///
    /// # Errors
    /// If it is none of the forms above.
    pub fn parse(text: &str) -> Result<Self, InvalidRedisAddress> {
        let kind = match text.split_once("://") {
            Some((scheme @ ("redis+sentinel" | "rediss+sentinel"), rest)) => Kind::Sentinels(sentinels(
                scheme.strip_suffix("+sentinel").unwrap_or(scheme),
                rest,
            )?),
            _ => Kind::Server(server(text)?),
        };
        Ok(Self { kind, tls: None })
    }

    /// With these certificates.
    ///
    /// # Errors
    /// If the address does not speak TLS, or the certificates cannot be read.
    pub fn with_tls(mut self, tls: RedisTls) -> Result<Self, InvalidRedisAddress> {
        if !self.speaks_tls() {
            return invalid("certificates are for rediss:// and rediss+sentinel:// only");
        }
        self.tls = Some(TlsCertificates {
            client_tls: tls.identity.map(|(certificate, key)| ClientTlsConfig {
                client_cert: certificate.into_bytes(),
                client_key: key.expose_secret().as_bytes().to_vec(),
            }),
            root_cert: tls.authorities.map(String::into_bytes),
        });
        // Whether they can be read shows when a client is made of them.
        let readable = match &self.kind {
            Kind::Server(server) => self.client(server.clone()),
            Kind::Sentinels(known) => self.client(known.server.clone()),
        };
        match readable {
            Ok(_) => Ok(self),
            Err(error) => Err(InvalidRedisAddress(error.to_string())),
        }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        let server = match &self.kind {
            Kind::Server(server) => server,
            Kind::Sentinels(known) => &known.server,
        };
        matches!(server.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// Whether a password is in it: then the text is a secret.
    #[must_use]
    pub fn has_password(&self) -> bool {
        let (server, sentinels) = match &self.kind {
            Kind::Server(server) => (server, &[][..]),
            Kind::Sentinels(known) => (&known.server, &known.sentinels[..]),
        };
        let has = |info: &ConnectionInfo| info.redis_settings().password().is_some();
        has(server) || sentinels.iter().any(has)
    }

    /// A client of the server itself, the master where Sentinels name it. For tools that look at what is there; a
    /// [`RedisStore`](super::RedisStore) finds its master by itself, and again after a failover. `patience` is for a Sentinel.
    ///
    /// # Errors
    /// If the certificates do not fit, or the Sentinels cannot tell.
    pub async fn locate(&self, patience: Duration) -> Result<Client, RedisError> {
        Masters::new(self, patience)?.find().await
    }

    /// The client of the one server, if there are no Sentinels to be asked.
    pub(crate) fn fixed(&self) -> Result<Option<Client>, RedisError> {
        match &self.kind {
            Kind::Server(server) => self.client(ours(server.clone())).map(Some),
            Kind::Sentinels(_) => Ok(None),
        }
    }

    /// The clients of the Sentinels, and what they call the master.
    pub(crate) fn sentinels(&self) -> Result<(Vec<Client>, &str), RedisError> {
        match &self.kind {
            Kind::Server(_) => Ok((Vec::new(), "")),
            Kind::Sentinels(known) => {
                let clients = known.sentinels.iter().map(|info| self.client(info.clone()));
                Ok((clients.collect::<Result<_, _>>()?, &known.name))
            }
        }
    }

    /// The client of a server that Sentinels have named.
    pub(crate) fn named(&self, host: &str, port: u16) -> Result<Client, RedisError> {
        let template = match &self.kind {
            Kind::Server(server) => server,
            Kind::Sentinels(known) => &known.server,
        };
        let addr = at(template.addr(), host, port);
        self.client(ours(template.clone().set_addr(addr)))
    }

    fn client(&self, info: ConnectionInfo) -> Result<Client, RedisError> {
        match &self.tls {
            Some(tls) => Client::build_with_tls(info, tls.clone()),
            None => Client::open(info),
        }
    }
}

/// RESP3, which announcements need, and a name by which operators know the connection.
fn ours(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("hivematrix", env!("CARGO_PKG_VERSION"));
    info.set_redis_settings(settings)
}

/// The same kind of address elsewhere.
fn at(like: &ConnectionAddr, host: &str, port: u16) -> ConnectionAddr {
    match like {
        ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
            host: host.to_owned(),
            port,
            insecure: false,
            tls_params: None,
        },
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    }
}

fn server(text: &str) -> Result<ConnectionInfo, InvalidRedisAddress> {
    let Ok(url) = Url::parse(text) else {
        return invalid("not a URL");
    };
    match url.scheme() {
        "redis" | "rediss" if url.host_str().is_some_and(|host| !host.is_empty()) => {}
        "unix" | "redis+unix" if url.path().len() > 1 => {}
        _ => return invalid("not the URL of a Redis"),
    }
    // `rediss://host#insecure` means no check of certificates: nobody may mean that.
    if url.fragment().is_some() {
        return invalid("the URL of a Redis has no fragment");
    }
    url.into_connection_info()
        .map_err(|_| InvalidRedisAddress("not the URL of a Redis".to_owned()))
}

/// `[user:password@]host[:port],…/name[/db][?…]`, which no URL parser takes: it has several hosts.
fn sentinels(scheme: &str, rest: &str) -> Result<SentinelAddress, InvalidRedisAddress> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let (name, database) = path.split_once('/').unwrap_or((path, ""));
    if name.is_empty() {
        return invalid("the master's name is missing: redis+sentinel://host,host/NAME");
    }
    let own = sentinel_user(query)?;
    let mut sentinels = Vec::new();
    for host in hosts.split(',') {
        let Ok(mut url) = Url::parse(&format!("{scheme}://{own}{host}")) else {
            return invalid("one of the Sentinels has no proper address");
        };
        if url.port().is_none() && url.set_port(Some(SENTINEL_PORT)).is_err() {
            return invalid("one of the Sentinels has no host");
        }
        let info = server(url.as_str())?;
        let plain = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        sentinels.push(info.set_redis_settings(plain));
    }
    Ok(SentinelAddress {
        sentinels,
        name: name.to_owned(),
        server: server(&format!("{scheme}://{user}master/{database}"))?,
    })
}

/// `user:password@` of the Sentinels themselves, still encoded, or nothing.
fn sentinel_user(query: &str) -> Result<String, InvalidRedisAddress> {
    let (mut user, mut password) = ("", "");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_username", value)) => user = value,
            Some(("sentinel_password", value)) => password = value,
            _ => return invalid("behind `?` stand sentinel_username and sentinel_password only"),
        }
    }
    Ok(match (user, password) {
        ("", "") => String::new(),
        (user, password) => format!("{user}:{password}@"),
    })
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisAddress")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sentinels_are_several_hosts_a_name_and_a_database() {
        let address = RedisAddress::parse(
            "redis+sentinel://app:s%40cret@one,two:26380,[::1]:5/mymaster/0?sentinel_password=x",
        )
        .unwrap();
        let (clients, name) = address.sentinels().unwrap();
        let shown: Vec<_> = clients
            .iter()
            .map(|client| client.get_connection_info().addr().to_string())
            .collect();
        assert_eq!(
            (shown, name),
            (
                vec!["one:26379".to_owned(), "two:26380".into(), "::1:5".into()],
                "mymaster"
            )
        );
        let own = clients[0].get_connection_info().redis_settings();
        assert_eq!((own.username(), own.password()), (None, Some("x")));
        let master = address.named("10.0.0.7", 6380).unwrap();
        let info = master.get_connection_info();
        assert_eq!(info.addr().to_string(), "10.0.0.7:6380");
        let settings = info.redis_settings();
        assert_eq!(
            (settings.username(), settings.password()),
            (Some("app"), Some("s@cret"))
        );
        assert!(address.fixed().unwrap().is_none() && !address.speaks_tls());
        assert!(
            RedisAddress::parse("rediss+sentinel://one/m")
                .unwrap()
                .speaks_tls()
        );
    }

    #[test]
    fn what_is_no_address_is_told_without_showing_it() {
        for text in [
            "",
            "nonsense",
            "http://:hunter2@localhost",
            "redis://",
            "unix://",
            "rediss://:hunter2@host#insecure",
            "redis+sentinel://:hunter2@one,two",
            "redis+sentinel://:hunter2@/mymaster",
            "redis+sentinel://one,,two/mymaster",
            "redis+sentinel://one/mymaster/zero",
            "redis+sentinel://one/mymaster?password=hunter2",
        ] {
            let error = RedisAddress::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn certificates_need_tls_and_must_be_readable() {
        let tls = || RedisTls {
            authorities: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()),
            identity: None,
        };
        assert!(
            RedisAddress::parse("redis://host")
                .unwrap()
                .with_tls(tls())
                .is_err()
        );
        assert!(
            RedisAddress::parse("rediss://host")
                .unwrap()
                .with_tls(tls())
                .is_err()
        );
        assert!(
            RedisAddress::parse("rediss://host")
                .unwrap()
                .with_tls(RedisTls::default())
                .is_ok()
        );
    }
}
