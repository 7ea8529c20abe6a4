//! Checks where Redis is, and the certificates for the way there.

use std::time::Duration;

use hivematrix_platform::RedisAddress;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::file;
use super::super::problem::Place;
use super::super::read::{Leaf as _, Written};
use super::super::redis::{Redis, RedisCertificates, RedisUrl};
use super::super::secret::warn_if_exposed;
use super::Checker;

/// Where Redis is unless told otherwise: database 0, which the Python Core uses too (platform README §4).
const DEFAULT: &str = "redis://127.0.0.1:6379/0";

impl Checker<'_> {
    /// The Redis of `[sessions]`.
    pub(super) fn redis(
        &mut self,
        url: Option<&Written<RedisUrl>>,
        tls: Option<file::RedisTls>,
        replicas: u32,
        timeout: Duration,
    ) -> Option<Redis> {
        let place = url.map_or(Place::Document, |written| written.place.clone());
        let url = match url {
            Some(written) => self.redis_url(written)?,
            None => SecretString::from(DEFAULT),
        };
        let tls = match tls {
            Some(tls) => Some(self.redis_certificates(tls)?),
            None => None,
        };
        let redis = Redis {
            url,
            tls,
            replicas,
            timeout,
        };
        if let (Some(_), false, Err(error)) =
            (&redis.tls, self.vault.is_placeholder(&redis.url), redis.address())
        {
            self.report(super::Problem::new(
                place,
                format!("[sessions.redis_tls] does not fit: {error}"),
            ));
            return None;
        }
        Some(redis)
    }

    fn redis_url(&mut self, written: &Written<RedisUrl>) -> Option<SecretString> {
        let secret = match &written.value {
            RedisUrl::Plain(url) => return Some(SecretString::from(url.as_str())),
            RedisUrl::Secret(secret) => secret,
        };
        let url = self.vault.fetch(secret, &written.place, self.problems)?;
        if RedisAddress::parse(url.expose_secret()).is_err() && !self.vault.is_placeholder(&url) {
            self.report(written.problem(format!("what is there is not {}", RedisUrl::EXPECTED)));
            return None;
        }
        Some(url)
    }

    fn redis_certificates(&mut self, tls: file::RedisTls) -> Option<RedisCertificates> {
        for (here, there, missing) in [
            (&tls.certificate, &tls.key, "key"),
            (&tls.key, &tls.certificate, "certificate"),
        ] {
            if let (Some(here), None) = (here, there)
                && !tls.heading.unread.contains(&missing)
            {
                let message =
                    format!("`{missing}` is missing in [sessions.redis_tls]: the two belong together");
                self.report(here.problem(message));
            }
        }
        if let Some(written) = &tls.key {
            let path = self.path(&written.value);
            warn_if_exposed(&path, &written.place, self.problems);
        }
        let authorities = self.pem(tls.ca);
        let (certificate, key) = (self.pem(tls.certificate), self.pem(tls.key));
        let identity = certificate?.zip(key?);
        Some(RedisCertificates {
            authorities: authorities?,
            identity: identity.map(|(certificate, key)| (certificate, SecretString::from(key))),
        })
    }

    /// The content of a file that is named; the outer `None` is a problem.
    fn pem(&mut self, written: Option<Written<std::path::PathBuf>>) -> Option<Option<String>> {
        let Some(written) = written else {
            return Some(None);
        };
        let path = self.existing(&written)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(Some(text)),
            Err(error) => {
                self.report(written.problem(format!("{} cannot be read: {error}", path.display())));
                None
            }
        }
    }
}
