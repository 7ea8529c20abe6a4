//! The identity provider and Core, as far as a login needs them. The provider is strict: it checks the
//! client, the redirect URI, PKCE and that a code is used once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hivematrix_platform::{SessionId, SessionRecord, Sessions, SigningKey, UserClaims, unix_now};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::store::Disturbed;
use super::{minter, person};

pub(super) const ORIGIN: &str = "https://hive.example";
pub(super) const SECRET: &str = "s3cret:with/odd characters";

/// What the provider is about to answer; a test may spoil it.
pub(super) struct Tokens {
    pub(super) id: Value,
    pub(super) access: Value,
    pub(super) algorithm: Algorithm,
    pub(super) key: EncodingKey,
    pub(super) bind: bool,
    pub(super) opaque: bool,
}

pub(super) type Spoil = fn(&mut Tokens);

/// What Core does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Core {
    Works,
    Fails,
    Refuses,
    MixesPeopleUp,
    UsesAnotherStore,
}

struct Code {
    challenge: String,
    nonce: String,
    redirect_uri: String,
    sub: String,
}

/// Everything outside the gateway.
pub(super) struct Outside {
    pub(super) core: Mutex<Core>,
    pub(super) spoil: Mutex<Option<Spoil>>,
    pub(super) provider_fails: Mutex<bool>,
    pub(super) forwarded: Mutex<Option<String>>,
    pub(super) keys_fetched: AtomicUsize,
    /// What the provider says of people's credentials; it is silent about them if that is nothing.
    pub(super) credentials: Mutex<Option<(u16, String)>>,
    /// The `Authorization` of each who asked.
    pub(super) credentials_asked: Mutex<Vec<String>>,
    codes: Mutex<HashMap<String, Code>>,
    sessions: Sessions,
    /// The sessions that Core has made.
    made: Mutex<Vec<SessionId>>,
    key: SigningKey,
}

/// A key that is not the provider's.
pub(super) fn foreign_key() -> EncodingKey {
    EncodingKey::from_rsa_pem(super::core_key().to_pem().expose_secret().as_bytes()).unwrap()
}

fn encoded(key: &SigningKey) -> EncodingKey {
    EncodingKey::from_rsa_pem(key.to_pem().expose_secret().as_bytes()).unwrap()
}

impl Outside {
    pub(super) fn new(store: &Arc<Disturbed>) -> Arc<Self> {
        static KEY: std::sync::OnceLock<SigningKey> = std::sync::OnceLock::new();
        Arc::new(Self {
            core: Mutex::new(Core::Works),
            spoil: Mutex::default(),
            provider_fails: Mutex::default(),
            forwarded: Mutex::default(),
            keys_fetched: AtomicUsize::new(0),
            credentials: Mutex::default(),
            credentials_asked: Mutex::default(),
            codes: Mutex::default(),
            sessions: Sessions::new(store.clone()),
            made: Mutex::default(),
            key: KEY
                .get_or_init(|| SigningKey::generate("provider").unwrap())
                .clone(),
        })
    }

    /// The provider's key.
    pub(super) fn signing_key(&self) -> EncodingKey {
        encoded(&self.key)
    }

    /// Whether Core's record of a session says so.
    pub(super) async fn is_revoked(&self, session: SessionId) -> bool {
        let record = self.sessions.get(&session).await.unwrap();
        record.is_some_and(|record| record.revoked)
    }

    /// Whether all sessions that Core has made are revoked; at least one.
    pub(super) async fn all_revoked(&self) -> bool {
        let made = self.made.lock().unwrap().clone();
        let mut all = !made.is_empty();
        for session in made {
            all &= self.is_revoked(session).await;
        }
        all
    }

    pub(super) fn router(self: &Arc<Self>) -> Router {
        let oidc = "/realms/hivematrix/protocol/openid-connect";
        Router::new()
            .route(&format!("{oidc}/token"), post(token))
            .route(&format!("{oidc}/certs"), get(certs))
            .route("/realms/hivematrix/account/credentials", get(credentials))
            .route("/api/token/exchange", post(exchange))
            .route("/api/token/revoke", post(revoke))
            .with_state(self.clone())
    }

    /// A person signs in at the provider: the query with which it sends the browser back.
    pub(super) fn sign_in(&self, location: &str, sub: &str) -> String {
        let url = url::Url::parse(location).unwrap();
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(
            url.path(),
            "/keycloak/realms/hivematrix/protocol/openid-connect/auth"
        );
        assert_eq!(url.origin().ascii_serialization(), ORIGIN);
        assert_eq!(
            (&*asked["response_type"], &*asked["client_id"]),
            ("code", "core-client")
        );
        assert_eq!(
            (&*asked["code_challenge_method"], &*asked["scope"]),
            ("S256", "openid email profile")
        );
        let code = SessionId::generate().as_str().to_owned();
        let (challenge, nonce) = (asked["code_challenge"].clone(), asked["nonce"].clone());
        let (redirect_uri, sub) = (asked["redirect_uri"].clone(), sub.to_owned());
        let query = format!("state={}&session_state=x&code={code}", asked["state"]);
        self.codes.lock().unwrap().insert(
            code,
            Code {
                challenge,
                nonce,
                redirect_uri,
                sub,
            },
        );
        query
    }

    fn tokens(&self, code: &Code) -> Tokens {
        let now = unix_now();
        let issuer = format!("{ORIGIN}/keycloak/realms/hivematrix");
        let id = json!({
            "iss": issuer, "sub": code.sub, "aud": "core-client", "azp": "core-client",
            "iat": now, "exp": now + 300, "nonce": code.nonce, "sid": format!("sid-of-{}", code.sub),
        });
        let access = json!({
            "iss": issuer, "sub": code.sub, "aud": "account", "azp": "core-client", "exp": now + 300,
        });
        Tokens {
            id,
            access,
            algorithm: Algorithm::RS256,
            key: encoded(&self.key),
            bind: true,
            opaque: false,
        }
    }
}

fn refuse(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response()
}

async fn token(
    State(outside): State<Arc<Outside>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    if *outside.provider_fails.lock().unwrap() {
        return (StatusCode::BAD_GATEWAY, "<h1>oops</h1>").into_response();
    }
    let told = ["proto", "host", "port", "prefix"].map(|what| {
        headers
            .get(format!("x-forwarded-{what}"))
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    });
    *outside.forwarded.lock().unwrap() = Some(told.join(" "));
    let secret: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("core-client:{secret}"))
    );
    if headers.get("authorization").is_none_or(|value| *value != *basic) {
        return refuse("invalid_client");
    }
    let Some(code) = outside.codes.lock().unwrap().remove(&form["code"]) else {
        return refuse("invalid_grant");
    };
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != code.challenge || form["redirect_uri"] != code.redirect_uri {
        return refuse("invalid_grant");
    }
    let mut tokens = outside.tokens(&code);
    if let Some(spoil) = *outside.spoil.lock().unwrap() {
        spoil(&mut tokens);
    }
    let sign = |claims: &Value| {
        let mut header = Header::new(tokens.algorithm);
        header.kid = Some("provider".to_owned());
        jsonwebtoken::encode(&header, claims, &tokens.key).unwrap()
    };
    let access = if tokens.opaque {
        code.sub.clone()
    } else {
        sign(&tokens.access)
    };
    if tokens.bind {
        let hash = Sha256::digest(&access);
        tokens.id["at_hash"] = BASE64_URL_SAFE_NO_PAD.encode(&hash[..16]).into();
    }
    let answer = json!({
        "access_token": access, "refresh_token": "refresh", "token_type": "Bearer", "expires_in": 300,
        "id_token": sign(&tokens.id),
    });
    Json(answer).into_response()
}

async fn certs(State(outside): State<Arc<Outside>>) -> Json<Value> {
    outside.keys_fetched.fetch_add(1, SeqCst);
    Json(json!({ "keys": [outside.key.jwk()] }))
}

async fn credentials(State(outside): State<Arc<Outside>>, headers: HeaderMap) -> Response {
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(header("accept"), "application/json");
    assert_eq!(header("x-forwarded-host"), "hive.example");
    let asker = header("authorization").to_owned();
    outside.credentials_asked.lock().unwrap().push(asker);
    let answer = outside.credentials.lock().unwrap().clone();
    match answer {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        None => std::future::pending().await,
    }
}

/// The claims of a token, unverified.
fn claims_of<T: serde::de::DeserializeOwned>(token: &str) -> T {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn exchange(State(outside): State<Arc<Outside>>, Json(body): Json<Value>) -> Response {
    let core = *outside.core.lock().unwrap();
    match core {
        Core::Fails => return (StatusCode::BAD_GATEWAY, Json(json!({"error": "down"}))).into_response(),
        Core::Refuses => return (StatusCode::UNAUTHORIZED, Json(json!({"error": "no"}))).into_response(),
        Core::Works | Core::MixesPeopleUp | Core::UsesAnotherStore => {}
    }
    let access = body["access_token"].as_str().unwrap();
    let sub = match access.contains('.') {
        true => claims_of::<Value>(access)["sub"].as_str().unwrap().to_owned(),
        false => access.to_owned(),
    };
    let user = person(if core == Core::MixesPeopleUp {
        "mallory"
    } else {
        &sub
    });
    let (session, now) = (SessionId::generate(), unix_now());
    let (jwt, claims) = minter().user(&user, &session, now).unwrap();
    outside.made.lock().unwrap().push(session);
    let record = SessionRecord {
        user_data: user,
        created_at: now,
        expires_at: claims.exp,
        revoked: false,
    };
    if core != Core::UsesAnotherStore
        && outside
            .sessions
            .create(&session, &record, Duration::from_secs(3600))
            .await
            .is_err()
    {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": "store"}))).into_response();
    }
    Json(json!({ "token": jwt })).into_response()
}

async fn revoke(State(outside): State<Arc<Outside>>, Json(body): Json<Value>) -> Response {
    if *outside.core.lock().unwrap() == Core::Fails {
        return (StatusCode::BAD_GATEWAY, Json(json!({"error": "down"}))).into_response();
    }
    let claims: UserClaims = claims_of(body["token"].as_str().unwrap());
    match outside.sessions.revoke(&claims.jti).await {
        Ok(_) => Json(json!({ "message": "Session revoked successfully" })).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": "store"}))).into_response(),
    }
}
