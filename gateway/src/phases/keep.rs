//! Keep: a form that was posted after its session had ended is kept over the login, or its sender is told why not.
//! It is sent again only by the person who sent it, and only when they say so (see `resend`).
//!
//! Kept is what comes from a page of ours (`Origin`), with the handle of a session that was one, as a form, within
//! `limits.kept_form_bytes`. Everything else is as before, except that a person whose form is lost is told so.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hivematrix_plugins::{Intent, design};
use http::header::{self, HeaderMap};
use http::{Method, StatusCode};
use maud::html;
use pingora_proxy::Session;
use tokio::time::timeout;

use crate::config::Origin;
use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::{Keeping, KeptForm, cookies};
use crate::reply::Reply;

/// For the whole body of a form that will be kept.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a form is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotKept {
    /// Nobody was signed in, or nobody can tell who.
    Nobody,
    /// It does not say that it comes from a page of ours.
    Elsewhere,
    /// It is no form as browsers send them.
    NoForm,
    /// It is larger than what is kept.
    TooLarge(usize),
    /// The person has enough of them.
    Full,
    /// The store did not answer, or the form did not come in time.
    Broken,
}

impl NotKept {
    fn reason(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Elsewhere => "origin",
            Self::NoForm => "content_type",
            Self::TooLarge(_) => "too_large",
            Self::Full => "full",
            Self::Broken => "broken",
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::Nobody => "It was not kept either, because nobody was signed in here.".into(),
            Self::Elsewhere => {
                "It was not kept either, because your browser did not say that it came from one of our pages."
                    .into()
            }
            Self::NoForm => "It was not kept either, because it is not an ordinary form.".into(),
            Self::TooLarge(0) => "It was not kept either: this gateway keeps no forms.".into(),
            Self::TooLarge(limit) => format!(
                "It was not kept either, because it is larger than what can be kept ({} KiB).",
                limit.div_ceil(1024)
            ),
            Self::Full => "It was not kept either, because several others of yours are kept already.".into(),
            Self::Broken => "It could not be kept either.".into(),
        }
    }
}

/// What a person gets who has posted a form and must sign in first; `None` for everybody else.
pub(crate) async fn keep(
    gateway: &Gateway,
    session: &mut Session,
    context: &mut Context,
    refusal: &Refusal,
) -> Option<Reply> {
    let head = session.req_header();
    let posted = head.method == Method::POST && context.intent == Intent::Document;
    let (Refusal::LoginNeeded(_), Some(route), true) = (refusal, context.route(), posted) else {
        return None;
    };
    let back = format!("{}/", route.prefix);
    match form(gateway, session, context).await {
        Ok(Some(())) => {
            tracing::info!(request_id = %context.id(), "a form is kept over the login");
            Some(to_login("/sessions/form"))
        }
        // It only asked for a form that is kept already.
        Ok(None) => Some(to_login("/sessions/form")),
        Err(not_kept) => {
            tracing::info!(request_id = %context.id(), reason = not_kept.reason(), "a form is not kept");
            context.account.refused(refusal);
            let page = explained(not_kept, &back);
            Some(
                Reply::page(StatusCode::UNAUTHORIZED, page)
                    .with(header::WWW_AUTHENTICATE, "Bearer realm=\"hivematrix\""),
            )
        }
    }
}

async fn form(gateway: &Gateway, session: &mut Session, context: &Context) -> Result<Option<()>, NotKept> {
    let limit = context.snapshot.config.limits.kept_form_bytes;
    let head = session.req_header();
    let origin = context
        .snapshot
        .origin(context.origin)
        .ok_or(NotKept::Elsewhere)?;
    if !is_own(&head.headers, origin) {
        return Err(NotKept::Elsewhere);
    }
    let content_type = content_type(&head.headers).ok_or(NotKept::NoForm)?.to_owned();
    let handle = cookies::session_handle(&head.headers)
        .ok()
        .flatten()
        .ok_or(NotKept::Nobody)?;
    let sub = match gateway.handles.known(&handle).await {
        Ok(known) => known.ok_or(NotKept::Nobody)?.sub,
        Err(_) => return Err(NotKept::Broken),
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let body = match &context.short_body {
        Some(body) if body.len() <= limit => body.clone(),
        Some(_) | None => match timeout(PATIENCE, whole(session, limit)).await {
            Ok(body) => body?,
            Err(_) => return Err(NotKept::Broken),
        },
    };
    if KeptForm::marked(&body).is_some() {
        return Ok(None);
    }
    let form = KeptForm::new(origin.to_string(), target, content_type, body);
    match gateway.kept_forms.keep(&sub, &form).await {
        Ok(Keeping::Kept) => Ok(Some(())),
        Ok(Keeping::Full) => Err(NotKept::Full),
        Err(_) => Err(NotKept::Broken),
    }
}

/// The body, if it is no larger than `limit`; what says that it is larger is not read at all.
async fn whole(session: &mut Session, limit: usize) -> Result<Bytes, NotKept> {
    let declared = session.req_header().headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.trim().parse::<usize>().ok());
    if limit == 0 || declared.is_some_and(|length| length > limit) {
        return Err(NotKept::TooLarge(limit));
    }
    let mut body = BytesMut::new();
    while let Some(piece) = session.read_request_body().await.map_err(|_| NotKept::Broken)? {
        if body.len() + piece.len() > limit {
            return Err(NotKept::TooLarge(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// Said, and not only not denied: a form without `Origin` may come from anywhere.
fn is_own(headers: &HeaderMap, ours: &Origin) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next().and_then(|origin| origin.to_str().ok());
    origins.next().is_none()
        && origin.is_some_and(|origin| Origin::parse(origin).is_ok_and(|origin| origin == *ours))
}

/// The two ways in which browsers send forms that can be told from anything else.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "multipart/form-data"]
        .iter()
        .any(|form| essence.eq_ignore_ascii_case(form))
        .then_some(value)
}

fn to_login(next: &str) -> Reply {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Reply::redirect(StatusCode::SEE_OTHER, &format!("/login?next={next}"))
}

fn explained(not_kept: NotKept, back: &str) -> String {
    let next: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    design::standalone_page(
        "Please sign in first",
        html! {
            p { "What you sent was not carried out: you are not signed in, or not any more. " (not_kept.sentence()) }
            p { "Your browser may still have what you typed: sign in in another window, then come back to this one, go "
                "back one page and send it again." }
            a.btn.btn--primary href={ "/login?next=" (next) } target="_blank" rel="noopener" {
                span.btn__label { "Sign in in another window" }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_a_form_that_says_it_is_from_here_is_kept() {
        let ours = Origin::parse("https://hive.example").expect("valid");
        let own = |pairs: &[(&'static str, &'static str)]| is_own(&headers(pairs), &ours);
        assert!(own(&[("origin", "https://hive.example")]));
        assert!(!own(&[]));
        assert!(!own(&[("origin", "null")]));
        assert!(!own(&[("origin", "https://evil.example")]));
        assert!(!own(&[
            ("origin", "https://hive.example"),
            ("origin", "https://hive.example")
        ]));
    }

    #[test]
    fn forms_are_told_from_other_bodies() {
        let kind = |value: &'static str| content_type(&headers(&[("content-type", value)])).is_some();
        assert!(kind("application/x-www-form-urlencoded"));
        assert!(kind("Application/X-WWW-Form-URLEncoded; charset=utf-8"));
        assert!(kind("multipart/form-data; boundary=x"));
        assert!(!kind("text/plain"));
        assert!(!kind("application/json"));
        assert!(content_type(&HeaderMap::new()).is_none());
    }
}
