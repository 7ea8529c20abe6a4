//! What every HiveMatrix service needs and none should write twice.
//!
//! Responsible for: who calls ([`Auth`], [`User`], [`Caller`]), where the service is mounted ([`Prefix`]),
//! pages without styles ([`page`], [`field`], [`choice`]), calls of other services ([`Services`]), refusals
//! ([`Rejection`]), health ([`Health`]) and serving ([`serve`]). Not responsible for: styles and the menu (the gateway composes them into the page),
//! login (the gateway has done it before a request arrives) and cross-site checks.
//!
//! **No CSRF tokens in forms.** The session's cookie never reaches a service; the gateway turns it into a
//! bearer token, and refuses unsafe methods that come from a foreign `Origin` before it does so (platform
//! README §10). A service that were reached without the gateway would have no cookie to abuse either. Forms
//! answer `303 See Other` ([`Prefix::see_other`]); there are no flash messages, because there is no server-side
//! session to keep them in: what a form has to say it says in the page it redirects to.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use axum::{Router, extract::FromRef, routing::get};
//! # use hivematrix_backends::kit::{self, Auth, Prefix, User};
//! # use hivematrix_platform::{Access, ServiceName, Verifier};
//! async fn home(User(user): User, prefix: Prefix) -> kit::Page {
//!     kit::page("Template", maud::html! {
//!         h1 { "Hello, " (user.user.name) }
//!         a href=(prefix.url("/about")) { "About" }
//!     })
//! }
//!
//! # async fn run(verifier: Arc<Verifier>, name: ServiceName, shutdown: tokio_util::sync::CancellationToken) -> std::io::Result<()> {
//! let auth = Auth::new(verifier, name);
//! let router = auth.guard(Router::new().route("/", get(home)), Access::AnyUser).with_state(auth);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:5040").await?;
//! kit::serve(listener, router, shutdown).await
//! # }
//! ```

mod auth;
mod call;
mod call_error;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod call_tests;
mod health;
mod page;
mod prefix;
mod rejection;
mod request;
pub(crate) mod secret;
mod serve;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

pub use auth::{Auth, Caller, User};
pub use call::{ANSWER_LIMIT, CALL_TIMEOUT, Call, Services};
pub use call_error::CallError;
pub use health::{Health, Status};
pub use page::{Field, Page, choice, field, page};
pub use prefix::Prefix;
pub use rejection::Rejection;
pub use request::{BODY_LIMIT, CorrelationId};
pub use serve::{GRACE, serve};
