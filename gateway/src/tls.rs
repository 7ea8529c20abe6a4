//! The certificate the listener shows. It is parsed before anything listens, so that a wrong file is one
//! clear sentence and no panic.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::Tls;

/// One certificate for all names, swappable while connections live.
#[derive(Debug)]
pub(crate) struct Certificates(ArcSwap<CertifiedKey>);

impl Certificates {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(crate) fn load(tls: &Tls) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(read(
            &tls.certificate,
            &tls.key,
        )?))))
    }

    /// Shows what the files hold now, from the next handshake on.
    ///
    /// # Errors
    /// As [`Certificates::load`]; the old certificate stays.
    pub(crate) fn renew(&self, tls: &Tls) -> Result<(), String> {
        self.0.store(Arc::new(read(&tls.certificate, &tls.key)?));
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
            format!(
                "{}: no readable certificate chain in PEM form ({error})",
                certificate.display()
            )
        })?;
    if chain.is_empty() {
        return Err(format!("{}: no certificate in it", certificate.display()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("{}: no readable private key in PEM form ({error})", key.display()))?;
    let signing = rustls::crypto::ring::sign::any_supported_type(&private)
        .map_err(|error| format!("{}: {error}", key.display()))?;
    let certified = CertifiedKey::new(chain, signing);
    certified.keys_match().map_err(|error| {
        format!(
            "{} does not belong to {}: {error}",
            key.display(),
            certificate.display()
        )
    })?;
    Ok(certified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nowhere/tls.crt"), Path::new("/nowhere/tls.key")).expect_err("missing");
        assert!(error.contains("/nowhere/tls.crt"), "{error}");
    }
}
