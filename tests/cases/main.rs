//! The cases: what the platform does, seen from outside, one sentence each.
//!
//! One binary, so that one link serves them all. Every case starts a world of its own (see the harness in
//! `../src`); they share nothing and run at the same time. Which rule or fault has which case is listed in
//! `../README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a case that cannot go on has failed"
)]

mod access;
mod accessibility;
mod admin;
mod answers;
mod backchannel;
mod bearer;
mod browser;
mod codex;
mod composition;
mod compression;
mod corpus;
mod cross_site;
mod cuts;
mod edited_heads;
mod errors;
mod expiry;
mod failover;
mod flask;
mod framing;
mod grace;
mod grpc;
mod headers;
mod home;
mod http2;
mod idle;
mod kept_forms;
mod latency;
mod limits;
mod login;
mod login_attempts;
mod login_causes;
mod logout;
mod looks;
mod my_sessions;
mod outages;
mod paths;
mod plugin_rules;
mod policies;
mod provider;
mod public_paths;
mod python_core;
mod reload;
mod renewal;
mod revocation;
mod routing;
mod second_provider;
mod service_calls;
mod stream;
mod streaming;
mod tidy;
mod tour;
mod websocket;
