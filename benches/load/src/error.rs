//! Why nothing, or nothing more, could be measured.

use std::fmt;

/// The benchmark ended without results.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A program that everything depends on is not there; the sentence says how to get it.
    #[error("{0}")]
    Missing(String),
    /// Something outside stood in the way.
    #[error("{0}")]
    Outside(String),
    /// It was asked to stop.
    #[error("stopped; nothing of it is left running")]
    Stopped,
}

impl BenchError {
    /// Something outside stood in the way while `what` was tried.
    pub(crate) fn outside(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Outside(format!("{what}: {error}"))
    }
}
