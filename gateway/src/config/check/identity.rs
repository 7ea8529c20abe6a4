//! Checks `[sessions]`, `[provider]` and `[codex]`.

use std::time::Duration;

use hivematrix_platform::SealingKeys;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::super::file::{self, Secret};
use super::super::identity::{
    Codex, DEFAULT_CACHE_ENTRIES, DEFAULT_CLIENT_ID, DEFAULT_CODEX_DEADLINE, DEFAULT_CODEX_TIMEOUT,
    DEFAULT_LIFETIME, DEFAULT_PUBLIC_PATH, DEFAULT_REALM, DEFAULT_RECHECK_WITHIN, Provider, Renewal,
    SealingKeysSource, Sessions, StoreChoice, default_scopes,
};
use super::super::problem::Place;
use super::super::quantity::Period;
use super::super::read::Written;
use super::super::redis::DEFAULT_TIMEOUT;
use super::super::server::{Server, is_loopback_host};
use super::super::service::Service;
use super::super::value::{HttpUrl, Issuer, RulePath, StoreKind};
use super::listeners::insecure;
use super::{Checker, DOORS, first_segment, or};

/// Longest time between two looks at a session: well below the hour of its token.
const LONGEST_RECHECK: Duration = Duration::from_secs(50 * 60);
const DEFAULT_BACKEND: &str = "http://localhost:8080";

impl Checker<'_> {
    pub(super) fn sessions(&mut self, sessions: file::Sessions) -> Option<Sessions> {
        let kind = sessions
            .store
            .as_ref()
            .map_or(StoreKind::Redis, |store| store.value);
        let sealing_keys = match (sessions.sealing_keys, kind) {
            (Some(written), _) => self.sealing_keys(&written),
            (None, StoreKind::Memory) => Some(SealingKeysSource::Generated),
            (None, StoreKind::Redis) => {
                let message = "`sealing_keys` is missing in [sessions]: what seals the sessions in Redis?";
                let problem = sessions.heading.lacks("sealing_keys", message);
                if let (Some(problem), false) = (problem, sessions.heading.unread.contains(&"store")) {
                    self.report(
                        problem.help("{ file = \"sealing.keys\" }; the file is made at the first start"),
                    );
                }
                None
            }
        };
        if let (Some(written), StoreKind::Memory) = (&sessions.redis_url, kind) {
            self.report(written.problem("not used: `store` is \"memory\"").warning());
        }
        let replicas = sessions.redis_replicas.map_or(0, |written| written.value.0);
        let replicas = u32::try_from(replicas).unwrap_or(u32::MAX);
        let timeout = or(sessions.redis_timeout, DEFAULT_TIMEOUT);
        let redis = self.redis(sessions.redis_url.as_ref(), sessions.redis_tls, replicas, timeout);
        let store = match kind {
            StoreKind::Memory => StoreChoice::Memory,
            StoreKind::Redis => StoreChoice::Redis(redis?),
        };
        let recheck_within = self.recheck_within(sessions.recheck_within);
        Some(Sessions {
            store,
            sealing_keys: sealing_keys?,
            lifetime: or(sessions.lifetime, DEFAULT_LIFETIME),
            renewal: or(sessions.renewal, Renewal::Core),
            recheck_within,
            cache_entries: or(sessions.cache_entries, DEFAULT_CACHE_ENTRIES),
            strict: or(sessions.strict, false),
            legacy_bearer: or(sessions.legacy_bearer, false),
        })
    }

    /// A session has to be renewed before Core's token ends; that is an hour.
    fn recheck_within(&mut self, written: Option<Written<Period>>) -> Duration {
        if let Some(written) = &written
            && written.value.0 > LONGEST_RECHECK
        {
            let message = "a session would end before it is renewed: Core's tokens are good for an hour";
            self.report(written.problem(message).help("at most \"50m\""));
        }
        or(written, DEFAULT_RECHECK_WITHIN)
    }

    fn sealing_keys(&mut self, written: &Written<Secret>) -> Option<SealingKeysSource> {
        match &written.value {
            Secret::File(path) => Some(SealingKeysSource::File(self.path(path))),
            Secret::Env(_) | Secret::Given(_) => {
                let keys = self.vault.fetch(&written.value, &written.place, self.problems)?;
                let placeholder = self.vault.is_placeholder(&keys);
                if let (Err(error), false) = (SealingKeys::from_base64(keys.expose_secret()), placeholder) {
                    let help = "base64 of 32 random bytes each, the newest first, separated by commas";
                    self.report(
                        written
                            .problem(format!("these are not sealing keys: {error}"))
                            .help(help),
                    );
                }
                Some(SealingKeysSource::Environment(keys))
            }
        }
    }

    pub(super) fn provider(
        &mut self,
        mut provider: file::Provider,
        server: Option<&Server>,
    ) -> Option<Provider> {
        if let Some(issuer) = provider.issuer.take() {
            return self.discovered(provider, &issuer, server);
        }
        let client_secret = self.client_secret(&provider);
        let own_origin = provider.identity_origin;
        if let Some(origin) = &own_origin {
            if server.is_some_and(|server| server.public_origins.contains(&origin.value)) {
                let problem = origin.problem("this is one of the gateway's own `public_origins`");
                self.report(problem.help("leave it out to have the provider on the gateway's origin"));
            } else if let Some(problem) = insecure(origin) {
                self.report(problem);
            }
        }
        let public_path = self.public_path(provider.public_path, own_origin.is_some());
        if let Some(realm) = &provider.realm {
            self.realm(realm);
        }
        let scopes = self.scopes(provider.scopes);
        let backend_url = self.address(provider.backend_url, DEFAULT_BACKEND);
        Some(Provider {
            issuer: None,
            public_path: public_path?,
            backend_url: backend_url?,
            identity_origin: own_origin.map(|origin| origin.value),
            realm: or(provider.realm, DEFAULT_REALM.to_owned()),
            client_id: or(provider.client_id, DEFAULT_CLIENT_ID.to_owned()),
            client_secret: client_secret?,
            scopes: scopes?,
            recheck_passwords: or(provider.recheck_passwords, true),
        })
    }

    /// A provider whose addresses are discovered: what else is said of them is not used.
    fn discovered(
        &mut self,
        provider: file::Provider,
        issuer: &Written<Issuer>,
        server: Option<&Server>,
    ) -> Option<Provider> {
        let unused = [
            provider.public_path.as_ref().map(|written| &written.place),
            provider.backend_url.as_ref().map(|written| &written.place),
            provider.identity_origin.as_ref().map(|written| &written.place),
            provider.realm.as_ref().map(|written| &written.place),
        ];
        if let Some(written) = provider
            .recheck_passwords
            .as_ref()
            .filter(|written| written.value)
        {
            let message = "not used: only a Keycloak behind this gateway says when passwords were set";
            self.report(written.problem(message).warning());
        }
        for place in unused.into_iter().flatten() {
            let message = "not used: the provider's addresses are discovered from `issuer`";
            self.report(super::Problem::new(place.clone(), message).warning());
        }
        let client_secret = self.client_secret(&provider);
        let scopes = self.scopes(provider.scopes);
        let checked = match Provider::discovered(&issuer.value.0, client_secret?) {
            Ok(checked) => checked,
            Err(error) => {
                self.report(issuer.problem(error.to_string()));
                return None;
            }
        };
        let ours = |server: &Server| {
            checked
                .identity_origin
                .as_ref()
                .is_some_and(|origin| server.public_origins.contains(origin))
        };
        if server.is_some_and(ours) {
            self.report(issuer.problem("this is on one of the gateway's own `public_origins`"));
        }
        Some(Provider {
            client_id: or(provider.client_id, DEFAULT_CLIENT_ID.to_owned()),
            scopes: scopes?,
            ..checked
        })
    }

    fn client_secret(&mut self, provider: &file::Provider) -> Option<SecretString> {
        if let Some(written) = &provider.client_secret {
            return self.vault.fetch(&written.value, &written.place, self.problems);
        }
        let message =
            "`client_secret` is missing in [provider]: how does the gateway prove itself to the provider?";
        if let Some(problem) = provider.heading.lacks("client_secret", message) {
            let help = "client_secret = { env = \"KEYCLOAK_CLIENT_SECRET\" }, or { file = \"path\" }";
            self.report(problem.help(help));
        }
        None
    }

    fn public_path(&mut self, written: Option<Written<RulePath>>, own_origin: bool) -> Option<String> {
        let Some(written) = written else {
            return Some(DEFAULT_PUBLIC_PATH.to_owned());
        };
        let path = written.value.0.trim_end_matches('/').to_owned();
        if !own_origin && path.is_empty() {
            self.report(written.problem("on the gateway's own origin the provider needs a path of its own"));
            return None;
        }
        if !own_origin && DOORS.contains(&first_segment(&path)) {
            self.report(written.problem("this path is the gateway's own"));
            return None;
        }
        Some(path)
    }

    fn realm(&mut self, realm: &Written<String>) {
        let plain = realm
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if realm.value.eq_ignore_ascii_case("master") {
            let problem = realm.problem("the realm \"master\" is for administering Keycloak itself");
            self.report(
                problem.help("make a realm for the platform; it is called \"hivematrix\" by default"),
            );
        } else if !plain || matches!(realm.value.as_str(), "." | "..") {
            self.report(realm.problem("a realm's name has letters, digits, \"-\", \"_\" and \".\" only"));
        }
    }

    fn scopes(&mut self, written: Option<Vec<Written<String>>>) -> Option<Vec<String>> {
        let Some(written) = written else {
            return Some(default_scopes());
        };
        for scope in &written {
            if scope
                .value
                .bytes()
                .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\\'))
            {
                self.report(scope.problem("a scope is one word (RFC 6749 §3.3)"));
            }
        }
        let has_openid = written.iter().any(|scope| scope.value == "openid");
        if !has_openid {
            let place = written
                .first()
                .map_or(Place::Document, |scope| scope.place.clone());
            let message = "the scope \"openid\" is missing: without it there is no login";
            self.report(super::Problem::new(place, message));
        }
        has_openid.then(|| written.into_iter().map(|scope| scope.value).collect())
    }

    pub(super) fn codex(&mut self, codex: file::Codex, services: &[Service]) -> Option<Codex> {
        if let Some(written) = &codex.url {
            self.refuse_path(written);
        }
        let service = services.iter().find(|service| service.name.as_str() == "codex");
        let url = match (codex.url, service) {
            (Some(written), _) => self.address(Some(written), "")?,
            (None, Some(service)) => service.upstream.url.clone(),
            (None, None) if codex.timeout.is_some() || codex.deadline.is_some() => {
                let message = "`url` is missing in [codex], and there is no service `codex` to take it from";
                if let Some(problem) = codex.heading.lacks("url", message) {
                    self.report(problem);
                }
                return None;
            }
            (None, None) => return None,
        };
        let place = codex
            .deadline
            .as_ref()
            .or(codex.timeout.as_ref())
            .map(|written| written.place.clone());
        let timeout = or(codex.timeout, DEFAULT_CODEX_TIMEOUT);
        let deadline = or(codex.deadline, DEFAULT_CODEX_DEADLINE);
        if let (Some(place), true) = (place, deadline > timeout) {
            let message =
                "`deadline` is longer than `timeout`: pages would wait for calls that were given up";
            self.report(super::Problem::new(place, message));
        }
        Some(Codex {
            url,
            timeout,
            deadline,
        })
    }

    /// An address we call, with a hint if what we send there can be read on the way.
    pub(super) fn address(&mut self, written: Option<Written<HttpUrl>>, default: &str) -> Option<Url> {
        let Some(written) = written else {
            return Url::parse(default).ok();
        };
        let url = &written.value.0;
        if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback_host) {
            let message = "plain http to another machine: tokens can be read on the way";
            self.report(
                written
                    .problem(message)
                    .help("use https, or keep it on this machine")
                    .warning(),
            );
        }
        Some(written.value.0)
    }

    pub(super) fn refuse_path(&mut self, written: &Written<HttpUrl>) {
        if written.value.0.path() != "/" {
            self.report(written.problem("expected a URL without a path"));
        }
    }
}
