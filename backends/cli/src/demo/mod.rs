//! The demo: the whole platform in one process, on embedded defaults.
//!
//! `plan` decides what will run and refuses what may not; `platform` starts it; `banner` says where to go. The
//! command line is in `commands::demo`.

mod banner;
mod own;
mod plan;
mod platform;

pub(crate) use banner::banner;
pub(crate) use plan::Plan;
pub(crate) use platform::Platform;
