//! Who calls: the gateway sends a token of Core's with every request, and this checks it.
//!
//! A token counts if Core has signed it (RS256, a key of Core's published set), it names Core as issuer and its time is
//! not over. A person's token has a session (`jti`); another service's has `type: service` and names us as its target.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::Mutex;

/// Keys are asked for again at most this often.
const PAUSE: Duration = Duration::from_secs(5);

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A person, through the gateway.
    User(User),
    /// Another service.
    Service(String),
}

/// A signed-in person.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct User {
    /// The full name.
    #[serde(default)]
    pub(crate) name: String,
    /// The e-mail address.
    #[serde(default)]
    pub(crate) email: String,
    /// `client`, `billing`, `technician` or `admin`.
    #[serde(default)]
    pub(crate) permission_level: String,
}

/// What is in a token.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    calling_service: Option<String>,
    #[serde(default)]
    target_service: Option<String>,
    #[serde(flatten)]
    user: User,
}

/// Checks tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Callers(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    jwks: String,
    issuer: String,
    service: String,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, DecodingKey>,
    asked: Option<Instant>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    n: String,
    e: String,
}

/// Why a request is not answered: its status and a sentence.
pub(crate) type Refusal = (StatusCode, String);

fn refuse(status: StatusCode, sentence: &str) -> Refusal {
    (status, sentence.to_owned())
}

impl Callers {
    /// For the service called `service`, with the keys that the Core at `core` publishes.
    pub(crate) fn of_core(core: &str, issuer: &str, service: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self(Arc::new(Inner {
            http,
            jwks: format!("{}/.well-known/jwks.json", core.trim_end_matches('/')),
            issuer: issuer.to_owned(),
            service: service.to_owned(),
            keys: Mutex::default(),
        })))
    }

    /// Who has sent this token.
    pub(crate) async fn check(&self, token: &str) -> Result<Caller, Refusal> {
        let invalid = || refuse(StatusCode::UNAUTHORIZED, "The token is not valid.");
        let header = decode_header(token).map_err(|_| invalid())?;
        let key = self.key(&header.kid.ok_or_else(invalid)?).await?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_issuer(&[&self.0.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        rules.leeway = 0;
        let claims = decode::<Claims>(token, &key, &rules)
            .map_err(|_| invalid())?
            .claims;
        match (claims.r#type.as_deref(), claims.jti) {
            (None, Some(_)) => Ok(Caller::User(claims.user)),
            (Some("service"), _) if claims.target_service.as_deref() == Some(self.0.service.as_str()) => {
                Ok(Caller::Service(claims.calling_service.unwrap_or_default()))
            }
            _ => Err(invalid()),
        }
    }

    /// The key of this id. An unknown one may be new: Core is asked.
    async fn key(&self, id: &str) -> Result<DecodingKey, Refusal> {
        let mut keys = self.0.keys.lock().await;
        if let Some(key) = keys.by_id.get(id) {
            return Ok(key.clone());
        }
        if keys.asked.is_none_or(|asked| asked.elapsed() > PAUSE) {
            keys.asked = Some(Instant::now());
            let down = |_| {
                refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Core does not answer: is CORE_SERVICE_URL right?",
                )
            };
            let set = self.0.http.get(&self.0.jwks).send().await.map_err(down)?;
            let set: KeySet = set.json().await.map_err(down)?;
            keys.by_id = set
                .keys
                .into_iter()
                .filter_map(|key| Some((key.kid, DecodingKey::from_rsa_components(&key.n, &key.e).ok()?)))
                .collect();
        }
        keys.by_id
            .get(id)
            .cloned()
            .ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "The token is not valid."))
    }
}

/// Take this as an argument of a handler, and the handler is protected: without a token it is never called.
impl FromRequestParts<Callers> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, callers: &Callers) -> Result<Self, Refusal> {
        let sign_in = || refuse(StatusCode::UNAUTHORIZED, "Sign in first.");
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(sign_in)?;
        let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        callers.check(token.ok_or_else(sign_in)?).await
    }
}

/// The same for handlers that are for people only.
impl FromRequestParts<Callers> for User {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, callers: &Callers) -> Result<Self, Refusal> {
        match Caller::from_request_parts(parts, callers).await? {
            Caller::User(user) => Ok(user),
            Caller::Service(_) => Err(refuse(StatusCode::FORBIDDEN, "This is for people.")),
        }
    }
}
