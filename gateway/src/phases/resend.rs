//! Resend: a person has pressed the button that sends a kept form again. The page of ours that has the button posts
//! to the very address that the form was for, with one field that names the form; here the form's own bytes take that
//! field's place. Everything before and after is as for any request.

use bytes::{Bytes, BytesMut};
use hivematrix_plugins::{Intent, design};
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use maud::html;
use pingora::http::RequestHeader;
use pingora_proxy::Session;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::KeptForm;
use crate::reply::Reply;

/// Reads the body of a request that may ask for a kept form: a few bytes. Whatever it is, it is forwarded as it came
/// unless it names one.
///
/// # Errors
/// 408 when it does not come.
pub(crate) async fn look(session: &mut Session, context: &mut Context) -> Result<(), Refusal> {
    if may_ask(session.req_header(), context.intent) {
        session.enable_retry_buffering();
        context.short_body = Some(short_body(session).await?);
    }
    Ok(())
}

/// Puts the kept form in place of the request's own body, if the request asks for that.
///
/// # Errors
/// 503 when the store does not answer.
pub(crate) async fn resend(
    gateway: &Gateway,
    head: &mut RequestHeader,
    context: &mut Context,
) -> Result<Option<Reply>, Refusal> {
    let Some(id) = context.short_body.as_deref().and_then(KeptForm::marked) else {
        return Ok(None);
    };
    let Some(identity) = context.identity.clone() else {
        return Ok(None);
    };
    let found = gateway.kept_forms.take(identity.caller.sub(), id).await;
    let form = found.map_err(|error| Refusal::IdentityDown(error.into()))?;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let origin = context.snapshot.origin(context.origin).map(ToString::to_string);
    let form = form.filter(|form| form.target == target && origin.as_deref() == Some(&*form.origin));
    let Some(form) = form else {
        return Ok(Some(Reply::page(StatusCode::GONE, gone())));
    };
    let Ok(content_type) = HeaderValue::from_str(&form.content_type) else {
        return Err(Refusal::Internal("a kept form has no valid type".into()));
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_LENGTH, HeaderValue::from(form.body.len())),
    ];
    for (name, value) in headers {
        head.insert_header(name, value)
            .map_err(|error| Refusal::Internal(error.to_string()))?;
    }
    tracing::info!(request_id = %context.id(), user = identity.caller.sub(), bytes = form.body.len(), "a kept form is sent");
    context.resent = Some(form);
    Ok(None)
}

/// Only a form of exactly the right length can be one of ours; all others pass unread.
fn may_ask(head: &RequestHeader, intent: Intent) -> bool {
    let is = |name, value: &str| {
        head.headers
            .get(name)
            .is_some_and(|found: &HeaderValue| found == value)
    };
    head.method == Method::POST
        && intent == Intent::Document
        && is(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        && is(header::CONTENT_LENGTH, &KeptForm::MARK_LEN.to_string())
}

async fn short_body(session: &mut Session) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::with_capacity(KeptForm::MARK_LEN);
    while let Some(piece) = session
        .read_request_body()
        .await
        .map_err(|_| Refusal::ClientTooSlow)?
    {
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

fn gone() -> String {
    design::standalone_page(
        "Nothing to send",
        html! {
            p { "This form has been sent already, or it is not kept any more. Nothing was sent now." }
            a.btn.btn--primary href="/" { span.btn__label { "Go to your home page" } }
        },
    )
}
