//! How contacts look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{Contact, Typed, store::MOST};
use crate::{
    codex::{
        companies::Company,
        controls::{breadcrumb, button_link, delete_or_cancel, heading, line, save_or_cancel, summary},
        fields::FieldErrors,
    },
    kit::{Page, Prefix, page},
};

/// The contacts of a company, as a part of its page.
pub(crate) fn list(prefix: &Prefix, company: i64, contacts: &[Contact], may_edit: bool) -> Markup {
    html! {
        section .card {
            div .card__header {
                h2 .card__title { "Contacts" }
                @if may_edit { (button_link(&address(prefix, company, "/new"), "New contact")) }
            }
            div .card__body {
                @if contacts.is_empty() {
                    div .empty-state { p .empty-state__text { "No contacts yet." } }
                } @else {
                    (table(prefix, company, contacts, may_edit))
                }
            }
        }
    }
}

fn table(prefix: &Prefix, company: i64, contacts: &[Contact], may_edit: bool) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Title" }
                        th scope="col" { "E-mail" }
                        th scope="col" { "Phone" }
                        @if may_edit { th .table__cell--actions scope="col" { span .u-visually-hidden { "Change" } } }
                    }
                }
                tbody { @for contact in contacts { (row(prefix, company, contact, may_edit)) } }
            }
        }
    }
}

fn row(prefix: &Prefix, company: i64, contact: &Contact, may_edit: bool) -> Markup {
    let details = &contact.details;
    let name = details.name.as_str();
    html! {
        tr {
            td { (name) }
            td { (details.title.as_deref().unwrap_or("–")) }
            td {
                @match &details.email {
                    Some(email) => { a href={ "mailto:" (email) } { (email) } }
                    None => { "–" }
                }
            }
            td .u-nowrap { (details.phone.as_deref().unwrap_or("–")) }
            @if may_edit {
                td .table__cell--actions {
                    a .btn .btn--small href=(address(prefix, company, &format!("/{}/edit", contact.id)))
                        aria-label={ "Edit " (name) } { span .btn__label { "Edit" } }
                    " "
                    a .btn .btn--small href=(address(prefix, company, &format!("/{}/delete", contact.id)))
                        aria-label={ "Delete " (name) } { span .btn__label { "Delete" } }
                }
            }
        }
    }
}

/// The empty form.
pub(super) fn new(prefix: &Prefix, company: &Company, typed: &Typed, errors: &FieldErrors) -> Page {
    form(
        prefix,
        company,
        "New contact",
        "",
        "Create contact",
        typed,
        errors,
    )
}

/// The form of a contact that exists.
pub(super) fn edit(
    prefix: &Prefix,
    company: &Company,
    contact: &Contact,
    typed: &Typed,
    errors: &FieldErrors,
) -> Page {
    let title = format!("Edit {}", contact.details.name);
    form(
        prefix,
        company,
        &title,
        &format!("/{}", contact.id),
        "Save",
        typed,
        errors,
    )
}

fn form(
    prefix: &Prefix,
    company: &Company,
    title: &str,
    below: &str,
    save: &str,
    typed: &Typed,
    errors: &FieldErrors,
) -> Page {
    let company_page = prefix.url(&format!("/companies/{}", company.id));
    page(
        &format!("{title} · Codex"),
        html! {
            main .container {
                (breadcrumb(&[(prefix.url("/companies"), "Companies"), (company_page.clone(), &company.details.name)], title))
                (heading(title, None, html! {}))
                section .card {
                    div .card__body {
                        (summary(errors, label))
                        form .form method="post" action=(address(prefix, company.id, below)) novalidate {
                            (line("name", label("name"), &typed.name, "text", true, errors))
                            (line("title", label("title"), &typed.title, "text", false, errors))
                            (line("email", label("email"), &typed.email, "email", false, errors))
                            (line("phone", label("phone"), &typed.phone, "tel", false, errors))
                            (save_or_cancel(save, &company_page))
                        }
                    }
                }
            }
        },
    )
}

fn label(field: &'static str) -> &'static str {
    match field {
        "name" => "Name",
        "title" => "Title",
        "email" => "E-mail",
        "phone" => "Phone",
        other => other,
    }
}

/// Asks whether to delete a contact.
pub(super) fn ask_to_delete(prefix: &Prefix, company: &Company, contact: &Contact) -> Page {
    let name = contact.details.name.as_str();
    page(
        &format!("Delete {name}? · Codex"),
        html! {
            main .container {
                section .card {
                    div .card__header { h1 .card__title { "Delete " (name) "?" } }
                    div .card__body {
                        p { (name) " is a contact of " (company.details.name) ". This cannot be undone." }
                        (delete_or_cancel(
                            &address(prefix, company.id, &format!("/{}/delete", contact.id)),
                            "Delete contact",
                            &prefix.url(&format!("/companies/{}", company.id)),
                        ))
                    }
                }
            }
        },
    )
}

/// Why a company takes no more contacts.
pub(super) fn full() -> String {
    format!("A company can have {MOST} contacts, and this one has that many.")
}

fn address(prefix: &Prefix, company: i64, below: &str) -> String {
    prefix.url(&format!("/companies/{company}/contacts{below}"))
}
