//! What the platform's parts promise each other, tried from outside the package: the store's contract against every store, the feed
//! of changes and outages against a real Redis, tokens, formats, and the clients against small servers. One binary: one link.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clients;
mod codex;
mod feed;
mod formats;
mod outages;
mod refusals;
mod remote_keys;
mod sessions;
mod store_contract;
mod support;
mod tls;
mod tokens;
