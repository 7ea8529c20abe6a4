//! Why a command did not do what it was asked: the sentence for the user, and the exit status.

use std::fmt;

use hivematrix_gateway::StartError;
use hivematrix_gateway::config::Problems;

/// The exit status for arguments and configurations that make no sense (`EX_USAGE` of sysexits).
pub(crate) const USAGE: u8 = 64;

/// Why a command ended without having done its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked makes no sense; exit status 64.
    Usage(String),
    /// A configuration has problems: the whole report; exit status 64.
    Configuration(Problems),
    /// A check has found something, one line each; exit status 1.
    Findings(String),
    /// Something outside stood in the way; exit status 1.
    Outside(String),
}

impl Failure {
    /// Something outside stood in the way while `what` was tried.
    pub(crate) fn outside(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Outside(format!("{what}: {error}"))
    }

    /// The exit status.
    pub(crate) const fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Configuration(_) => USAGE,
            Self::Outside(_) | Self::Findings(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(sentence) | Self::Outside(sentence) => write!(f, "hivematrix: {sentence}"),
            Self::Findings(lines) => f.write_str(lines),
            // As it is, so that every line begins with the place that editors jump to.
            Self::Configuration(problems) => f.write_str(problems.to_string().trim_end()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Bind { address, error } => not_to_be_had(
                address,
                &error,
                "choose another in the configuration, or stop what listens there",
            ),
            error => Self::Outside(error.to_string()),
        }
    }
}

/// A listener could not be had.
pub(crate) fn taken(address: std::net::SocketAddr, error: &std::io::Error) -> Failure {
    not_to_be_had(
        address,
        error,
        "choose another address with --listen, or stop what listens there",
    )
}

fn not_to_be_had(address: std::net::SocketAddr, error: &std::io::Error, advice: &str) -> Failure {
    Failure::Outside(match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("{address} is already in use; {advice}"),
        std::io::ErrorKind::PermissionDenied => {
            format!("{address} may not be listened on by this user; {advice}")
        }
        _ => format!("{address} cannot be listened on ({error}); {advice}"),
    })
}
