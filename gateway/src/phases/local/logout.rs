//! `/logout`: GET asks, POST acts. It ends the session at Core, here, and at the provider.

use hivematrix_plugins::design;
use http::StatusCode;
use http::header::HeaderName;
use maud::html;
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::{ReturnPath, cookies};
use crate::phases::credentials::refuse_cross_site;
use crate::phases::local::login::{caller, parameter};
use crate::reply::Reply;

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Asks: a link or an image on another site must not sign anybody out.
pub(super) async fn ask(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    // Only for the panel around the page: the question is the same for everybody.
    let _ = caller(gateway, head, context).await;

    let page = design::standalone_page(
        "Sign out?",
        html! {
            p { "You will be signed out of all services in this browser." }
            form method="post" action="/logout" {
                button.btn.btn--primary type="submit" { span.btn__label { "Sign out" } }
                " "
                a.btn href="/" { span.btn__label { "Stay signed in" } }
            }
        },
    );
    let reply = Reply::page(StatusCode::OK, page);
    Ok(match &context.snapshot.config.provider.identity_origin {
        Some(origin) => reply.forms_may_lead_to(&origin.to_string()),
        None => reply,
    })
}

/// What the provider gives back to us when somebody signs out only to sign in as somebody else: the path follows.
const AGAIN: &str = "again:";

/// Where somebody wanted to go who comes back signed out, to sign in as somebody else.
pub(super) fn again(head: &RequestHeader) -> Option<ReturnPath> {
    ReturnPath::parse(parameter(head, "state")?.strip_prefix(AGAIN)?)
}

/// Where the login begins that asks anew who somebody is.
pub(super) fn login_as_somebody_else(next: &ReturnPath) -> String {
    let next: String = form_urlencoded::byte_serialize(next.as_str().as_bytes()).collect();
    format!("/login?prompt=login&next={next}")
}

/// Acts. Who has no session is told the same as who had one. With `?again=<path>` a login follows that asks anew, and
/// leads to the path.
pub(super) async fn act(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let snapshot = context.snapshot.clone();
    let origin = snapshot.origin(context.origin).ok_or(Refusal::Misdirected)?;
    refuse_cross_site(&head.method, &head.headers, origin)?;
    let mut location = None;
    // Whatever else the request shows: what its cookies stand for ends.
    for handle in cookies::session_handles(&head.headers) {
        let ended = gateway
            .logout
            .end(origin, &handle)
            .await
            .map_err(Refusal::IdentityDown)?;
        tracing::info!(request_id = %context.id(), core = ended.at_core, store = ended.in_store, "signed out");
        location = location.or(ended.location);
    }
    let again = parameter(head, "again").and_then(|path| ReturnPath::parse(&path));
    let location = match (location, again) {
        (Some(location), Some(next)) => {
            // The provider hands `state` back (OpenID Connect RP-Initiated Logout §2).
            let state = format!("{AGAIN}{next}");
            let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
            format!("{location}&state={state}")
        }
        (None, Some(next)) => login_as_somebody_else(&next),
        (location, None) => location.unwrap_or_else(|| "/".to_owned()),
    };
    Ok(Reply::redirect(StatusCode::SEE_OTHER, &location)
        .with(CLEAR_SITE_DATA, "\"cache\", \"cookies\", \"storage\"")
        .with_cookies(vec![cookies::clear_session(), cookies::clear_rounds()]))
}
