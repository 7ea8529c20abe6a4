#![doc = include_str!("../README.md")]
//!
//! # The library
//!
//! What the benchmarks in `micro/` are fed with: [`pages`], what a browser sends ([`browser`]), routes'
//! [`chains`] of plugins, [`sessions`] in a store, and a whole [`site`]. Everything is the same in every run except keys and
//! session ids. Nothing is measured here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark whose fixtures are broken must not measure anything"
)]

pub mod browser;
pub mod chains;
pub mod counting;
pub mod pages;
pub mod passage;
mod plugins;
pub mod sessions;
pub mod site;
