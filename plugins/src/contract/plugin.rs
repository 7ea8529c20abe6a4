//! The two traits of the contract, [`Plugin`] and [`Visit`], and what their hooks return.
//!
//! Not responsible for calling them: see [`crate::run`].

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::de::DeserializeOwned;

use super::edits::{Edits, Page};
use super::request::{Answer, End, Request, RequestHead, ResponseHead};
use super::tools::Tools;

/// A kind of plugin. One value is built for each `[plugins.<instance>]` and route, and lives as long as
/// that version of the configuration.
///
/// ```
/// use hivematrix_plugins::{Invalid, Plugin, Request, ResponseHead, PluginError, Tools, Visit};
///
/// /// Tells the browser that a service's pages may not be framed.
/// struct NoFrames { value: http::HeaderValue }
///
/// #[derive(serde::Deserialize)]
/// struct Settings { policy: String }
///
/// impl Plugin for NoFrames {
///     const KIND: &'static str = "no-frames";
///     type Settings = Settings;
///     type Visit = Mark;
///     fn new(settings: Settings, _: &Tools) -> Result<Self, Invalid> {
///         let value = settings.policy.parse().map_err(|_| Invalid::new("`policy` is not a header value"))?;
///         Ok(Self { value })
///     }
///     fn begin(&self, _: &Request<'_>) -> Option<Mark> {
///         Some(Mark(self.value.clone()))
///     }
/// }
///
/// struct Mark(http::HeaderValue);
///
/// impl Visit for Mark {
///     async fn on_response(&mut self, head: &mut ResponseHead) -> Result<(), PluginError> {
///         head.headers.insert("x-frame-options", self.0.clone());
///         Ok(())
///     }
/// }
/// ```
pub trait Plugin: Sized + Send + Sync + 'static {
    /// The word after `kind =` in the configuration.
    const KIND: &'static str;

    /// Whether visits of this plugin may return [`Edits`]. Where it is `false` (the default),
    /// [`Visit::html_edits`] is never called, and the upstream is free to answer in any encoding.
    const EDITS_DOCUMENTS: bool = false;

    /// The table `[plugins.<instance>]` without `kind`. A key that this type does not read is an error
    /// with its line; nothing has to be declared for that.
    type Settings: DeserializeOwned;

    /// What the plugin remembers during one request: its fields are the per-request state.
    type Visit: Visit;

    /// Checks the settings and builds the plugin.
    ///
    /// # Errors
    /// A sentence about what is wrong with the settings; the gateway shows it with file and line.
    fn new(settings: Self::Settings, tools: &Tools) -> Result<Self, Invalid>;

    /// A request of this route begins. `None`: not responsible, costs nothing further.
    fn begin(&self, request: &Request<'_>) -> Option<Self::Visit>;
}

/// One request as one plugin lives through it. Every hook does nothing by default, and the default costs
/// nothing: it neither allocates nor waits.
///
/// Hooks on the way in run in the order in which the route names its plugins, hooks on the way out in
/// reverse order.
pub trait Visit: Send + Sync + 'static {
    /// Before the request is forwarded: change its head, or answer it yourself.
    ///
    /// # Errors
    /// Ends the request with status 500; the reason is logged, never shown.
    fn on_request(
        &mut self,
        head: &mut RequestHead,
    ) -> impl Future<Output = Result<Verdict, PluginError>> + Send {
        let _ = head;
        Continue
    }

    /// The upstream's head has arrived: change it, or wait (briefly) for what the edits need. All plugins
    /// together have [`Tools::response_deadline`]; what is not ready then is given up.
    ///
    /// # Errors
    /// Logged and counted; the answer goes on as it is.
    fn on_response(
        &mut self,
        head: &mut ResponseHead,
    ) -> impl Future<Output = Result<(), PluginError>> + Send {
        let _ = head;
        Done
    }

    /// The answer is an HTML document that a person will look at: say what to edit. Called after
    /// [`Visit::on_response`], only if [`Plugin::EDITS_DOCUMENTS`].
    fn html_edits(&mut self, page: &Page<'_>) -> Edits {
        let _ = page;
        Edits::none()
    }

    /// The request is over, however it went.
    fn on_end(&mut self, end: &End) {
        let _ = end;
    }
}

/// What [`Visit::on_request`] decides.
#[derive(Debug)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Send this instead of asking the upstream.
    Answer(Answer),
}

/// The default of [`Visit::on_request`]. It has no size, so that boxing it allocates nothing.
struct Continue;

impl Future for Continue {
    type Output = Result<Verdict, PluginError>;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(Verdict::Continue))
    }
}

/// The default of [`Visit::on_response`]. It has no size, so that boxing it allocates nothing.
struct Done;

impl Future for Done {
    type Output = Result<(), PluginError>;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

/// A hook failed. The reason is for the log; nobody outside reads it.
pub struct PluginError {
    pub(crate) instance: Option<std::sync::Arc<str>>,
    reason: Box<dyn Error + Send + Sync>,
}

impl PluginError {
    /// An error with its reason: a sentence or another error.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            instance: None,
            reason: reason.into(),
        }
    }

    /// The plugin instance that failed, once the chain has seen the error.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.instance.as_deref().unwrap_or("?")
    }
}

impl fmt::Debug for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin {}: {:?}", self.instance(), self.reason)
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}`: {}", self.instance(), self.reason)
    }
}

impl Error for PluginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.reason.as_ref())
    }
}

impl From<Box<dyn Error + Send + Sync>> for PluginError {
    fn from(reason: Box<dyn Error + Send + Sync>) -> Self {
        Self::new(reason)
    }
}

/// Settings that cannot be used: a sentence, and where in the configuration file it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The plugin instance, `""` until the registry fills it in.
    pub instance: String,
    /// What is wrong, for whoever wrote the file.
    pub message: Cow<'static, str>,
    /// Bytes of the configuration file that are meant, if known.
    pub span: Option<Range<usize>>,
}

impl Invalid {
    /// A problem of the whole table.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            instance: String::new(),
            message: message.into(),
            span: None,
        }
    }

    /// A problem of one value, for settings that keep `toml::Spanned` values.
    #[must_use]
    pub fn at(span: Range<usize>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            span: Some(span),
            ..Self::new(message)
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}`: {}", self.instance, self.message)
    }
}

impl Error for Invalid {}
