//! Why a request was refused, and what that means for the client, the log and the metrics.
//!
//! Three exhaustive matches stand side by side: the status, the one sentence a client reads, and whose
//! fault it was. Writing the answer is the business of `answer`.

use http::StatusCode;

use crate::identity::{Cause, LoginError, LoginFailed, Refused};

/// Whose fault a refusal is; decides the level of its log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something it may not have or that makes no sense.
    Caller,
    /// A service, Core, the identity provider or Redis did not do its part.
    Upstream,
    /// We did something wrong.
    Gateway,
}

/// A request that ends early. Every variant has a status, a public sentence, a stable reason and a fault.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is malformed or ambiguous; the text says what about it.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// The method is never served here (CONNECT, TRACE), or not at this door.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The value of the `Allow` header.
        allow: &'static str,
    },
    /// The Host is none of the configured public origins (RFC 9110 §15.5.20).
    #[error("misdirected request")]
    Misdirected,
    /// The request target is longer than the configured limit.
    #[error("request target too long")]
    TargetTooLong,
    /// The header section is larger than the configured limits.
    #[error("header section too large")]
    HeadersTooLarge,
    /// The body is larger than the configured limit.
    #[error("request body too large")]
    BodyTooLarge,
    /// No service has this prefix.
    #[error("no route")]
    NoRoute {
        /// The first segment of the path, as the client sent it.
        service: String,
    },
    /// A door of ours, or of the identity provider, that does not exist or is not public.
    #[error("not found")]
    NotFound,
    /// The caller must sign in first.
    #[error("login needed: {0}")]
    LoginNeeded(&'static str),
    /// The caller is known and may not enter.
    #[error("forbidden: {reason}")]
    Forbidden {
        /// Stable reason for the log.
        reason: &'static str,
        /// The sentence for the client.
        public: &'static str,
    },
    /// Too many requests in the window.
    #[error("too many requests")]
    TooMany {
        /// Seconds after which a new attempt makes sense.
        retry_after: u64,
    },
    /// Nobody can say who the caller is: the session store or the verifying keys are out of reach.
    #[error("identity is down: {0}")]
    IdentityDown(Refused),
    /// The login could not be started or finished.
    #[error("login failed: {0}")]
    Login(Box<LoginFailed>),
    /// The service could not be reached.
    #[error("upstream unreachable")]
    UpstreamUnreachable,
    /// The service did not answer in time.
    #[error("upstream timed out")]
    UpstreamTimedOut,
    /// The service broke the connection or the protocol before it had answered.
    #[error("upstream failed")]
    UpstreamFailed,
    /// The client went away or stopped in the middle of its request.
    #[error("client went away")]
    ClientGone,
    /// The client did not send its body in time.
    #[error("client too slow")]
    ClientTooSlow,
    /// A plugin failed where it may decide.
    #[error("plugin failed: {0}")]
    Plugin(String),
    /// Something that should not happen.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Refusal {
    /// The status the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::ClientGone => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoute { .. } | Self::NotFound => StatusCode::NOT_FOUND,
            Self::LoginNeeded(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::IdentityDown(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Login(failed) => login_status(&failed.error),
            Self::UpstreamUnreachable | Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::ClientTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Plugin(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The only sentence a client reads. It never contains what the client or a backend sent, except the
    /// name of a service that does not exist, which the writers of pages and JSON escape.
    pub fn public(&self) -> String {
        match self {
            Self::BadRequest(what) => format!("The request was refused: {what}."),
            Self::MethodNotAllowed { .. } => "This method is not allowed here.".into(),
            Self::Misdirected => "This host name is not served here.".into(),
            Self::TargetTooLong => "The address is too long.".into(),
            Self::HeadersTooLarge => "The request's headers or cookies are too large.".into(),
            Self::BodyTooLarge => "The request body is larger than this gateway accepts.".into(),
            Self::NoRoute { service } => format!("Service '{service}' not found."),
            Self::NotFound => "There is nothing at this address.".into(),
            Self::LoginNeeded(_) => "Please sign in first.".into(),
            Self::Forbidden { public, .. } => (*public).into(),
            Self::TooMany { .. } => "Too many requests. Please wait a moment and try again.".into(),
            Self::IdentityDown(_) => {
                "Your session can't be checked at the moment. Please try again shortly.".into()
            }
            Self::Login(failed) => failed.error.public().into(),
            Self::UpstreamUnreachable | Self::UpstreamFailed => "Service temporarily unavailable".into(),
            Self::UpstreamTimedOut => "The service did not answer in time.".into(),
            Self::ClientGone => "The request ended before it was complete.".into(),
            Self::ClientTooSlow => "The request was not received in time.".into(),
            Self::Plugin(_) | Self::Internal(_) => {
                "Something went wrong in the gateway. The request id helps to find the cause.".into()
            }
        }
    }

    /// Whether another account might do.
    pub fn is_about_permission(&self) -> bool {
        matches!(
            self,
            Self::Forbidden {
                reason: "permission",
                ..
            }
        )
    }

    /// Whose fault it was.
    pub fn fault(&self) -> Fault {
        match self {
            Self::BadRequest(_)
            | Self::MethodNotAllowed { .. }
            | Self::Misdirected
            | Self::TargetTooLong
            | Self::HeadersTooLarge
            | Self::BodyTooLarge
            | Self::NoRoute { .. }
            | Self::NotFound
            | Self::LoginNeeded(_)
            | Self::Forbidden { .. }
            | Self::TooMany { .. }
            | Self::ClientGone
            | Self::ClientTooSlow => Fault::Caller,
            Self::Login(failed) if login_status(&failed.error).is_client_error() => Fault::Caller,
            Self::Login(_)
            | Self::IdentityDown(_)
            | Self::UpstreamUnreachable
            | Self::UpstreamTimedOut
            | Self::UpstreamFailed => Fault::Upstream,
            Self::Plugin(_) | Self::Internal(_) => Fault::Gateway,
        }
    }

    /// The stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::Misdirected => "misdirected",
            Self::TargetTooLong => "target_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::NoRoute { .. } => "no_route",
            Self::NotFound => "not_found",
            Self::LoginNeeded(why) => why,
            Self::Forbidden { reason, .. } => reason,
            Self::TooMany { .. } => "too_many",
            Self::IdentityDown(refused) => refused.reason(),
            Self::Login(failed) => failed.error.reason(),
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimedOut => "upstream_timed_out",
            Self::UpstreamFailed => "upstream_failed",
            Self::ClientGone => "client_gone",
            Self::ClientTooSlow => "client_too_slow",
            Self::Plugin(_) => "plugin",
            Self::Internal(_) => "internal",
        }
    }
}

fn login_status(error: &LoginError) -> StatusCode {
    match error {
        LoginError::AttemptUnknown
        | LoginError::AttemptForeign
        | LoginError::ProviderError { .. }
        | LoginError::SubjectMismatch
        | LoginError::EndedMeanwhile => StatusCode::BAD_REQUEST,
        LoginError::Explained { cause, .. } | LoginError::Circle(cause) => match cause {
            Cause::CookiesRefused => StatusCode::BAD_REQUEST,
            Cause::ClockSkew
            | Cause::IssuerMismatch
            | Cause::RedirectUri
            | Cause::SealingKeysDiffer
            | Cause::SigningKeysDiffer
            | Cause::SessionLost => StatusCode::INTERNAL_SERVER_ERROR,
        },
        LoginError::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
        LoginError::ProviderRefused(_) | LoginError::IdTokenInvalid(_) | LoginError::CoreRefused(_) => {
            StatusCode::BAD_GATEWAY
        }
        LoginError::ProviderDown(_) | LoginError::CoreDown(_) | LoginError::StoreDown(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
