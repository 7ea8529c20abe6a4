//! The end-to-end harness: a world of its own for every case, with everything real in it.
//!
//! ```no_run
//! # use hivematrix_tests::Stack;
//! # async fn case() {
//! let stack = Stack::start().await;
//! let client = stack.client();
//! client.login("technician").await;
//! let answer = client.fetch("/echo/hello?x=1").await;
//! assert_eq!(answer.status, 200);
//! assert_eq!(stack.echo.last().target(), "/hello?x=1");
//! # }
//! ```
//!
//! Responsible for: [`Stack`] (Redis process, Core, identity provider, Codex, Template, Helm, scriptable
//! [`Backend`]s and the gateway, all on free ports), [`Relay`]s that break any part, [`Client`] (a browser
//! without a screen), [`Python`] (Flask services and a Core that are nobody's Rust), [`Raw`] (bytes on a socket), [`Browser`] (a real Chromium), [`eventually`] in place of
//! sleeping. Not responsible for: what is expected; that is written in `cases/`.
//!
//! Cases share nothing and run on a current-thread runtime (`#[tokio::test]`), so that whatever panics or
//! logs on a case's thread belongs to that case: a panic in any spawned task, the product's or the
//! harness's, fails the case when its [`Stack`] is dropped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot go on fails the case that uses it"
)]

mod alone;
mod backend;
mod balancer;
mod browser;
mod client;
mod coding;
mod eventually;
mod http2;
mod keycloak;
mod logs;
mod oidc_provider;
mod panics;
mod ports;
mod program;
mod python;
mod raw;
mod redis;
mod relay;
mod sentinels;
mod stack;
mod tls;
mod tree;
mod websocket;

pub use alone::{is_alone, resident};
pub use backend::{Backend, Gate, Script, Seen};
pub use balancer::{Balancer, BalancerOf};
pub use browser::Browser;
pub use client::{Answer, Ask, Client, Reloads, Streaming};
pub use coding::{Coding, Press};
pub use eventually::{eventually, eventually_within, takes_at_most};
pub use http2::{Http2, Http2Answer};
pub use keycloak::{Keycloak, Realm};
pub use logs::{LogLine, Logs};
pub use oidc_provider::OidcProvider;
pub use ports::free_port;
pub use python::{Python, Served, Wsgi};
pub use raw::{Raw, RawAnswer};
pub use redis::Redis;
pub use relay::Relay;
pub use sentinels::Sentinels;
pub use stack::{AnotherCore, Builder, CODEX_SECRET, PEOPLE, Part, Person, Stack, claims};
pub use tls::Certificate;
pub use tree::{backends_tree, original_tree};
pub use websocket::WebSocket;
