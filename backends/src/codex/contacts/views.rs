//! How contacts look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{
    Contact, Typed,
    store::{Listed, MOST},
};
use crate::{
    codex::{
        companies::{self, Company},
        controls::{
            Area, breadcrumb, button_link, delete_or_cancel, heading, layout, line, save_or_cancel, summary,
        },
        fields::FieldErrors,
        paging::{Found, Place, Wanted, count, nothing_found, pagination, search_form},
        viewer::Rights,
    },
    kit::{Page, Prefix},
};

/// The contacts of all companies.
pub(super) fn list(prefix: &Prefix, wanted: &Wanted, found: &Found<Listed>, rights: Rights) -> Page {
    let place = Place {
        prefix,
        path: "/contacts",
        plural: "contacts",
        searches: "Name, title, e-mail, phone",
    };
    layout(
        prefix,
        Area::Contacts,
        rights,
        "Contacts",
        html! {
            (heading("Contacts", Some(&count(found.total, "contact", "contacts")), html! {}))
            section .card {
                div .card__header { (search_form(&place, &wanted.search)) }
                div .card__body {
                    @if !found.rows.is_empty() {
                        (everybody(prefix, &found.rows))
                    } @else if wanted.search.is_empty() {
                        div .empty-state {
                            h2 .empty-state__title { "No contacts yet" }
                            p .empty-state__text { "Contacts are added on their company's page." }
                            div .empty-state__actions { (button_link(&prefix.url("/companies"), "Companies")) }
                        }
                    } @else {
                        (nothing_found(&place, &wanted.search))
                    }
                    (pagination(&place, wanted, found.total))
                }
            }
        },
    )
}

fn everybody(prefix: &Prefix, rows: &[Listed]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Company" }
                        th scope="col" { "Title" }
                        th scope="col" { "E-mail" }
                        th scope="col" { "Phone" }
                    }
                }
                tbody {
                    @for Listed { contact, company_name } in rows {
                        tr {
                            td { (contact.details.name) }
                            td { a href=(companies::views::address(prefix, contact.company_id, "")) { (company_name) } }
                            td { (contact.details.title.as_deref().unwrap_or("–")) }
                            td { (mailto(contact)) }
                            td .u-nowrap { (contact.details.phone.as_deref().unwrap_or("–")) }
                        }
                    }
                }
            }
        }
    }
}

fn mailto(contact: &Contact) -> Markup {
    html! {
        @match &contact.details.email {
            Some(email) => { a href={ "mailto:" (email) } { (email) } }
            None => { "–" }
        }
    }
}

/// The contacts of a company, as a part of its page.
pub(crate) fn of_company(prefix: &Prefix, company: i64, contacts: &[Contact], rights: Rights) -> Markup {
    html! {
        section .card {
            div .card__header {
                h2 .card__title { "Contacts" }
                @if rights.edit { (button_link(&address(prefix, company, "/new"), "New contact")) }
            }
            div .card__body {
                @if contacts.is_empty() {
                    div .empty-state { p .empty-state__text { "No contacts yet." } }
                } @else {
                    (table(prefix, company, contacts, rights.edit))
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
            td { (mailto(contact)) }
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

/// The form of a new contact.
pub(super) fn new(
    prefix: &Prefix,
    rights: Rights,
    company: i64,
    typed: &Typed,
    errors: &FieldErrors,
) -> Page {
    let action = address(prefix, company, "");
    let form = form(prefix, company, &action, "Create contact", typed, errors);
    titled(prefix, rights, company, "New contact", &form)
}

/// The form of a contact that exists.
pub(super) fn edit(
    prefix: &Prefix,
    rights: Rights,
    (company, contact): (i64, i64),
    typed: &Typed,
    errors: &FieldErrors,
) -> Page {
    let action = address(prefix, company, &format!("/{contact}"));
    let form = form(prefix, company, &action, "Save", typed, errors);
    titled(prefix, rights, company, "Edit contact", &form)
}

fn titled(prefix: &Prefix, rights: Rights, company: i64, title: &str, form: &Markup) -> Page {
    let steps = [
        (prefix.url("/companies"), "Companies"),
        (companies::views::address(prefix, company, ""), "Company"),
    ];
    layout(
        prefix,
        Area::Contacts,
        rights,
        title,
        html! { (breadcrumb(&steps, title)) (heading(title, None, html! {})) (form) },
    )
}

fn form(
    prefix: &Prefix,
    company: i64,
    action: &str,
    save: &str,
    typed: &Typed,
    errors: &FieldErrors,
) -> Markup {
    html! {
        section .card {
            div .card__body {
                (summary(errors, label))
                form .form method="post" action=(action) novalidate {
                    (line("name", label("name"), &typed.name, "text", true, errors))
                    (line("title", label("title"), &typed.title, "text", false, errors))
                    (line("email", label("email"), &typed.email, "email", false, errors))
                    (line("phone", label("phone"), &typed.phone, "tel", false, errors))
                    (save_or_cancel(save, &companies::views::address(prefix, company, "")))
                }
            }
        }
    }
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
pub(super) fn ask_to_delete(prefix: &Prefix, rights: Rights, company: &Company, contact: &Contact) -> Page {
    let name = contact.details.name.as_str();
    layout(
        prefix,
        Area::Contacts,
        rights,
        &format!("Delete {name}?"),
        html! {
            section .card {
                div .card__header { h1 .card__title { "Delete " (name) "?" } }
                div .card__body {
                    p { (name) " is a contact of " (company.details.name) ". This cannot be undone." }
                    (delete_or_cancel(
                        &address(prefix, company.id, &format!("/{}/delete", contact.id)),
                        "Delete contact",
                        &companies::views::address(prefix, company.id, ""),
                    ))
                }
            }
        },
    )
}

/// Why a company takes no more contacts.
pub(crate) fn full() -> String {
    format!("A company can have {MOST} contacts, and this one has that many.")
}

fn address(prefix: &Prefix, company: i64, below: &str) -> String {
    prefix.url(&format!("/companies/{company}/contacts{below}"))
}
