//! `/sessions`: the caller's own sessions. GET shows them, POST ends one (`?end=<id>`) or all others (`?others=1`).
//! No script is needed. Other people's are in `everyone`.

use std::net::IpAddr;

use hivematrix_platform::{PermissionLevel, unix_now};
use hivematrix_plugins::design;
use http::StatusCode;
use maud::{Markup, html};
use pingora::http::RequestHeader;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::audit::{self, Act, Outcome};
use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::{Directory, Listed};
use crate::phases::credentials::refuse_cross_site;
use crate::phases::local::login::{caller, parameter};
use crate::reply::Reply;

/// Shows them.
pub(super) async fn show(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let identity = caller(gateway, head, context).await??;
    let own = identity.handle().map(|handle| Directory::id_of(&handle));
    let mut listed = gateway.directory.of(identity.caller.sub()).await.map_err(down)?;
    listed.sort_by_key(|session| Some(&session.id) != own.as_ref());
    let page = design::wide_page(
        "Your sessions",
        html! {
            header.page-header {
                div {
                    h1.page-header__title { "Your sessions" }
                    p.page-header__subtitle { "Where you are signed in. If you do not know one of them, end it and change your password." }
                }
                div.page-header__actions {
                    @if identity.caller.level() == PermissionLevel::Admin {
                        a.btn href="/sessions/everyone" { span.btn__label { "Everyone's sessions" } }
                    }
                    @if listed.len() > 1 {
                        form method="post" action="/sessions?others=1" {
                            button.btn.btn--danger type="submit" { span.btn__label { "End all others" } }
                        }
                    }
                }
            }
            (told(head))
            (table(&listed, own.as_deref(), &|id| format!("/sessions?end={id}")))
        },
    );
    Ok(Reply::page(StatusCode::OK, page))
}

/// Ends one, or all others.
pub(super) async fn end(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let snapshot = context.snapshot.clone();
    let origin = snapshot.origin(context.origin).ok_or(Refusal::Misdirected)?;
    refuse_cross_site(&head.method, &head.headers, origin)?;
    let identity = caller(gateway, head, context).await??;
    let own = identity.handle().map(|handle| Directory::id_of(&handle));
    let (one, others) = (parameter(head, "end"), parameter(head, "others").is_some());
    let chosen = |id: &str| match &one {
        Some(one) => id == one,
        None => others && Some(id) != own.as_deref(),
    };
    let user = &identity.caller.claims.user;
    let (ended, complete) = gateway
        .directory
        .end(origin, &user.sub, own.as_deref(), chosen)
        .await
        .map_err(down)?;
    let outcome = Outcome {
        subject: &user.sub,
        sessions: &ended,
        complete,
    };
    audit::record(context, Act::EndedOwn, user, &outcome);
    Ok(Reply::redirect(
        StatusCode::SEE_OTHER,
        &format!("/sessions?{}", outcome_query(ended.len(), complete)),
    ))
}

/// What [`told`] reads on the page to which a button leads.
pub(super) fn outcome_query(ended: usize, complete: bool) -> String {
    let rest = if complete { "" } else { "&provider=unaware" };
    format!("ended={ended}{rest}")
}

/// What the last button press has done.
pub(super) fn told(head: &RequestHeader) -> Markup {
    let count = parameter(head, "ended").and_then(|count| count.parse::<u16>().ok());
    html! {
        @if parameter(head, "provider").is_some_and(|provider| provider == "unaware") {
            div.alert.alert--warning role="alert" {
                div.alert__body { "The identity provider could not be told. A browser that is still signed in there may be let in again without a password: end the session there as well." }
            }
        }
        @if let Some(count) = count {
            div.alert.alert--success role="status" {
                div.alert__body {
                    @match count {
                        0 => "There was nothing to end.",
                        1 => "One session has ended.",
                        _ => { (count) " sessions have ended." }
                    }
                }
            }
        }
    }
}

/// A person's sessions; `end` is where the button leads.
pub(super) fn table(listed: &[Listed], own: Option<&str>, end: &dyn Fn(&str) -> String) -> Markup {
    let now = unix_now();
    html! {
        div.table-wrapper {
            table.table {
                thead {
                    tr {
                        th scope="col" { "Device" }
                        th scope="col" { "Address" }
                        th scope="col" { "Signed in" }
                        th scope="col" { "Last used" }
                        th scope="col" { span.u-visually-hidden { "Actions" } }
                    }
                }
                tbody {
                    @for session in listed {
                        @let current = own == Some(&*session.id);
                        tr {
                            td { (session.device) @if current { " " span.badge.badge--accent { "This one" } } }
                            td { (address(session.address)) }
                            td { (ago(session.since, now)) }
                            td { (ago(session.last_seen, now)) }
                            td.table__cell--actions {
                                @if current {
                                    a.btn.btn--small href="/logout" { span.btn__label { "Sign out" } }
                                } @else {
                                    form method="post" action=(end(&session.id)) {
                                        button.btn.btn--small type="submit" aria-label={ "End " (session.device) } {
                                            span.btn__label { "End" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn address(address: Option<IpAddr>) -> Markup {
    match address {
        Some(address) => html! { span.u-text-mono.u-text-small { (address.to_canonical()) } },
        None => html! { span.u-text-muted { "unknown" } },
    }
}

/// A moment in words, exact for who points at it.
fn ago(moment: u64, now: u64) -> Markup {
    let exact = i64::try_from(moment)
        .ok()
        .and_then(|moment| OffsetDateTime::from_unix_timestamp(moment).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_default();
    html! { time.u-nowrap datetime=(exact) title=(exact) { (words(now.saturating_sub(moment))) } }
}

fn words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => return "just now".to_owned(),
        120..7200 => (seconds / 60, "minutes"),
        7200..172_800 => (seconds / 3600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit} ago")
}

/// The store did not answer: nobody can tell.
pub(super) fn down(error: hivematrix_platform::StoreError) -> Refusal {
    Refusal::IdentityDown(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_as_people_say_them() {
        for (seconds, said) in [
            (0, "just now"),
            (119, "just now"),
            (150, "2 minutes ago"),
            (7199, "119 minutes ago"),
            (7200, "2 hours ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(words(seconds), said);
        }
    }

    #[test]
    fn what_a_device_calls_itself_stays_text() {
        let session = Listed {
            id: "abc".into(),
            device: "<b>x</b>".into(),
            address: "::ffff:192.0.2.1".parse().ok(),
            since: 0,
            last_seen: 0,
        };
        let shown = table(&[session], None, &|id| format!("/sessions?end={id}")).into_string();
        assert!(shown.contains("&lt;b&gt;x") && shown.contains("192.0.2.1") && !shown.contains("ffff"));
        assert!(shown.contains("action=\"/sessions?end=abc\""));
    }
}
