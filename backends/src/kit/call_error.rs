//! Why a call of another service failed: a sentence for the log, a stable reason, and what the caller's own user reads.

use hivematrix_platform::{CoreError, ServiceName};
use http::StatusCode;

use super::Rejection;

/// Why a call brought no answer that can be used. Each is a sentence for a log; users read [`Rejection`]'s.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody knows where that service is.
    #[error("the service {0} is not in the registry")]
    Unknown(ServiceName),
    /// Core gave no token for the call.
    #[error("no token for {service}: {error}")]
    NoToken {
        /// The called service.
        service: ServiceName,
        /// What Core said.
        error: CoreError,
    },
    /// No connection, or it broke.
    #[error("{service} is unreachable: {cause}")]
    Unreachable {
        /// The called service.
        service: ServiceName,
        /// What the HTTP client says, without the address.
        cause: String,
    },
    /// No answer within the call's time.
    #[error("{0} did not answer in time")]
    TimedOut(ServiceName),
    /// An answer other than 2xx, after all attempts.
    #[error("{service} answered {status}: {detail}")]
    Refused {
        /// The called service.
        service: ServiceName,
        /// The status.
        status: StatusCode,
        /// The problem's `detail` or `error`, if it has one; cut to a line of a log.
        detail: String,
    },
    /// The answer is larger than [`ANSWER_LIMIT`](super::ANSWER_LIMIT), or not what was expected.
    #[error("{service}'s answer cannot be used: {cause}")]
    Malformed {
        /// The called service.
        service: ServiceName,
        /// What is wrong with it.
        cause: String,
    },
}

impl From<CallError> for Rejection {
    /// 503 while somebody is down or slow, 502 where an answer makes no sense. The cause goes to the log.
    fn from(error: CallError) -> Self {
        tracing::warn!(reason = error.reason(), %error, "a call to another service failed");
        match error {
            CallError::NoToken { .. } | CallError::Unreachable { .. } | CallError::TimedOut(_) => {
                Self::unavailable(
                    "A part of the platform that this page needs is not available. Please try again in a moment.",
                    2,
                )
            }
            CallError::Unknown(_) | CallError::Refused { .. } | CallError::Malformed { .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                "A part of the platform that this page needs did not answer as it should. If it stays so, please tell \
                 whoever looks after it.",
            ),
        }
    }
}

impl CallError {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "call_unknown_service",
            Self::NoToken { .. } => "call_no_token",
            Self::Unreachable { .. } => "call_unreachable",
            Self::TimedOut(_) => "call_timed_out",
            Self::Refused { .. } => "call_refused",
            Self::Malformed { .. } => "call_malformed",
        }
    }
}
