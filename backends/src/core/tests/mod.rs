//! Core through a real socket, with an identity provider that says what the test wants and a store that fails when
//! the test wants.

mod renewals;
mod ring;
mod service_tokens;
mod sessions;
mod with_provider;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{
    Changes, MemoryLimits, MemoryStore, Minter, PermissionLevel, ServiceName, SessionId, SessionRecord,
    Store, StoreError, UserData, unix_now,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{CoreSettings, Keys, ProviderAt, router};
use crate::kit::testing::{Running, client, key, run};

const CLIENT: &str = "core-client";
const SECRET: &str = "codex-secret: with a colon";

/// A store that can be switched off.
struct Switched {
    inner: MemoryStore,
    down: AtomicBool,
}

impl Switched {
    fn on(&self) -> Result<&MemoryStore, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            Err(StoreError::TimedOut)
        } else {
            Ok(&self.inner)
        }
    }
}

#[async_trait]
impl Store for Switched {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.on()?.get(key).await
    }
    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.on()?.get_many(keys).await
    }
    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.on()?.put(key, value, ttl).await
    }
    async fn put_new(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError> {
        self.on()?.put_new(key, value, ttl).await
    }
    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.on()?.take(key).await
    }
    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.on()?.delete(key).await
    }
    async fn replace(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        self.on()?.replace(key, expected, value).await
    }
    async fn replace_for(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        self.on()?.replace_for(key, expected, value, ttl).await
    }
    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        self.on()?.expire(key, ttl).await
    }
    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.on()?.keys(prefix, limit).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.on()?.ping().await
    }
    fn feed_epoch(&self) -> Option<u64> {
        self.inner.feed_epoch()
    }
    fn changes(&self) -> Changes {
        self.inner.changes()
    }
}

/// What userinfo answers.
type Userinfo = Arc<Mutex<(StatusCode, String)>>;

async fn userinfo(State(answer): State<Userinfo>) -> Response {
    let (status, body) = answer.lock().unwrap().clone();
    (status, body).into_response()
}

/// Core and what it stands on.
struct World {
    core: Running,
    store: Arc<Switched>,
    userinfo: Userinfo,
    minter: Arc<Minter>,
    keys: Arc<Keys>,
    http: reqwest::Client,
    _provider: Running,
}

fn name(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn ada() -> UserData {
    UserData {
        sub: "f3a1".to_owned(),
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        preferred_username: "ada".to_owned(),
        permission_level: PermissionLevel::Technician,
        groups: vec!["technicians".to_owned()],
    }
}

impl World {
    async fn start() -> Self {
        Self::with(
            Minter::new(key(), "hivematrix-core"),
            MemoryStore::new(MemoryLimits::default()),
        )
        .await
    }

    async fn with(minter: Minter, memory: MemoryStore) -> Self {
        let info = json!({
            "sub": "f3a1", "name": "Ada", "email": "ada@example.com", "preferred_username": "ada",
            "groups": ["technicians"], "email_verified": true,
        });
        let userinfo_answer: Userinfo = Arc::new(Mutex::new((StatusCode::OK, info.to_string())));
        let provider = Router::new()
            .route("/userinfo", get(userinfo))
            .with_state(Arc::clone(&userinfo_answer));
        let provider = run(provider).await;
        let store = Arc::new(Switched {
            inner: memory,
            down: AtomicBool::new(false),
        });
        let minter = Arc::new(minter);
        let keys = Keys::new(Minter::clone(&minter));
        let core = router(CoreSettings {
            store: Arc::clone(&store) as Arc<dyn Store>,
            keys: Arc::clone(&keys),
            provider: ProviderAt::UserInfo(provider.url("/userinfo").parse().unwrap()),
            client_id: CLIENT.to_owned(),
            secrets: HashMap::from([
                (name("codex"), SECRET.to_owned().into()),
                (name("careless"), String::new().into()),
            ]),
            legacy_callers: vec![name("beacon")],
            known_services: ["codex", "ledger", "beacon", "careless"].map(name).to_vec(),
            http: client(),
        });
        Self {
            core: run(core).await,
            store,
            userinfo: userinfo_answer,
            minter,
            keys,
            http: client(),
            _provider: provider,
        }
    }

    fn userinfo_says(&self, status: StatusCode, body: impl Into<String>) {
        *self.userinfo.lock().unwrap() = (status, body.into());
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(self.core.url(path))
    }

    /// Status and JSON of a POST.
    async fn ask(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.post(path).json(&body)).await
    }

    async fn exchange(&self, access_token: &str) -> (u16, Value) {
        self.ask("/api/token/exchange", json!({ "access_token": access_token }))
            .await
    }

    async fn validate(&self, token: &str) -> (u16, Value) {
        self.ask("/api/token/validate", json!({ "token": token })).await
    }

    async fn revoke(&self, token: &str) -> (u16, Value) {
        self.ask("/api/token/revoke", json!({ "token": token })).await
    }

    /// A token of a session that exists.
    async fn signed_in(&self) -> String {
        let (status, body) = self.exchange(&access_token(json!({ "azp": CLIENT }))).await;
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }

    async fn record(&self, token: &str) -> SessionRecord {
        let id = SessionId::parse(claims(token)["jti"].as_str().unwrap()).unwrap();
        SessionRecord::from_json(&self.store.inner.get(&id.key()).await.unwrap().unwrap()).unwrap()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json", "{status}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    (status, response.json().await.unwrap())
}

/// An access token as the provider makes them; userinfo, not its signature, tells whether it is good.
fn access_token(claims: Value) -> String {
    let mut all = json!({ "sub": "f3a1", "typ": "Bearer", "iss": "http://localhost/realms/hivematrix" });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "RS256" })), part(&all))
}

/// The claims of a token.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn the_keys_that_verify_tokens_are_published() {
    let world = World::start().await;
    let jwks: Value = world
        .http
        .get(world.core.url("/.well-known/jwks.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let jwk = &jwks["keys"][0];
    assert_eq!(jwk["kid"], "test-key-1");
    assert_eq!(
        (&jwk["kty"], &jwk["alg"], &jwk["use"]),
        (&"RSA".into(), &"RS256".into(), &"sig".into())
    );
    assert!(jwk["n"].is_string() && jwk["e"].is_string());
    assert_eq!(jwk.as_object().unwrap().len(), 6, "nothing private");
}

#[tokio::test]
async fn a_token_of_the_previous_key_is_valid_after_a_rotation() {
    let before = World::start().await;
    let token = before.signed_in().await;
    let record = before.record(&token).await;

    let next = hivematrix_platform::SigningKey::generate("test-key-2").unwrap();
    let rotated = Minter::new(next, "hivematrix-core").publishing(&key());
    let memory = MemoryStore::new(MemoryLimits::default());
    let id = SessionId::parse(claims(&token)["jti"].as_str().unwrap()).unwrap();
    memory
        .put(&id.key(), &record.to_json().unwrap(), Duration::from_secs(60))
        .await
        .unwrap();
    let after = World::with(rotated, memory).await;

    assert_eq!(after.validate(&token).await.0, 200);
    let fresh = after.signed_in().await;
    assert_eq!(after.validate(&fresh).await.0, 200);
    assert_eq!(
        before.validate(&fresh).await.0,
        401,
        "the old one does not know the new key"
    );
}

#[tokio::test]
async fn health_is_200_only_while_sessions_can_be_kept() {
    let world = World::start().await;
    let health = async || {
        let response = world.http.get(world.core.url("/health")).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    let (status, body) = health().await;
    assert_eq!(
        (status, &body["service"], &body["status"]),
        (200, &"core".into(), &"healthy".into())
    );
    world.store.down.store(true, Ordering::SeqCst);
    let (status, body) = health().await;
    assert_eq!((status, &body["status"]), (503, &"unhealthy".into()));
    assert_eq!(body["checks"]["sessions"]["status"], "unhealthy");
    world.store.down.store(false, Ordering::SeqCst);
    assert_eq!(health().await.0, 200);
}

#[tokio::test]
async fn there_is_no_login_and_no_logout_that_could_redirect_elsewhere() {
    let world = World::start().await;
    for path in [
        "/login?next=https://evil.example",
        "/logout?redirect=https://evil.example",
    ] {
        let response = world.http.get(world.core.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(!response.headers().contains_key("location"));
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_not_read() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let access = access_token(json!({ "azp": CLIENT }));
    for (path, parameter) in [
        ("/api/token/validate", format!("token={token}")),
        ("/api/token/revoke", format!("token={token}")),
        ("/api/token/exchange", format!("access_token={access}")),
    ] {
        let (status, body) = answer(world.post(&format!("{path}?{parameter}"))).await;
        assert_eq!(
            (status, &body["error"]),
            (400, &"No token provided".into()),
            "{path}"
        );
    }
    assert_eq!(world.validate(&token).await.0, 200, "nothing was revoked");
}
