//! The plugin contract of the HiveMatrix gateway, the chain that runs it, and the standard plugins.
//!
//! Responsible for what happens to requests and pages between the gateway's door and a service; not for the
//! door (`hivematrix-gateway`) nor for what the platform's parts agree on (`hivematrix-platform`).
#![doc = ""]
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod composition;
mod contract;
mod csp;
pub mod design;
mod html;
mod run;
pub mod testing;

pub use composition::{ComposedPage, Composition, CompositionSettings};
pub use contract::edits::{
    ContentType, Edits, Element, Fragment, HandlerResult, Page, Reach, RunScript, Selector,
};
pub use contract::intent::Intent;
pub use contract::plugin::{Invalid, Plugin, PluginError, Verdict, Visit};
pub use contract::request::{Answer, Caller, End, MenuEntry, Request, RequestHead, ResponseHead};
pub use contract::tools::{Counters, NoPreferences, PreferenceSource, Tools};
pub use html::rewriter::{Outcome, Rewriter};
pub use run::chain::{Chain, Visits};
pub use run::registry::{PluginSpec, Registry};
