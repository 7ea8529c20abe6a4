//! The provider through a real socket, as browsers and a gateway in front of it use it.

mod admin;
mod authorize;
mod logout;
mod tokens;

use std::sync::Mutex;
use std::time::Duration;

use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use reqwest::Response;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{DevClient, DevUser, IdpError, IdpSettings, Lifetimes, router};
use crate::kit::testing::{Running, client, key, run};

const PUBLIC: &str = "http://localhost:8000/keycloak";
const ISSUER: &str = "http://localhost:8000/keycloak/realms/hivematrix";
const CALLBACK: &str = "http://localhost:8000/keycloak-callback";
const AFTER_LOGOUT: &str = "http://localhost:8000/";
const SECRET: &str = "s3cret/with+odd=characters";
const VERIFIER: &str = "0123456789-0123456789-0123456789-0123456789";

fn settings() -> IdpSettings {
    let user = |name: &str, group: &str| DevUser {
        username: name.to_owned(),
        password: format!("{name}-password").into(),
        name: format!("The {name}"),
        email: format!("{name}@example.com"),
        groups: vec![group.to_owned()],
    };
    let client = |id: &str, callback: &str| DevClient {
        id: id.to_owned(),
        secret: SECRET.to_owned().into(),
        redirect_uris: vec![callback.to_owned()],
        post_logout_redirect_uris: vec![AFTER_LOGOUT.to_owned()],
        backchannel_logout_uri: None,
    };
    IdpSettings {
        key: key(),
        public_base: [PUBLIC, "https://127.0.0.1:8443/keycloak"]
            .map(|url| url.parse().unwrap())
            .to_vec(),
        users: vec![user("admin", "admins"), user("client", "client")],
        clients: vec![
            client("core-client", CALLBACK),
            client("other-client", "http://localhost:9000/callback?keep=1"),
        ],
        service_accounts: Vec::new(),
        lifetimes: Lifetimes::default(),
        notice: Some("Try <admin>.".to_owned()),
        trusted: None,
    }
}

/// The provider and a gateway's view of it.
struct World {
    idp: Running,
    http: reqwest::Client,
}

impl World {
    async fn start() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: IdpSettings) -> Self {
        Self {
            idp: run(router(settings).unwrap()).await,
            http: client(),
        }
    }

    fn realm(&self, path: &str) -> String {
        self.idp.url(&format!("/realms/hivematrix{path}"))
    }

    /// A request of the back channel.
    fn form(&self, path: &str, pairs: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.http.post(self.realm(path)).form(pairs)
    }

    /// The token endpoint, as `core-client`.
    async fn token(&self, pairs: &[(&str, &str)]) -> (u16, Value) {
        answer(self.form(TOKEN, pairs).basic_auth("core-client", Some(SECRET))).await
    }

    async fn redeem(&self, code: &str) -> (u16, Value) {
        self.token(&redemption(code)).await
    }

    async fn userinfo(&self, token: &str) -> StatusCode {
        self.http
            .get(self.realm(USERINFO))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
    }

    /// Signs `admin` in with a new browser, and fetches tokens.
    async fn tokens(&self) -> (Browser<'_>, Value) {
        let browser = Browser::new(self);
        let code = browser.sign_in(&request(&[]), "admin").await;
        let (status, tokens) = self.redeem(&code).await;
        assert_eq!(status, 200, "{tokens}");
        (browser, tokens)
    }
}

const AUTH: &str = "/protocol/openid-connect/auth";
const TOKEN: &str = "/protocol/openid-connect/token";
const USERINFO: &str = "/protocol/openid-connect/userinfo";
const LOGOUT: &str = "/protocol/openid-connect/logout";
const AUTHENTICATE: &str = "/login-actions/authenticate";

fn redemption(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The query of an authorization request, with these parameters changed; an empty value removes one.
fn request(changes: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs = vec![
        ("client_id", "core-client"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("state", "st&te"),
        ("nonce", "n0nce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// A browser with one cookie, behind a gateway.
struct Browser<'a> {
    world: &'a World,
    cookie: Mutex<Option<String>>,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            cookie: Mutex::new(None),
        }
    }

    fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap().clone()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        let mut request = request
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", "localhost:8000")
            .header("x-forwarded-prefix", "/keycloak");
        if let Some(cookie) = self.cookie() {
            request = request.header("cookie", format!("a=b; {cookie}"));
        }
        let response = request.send().await.unwrap();
        if let Some(line) = response.headers().get("set-cookie") {
            let line = line.to_str().unwrap();
            let pair = line.split(';').next().unwrap().to_owned();
            *self.cookie.lock().unwrap() = if line.contains("Max-Age=0") {
                None
            } else {
                Some(pair)
            };
        }
        response
    }

    async fn get(&self, path: &str, query: &str) -> Response {
        self.send(self.world.http.get(format!("{}?{query}", self.world.realm(path))))
            .await
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        let form = self.world.form(path, pairs);
        self.send(
            form.header("origin", "http://localhost:8000")
                .header("sec-fetch-site", "same-origin"),
        )
        .await
    }

    async fn submit(&self, request: &str, login: &str, password: &str) -> Response {
        let pairs = [("request", request), ("username", login), ("password", password)];
        self.post(AUTHENTICATE, &pairs).await
    }

    /// Walks from the authorization request over the login form to a code.
    async fn sign_in(&self, request: &str, who: &str) -> String {
        let page = self.get(AUTH, request).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.text().await.unwrap().contains("name=\"password\""));
        let answer = self.submit(request, who, &format!("{who}-password")).await;
        parameter(&answer, "code").expect("a code")
    }
}

fn location(response: &Response) -> Url {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()["location"].to_str().unwrap().parse().unwrap()
}

/// A parameter of the address to which the answer redirects.
fn parameter(response: &Response, name: &str) -> Option<String> {
    location(response)
        .query_pairs()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The claims of a token.
fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn discovery_tells_browsers_public_addresses_and_the_back_channel_its_own() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let path = "/.well-known/openid-configuration";
    let public: Value = browser.get(path, "").await.json().await.unwrap();
    assert_eq!(public["issuer"], ISSUER);
    for (name, path) in [
        ("authorization_endpoint", AUTH),
        ("token_endpoint", TOKEN),
        ("userinfo_endpoint", USERINFO),
        ("end_session_endpoint", LOGOUT),
        ("jwks_uri", "/protocol/openid-connect/certs"),
    ] {
        assert_eq!(public[name], format!("{ISSUER}{path}"));
    }
    assert_eq!(
        public["code_challenge_methods_supported"],
        serde_json::json!(["S256"])
    );

    let back: Value = world
        .http
        .get(world.realm(path))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(back["issuer"], ISSUER);
    assert_eq!(back["authorization_endpoint"], format!("{ISSUER}{AUTH}"));
    assert_eq!(back["token_endpoint"], world.realm(TOKEN));
    assert_eq!(back["jwks_uri"], world.realm("/protocol/openid-connect/certs"));
}

#[tokio::test]
async fn only_what_a_realm_needs_is_there() {
    let world = World::start().await;
    for path in [
        "/admin/",
        "/realms/master/protocol/openid-connect/auth",
        "/metrics",
        "/realms/hivematrix",
    ] {
        let response = world.http.get(world.idp.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let health = world.http.get(world.idp.url("/health")).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
}

#[tokio::test]
async fn callers_from_elsewhere_are_refused_whatever_the_listener() {
    use axum::extract::ConnectInfo;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    for (peer, expected) in [("127.0.0.1:1", 200), ("192.0.2.1:1", 403)] {
        let mut request = http::Request::get("/health")
            .body(axum::body::Body::empty())
            .unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(peer.parse::<std::net::SocketAddr>().unwrap()));
        let service = TowerToHyperService::new(router(settings()).unwrap());
        assert_eq!(
            service.call(request).await.into_response().status().as_u16(),
            expected,
            "{peer}"
        );
    }
}

#[test]
fn settings_that_would_let_anybody_in_are_refused() {
    let mut without_secret = settings();
    without_secret.clients[0].secret = String::new().into();
    assert!(matches!(router(without_secret), Err(IdpError::EmptySecret(_))));
    let mut without_password = settings();
    without_password.users[0].password = String::new().into();
    assert!(matches!(router(without_password), Err(IdpError::EmptySecret(_))));
    let mut nowhere = settings();
    nowhere.public_base.clear();
    assert!(matches!(router(nowhere), Err(IdpError::NoPublicBase)));
    for address in ["javascript:alert(1)", "/relative", "http://localhost/#fragment"] {
        let mut odd = settings();
        odd.clients[0].redirect_uris.push(address.to_owned());
        assert!(matches!(router(odd), Err(IdpError::Address(_))), "{address}");
    }
}
