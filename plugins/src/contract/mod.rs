//! The plugin contract: what a plugin implements, what it sees, and what it may say.
//!
//! Nothing here runs anything; that is [`crate::run`]. Nothing here knows a plugin by name.

pub(crate) mod edits;
pub(crate) mod intent;
pub(crate) mod plugin;
pub(crate) mod request;
pub(crate) mod tools;
