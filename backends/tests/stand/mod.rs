//! A service on a real socket, and clients with real tokens: what the tests of the services share.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
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
pub(crate) fn auth(name: &str) -> Auth {
    let keys = StaticKeys::new(&CORE.jwks());
    Auth::new(
        Arc::new(Verifier::new(Arc::new(keys), "hivematrix-core")),
        name.parse().unwrap(),
    )
}

/// The token of a user of this level, called after it: `admin@example.com` and so on.
pub(crate) fn user(level: PermissionLevel) -> String {
    user_with_email(level, &format!("{level}@example.com"))
}

/// The token of a user with this e-mail address.
pub(crate) fn user_with_email(level: PermissionLevel, email: &str) -> String {
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

/// The token of a user without e-mail address, whom the provider knows by this id.
pub(crate) fn user_with_subject(level: PermissionLevel, subject: &str) -> String {
    let data = UserData {
        sub: subject.to_owned(),
        name: String::new(),
        email: String::new(),
        preferred_username: subject.to_owned(),
        permission_level: level,
        groups: Vec::new(),
    };
    CORE.user(&data, &SessionId::generate(), unix_now()).unwrap().0
}

/// The token by which the service `calling` calls the service `target`.
pub(crate) fn service(calling: &str, target: &str) -> String {
    CORE.service(&calling.parse().unwrap(), &target.parse().unwrap(), unix_now())
        .unwrap()
        .0
}

/// Serves something on a free port until the guard is dropped.
pub(crate) async fn serve(router: Router) -> (SocketAddr, DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(kit::serve(listener, router, shutdown.clone()));
    (address, shutdown.drop_guard())
}

/// A service that is running, and a client that calls it as the gateway would.
pub(crate) struct Stand {
    pub(crate) address: SocketAddr,
    prefix: String,
    http: reqwest::Client,
    _running: DropGuard,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }
}

impl Stand {
    /// Starts the service that is mounted under `/name`.
    pub(crate) async fn start(name: &str, router: Router) -> Self {
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
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
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

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
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
    pub(crate) async fn page(&self, path: &str, token: &str) -> Answer {
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
    pub(crate) async fn submit(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
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
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: serde_json::Value,
    ) -> Answer {
        let request = self.request(method, path, token);
        self.send(if body.is_null() {
            request
        } else {
            request.json(&body)
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, serde_json::Value::Null).await
    }
}

/// Every address that a page leads to or loads.
pub(crate) fn addresses(page: &str) -> Vec<&str> {
    ["href=\"", "action=\"", "src=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

/// Classes that are only names for scripts and tests to find a part by; the design system gives them no rules.
const HOOKS: [&str; 5] = [
    "btn__label",
    "card__body",
    "form__input",
    "form__select",
    "form__textarea",
];

/// Every class that the design system's stylesheet knows.
pub(crate) static CLASSES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let sheet = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/assets/css/global.css");
    let mut sheet = std::fs::read_to_string(sheet).unwrap();
    while let Some(start) = sheet.find("/*") {
        let end = start + sheet[start..].find("*/").unwrap();
        sheet.replace_range(start..end + 2, " ");
    }
    // What stands before a brace, and not before a semicolon, is a selector.
    sheet
        .split_inclusive(['{', '}', ';'])
        .filter_map(|part| part.strip_suffix('{'))
        .filter(|selector| !selector.trim_start().starts_with('@'))
        .flat_map(|selector| selector.split('.').skip(1))
        .map(|rest| {
            rest.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_".contains(letter)))
                .next()
                .unwrap()
        })
        .map(str::to_owned)
        .collect()
});

/// Every class that a page uses.
pub(crate) fn classes(page: &str) -> BTreeSet<&str> {
    page.split("class=\"")
        .skip(1)
        .flat_map(|rest| rest.split('"').next().unwrap().split(' '))
        .collect()
}

/// Fails unless the page is a complete document, carries no styles and no inline script, and stays under its prefix.
pub(crate) fn must_be_a_proper_page(answer: &Answer, prefix: &str) {
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
    for class in classes(page) {
        let known = CLASSES.contains(class) || HOOKS.contains(&class) || class.starts_with("lucide");
        assert!(known, "the design system has no class {class}");
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
