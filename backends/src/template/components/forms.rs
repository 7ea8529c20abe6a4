//! Examples of forms: every kind of field, a refused one, a row of fields.

use maud::{Markup, html};

use crate::kit::{Field, choice, field};

/// One field of each kind. `kit::field` and `kit::choice` write most of them.
pub(super) fn form() -> Markup {
    html! {
        form .form method="get" action="#forms" {
            (field(Field { name: "example-name", label: "Name", value: "Kim Lee", required: true, ..Field::default() }))
            (field(Field {
                name: "example-refused",
                label: "E-mail",
                value: "kim@",
                kind: "email",
                problem: Some("This must be an e-mail address such as kim@example.com."),
                ..Field::default()
            }))
            div .form__group {
                label .form__label for="example-date" { "Day" }
                input .form__input #example-date name="example-date" type="date" aria-describedby="example-date-help";
                p .form__help #example-date-help { "A short explanation, below the field." }
            }
            (choice("example-choice", "Priority", &[("low", "Low"), ("high", "High")], "low"))
            div .form__group {
                label .form__label for="example-notes" { "Notes" }
                textarea .form__textarea #example-notes name="example-notes" rows="3" {}
            }
            div .form__group {
                label .form__label for="example-off" { "Disabled" }
                input .form__input #example-off name="example-off" value="Not now" disabled;
            }
            label .form__check { input type="checkbox" name="example-check" checked; span { "Send me a copy" } }
            fieldset {
                legend { "Reach me by" }
                label .form__check { input type="radio" name="example-radio" value="mail" checked; span { "E-mail" } }
                label .form__check { input type="radio" name="example-radio" value="phone"; span { "Phone" } }
            }
            div .form__actions {
                button .btn .btn--primary type="submit" { span .btn__label { "Save" } }
                a .btn href="#forms" { span .btn__label { "Cancel" } }
            }
        }
        form .form .form--wide .u-mt-4 method="get" action="#forms" {
            div .form__group {
                label .form__label for="example-wide" { "A wide form, with a field that was refused" }
                input .form__input .form__input--invalid .u-w-full #example-wide name="example-wide" aria-invalid="true";
            }
        }
    }
}

/// Fields in a row, as filters of a list have them.
pub(super) fn inline() -> Markup {
    html! {
        form .form .form--inline method="get" action="#inline-forms" {
            (choice("example-level", "Level", &[("", "All"), ("error", "Error")], ""))
            div .form__group {
                label .form__label for="example-search" { "Search" }
                input .form__input #example-search name="example-search" type="search" placeholder="Name or number";
            }
            button .btn type="submit" { span .btn__label { "Show" } }
        }
    }
}
