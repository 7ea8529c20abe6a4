//! `/components`: every component of the design system on one page, to look at and to copy from.
//!
//! A test compares the page with the stylesheet, so that nothing is forgotten. Styles are the gateway's business; no
//! example needs a script.

mod actions;
mod forms;
mod layout;
mod messages;
mod tables;

use axum::extract::Query;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use crate::kit::{Page, Prefix, User, page};

/// Lucide's `search`, as an example of an icon. Icons are files, not drawn by hand.
const ICON: PreEscaped<&str> = PreEscaped(include_str!("../search.svg"));

/// Which tab of the example is open.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tab: String,
}

/// `GET /components`
pub(super) async fn show(_: User, prefix: Prefix, Query(asked): Query<Asked>) -> Page {
    let here = prefix.url("/components");
    let sections: [(&str, &str, Markup); 16] = [
        ("text", "Text", layout::text()),
        ("buttons", "Buttons", actions::buttons()),
        ("toolbar", "Toolbar", actions::toolbar()),
        ("cards", "Cards and grid", layout::cards(&here)),
        ("tables", "Tables", tables::tables()),
        ("pagination", "Pagination", tables::pagination(&here)),
        ("empty-state", "Empty state", tables::empty_state()),
        ("forms", "Forms", forms::form()),
        ("inline-forms", "Inline forms", forms::inline()),
        ("badges", "Badges and status", messages::badges()),
        ("alerts", "Alerts", messages::alerts()),
        ("progress", "Progress", messages::progress()),
        ("tabs", "Tabs", actions::tabs(&here, &asked.tab)),
        ("modals", "Modals", actions::modal()),
        ("details", "Details", layout::details()),
        ("utilities", "Utilities", layout::utilities()),
    ];
    page(
        "Components · Template",
        html! {
            main .container {
                nav aria-label="Breadcrumb" {
                    ol .breadcrumb {
                        li .breadcrumb__item { a href=(prefix.url("/")) { "Template" } }
                        li .breadcrumb__item aria-current="page" { "Components" }
                    }
                }
                header .page-header {
                    div {
                        h1 .page-header__title { "Components" }
                        p .page-header__subtitle { "Everything that the design system has. Take the markup, add nothing." }
                    }
                    div .page-header__actions { a .btn href=(prefix.url("/")) { span .btn__label { "Back" } } }
                }
                nav aria-label="Sections" {
                    p .u-flex .u-flex-wrap .u-gap-2 .u-mb-4 { @for (id, title, _) in &sections { a .badge href={ "#" (id) } { (title) } } }
                }
                @for (id, title, body) in &sections {
                    section .card #(id) aria-labelledby={ (id) "-title" } {
                        div .card__header { h2 .card__title id={ (id) "-title" } { (title) } }
                        div .card__body { (body) }
                    }
                }
            }
        },
    )
}
