//! Pages and forms as markup in the classes of the design system.
//!
//! Responsible for: the document around a service's own markup, and the form controls that every service uses.
//! Not responsible for: styles, menu and theme; a service carries no CSS (platform README §8).

use axum::response::{Html, IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use maud::{DOCTYPE, Markup, html};

/// A whole HTML document, ready to be answered. Never stored by shared caches: what it shows depends on who asks.
#[derive(Debug)]
pub struct Page(String);

impl Page {
    /// The document's source.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Html(self.0).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// A document with this title and this body, and nothing else: everything in it that is not markup is escaped.
///
/// The body's own markup comes from [`maud::html!`], which escapes what it interpolates.
#[must_use]
pub fn page(title: &str, body: Markup) -> Page {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
            }
            body { (body) }
        }
    };
    Page(document.into_string())
}

/// One labelled control of a form, for [`field`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Field<'a> {
    /// The control's name, also its `id`.
    pub name: &'a str,
    /// What people read beside it.
    pub label: &'a str,
    /// What it holds at first.
    pub value: &'a str,
    /// The `type` of the `input`: `text` when empty.
    pub kind: &'a str,
    /// Whether the browser insists on it. The service checks again.
    pub required: bool,
    /// Why the last attempt was refused; shown beside the control and announced to screen readers.
    pub problem: Option<&'a str>,
}

/// A labelled text control.
#[must_use]
pub fn field(field: Field<'_>) -> Markup {
    let kind = if field.kind.is_empty() { "text" } else { field.kind };
    let problem = format!("{}-problem", field.name);
    html! {
        div .form__group {
            label .form__label for=(field.name) { (field.label) }
            input .form__input .form__input--invalid[field.problem.is_some()] #(field.name) name=(field.name) type=(kind) value=(field.value)
                required[field.required] aria-invalid=[field.problem.map(|_| "true")]
                aria-describedby=[field.problem.map(|_| problem.as_str())];
            @if let Some(text) = field.problem {
                p .form__error #(problem) { (text) }
            }
        }
    }
}

/// A labelled choice of one out of several; each option is its value and what people read.
#[must_use]
pub fn choice(name: &str, label: &str, options: &[(&str, &str)], current: &str) -> Markup {
    html! {
        div .form__group {
            label .form__label for=(name) { (label) }
            select .form__select #(name) name=(name) {
                @for (value, text) in options {
                    option value=(value) selected[*value == current] { (text) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "\"><script>alert(1)</script>";

    #[test]
    fn titles_values_and_labels_are_escaped() {
        let body = html! {
            p { (NASTY) }
            (field(Field { name: "n", label: NASTY, value: NASTY, problem: Some(NASTY), ..Field::default() }))
            (choice("c", NASTY, &[(NASTY, NASTY)], ""))
        };
        let page = page(NASTY, body);
        assert!(!page.as_str().contains("<script>"));
        assert_eq!(page.as_str().matches("&lt;script&gt;").count(), 8);
        assert!(!page.as_str().contains("\"\">"));
    }

    #[test]
    fn pages_carry_no_styles_and_no_scripts() {
        let page = page("Empty", html! {});
        for absent in ["<style", "style=", "<link", "<script"] {
            assert!(!page.as_str().contains(absent), "{absent}");
        }
    }

    #[test]
    fn the_current_option_is_selected_and_no_other() {
        let markup = choice("c", "C", &[("a", "A"), ("b", "B")], "b").into_string();
        assert!(markup.contains("<option value=\"b\" selected>"));
        assert_eq!(markup.matches("selected").count(), 1);
    }
}
