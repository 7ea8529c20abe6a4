//! Pages of the gateway itself (errors, the logout question, a home without services) in the design system.

use maud::{DOCTYPE, Markup, html};

use super::files;

/// A page that stands alone, without panel: for people who may not be signed in, while anything may be
/// broken. It follows the system's light or dark preference and needs no script. `body` is markup; text in
/// it has been escaped by `maud`.
#[must_use]
pub fn standalone_page(title: &str, body: Markup) -> String {
    let body = html! {
        main class="standalone__main card" {
            p class="standalone__brand" { "HiveMatrix" }
            h1 class="standalone__title" { (title) }
            (body)
        }
    };
    document(title, Some("standalone"), body)
}

/// A page with room for tables. `body` brings its own heading.
#[must_use]
pub fn wide_page(title: &str, body: Markup) -> String {
    document(title, None, html! { main class="container" { (body) } })
}

fn document(title: &str, class: Option<&str>, body: Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " \u{b7} HiveMatrix" }
                link rel="stylesheet" href=(files().global);
            }
            body class=[class] { (body) }
        }
    }
    .into_string()
}
