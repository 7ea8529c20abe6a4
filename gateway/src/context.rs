//! What is known of one request, filled phase by phase. Typed fields only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hivematrix_plugins::{Intent, Visits};
use http::StatusCode;
use pingora::{Error, ErrorType};

use crate::conclude::Account;
use crate::edited::EditedBody;
use crate::identity::{Identity, KeptForm};
use crate::phases::path::CanonicalPath;
use crate::snapshot::{Route, Snapshot};

/// Where a request is forwarded.
#[derive(Clone)]
pub(crate) enum Target {
    /// A service of the registry.
    Service(Arc<Route>),
    /// The identity provider, behind its allow-list; the path to ask it for, with the query.
    Provider {
        /// Path and query at the provider.
        path_and_query: String,
    },
}

/// What kind of life the exchange will have; decides which timeouts hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// A request with an answer.
    Request,
    /// An event stream: the answer may be silent for long.
    Listening,
    /// A WebSocket or a gRPC call: both sides may be silent for long, and what the client sends has no end.
    Conversation,
}

impl Life {
    /// Whether it may be silent for long.
    pub(crate) fn is_long(self) -> bool {
        match self {
            Self::Request => false,
            Self::Listening | Self::Conversation => true,
        }
    }
}

/// The per-request context.
pub(crate) struct Context {
    /// The version of the configuration this request sees from start to end.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The line this request will leave in the log, written when it is dropped.
    pub(crate) account: Account,
    /// The client's address, as far as it is believed.
    pub(crate) client: Option<IpAddr>,
    /// Which of the public origins the request was sent to.
    pub(crate) origin: usize,
    /// The canonical path.
    pub(crate) path: Option<CanonicalPath>,
    /// Navigation or not.
    pub(crate) intent: Intent,
    /// Request or stream.
    pub(crate) life: Life,
    /// Where it is forwarded.
    pub(crate) target: Option<Target>,
    /// Who asks.
    pub(crate) identity: Option<Arc<Identity>>,
    /// How long ago that was known, if nobody can tell at the moment.
    pub(crate) grace: Option<Duration>,
    /// The plugins' per-request state.
    pub(crate) visits: Option<Visits>,
    /// What the body of an edited document passes. Not in here: it is three times as large as all the rest, which is moved along
    /// with every request.
    pub(crate) edited: Option<Box<EditedBody>>,
    /// The body of a request that may ask for a kept form.
    pub(crate) short_body: Option<Bytes>,
    /// A kept form whose bytes go out in place of the request's own.
    pub(crate) resent: Option<KeptForm>,
    /// Set when the provider would not even begin a login of ours.
    pub(crate) provider_refused: bool,
    /// Request body bytes seen so far.
    pub(crate) body_received: usize,
    /// Set when the client sent more than it may.
    pub(crate) body_too_large: bool,
}

impl Context {
    /// A context for a request that has just been read.
    pub(crate) fn new(snapshot: Arc<Snapshot>, account: Account) -> Self {
        Self {
            snapshot,
            account,
            client: None,
            origin: 0,
            path: None,
            intent: Intent::Other,
            life: Life::Request,
            target: None,
            identity: None,
            grace: None,
            visits: None,
            edited: None,
            short_body: None,
            resent: None,
            provider_refused: false,
            body_received: 0,
            body_too_large: false,
        }
    }

    /// The route, if the request goes to a service.
    pub(crate) fn route(&self) -> Option<&Arc<Route>> {
        match &self.target {
            Some(Target::Service(route)) => Some(route),
            Some(Target::Provider { .. }) | None => None,
        }
    }

    /// Whether what the client sends has no end by its nature: only for callers who are known.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.life == Life::Conversation && self.identity.is_some()
    }

    /// What an answer to a caller says whose session could not be checked; `None` if it was.
    pub(crate) fn session_check(&self) -> Option<String> {
        self.grace.map(|age| format!("grace; age={}", age.as_secs()))
    }

    /// The request id.
    pub(crate) fn id(&self) -> &str {
        self.account.id()
    }

    /// Refuses on the provider's behalf where it answers a login of ours with 400, because it may not even tell us why
    /// (RFC 6749 §4.1.2.1): it does not know the client, or not the redirect URI.
    ///
    /// # Errors
    /// Then.
    pub(crate) fn refuse_for_provider(&mut self, status: StatusCode) -> pingora::Result<()> {
        let Some(Target::Provider { path_and_query }) = &self.target else {
            return Ok(());
        };
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let ours = &self.snapshot.config.provider.client_id;
        self.provider_refused = status == StatusCode::BAD_REQUEST
            && path.ends_with("/protocol/openid-connect/auth")
            && self.intent.is_navigation()
            && form_urlencoded::parse(query.as_bytes())
                .any(|(name, value)| name == "client_id" && value == *ours);
        if self.provider_refused {
            return Err(
                Error::explain(ErrorType::HTTPStatus(400), "the provider refuses our login").into_up(),
            );
        }
        Ok(())
    }
}
