//! A service on a real socket, and clients with real tokens: what the tests of the services share.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::Router;
use hivematrix_backends::kit::{self, Auth};
use hivematrix_platform::{
    Minter, PermissionLevel, SessionId, SigningKey, StaticKeys, UserData, Verifier, unix_now,
};
use reqwest::{Method, RequestBuilder};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One Core for all tests of a binary: making a key takes a while.
static CORE: LazyLock<Minter> =
    LazyLock::new(|| Minter::new(SigningKey::generate("test").unwrap(), "hivematrix-core"));

/// How a service called `name` knows callers.
pub fn auth(name: &str) -> Auth {
    let keys = StaticKeys::new(&CORE.jwks());
    Auth::new(
        Arc::new(Verifier::new(Arc::new(keys), "hivematrix-core")),
        name.parse().unwrap(),
    )
}

/// The token of a user of this level, called after it: `admin@example.com` and so on.
pub fn user(level: PermissionLevel) -> String {
    user_with_email(level, &format!("{level}@example.com"))
}

/// The token of a user with this e-mail address.
pub fn user_with_email(level: PermissionLevel, email: &str) -> String {
    let data = UserData {
        sub: format!("sub-of-{level}"),
        name: format!("The {level}"),
        email: email.to_owned(),
        preferred_username: level.to_string(),
        permission_level: level,
        groups: Vec::new(),
    };
    CORE.user(&data, &SessionId::generate(), unix_now()).unwrap().0
}

/// The token by which the service `calling` calls the service `target`.
pub fn service(calling: &str, target: &str) -> String {
    CORE.service(&calling.parse().unwrap(), &target.parse().unwrap(), unix_now())
        .unwrap()
        .0
}

/// Serves something on a free port until the guard is dropped.
pub async fn serve(router: Router) -> (SocketAddr, DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(kit::serve(listener, router, shutdown.clone()));
    (address, shutdown.drop_guard())
}

/// A service that is running, and a client that calls it as the gateway would.
pub struct Stand {
    pub address: SocketAddr,
    prefix: String,
    http: reqwest::Client,
    _running: DropGuard,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }
}

impl Stand {
    /// Starts the service that is mounted under `/name`.
    pub async fn start(name: &str, router: Router) -> Self {
        let (address, running) = serve(router).await;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            address,
            prefix: format!("/{name}"),
            http,
            _running: running,
        }
    }

    /// A request as the gateway would forward it; `token` may be empty.
    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("http://{}{path}", self.address))
            .header("x-forwarded-prefix", &self.prefix);
        if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default()
        };
        Answer {
            status: response.status().as_u16(),
            location: header("location"),
            content_type: header("content-type"),
            text: response.text().await.unwrap(),
        }
    }

    /// A page, asked for as a browser does.
    pub async fn page(&self, path: &str, token: &str) -> Answer {
        let request = self
            .request(Method::GET, path, token)
            .header("accept", "text/html,*/*;q=0.8");
        self.send(
            request
                .header("sec-fetch-mode", "navigate")
                .header("sec-fetch-dest", "document"),
        )
        .await
    }

    /// A form, sent as a browser does.
    pub async fn submit(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        let body = fields
            .iter()
            .fold(
                form_urlencoded::Serializer::new(String::new()),
                |mut form, (name, value)| {
                    form.append_pair(name, value);
                    form
                },
            )
            .finish();
        let request = self
            .request(Method::POST, path, token)
            .header("accept", "text/html,*/*;q=0.8");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("sec-fetch-mode", "navigate").body(body))
            .await
    }

    /// A call of a program, with a JSON body unless it is null.
    pub async fn call(&self, method: Method, path: &str, token: &str, body: serde_json::Value) -> Answer {
        let request = self.request(method, path, token);
        self.send(if body.is_null() {
            request
        } else {
            request.json(&body)
        })
        .await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, serde_json::Value::Null).await
    }
}

/// Every address that a page leads to or loads.
pub fn addresses(page: &str) -> Vec<&str> {
    ["href=\"", "action=\"", "src=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

/// Fails unless the page is a complete document, carries no styles and no inline script, and stays under its prefix.
pub fn must_be_a_proper_page(answer: &Answer, prefix: &str) {
    let page = &answer.text;
    assert!(
        answer.content_type.starts_with("text/html"),
        "{}",
        answer.content_type
    );
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    for needed in [
        "<html lang=",
        "<head>",
        "<meta charset=\"utf-8\">",
        "<title>",
        "<body>",
        "<h1",
        "</html>",
    ] {
        assert!(page.contains(needed), "no {needed} in {page}");
    }
    for absent in [
        "<style",
        " style=",
        "stylesheet",
        " onclick=",
        "javascript:",
        "<script>",
    ] {
        assert!(!page.contains(absent), "{absent} in {page}");
    }
    for address in addresses(page) {
        let inside = address.starts_with('#')
            || address.starts_with("mailto:")
            || address.starts_with("https://")
            || address
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('/'));
        assert!(inside, "{address} leaves {prefix}");
    }
}
