//! Answer: the one place that writes what the gateway itself says, and turns every refusal into an answer:
//! a page for people, problem+json for programs (RFC 9457), a redirect for who only needs to sign in.

use hivematrix_platform::{Access, PermissionLevel, Problem};
use hivematrix_plugins::{Intent, design};
use http::header::{self, HeaderName};
use http::{HeaderMap, Method, StatusCode};
use maud::{Markup, html};
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use crate::context::Context;
use crate::error::Refusal;
use crate::headers::{CORRELATION_ID, SESSION_CHECK};
use crate::identity::{AttemptLimits, LoginError};
use crate::own_page;
use crate::reply::Reply;

/// Writes a reply. HEAD gets the head alone.
///
/// # Errors
/// When the client is gone.
pub(crate) async fn send(
    session: &mut Session,
    context: &mut Context,
    mut reply: Reply,
) -> pingora::Result<()> {
    if reply.is_page {
        reply.body = own_page::composed(context, &session.req_header().headers, reply.body).await;
    }
    let mut head = ResponseHeader::build(reply.status, Some(reply.headers.len() + 3))?;
    for (name, value) in reply.headers {
        head.append_header(name, value)?;
    }
    if !matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        head.insert_header(header::CONTENT_LENGTH, reply.body.len())?;
    }
    if !context.account.id.is_empty() {
        head.insert_header(CORRELATION_ID, context.account.id.clone())?;
    }
    if let Some(said) = context.session_check() {
        head.insert_header(SESSION_CHECK, said)?;
    }
    context.account.status = reply.status.as_u16();
    let bodyless = session.req_header().method == Method::HEAD || reply.body.is_empty();
    session.write_response_header(Box::new(head), bodyless).await?;
    if !bodyless {
        context.account.sent = reply.body.len();
        session.write_response_body(Some(reply.body), true).await?;
    }
    Ok(())
}

/// Writes a refusal. A connection whose request was not read to its end, or was framed wrongly, is closed.
///
/// # Errors
/// When the client is gone.
pub(crate) async fn refuse(
    session: &mut Session,
    context: &mut Context,
    refusal: &Refusal,
) -> pingora::Result<()> {
    context.account.refused(refusal);
    if matches!(
        refusal,
        Refusal::BadRequest(_) | Refusal::BodyTooLarge | Refusal::HeadersTooLarge | Refusal::TargetTooLong
    ) {
        session.set_keepalive(None);
    }
    if grpc(&session.req_header().headers) {
        return send(session, context, grpc_reply(refusal)).await;
    }
    let reply = reply_to(refusal, context, session.req_header());
    send(session, context, reply).await
}

fn reply_to(refusal: &Refusal, context: &Context, head: &pingora::http::RequestHeader) -> Reply {
    let next = next_of(context, head);
    let login_url = login_to(&next);
    if let (Refusal::LoginNeeded(_), Intent::Document | Intent::FramedDocument) = (refusal, context.intent) {
        return Reply::redirect(StatusCode::SEE_OTHER, &login_url);
    }
    let reply = if context.intent != Intent::Other {
        let reply = Reply::page(refusal.status(), page(refusal, context, &next));
        match &context.snapshot.config.provider.identity_origin {
            // Who signs out here is led there.
            Some(origin) if refusal.is_about_permission() => reply.forms_may_lead_to(&origin.to_string()),
            Some(_) | None => reply,
        }
    } else {
        problem(refusal, context, head, &login_url)
    };
    let reply = with_fields(refusal, reply);
    if let Refusal::Login(failed) = refusal {
        reply.with_cookies(failed.set_cookies.clone())
    } else {
        reply
    }
}

/// The header fields that a status demands.
fn with_fields(refusal: &Refusal, reply: Reply) -> Reply {
    match refusal {
        Refusal::MethodNotAllowed { allow } => reply.with(header::ALLOW, *allow),
        Refusal::TooMany { retry_after } => reply.with(header::RETRY_AFTER, retry_after.to_string()),
        Refusal::IdentityDown(_) => reply.with(header::RETRY_AFTER, "2"),
        Refusal::LoginNeeded(_) => reply.with(header::WWW_AUTHENTICATE, "Bearer realm=\"hivematrix\""),
        Refusal::Login(_) if refusal.status() == StatusCode::SERVICE_UNAVAILABLE => {
            reply.with(header::RETRY_AFTER, "2")
        }
        Refusal::Login(_) if refusal.status() == StatusCode::TOO_MANY_REQUESTS => {
            reply.with(header::RETRY_AFTER, AttemptLimits::WINDOW.as_secs().to_string())
        }
        _ => reply,
    }
}

/// Where a person comes back to after signing in: to this address; what was not a GET, to the service.
fn next_of(context: &Context, head: &pingora::http::RequestHeader) -> String {
    let navigates = matches!(head.method, Method::GET | Method::HEAD) && context.intent != Intent::Other;
    match (&context.path, context.route()) {
        (Some(path), _) if navigates => match head.uri.query() {
            Some(query) => format!("{}?{query}", path.sent()),
            None => path.sent().to_owned(),
        },
        (_, Some(route)) => format!("{}/", route.prefix),
        _ => "/".to_owned(),
    }
}

fn login_to(next: &str) -> String {
    format!("/login?next={}", encoded(next))
}

fn encoded(next: &str) -> String {
    form_urlencoded::byte_serialize(next.as_bytes()).collect()
}

/// Which groups open the service, and which the account has: what an administrator will ask first.
fn about_groups(context: &Context) -> Markup {
    let levels: Vec<&str> = match context.route().map(|route| route.service.access) {
        Some(Access::Levels(levels)) => levels.iter().map(PermissionLevel::as_str).collect(),
        Some(Access::AnyUser) | None => Vec::new(),
    };
    let Some(user) = context.account.subject.as_ref().map(|claims| &claims.user) else {
        return html! {};
    };
    html! {
        p {
            "It is open to: " (levels.join(", ")) ". You are signed in as " strong { (user.name) } ", permission level "
            (user.permission_level.as_str()) "; "
            @if user.groups.is_empty() {
                "the identity provider named no group of yours at all. If you should be in one, an administrator has to \
                 put you there, or to let the provider tell groups (its group mapper)."
            } @else {
                "your groups are: " (user.groups.join(", ")) "."
            }
        }
    }
}

fn problem(
    refusal: &Refusal,
    context: &Context,
    head: &pingora::http::RequestHeader,
    login_url: &str,
) -> Reply {
    let status = refusal.status();
    let mut problem = Problem::new(status).detail(refusal.public());
    problem.instance = context.path.as_ref().map(|path| path.sent().to_owned());
    problem.extra.insert("request_id".into(), context.id().into());
    problem.extra.insert("reason".into(), refusal.reason().into());
    if matches!(refusal, Refusal::LoginNeeded(_)) {
        problem.extra.insert("login_url".into(), login_url.into());
    }
    let _ = head;
    Reply::empty(status)
        .with(header::CONTENT_TYPE, "application/problem+json")
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(problem.to_json())
}

fn page(refusal: &Refusal, context: &Context, next: &str) -> String {
    let status = refusal.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let body = html! {
        p { (refusal.public()) }
        @if refusal.is_about_permission() {
            (about_groups(context))
            form method="post" action={ "/logout?again=" (encoded(next)) } {
                button.btn.btn--primary type="submit" { span.btn__label { "Sign in as somebody else" } }
                " "
                a.btn href="/" { span.btn__label { "Go to your home page" } }
            }
        } @else if let Refusal::Login(failed) = refusal {
            @if let LoginError::Circle(_) = failed.error {
                p { "You have signed in several times within a minute, and were sent to the sign-in again each time." }
            }
            a.btn.btn--primary href=(login_to(failed.next.as_str())) { span.btn__label { "Try again" } }
        } @else {
            a.btn.btn--primary href="/" { span.btn__label { "Go to your home page" } }
        }
        p.u-mt-4.u-text-muted.u-text-small { "Status " (status.as_u16()) ", request " code { (context.id()) } }
    };
    design::standalone_page(title, body)
}

fn grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// A gRPC client understands a trailers-only answer with a `grpc-status` (gRPC over HTTP/2, "Responses").
fn grpc_reply(refusal: &Refusal) -> Reply {
    let code = match refusal.status() {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 12,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::GATEWAY_TIMEOUT => 4,
        status if status.is_client_error() => 3,
        StatusCode::INTERNAL_SERVER_ERROR => 13,
        _ => 14,
    };
    let message: String = percent_encoding::utf8_percent_encode(&refusal.public(), GRPC_MESSAGE).collect();
    Reply::empty(StatusCode::OK)
        .with(header::CONTENT_TYPE, "application/grpc")
        .with(HeaderName::from_static("grpc-status"), code.to_string())
        .with(HeaderName::from_static("grpc-message"), message)
}

/// What `grpc-message` encodes: all but printable ASCII, and `%`.
const GRPC_MESSAGE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_clients_get_a_grpc_status() {
        let reply = grpc_reply(&Refusal::LoginNeeded("no_session"));
        assert!(
            reply
                .headers
                .iter()
                .any(|(name, value)| name == "grpc-status" && value == "16")
        );
    }
}
