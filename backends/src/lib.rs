//! The services behind the HiveMatrix gateway, each a thin axum router, and the [`kit`] they share.
//!
//! Responsible for: Core, Codex, Template, Helm and the development identity provider, as routers that a
//! caller serves where it likes ([`kit::serve`], loopback only), and for making a [`keycloak`] ready in the latter's
//! place. Not responsible for: configuration files,
//! command lines and processes (package `hivematrix`), login and page composition (package
//! `hivematrix-gateway`), formats that several parts agree on (package `hivematrix-platform`).

pub mod codex;
pub mod core;
pub mod helm;
pub mod idp;
pub mod keycloak;
pub mod kit;
pub mod template;
