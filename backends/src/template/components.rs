//! `/components`: every component of the design system on one page, to look at and to copy from.
//!
//! A test compares this page with the stylesheet, so that none is forgotten. Styles are the gateway's business.

use maud::{Markup, html};

use crate::kit::{Field, Page, Prefix, User, choice, field, page};

/// `GET /components`
pub(super) async fn page_of_components(_: User, prefix: Prefix) -> Page {
    page(
        "Components · Template",
        html! {
            main {
                header .page-header {
                    div {
                        h1 .page-header__title { "Components" }
                        p .page-header__subtitle { "Everything that the design system has." }
                    }
                    div .page-header__actions {
                        a .btn href=(prefix.url("/")) { span .btn__label { "Back" } }
                    }
                }
                (section("buttons", "Buttons", buttons()))
            }
        },
    )
}

fn section(id: &str, title: &str, body: Markup) -> Markup {
    html! {
        section .card aria-labelledby=(id) {
            div .card__header { h2 .card__title #(id) { (title) } }
            div .card__body { (body) }
        }
    }
}

fn buttons() -> Markup {
    html! {
        button .btn type="button" { span .btn__label { "Plain" } }
        button .btn .btn--primary type="button" { span .btn__label { "Primary" } }
        button .btn .btn--danger type="button" { span .btn__label { "Danger" } }
    }
}
