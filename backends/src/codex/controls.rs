//! Pieces of pages that Codex uses more than once and the kit does not have.
//!
//! Classes of the design system only; no policy.

use std::fmt;

use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use maud::{Markup, html};
use serde::{Deserialize, Deserializer};

use super::{fields::FieldErrors, refusal::database_failed, tables::SaveError, viewer::Rights};
use crate::kit::{self, Field, Page, Prefix, Rejection};

/// What was just done, told by the page that a form leads to. In the address, because nothing else remembers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing, or nothing that is known.
    #[default]
    Nothing,
    CompanyCreated,
    CompanySaved,
    CompanyDeleted,
    ContactCreated,
    ContactSaved,
    ContactDeleted,
    AssetCreated,
    AssetSaved,
    AssetDeleted,
    SettingsSaved,
}

impl Done {
    const ALL: [(Self, &'static str, &'static str); 10] = [
        (
            Self::CompanyCreated,
            "company-created",
            "The company was created.",
        ),
        (Self::CompanySaved, "company-saved", "The company was saved."),
        (
            Self::CompanyDeleted,
            "company-deleted",
            "The company was deleted.",
        ),
        (
            Self::ContactCreated,
            "contact-created",
            "The contact was created.",
        ),
        (Self::ContactSaved, "contact-saved", "The contact was saved."),
        (
            Self::ContactDeleted,
            "contact-deleted",
            "The contact was deleted.",
        ),
        (Self::AssetCreated, "asset-created", "The asset was created."),
        (Self::AssetSaved, "asset-saved", "The asset was saved."),
        (Self::AssetDeleted, "asset-deleted", "The asset was deleted."),
        (Self::SettingsSaved, "settings-saved", "Your settings were saved."),
    ];

    /// The sentence, if there is something to tell.
    pub(crate) fn notice(self) -> Markup {
        let sentence = Self::ALL
            .into_iter()
            .find(|(done, ..)| *done == self)
            .map(|(_, _, sentence)| sentence);
        html! {
            @if let Some(sentence) = sentence {
                div .alert .alert--success role="status" { p .alert__body { (sentence) } }
            }
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            Self::ALL
                .into_iter()
                .find(|(done, ..)| done == self)
                .map_or("", |(_, word, _)| word),
        )
    }
}

impl<'de> Deserialize<'de> for Done {
    /// Never fails: an unknown word means that nothing was done.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        Ok(Self::ALL
            .into_iter()
            .find(|(_, name, _)| *name == word)
            .map_or(Self::Nothing, |(done, ..)| done))
    }
}

/// A part of Codex that has a tab of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Companies,
    Contacts,
    Assets,
    Import,
    Agents,
    Pull,
    Settings,
}

/// A page of Codex: its tabs, and below them what the page is about.
pub(crate) fn layout(prefix: &Prefix, area: Area, rights: Rights, title: &str, body: Markup) -> Page {
    let tabs = [
        (Area::Companies, "/companies", "Companies", true),
        (Area::Contacts, "/contacts", "Contacts", true),
        (Area::Assets, "/assets", "Assets", true),
        (Area::Import, "/import", "Import and export", rights.edit),
        (Area::Agents, "/agents", "Agents", rights.administrate),
        (Area::Pull, "/pull", "Synchronization", rights.administrate),
        (Area::Settings, "/settings", "Settings", true),
    ];
    kit::page(
        &format!("{title} · Codex"),
        html! {
            main .container {
                nav .tabs aria-label="Codex" {
                    ul .tabs__list {
                        @for (tab, path, name, _) in tabs.into_iter().filter(|(.., shown)| *shown) {
                            li .tabs__item {
                                @if tab == area {
                                    a .tabs__tab .tabs__tab--active href=(prefix.url(path)) aria-current="page" { (name) }
                                } @else {
                                    a .tabs__tab href=(prefix.url(path)) { (name) }
                                }
                            }
                        }
                    }
                }
                (body)
            }
        },
    )
}

/// A form that was not accepted: why, and with which status it is shown again.
pub(crate) struct Refused {
    status: StatusCode,
    errors: FieldErrors,
}

impl Refused {
    /// For its values: 422.
    pub(crate) fn values(errors: FieldErrors) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            errors,
        }
    }

    /// For a reason that lies elsewhere. What was typed is not lost: the form can be sent again.
    pub(crate) fn by(rejection: &Rejection) -> Self {
        Self {
            status: rejection.status(),
            errors: FieldErrors::general(rejection.detail()),
        }
    }

    /// The page with the form, filled in as it was sent.
    pub(crate) fn with(&self, page: impl FnOnce(&FieldErrors) -> Page) -> Response {
        (self.status, page(&self.errors)).into_response()
    }
}

/// The answer to a form that was not saved: the form again, as it was sent and with what is wrong; or 404, if what it is
/// about is gone.
pub(crate) fn not_saved(
    error: SaveError,
    missing: fn() -> Rejection,
    page: impl FnOnce(&FieldErrors) -> Page,
) -> Response {
    let refused = match error {
        SaveError::Missing => return missing().into_response(),
        SaveError::Refused(errors) | SaveError::Conflict(errors) => Refused::values(errors),
        SaveError::Database(error) => Refused::by(&database_failed(error)),
    };
    refused.with(page)
}

/// The heading of a page, with what can be done there to its right.
pub(crate) fn heading(title: &str, subtitle: Option<&str>, actions: &Markup) -> Markup {
    html! {
        header .page-header {
            div {
                h1 .page-header__title { (title) }
                @if let Some(subtitle) = subtitle { p .page-header__subtitle { (subtitle) } }
            }
            @if !actions.0.is_empty() { div .page-header__actions { (actions) } }
        }
    }
}

/// The way back from a page: each step is its address and its name, the last one being this page.
pub(crate) fn breadcrumb(steps: &[(String, &str)], here: &str) -> Markup {
    html! {
        nav aria-label="Breadcrumb" {
            ol .breadcrumb {
                @for (address, name) in steps { li .breadcrumb__item { a href=(address) { (name) } } }
                li .breadcrumb__item aria-current="page" { (here) }
            }
        }
    }
}

/// A link that looks like a button.
pub(crate) fn button_link(href: &str, text: &str) -> Markup {
    html! { a .btn href=(href) { span .btn__label { (text) } } }
}

/// A link that looks like the page's main button.
pub(crate) fn primary_link(href: &str, text: &str) -> Markup {
    html! { a .btn .btn--primary href=(href) { span .btn__label { (text) } } }
}

/// The buttons at the end of a form.
pub(crate) fn save_or_cancel(save: &str, cancel: &str) -> Markup {
    html! {
        div .form__actions {
            button .btn .btn--primary type="submit" { span .btn__label { (save) } }
            (button_link(cancel, "Cancel"))
        }
    }
}

/// The buttons of a question whether to delete.
pub(crate) fn delete_or_cancel(action: &str, delete: &str, cancel: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            div .form__actions {
                button .btn .btn--danger type="submit" { span .btn__label { (delete) } }
                (button_link(cancel, "Cancel"))
            }
        }
    }
}

/// Says at the top of a refused form that something is wrong, and leads to each field.
pub(crate) fn summary(errors: &FieldErrors, label: impl Fn(&'static str) -> &'static str) -> Markup {
    html! {
        @if !errors.is_empty() {
            div .alert .alert--danger role="alert" {
                div .alert__body {
                    p .alert__title { "Nothing was saved yet. Please correct:" }
                    ul {
                        @for error in errors.iter() {
                            @if error.field.is_empty() {
                                li { (error.message) }
                            } @else {
                                li { a href={ "#" (error.field) } { (label(error.field)) } ": " (error.message) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A line of text in a form.
pub(crate) fn line(
    name: &str,
    label: &str,
    value: &str,
    kind: &str,
    required: bool,
    errors: &FieldErrors,
) -> Markup {
    kit::field(Field {
        name,
        label,
        value,
        kind,
        required,
        problem: errors.of(name),
    })
}

/// Several lines of text in a form.
pub(crate) fn lines(name: &str, label: &str, value: &str, rows: u8, errors: &FieldErrors) -> Markup {
    let problem = errors.of(name);
    let problem_id = format!("{name}-problem");
    html! {
        div .form__group {
            label .form__label for=(name) { (label) }
            // The line break after the tag is not part of the value, but keeps one that is.
            textarea .form__textarea .form__input--invalid[problem.is_some()] #(name) name=(name) rows=(rows) aria-invalid=[problem.map(|_| "true")]
                aria-describedby=[problem.map(|_| problem_id.as_str())] { "\n" (value) }
            @if let Some(text) = problem { p .form__error #(problem_id) { (text) } }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_was_done_is_told_by_known_words_only() {
        for (done, word, sentence) in Done::ALL {
            assert_eq!(done.to_string(), word);
            let read: Done = serde_json::from_value(serde_json::json!(word)).unwrap();
            assert_eq!(read, done);
            assert!(read.notice().into_string().contains(sentence));
        }
        let unknown: Done = serde_json::from_value(serde_json::json!("<script>")).unwrap();
        assert_eq!(unknown.notice().into_string(), "");
    }

    #[test]
    fn a_text_keeps_its_first_line_break_and_cannot_leave_its_box() {
        let markup = lines(
            "notes",
            "Notes",
            "\n</textarea><script>",
            4,
            &FieldErrors::default(),
        )
        .into_string();
        assert!(
            markup.contains(">\n\n&lt;/textarea&gt;&lt;script&gt;</textarea>"),
            "{markup}"
        );
    }
}
