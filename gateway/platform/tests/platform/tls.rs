//! Redis behind TLS and with users, and Redises that can never be a store: a Cluster, a Sentinel.

use std::path::Path;

use hivematrix_platform::{RedisAddress, RedisStore, RedisTls, Store as _, StoreError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::support::redis_server::{RedisServer, free_port, quick};

/// An authority of the test's own, a server's certificate by it and a client's, PEM.
struct Papers {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Papers {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own, or what it signs looks signed by itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let issued = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let (server, client) = (issued("localhost"), issued("gateway"));
        Self {
            authority,
            server,
            client,
        }
    }

    fn tls(&self, authority: bool, identity: bool) -> RedisTls {
        let (certificate, key) = self.client.clone();
        RedisTls {
            authorities: authority.then(|| self.authority.clone()),
            identity: identity.then(|| (certificate, key.into())),
        }
    }

    fn write(&self, folder: &Path) {
        for (name, text) in [
            ("ca.pem", &self.authority),
            ("server.pem", &self.server.0),
            ("server.key", &self.server.1),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
}

#[tokio::test]
async fn redis_is_reached_by_tls_with_an_authority_and_a_certificate_of_ones_own() {
    let (papers, folder, port) = (Papers::new(), tempfile::tempdir().unwrap(), free_port().await);
    papers.write(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (ca, certificate, key, tls_port) = (
        path("ca.pem"),
        path("server.pem"),
        path("server.key"),
        port.to_string(),
    );
    let server = RedisServer::start_with(&[
        "--tls-port",
        &tls_port,
        "--tls-ca-cert-file",
        &ca,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "yes",
    ])
    .await;
    let rights =
        "on >secret ~session:* ~hm:* resetchannels -@all +get +mget +set +role +hello +client|tracking +ping";
    let mut operator = server.client().await;
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg("gateway")
        .arg(rights.split_whitespace().collect::<Vec<_>>())
        .exec_async(&mut operator)
        .await
        .unwrap();

    let open = |host: &str, tls: RedisTls| {
        let address = RedisAddress::parse(&format!("rediss://gateway:secret@{host}:{port}/0")).unwrap();
        RedisStore::open(&address.with_tls(tls).unwrap(), quick()).unwrap()
    };
    let store = open("localhost", papers.tls(true, true));
    crate::support::eventually("the feed is live over TLS", async || store.feed_epoch().is_some()).await;
    store.ping().await.unwrap();
    assert_eq!(store.get("session:a").await, Ok(None));
    assert!(
        matches!(store.get("other").await, Err(StoreError::Refused(_))),
        "the user's rights count"
    );

    for (what, host, tls) in [
        (
            "an authority that nobody knows",
            "localhost",
            papers.tls(false, true),
        ),
        ("no certificate of our own", "localhost", papers.tls(true, false)),
        ("another host's certificate", "127.0.0.1", papers.tls(true, true)),
    ] {
        let refused = open(host, tls).ping().await;
        assert!(
            matches!(refused, Err(StoreError::Unreachable(_))),
            "{what}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_cluster_is_refused_with_the_reason() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]).await;
    let error = RedisStore::connect(&server.url(), quick()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unsupported(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(
        sentence.contains("runs as a Cluster, which is not supported")
            && sentence.contains("redis+sentinel://"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_sentinel_that_is_taken_for_a_redis_is_told_from_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    std::fs::write(&file, "sentinel monitor m 127.0.0.1 1 1\n").unwrap();
    let sentinel = RedisServer::start_by(&[file.to_str().unwrap(), "--sentinel"]).await;
    let error = RedisStore::connect(&sentinel.url(), quick()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unsupported(why) if why.contains("is a Sentinel")),
        "{error:?}"
    );
    let unknown = format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port);
    let error = RedisStore::connect(&unknown, quick()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused(why) if why.contains("No such master")),
        "{error:?}"
    );
}
