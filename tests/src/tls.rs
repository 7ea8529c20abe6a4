//! A certificate made on the spot, and TLS towards the gateway for clients that need more than reqwest.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate for `localhost` and 127.0.0.1 with its key, in files.
pub struct Certificate {
    folder: TempDir,
    pem: String,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn for_localhost() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost", "127.0.0.1"].map(str::to_owned));
        let made = made.expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let pem = made.cert.pem();
        std::fs::write(folder.path().join("tls.crt"), &pem).expect("a file");
        std::fs::write(folder.path().join("tls.key"), made.signing_key.serialize_pem()).expect("a file");
        Self { folder, pem }
    }

    /// The certificate's file.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    /// The key's file.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    /// The certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A TLS connection that offers these protocols.
    pub(crate) async fn connect(&self, stream: TcpStream, protocols: &[&str]) -> TlsStream<TcpStream> {
        let certificate =
            rustls::pki_types::CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate to trust");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .expect("a TLS handshake")
    }
}
