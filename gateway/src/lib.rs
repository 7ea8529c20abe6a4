#![doc = include_str!("../README.md")]

pub mod coding;
pub mod config;
pub mod foreign;
pub mod identity;

mod admin;
mod answer;
mod audit;
mod conclude;
mod context;
mod cut;
mod edited;
mod error;
mod gateway;
mod headers;
mod health;
#[doc(hidden)]
pub mod measured;
mod metrics;
mod own_page;
mod phases;
mod preferences;
mod proxy;
mod reply;
mod secrets;
mod server;
mod snapshot;
mod store;
mod tls;
mod upstream;

pub use edited::EditedBody;
pub use error::{Fault, Refusal};
pub use gateway::{Builder, Running};
pub use secrets::sealing_keys;
pub use server::StartError;
pub use store::open as open_store;
