//! How contacts look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{Contact, Typed, store::Listed};
use crate::{
    codex::{
        belongings::{change_cell, change_heading, form_page, section},
        companies,
        controls::{line, save_or_cancel, summary},
        fields::FieldErrors,
        viewer::Rights,
    },
    kit::{Page, Prefix},
};

/// The contacts of several companies.
pub(super) fn table(prefix: &Prefix, rows: &[Listed]) -> Markup {
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
    let table = |contacts: &[Contact]| {
        html! {
            div .table-wrapper {
                table .table {
                    thead {
                        tr {
                            th scope="col" { "Name" }
                            th scope="col" { "Title" }
                            th scope="col" { "E-mail" }
                            th scope="col" { "Phone" }
                            (change_heading(rights))
                        }
                    }
                    tbody { @for contact in contacts { (row(prefix, company, contact, rights)) } }
                }
            }
        }
    };
    section(prefix, company, contacts, rights, table)
}

fn row(prefix: &Prefix, company: i64, contact: &Contact, rights: Rights) -> Markup {
    let details = &contact.details;
    html! {
        tr {
            td { (details.name) }
            td { (details.title.as_deref().unwrap_or("–")) }
            td { (mailto(contact)) }
            td .u-nowrap { (details.phone.as_deref().unwrap_or("–")) }
            (change_cell(prefix, company, contact, rights))
        }
    }
}

/// The page with the form of a contact of this company, a new one or one that exists.
pub(super) fn form(
    prefix: &Prefix,
    rights: Rights,
    (company, contact): (i64, Option<i64>),
    typed: &Typed,
    errors: &FieldErrors,
) -> Page {
    form_page::<Contact>(prefix, rights, company, contact, |action, save, back| {
        html! {
            (summary(errors, label))
            form .form method="post" action=(action) novalidate {
                (line("name", label("name"), &typed.name, "text", true, errors))
                (line("title", label("title"), &typed.title, "text", false, errors))
                (line("email", label("email"), &typed.email, "email", false, errors))
                (line("phone", label("phone"), &typed.phone, "tel", false, errors))
                (save_or_cancel(save, back))
            }
        }
    })
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
