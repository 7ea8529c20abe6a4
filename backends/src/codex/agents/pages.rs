//! The page about agents, with the button that synchronizes them. For administrators only.

use axum::{
    extract::{Query, State},
    response::{IntoResponse as _, Response},
};
use maud::{Markup, html};

use super::{
    ACTIVE, Agent, DISABLED, GONE,
    api::{failed, not_configured},
    list as stored,
    sync::{Report, sync},
};
use crate::{
    codex::{
        Codex,
        companies::views::day,
        controls::{Area, layout},
        paging::{Around, Browsed, Found, Place, Wanted, listing},
        refusal::database_failed,
        viewer::Visitor,
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /agents?search=&page=`
pub(crate) async fn list(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Query(browsed): Query<Browsed>,
) -> Result<Page, Rejection> {
    let wanted = browsed.wanted();
    let found = stored(&codex.pool, &wanted).await.map_err(database_failed)?;
    let can_sync = codex.directory.is_some();
    Ok(view(&prefix, &visitor, &wanted, &found, can_sync, html! {}))
}

/// `POST /agents/sync`: acts, and tells on the same page what came of it.
pub(crate) async fn start(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
) -> Result<Response, Rejection> {
    let outcome = match codex.directory.as_deref() {
        Some(directory) => sync(&codex.pool, directory).await.map_err(failed),
        None => Err(not_configured()),
    };
    let wanted = Browsed::default().wanted();
    let found = stored(&codex.pool, &wanted).await.map_err(database_failed)?;
    let can_sync = codex.directory.is_some();
    let page = |notice: Markup| view(&prefix, &visitor, &wanted, &found, can_sync, notice);
    Ok(match outcome {
        Ok(report) => page(told(&report)).into_response(),
        Err(rejection) => {
            let notice = html! {
                div .alert .alert--danger role="alert" {
                    div .alert__body {
                        p .alert__title { "Agents were not synchronized." }
                        p { (rejection.detail()) }
                    }
                }
            };
            (rejection.status(), page(notice)).into_response()
        }
    })
}

fn told(report: &Report) -> Markup {
    html! {
        div .alert .alert--success role="status" {
            div .alert__body {
                p .alert__title { "Agents were synchronized." }
                p {
                    (report.created) " new, " (report.changed) " changed, " (report.unchanged) " unchanged, "
                    (report.gone) " not known to the identity provider any more."
                }
                @if !report.skipped.is_empty() {
                    p { "Not taken over:" }
                    ul { @for skipped in &report.skipped { li { (skipped) } } }
                }
            }
        }
    }
}

fn view(
    prefix: &Prefix,
    visitor: &Visitor,
    wanted: &Wanted,
    found: &Found<Agent>,
    can_sync: bool,
    notice: Markup,
) -> Page {
    let place = Place {
        prefix,
        singular: "agent",
        plural: "agents",
        searches: "Name, e-mail, level, state",
    };
    let around = Around {
        actions: html! {
            @if can_sync {
                form method="post" action=(prefix.url("/agents/sync")) {
                    button .btn .btn--primary type="submit" { span .btn__label { "Sync from Keycloak" } }
                }
            }
        },
        notice,
        none: html! { h2 .empty-state__title { "No agents yet" } },
        below: html! {
            @if !can_sync {
                p .u-text-muted {
                    "Agents appear here at their first visit. Codex can also take them over from Keycloak, once it is "
                    "told how to ask it: see KEYCLOAK_ADMIN_CLIENT_ID in the documentation."
                }
            }
        },
    };
    let body = listing(&place, wanted, found, &around, table);
    layout(prefix, Area::Agents, visitor.rights(), &place.title(), body)
}

fn table(agents: &[Agent]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "E-mail" }
                        th scope="col" { "Level" }
                        th scope="col" { "State" }
                        th scope="col" { "Last synchronized" }
                    }
                }
                tbody {
                    @for agent in agents {
                        tr {
                            td { (agent.name) }
                            td { (agent.email) }
                            td { span .badge { (agent.permission_level) } }
                            td { (state(&agent.state)) }
                            td .u-nowrap { (agent.synced_at.map_or_else(|| "never".to_owned(), day)) }
                        }
                    }
                }
            }
        }
    }
}

fn state(state: &str) -> Markup {
    let (class, text) = match state {
        ACTIVE => ("badge badge--success", "active"),
        DISABLED => ("badge badge--warning", "disabled"),
        GONE => ("badge badge--danger", "gone"),
        other => ("badge", other),
    };
    html! { span class=(class) { (text) } }
}
