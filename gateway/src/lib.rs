//! The HiveMatrix edge gateway as a library.

pub mod config;
pub mod identity;
