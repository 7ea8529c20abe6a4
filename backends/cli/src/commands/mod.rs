//! The commands, one file each: its arguments, and what it puts together from them.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod codex;
pub(crate) mod core;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod gateway;
pub(crate) mod helm;
pub(crate) mod idp;
pub(crate) mod keycloak;
pub(crate) mod keys;
pub(crate) mod service;
pub(crate) mod template;
