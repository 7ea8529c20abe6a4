//! `/logout`: GET asks, POST acts. It ends the session at Core, here, and at the provider.

use hivematrix_plugins::design;
use http::StatusCode;
use http::header::HeaderName;
use maud::html;
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::cookies;
use crate::phases::credentials::refuse_cross_site;
use crate::phases::local::login::caller;
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

/// Acts. Who has no session is told the same as who had one.
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
    let location = location.unwrap_or_else(|| "/".to_owned());
    Ok(Reply::redirect(StatusCode::SEE_OTHER, &location)
        .with(CLEAR_SITE_DATA, "\"cache\", \"cookies\", \"storage\"")
        .with_cookies(vec![cookies::clear_session()]))
}
