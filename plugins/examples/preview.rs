//! Writes the design system into a folder, to be looked at: one composed page for each colour theme, light
//! and dark, with every component on it, and the files they link.
//!
//! `cargo run -p hivematrix-plugins --example preview -- /tmp/preview`, then serve that folder.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use hivematrix_platform::{ColorTheme, PermissionLevel, Preferences, Theme};
use hivematrix_plugins::{Composition, design, testing};
use maud::{DOCTYPE, Markup, html};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "/tmp/preview".to_owned()),
    );
    for asset in design::assets() {
        write(&folder, asset.path, &asset.body)?;
    }
    let page = page().into_string();
    for color_theme in ColorTheme::ALL {
        for theme in [Theme::Light, Theme::Dark] {
            let preferences = Preferences {
                theme,
                color_theme,
                ..Preferences::default()
            };
            let seen = testing::visit::<Composition>("")
                .caller(testing::caller(PermissionLevel::Admin))
                .preferences(testing::preferring(preferences))
                .answer_html(&page);
            write(
                &folder,
                &format!("/{}-{}.html", color_theme.as_str(), theme.as_str()),
                &seen.body,
            )?;
        }
    }
    let question = html! {
        p { "You will be signed out of every service." }
        div class="btn-group" {
            button class="btn btn--primary" { "Log out" }
            a class="btn" href="/" { "Stay" }
        }
    };
    write(
        &folder,
        "/standalone.html",
        design::standalone_page("Log out?", question).as_bytes(),
    )?;
    println!("{}", folder.display());
    Ok(())
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let path = folder.join(path.trim_start_matches('/'));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, bytes)
}

fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width, initial-scale=1"; title { "Preview" } }
            body {
                main class="container" {
                    div class="page-header" {
                        div {
                            h1 class="page-header__title" { "Companies" }
                            p class="page-header__subtitle" { "Everyone we look after, with their " a href="#" { "open tickets" } "." }
                        }
                        div class="page-header__actions" {
                            button class="btn" { "Export" }
                            button class="btn btn--primary" { "New company" }
                        }
                    }
                    div class="grid" {
                        @for (label, value, note) in [("Companies", "128", "4 new this month"), ("Contacts", "1,904", "12 without e-mail"), ("Open tickets", "37", "9 overdue")] {
                            div class="card stat" {
                                span class="stat__label" { (label) }
                                span class="stat__value" { (value) }
                                span class="stat__note" { (note) }
                            }
                        }
                    }
                    (alerts())
                    (table())
                    div class="grid grid--wide" { (form()) (card()) }
                    (rest())
                }
            }
        }
    }
}

fn alerts() -> Markup {
    html! {
        @for (kind, text) in [("info", "A new version is ready."), ("success", "Saved."), ("warning", "Two backups are late."), ("danger", "Ledger cannot be reached.")] {
            div class={ "alert alert--" (kind) } role="status" {
                div class="alert__body" { p class="alert__title" { (kind) } (text) }
            }
        }
    }
}

fn table() -> Markup {
    html! {
        div class="table-wrapper" {
            table class="table" {
                thead { tr { th { "Name" } th { "Plan" } th { "Status" } th class="table__cell--number" { "Seats" } th {} } }
                tbody {
                    @for (name, status, kind, seats) in [("Acme", "Active", "success", 42), ("Globex", "Trial", "info", 8), ("Initech", "Overdue", "warning", 19), ("Umbrella", "Blocked", "danger", 3)] {
                        tr {
                            td { a href="#" { (name) } }
                            td { span class="badge badge--accent" { "Managed" } }
                            td { span class={ "badge badge--" (kind) } { (status) } " " span class={ "status-text--" (kind) } { span class="status-dot" {} (status) } }
                            td class="table__cell--number" { (seats) }
                            td class="table__cell--actions" { button class="btn btn--small" { "Edit" } }
                        }
                    }
                }
            }
        }
    }
}

fn form() -> Markup {
    html! {
        form class="card form" {
            h2 class="card__title" { "Contact" }
            div class="form__group" { label class="form__label" for="n" { "Name" } input class="form__input" id="n" value="Ada"; p class="form__help" { "As it stands on letters." } }
            div class="form__group" { label class="form__label" for="m" { "E-mail" } input class="form__input form__input--invalid" id="m" placeholder="ada@example.com"; p class="form__error" { "That is no address." } }
            div class="form__group" { label class="form__label" for="s" { "Role" } select class="form__select" id="s" { option { "Technical" } } }
            label class="form__check" { input type="checkbox" checked; span { "May sign in" } }
            div class="form__actions" { button type="button" class="btn btn--primary" { "Save" } button type="button" class="btn btn--danger" { "Delete" } button type="button" class="btn btn--ghost" { "Cancel" } button type="button" class="btn" disabled { "Wait" } }
        }
    }
}

fn card() -> Markup {
    html! {
        section class="card card--accent" {
            div class="card__header" { h2 class="card__title" { "Notes" } span class="badge" { "3" } }
            div class="card__body" {
                p { "Press " kbd { "Ctrl" } " and read " code { "gateway.toml" } "." }
                blockquote { "A quiet page is a fast page." }
                pre { code { "hivematrix demo --tls\nready https://localhost:8000" } }
                progress max="10" value="6" {}
            }
            div class="card__footer" { button class="btn btn--small" { "Add" } }
        }
    }
}

fn rest() -> Markup {
    html! {
        div class="tabs" {
            div class="tabs__list" role="tablist" {
                button class="tabs__tab tabs__tab--active" role="tab" aria-selected="true" { "Overview" }
                button class="tabs__tab" role="tab" { "Devices" }
                button class="tabs__tab" role="tab" { "Billing" }
            }
            div class="card" {
                div class="empty-state" {
                    h3 class="empty-state__title" { "No devices yet" }
                    p class="empty-state__text" { "Devices appear here as soon as an agent reports." }
                    div class="empty-state__actions" { button class="btn btn--primary" { "Install an agent" } }
                }
            }
        }
        nav aria-label="Pages" {
            ul class="pagination" {
                li class="pagination__item" { span class="pagination__link pagination__link--disabled" { "Back" } }
                li class="pagination__item" { a class="pagination__link" aria-current="page" href="#" { "1" } }
                li class="pagination__item" { a class="pagination__link" href="#" { "2" } }
                li class="pagination__item" { a class="pagination__link" href="#" { "Next" } }
            }
        }
    }
}
