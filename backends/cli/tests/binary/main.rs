//! Cases that start the real binary, as a user would: one test binary, one file per command.
//!
//! What the platform does once it runs is tried in package `hivematrix-tests`, in one process; here it is about
//! arguments, exit statuses, the lines that are printed, signals, and that the wiring holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backends;
mod bench;
mod check;
mod demo;
mod doctor;
mod embedded_core;
mod gateway;
mod installation;
mod keycloak;
mod original;
mod outages;
mod process;
mod scale_out;
mod service;
