//! Under which of its public addresses a request has reached the provider.
//!
//! Responsible for: issuer and links by request, always one of the configured ones. Not responsible for: refusing
//! foreign hosts in general (the gateway does).

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use url::{Origin, Url};

use super::settings::IdpError;

/// The realm, also a segment of every path.
pub(super) const REALM: &str = "/realms/hivematrix";

/// One public address.
#[derive(Debug)]
pub(super) struct Base {
    origin: Origin,
    /// The path below which the provider's own paths are: empty, or without trailing slash.
    path: String,
    /// The address of the realm: the issuer.
    pub(super) issuer: String,
}

impl Base {
    fn new(url: &Url) -> Result<Self, IdpError> {
        let usable =
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if !usable || url.cannot_be_a_base() {
            return Err(IdpError::Address(url.to_string()));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let issuer = format!("{}{path}{REALM}", url.origin().ascii_serialization());
        Ok(Self {
            origin: url.origin(),
            path,
            issuer,
        })
    }

    /// The path of the realm, as the browser sees it, with trailing slash.
    pub(super) fn cookie_path(&self) -> String {
        format!("{}{REALM}/", self.path)
    }

    /// Whether browsers reach it by TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.issuer.starts_with("https:")
    }

    /// Whether a form was sent by one of our own pages, and not by somebody else's. Browsers say so in one of two
    /// headers; a client that sends neither is no browser.
    pub(super) fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let site = headers
            .get("sec-fetch-site")
            .map(|value| value == "same-origin" || value == "none");
        let origin = headers
            .get(ORIGIN)
            .map(|value| value == self.origin.ascii_serialization().as_str());
        site.unwrap_or(true) && origin.unwrap_or(true)
    }
}

/// All public addresses.
#[derive(Debug)]
pub(super) struct Bases(Vec<Base>);

impl Bases {
    pub(super) fn new(urls: &[Url]) -> Result<Self, IdpError> {
        let bases: Vec<Base> = urls.iter().map(Base::new).collect::<Result<_, _>>()?;
        if bases.is_empty() {
            Err(IdpError::NoPublicBase)
        } else {
            Ok(Self(bases))
        }
    }

    /// The address by which a browser came; `None` for whoever came another way (the back channel).
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<&Base> {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?;
            if values.next().is_none() {
                Some(value)
            } else {
                None
            }
        };
        let scheme = one("x-forwarded-proto").unwrap_or("http");
        let host = one("x-forwarded-host").or_else(|| one(HOST.as_str()))?;
        let mut url = Url::parse(&format!("{scheme}://{host}")).ok()?;
        if let (None, Some(port)) = (url.port(), one("x-forwarded-port")) {
            url.set_port(port.parse().ok()).ok()?;
        }
        let prefix = one("x-forwarded-prefix")
            .unwrap_or_default()
            .trim_end_matches('/');
        let here = || self.0.iter().filter(|base| base.origin == url.origin());
        // The bare paths (`/realms/…`) come without the prefix; it is the same provider.
        here().find(|base| base.path == prefix).or_else(|| here().next())
    }

    /// The address by which the request came, else the first: what the back channel is told.
    pub(super) fn of_or_first(&self, headers: &HeaderMap) -> Option<&Base> {
        self.of(headers).or_else(|| self.0.first())
    }

    /// Every issuer whose tokens are ours.
    pub(super) fn issuers(&self) -> Vec<&str> {
        self.0.iter().map(|base| base.issuer.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bases() -> Bases {
        let urls = [
            "http://localhost:8000/keycloak",
            "https://127.0.0.1:8443/keycloak/",
            "http://127.0.0.1:9",
        ];
        Bases::new(&urls.map(|url| Url::parse(url).unwrap())).unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    http::HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn the_issuer_follows_the_address_and_is_always_a_configured_one() {
        let bases = bases();
        let issuer = |pairs: &[_]| bases.of(&headers(pairs)).map(|base| base.issuer.clone());
        let first = "http://localhost:8000/keycloak/realms/hivematrix";
        let local = Some(first.to_owned());
        let secure = Some("https://127.0.0.1:8443/keycloak/realms/hivematrix".to_owned());
        let forwarded = [
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "localhost:8000"),
            ("x-forwarded-prefix", "/keycloak"),
        ];
        assert_eq!(issuer(&forwarded), local);
        assert_eq!(issuer(&forwarded[..2]), local, "bare paths come without prefix");
        let by_port = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "127.0.0.1"),
            ("x-forwarded-port", "8443"),
        ];
        assert_eq!(issuer(&by_port), secure);
        assert_eq!(
            issuer(&[("host", "127.0.0.1:9")]),
            Some("http://127.0.0.1:9/realms/hivematrix".to_owned())
        );
        for foreign in [
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "localhost:8000"),
            ][..],
            &[
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "evil.example"),
            ],
            &[
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "localhost:8001"),
            ],
            &[("host", "127.0.0.1:10")],
            &[],
        ] {
            assert_eq!(issuer(foreign), None, "{foreign:?}");
        }
        assert_eq!(bases.of_or_first(&headers(&[])).unwrap().issuer, first);
    }

    #[test]
    fn forms_of_other_origins_are_told_from_our_own() {
        let bases = bases();
        let base = bases.of_or_first(&HeaderMap::new()).unwrap();
        for (own, pairs) in [
            (
                true,
                &[
                    ("origin", "http://localhost:8000"),
                    ("sec-fetch-site", "same-origin"),
                ][..],
            ),
            (true, &[]),
            (false, &[("origin", "http://localhost:8001")]),
            (false, &[("origin", "null")]),
            (false, &[("sec-fetch-site", "cross-site")]),
            (
                false,
                &[
                    ("sec-fetch-site", "same-site"),
                    ("origin", "http://localhost:8000"),
                ],
            ),
        ] {
            assert_eq!(base.is_own_form(&headers(pairs)), own, "{pairs:?}");
        }
    }
}
