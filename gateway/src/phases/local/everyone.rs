//! `/sessions/everyone`: other people's sessions, for administrators who have proved who they are a few minutes ago. GET
//! searches (`?who=` or `?group=`), POST ends one session (`?user=<id>&end=<id>`), all of a person (`?user=<id>&all=1`) or
//! all of a group's members (`?group=<name>&all=1`). Every act, looking included, is in the audit log.

use std::sync::Arc;

use hivematrix_platform::{PermissionLevel, unix_now};
use hivematrix_plugins::design;
use http::StatusCode;
use maud::{Markup, html};
use pingora::http::RequestHeader;

use crate::audit::{self, Act, Outcome};
use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::{Directory, Identity, Listed, Person, Search};
use crate::phases::credentials::refuse_cross_site;
use crate::phases::local::login::{caller, parameter};
use crate::phases::local::sessions::{down, outcome_query, table, told};
use crate::reply::Reply;

/// How long ago an administrator may have proved who they are, in seconds.
const RECENT: u64 = 300;

/// People that one page shows.
const SHOWN: usize = 50;

/// Shows what a search finds.
pub(super) async fn show(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let identity = match administrator(gateway, head, context).await? {
        Ok(identity) => identity,
        Err(prove) => return Ok(prove),
    };
    let search = search(head);
    let (people, more) = gateway.directory.people(&search, SHOWN).await.map_err(down)?;
    let mut found = Vec::new();
    for person in people {
        let sessions = gateway.directory.of(&person.sub).await.map_err(down)?;
        if !sessions.is_empty() {
            found.push((person, sessions));
        }
    }
    let subject = match &search {
        Search::Text(text) => text,
        Search::Group(group) => group,
    };
    let outcome = Outcome {
        subject,
        sessions: &[],
        complete: true,
    };
    audit::record(context, Act::Viewed, &identity.caller.claims.user, &outcome);
    let own = identity.handle().map(|handle| Directory::id_of(&handle));
    Ok(Reply::page(
        StatusCode::OK,
        page(head, &search, &found, more, own.as_deref()),
    ))
}

/// Ends what the query names.
pub(super) async fn end(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let snapshot = context.snapshot.clone();
    let origin = snapshot.origin(context.origin).ok_or(Refusal::Misdirected)?;
    refuse_cross_site(&head.method, &head.headers, origin)?;
    let identity = match administrator(gateway, head, context).await? {
        Ok(identity) => identity,
        Err(prove) => return Ok(prove),
    };
    let one = parameter(head, "end");
    let all = parameter(head, "all").is_some();
    let people = match (parameter(head, "user"), parameter(head, "group")) {
        (Some(id), _) => gateway
            .directory
            .person(&id)
            .await
            .map_err(down)?
            .into_iter()
            .collect(),
        (None, Some(group)) if all => {
            let group = Search::Group(group);
            gateway
                .directory
                .people(&group, usize::MAX)
                .await
                .map_err(down)?
                .0
        }
        (None, _) => Vec::new(),
    };
    // Whoever ends everybody's sessions goes on with their own.
    let own = identity.handle().map(|handle| Directory::id_of(&handle));
    let chosen = |id: &str| match &one {
        Some(one) => id == one,
        None => all && Some(id) != own.as_deref(),
    };
    let (mut count, mut all_complete) = (0, true);
    for person in people {
        let (ended, complete) = gateway
            .directory
            .end(origin, &person.sub, own.as_deref(), chosen)
            .await
            .map_err(down)?;
        count += ended.len();
        all_complete &= complete;
        let outcome = Outcome {
            subject: &person.sub,
            sessions: &ended,
            complete,
        };
        audit::record(context, Act::Ended, &identity.caller.claims.user, &outcome);
    }
    let back = match (parameter(head, "who"), parameter(head, "group")) {
        (_, Some(group)) => query(&[("group", &group)]),
        (Some(who), None) => query(&[("who", &who)]),
        (None, None) => String::new(),
    };
    Ok(Reply::redirect(
        StatusCode::SEE_OTHER,
        &format!("/sessions/everyone?{back}&{}", outcome_query(count, all_complete)),
    ))
}

/// The caller, if they may; else a page on which they prove who they are.
async fn administrator(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Result<Arc<Identity>, Reply>, Refusal> {
    let identity = caller(gateway, head, context).await??;
    if identity.caller.level() != PermissionLevel::Admin {
        return Err(Refusal::Forbidden {
            reason: "administrators_only",
            public: "Only administrators may look at other people's sessions.",
        });
    }
    let proved = match identity.handle() {
        Some(handle) => gateway.directory.proved_at(&handle).await.map_err(down)?,
        None => None,
    };
    if proved.is_some_and(|at| at + RECENT >= unix_now()) {
        return Ok(Ok(identity));
    }
    let next = match head.uri.query().filter(|_| head.method.is_safe()) {
        Some(query) => format!("/sessions/everyone?{query}"),
        None => "/sessions/everyone".to_owned(),
    };
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let page = design::standalone_page(
        "Please confirm that it is you",
        html! {
            p { "Other people's sessions are shown to administrators who have signed in within the last five minutes." }
            a.btn.btn--primary href=(format!("/login?max_age={RECENT}&next={next}")) { span.btn__label { "Sign in again" } }
            " "
            a.btn href="/sessions" { span.btn__label { "Back to your own" } }
        },
    );
    Ok(Err(Reply::page(StatusCode::FORBIDDEN, page)))
}

fn search(head: &RequestHeader) -> Search {
    match parameter(head, "group").filter(|group| !group.is_empty()) {
        Some(group) => Search::Group(group),
        None => Search::Text(parameter(head, "who").unwrap_or_default()),
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn page(
    head: &RequestHeader,
    search: &Search,
    found: &[(Person, Vec<Listed>)],
    more: bool,
    own: Option<&str>,
) -> String {
    let (who, group) = match search {
        Search::Text(text) => (text.as_str(), ""),
        Search::Group(group) => ("", group.as_str()),
    };
    design::wide_page(
        "Everyone's sessions",
        html! {
            header.page-header {
                div {
                    h1.page-header__title { "Everyone's sessions" }
                    p.page-header__subtitle { "What you look at and what you end is written to the audit log." }
                }
                div.page-header__actions { a.btn href="/sessions" { span.btn__label { "Your own" } } }
            }
            (told(head))
            form.form.form--inline.u-mb-4 method="get" action="/sessions/everyone" role="search" {
                div.form__group {
                    label.form__label for="who" { "Name or e-mail address" }
                    input.form__input id="who" name="who" value=(who);
                }
                div.form__group {
                    label.form__label for="group" { "or group" }
                    input.form__input id="group" name="group" value=(group);
                }
                button.btn.btn--primary type="submit" { span.btn__label { "Search" } }
            }
            @if found.is_empty() {
                div.empty-state { p.empty-state__text { "Nobody who fits is signed in." } }
            }
            @if more { p.u-text-muted { "There are more people than are shown here: search for a name." } }
            @if let (Search::Group(name), false) = (search, found.is_empty()) {
                form.u-mb-4 method="post" action={ "/sessions/everyone?" (query(&[("group", name), ("all", "1")])) } {
                    button.btn.btn--danger type="submit" { span.btn__label { "End all sessions of " (name) } }
                }
            }
            @for (person, sessions) in found { (one(person, sessions, &query(&[if group.is_empty() { ("who", who) } else { ("group", group) }]), own)) }
        },
    )
}

fn one(person: &Person, sessions: &[Listed], search: &str, own: Option<&str>) -> Markup {
    let id = person.id();
    let name = [&person.name, &person.username, &person.email];
    let name = name
        .iter()
        .find(|name| !name.is_empty())
        .map_or("", |name| name.as_str());
    html! {
        section.card {
            div.card__header {
                div {
                    h2.card__title { (name) }
                    p.card__subtitle { (person.email) " \u{b7} " (person.level.as_str()) }
                }
                form method="post" action={ "/sessions/everyone?user=" (id) "&all=1&" (search) } {
                    button.btn.btn--small.btn--danger type="submit" aria-label={ "End all of " (name) } {
                        span.btn__label { "End all" }
                    }
                }
            }
            (table(sessions, own, &|session| format!("/sessions/everyone?user={id}&end={session}&{search}")))
        }
    }
}
