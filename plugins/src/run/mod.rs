//! Runs plugins: the list of kinds, the chain of a route, one request's visits.

pub(crate) mod chain;
mod erased;
pub(crate) mod registry;
mod settings;
