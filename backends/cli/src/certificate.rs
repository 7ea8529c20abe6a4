//! A self-signed certificate, made on the spot for the demo's `--tls`. Real deployments bring their own.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::failure::Failure;
use crate::private_file;

/// Long enough to try things out, too short to be relied on.
const LIFETIME: Duration = Duration::days(30);

/// A certificate and where its files are.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// PEM.
    pub(crate) pem: String,
    /// The same as a file.
    pub(crate) certificate: PathBuf,
    /// The private key (mode 0600).
    pub(crate) key: PathBuf,
}

/// Makes a certificate for `names` (host names and addresses), and writes it and its key into `folder`.
pub(crate) fn self_signed(names: &[String], folder: &Path) -> Result<Certificate, Failure> {
    let (pem, key_pem) =
        make(names).map_err(|error| Failure::outside("no certificate could be made", error))?;
    let certificate = folder.join("tls.crt");
    let key = folder.join("tls.key");
    for (path, text) in [(&certificate, &pem), (&key, &key_pem)] {
        private_file::create(path, text).map_err(|error| Failure::outside(path.display(), error))?;
    }
    Ok(Certificate {
        pem,
        certificate,
        key,
    })
}

fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut parameters = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "HiveMatrix demo");
    parameters.distinguished_name = subject;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = OffsetDateTime::now_utc();
    // Clocks differ.
    parameters.not_before = now - Duration::days(1);
    parameters.not_after = now + LIFETIME;
    let key = KeyPair::generate()?;
    Ok((parameters.self_signed(&key)?.pem(), key.serialize_pem()))
}
