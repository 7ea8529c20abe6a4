//! Where the identity provider is, on the back channel: told, or discovered from its issuer (OpenID Connect Discovery 1.0).
//!
//! Responsible for: the addresses that Core calls. Not responsible for: what is asked there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::answer::Failure;
use super::provider::{down, read};

/// How long a discovery document is good.
const FRESH: Duration = Duration::from_secs(3600);

/// Where the identity provider is.
#[derive(Clone, Debug)]
pub enum ProviderAt {
    /// Its userinfo endpoint is here. Access tokens are JWTs that name our client (Keycloak).
    UserInfo(Url),
    /// Its endpoints are discovered. An access token that says nothing by itself is introspected as our client (RFC 7662).
    Issuer {
        /// The issuer, to the letter.
        issuer: String,
        /// Our client's secret there.
        client_secret: SecretString,
    },
}

impl From<Url> for ProviderAt {
    fn from(userinfo: Url) -> Self {
        Self::UserInfo(userinfo)
    }
}

/// What Core calls.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Endpoints {
    pub(super) userinfo_endpoint: Url,
    /// Where an opaque token is asked about; none where it must speak for itself.
    #[serde(default)]
    introspection_endpoint: Option<Url>,
    #[serde(default)]
    introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Absent where nothing was discovered.
    #[serde(default)]
    issuer: Option<String>,
}

/// Where an opaque token is asked about, and how our client proves itself there.
pub(super) struct Introspector {
    pub(super) url: Url,
    /// In the request's body; otherwise in its header, which is the default (RFC 8414 §2).
    pub(super) secret_in_body: bool,
}

impl Endpoints {
    pub(super) fn introspector(&self) -> Option<Introspector> {
        let own = self.introspection_endpoint_auth_methods_supported.as_ref();
        let methods = own.or(self.token_endpoint_auth_methods_supported.as_ref());
        let by_header = |methods: &Vec<String>| methods.iter().any(|method| method == "client_secret_basic");
        Some(Introspector {
            url: self.introspection_endpoint.clone()?,
            secret_in_body: !methods.is_none_or(by_header),
        })
    }
}

/// The endpoints, fetched when they are needed.
pub(super) struct Directory {
    http: reqwest::Client,
    at: ProviderAt,
    known: Mutex<Option<(Instant, Arc<Endpoints>)>>,
}

impl Directory {
    pub(super) fn new(http: reqwest::Client, at: ProviderAt) -> Self {
        Self {
            http,
            at,
            known: Mutex::new(None),
        }
    }

    /// Our client's secret, where Core was told it.
    pub(super) fn client_secret(&self) -> Option<&SecretString> {
        match &self.at {
            ProviderAt::UserInfo(_) => None,
            ProviderAt::Issuer { client_secret, .. } => Some(client_secret),
        }
    }

    /// The endpoints; those of an hour ago while the provider does not say.
    ///
    /// # Errors
    /// 502 if nothing is known of them.
    pub(super) async fn endpoints(&self) -> Result<Arc<Endpoints>, Failure> {
        let issuer = match &self.at {
            ProviderAt::UserInfo(url) => {
                return Ok(Arc::new(Endpoints {
                    userinfo_endpoint: url.clone(),
                    introspection_endpoint: None,
                    introspection_endpoint_auth_methods_supported: None,
                    token_endpoint_auth_methods_supported: None,
                    issuer: None,
                }));
            }
            ProviderAt::Issuer { issuer, .. } => issuer,
        };
        let mut known = self.known.lock().await;
        if let Some((at, endpoints)) = &*known
            && at.elapsed() < FRESH
        {
            return Ok(endpoints.clone());
        }
        match (self.discover(issuer).await, &*known) {
            (Ok(endpoints), _) => {
                let endpoints = Arc::new(endpoints);
                *known = Some((Instant::now(), endpoints.clone()));
                Ok(endpoints)
            }
            (Err(_), Some((_, endpoints))) => Ok(endpoints.clone()),
            (Err(failure), None) => Err(failure),
        }
    }

    async fn discover(&self, issuer: &str) -> Result<Endpoints, Failure> {
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let body = read(self.http.get(url), |status| down("discovery", status)).await?;
        let endpoints: Endpoints = serde_json::from_slice(&body).map_err(|error| down("discovery", error))?;
        // Or one provider could speak for another (Discovery §4.3).
        if endpoints.issuer.as_deref() != Some(issuer) {
            return Err(down("discovery", "the document is of another issuer"));
        }
        let protected = |url: &Url| url.scheme() == "https" || is_local(url);
        let all = std::iter::once(&endpoints.userinfo_endpoint).chain(&endpoints.introspection_endpoint);
        if !all.into_iter().all(protected) {
            return Err(down(
                "discovery",
                "an endpoint is neither https nor on this machine",
            ));
        }
        Ok(endpoints)
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
