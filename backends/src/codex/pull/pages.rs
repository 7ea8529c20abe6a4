//! The page about the pull: what came of the last runs, and a button to run now. For administrators only.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use maud::{Markup, html};

use super::{api::busy, store::Run};
use crate::{
    codex::{
        Codex,
        companies::views::day,
        controls::{Area, heading, layout},
        refusal::database_failed,
        viewer::Rights,
    },
    kit::{Page, Prefix, Rejection},
};

/// Runs that are shown.
const SHOWN: i64 = 20;

/// `GET /pull`
pub(crate) async fn show(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
) -> Result<Page, Rejection> {
    view(&codex, rights, &prefix, &html! {}).await
}

/// `POST /pull`: runs now, and shows what came of it.
pub(crate) async fn start(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
) -> Result<Response, Rejection> {
    let Some(puller) = &codex.puller else {
        return Ok(view(&codex, rights, &prefix, &html! {}).await?.into_response());
    };
    match puller.run().await {
        Some(_) => Ok(prefix.see_other("/pull")),
        None => {
            let notice = html! {
                div .alert .alert--warning role="alert" { p .alert__body { (busy().detail()) } }
            };
            let page = view(&codex, rights, &prefix, &notice).await?;
            Ok((busy().status(), page).into_response())
        }
    }
}

async fn view(codex: &Codex, rights: Rights, prefix: &Prefix, notice: &Markup) -> Result<Page, Rejection> {
    let Some(puller) = &codex.puller else {
        let text = "Codex can take companies over from another system on a schedule, once it is told which: see \
                    HIVEMATRIX_CODEX_PULL_URL in the documentation.";
        let body = html! {
            (heading("Synchronization", None, &html! {}))
            section .card {
                div .card__body {
                    div .empty-state { h2 .empty-state__title { "Nothing to synchronize with" } p .empty-state__text { (text) } }
                }
            }
        };
        return Ok(layout(prefix, Area::Pull, rights, "Synchronization", body));
    };
    let runs = puller.newest(SHOWN).await.map_err(database_failed)?;
    let button = html! {
        form method="post" action=(prefix.url("/pull")) {
            button .btn .btn--primary type="submit" { span .btn__label { "Pull now" } }
        }
    };
    let subtitle = format!("Companies from {}", puller.source());
    Ok(layout(
        prefix,
        Area::Pull,
        rights,
        "Synchronization",
        html! {
            (heading("Synchronization", Some(&subtitle), &button))
            (notice)
            section .card {
                div .card__header { h2 .card__title { "Runs" } }
                div .card__body {
                    @if runs.is_empty() {
                        div .empty-state { p .empty-state__text { "There was no run yet." } }
                    } @else {
                        (table(&runs))
                    }
                }
            }
        },
    ))
}

fn table(runs: &[Run]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Day" }
                        th scope="col" { "State" }
                        th .table__cell--number scope="col" { "Pages" }
                        th .table__cell--number scope="col" { "New" }
                        th .table__cell--number scope="col" { "Changed" }
                        th .table__cell--number scope="col" { "Unchanged" }
                        th .table__cell--number scope="col" { "Refused" }
                        th scope="col" { "Remark" }
                    }
                }
                tbody {
                    @for run in runs {
                        tr {
                            td .u-nowrap { (day(run.started_at)) }
                            td { (state(&run.state)) }
                            td .table__cell--number { (run.pages) }
                            td .table__cell--number { (run.created) }
                            td .table__cell--number { (run.changed) }
                            td .table__cell--number { (run.unchanged) }
                            td .table__cell--number { (run.refused) }
                            td { (run.message.as_deref().unwrap_or("–")) }
                        }
                    }
                }
            }
        }
    }
}

fn state(state: &str) -> Markup {
    let class = match state {
        "finished" => "badge badge--success",
        "failed" => "badge badge--danger",
        _ => "badge badge--info",
    };
    html! { span class=(class) { (state) } }
}
