//! A router behind a real socket, for the tests of every service.
//!
//! Responsible for: a free port and the end with the test. Not responsible for: what is served.

use axum::Router;
use hivematrix_platform::SigningKey;
use std::sync::LazyLock;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A service that runs for as long as this lives.
pub(crate) struct Running {
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    _end: DropGuard,
}

impl Running {
    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Serves a router on a free port.
pub(crate) async fn run(router: Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    tokio::spawn(super::serve(listener, router, shutdown.clone()));
    Running {
        base,
        _end: shutdown.drop_guard(),
    }
}

/// A client that follows no redirects.
pub(crate) fn client() -> reqwest::Client {
    hivematrix_platform::http_client::internal().unwrap()
}

/// One key for all tests: making one takes a while.
pub(crate) fn key() -> SigningKey {
    static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate("test-key-1").unwrap());
    KEY.clone()
}
