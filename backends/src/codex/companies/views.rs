//! How the pages about companies look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{Company, Typed};
use crate::{
    codex::{
        assets::{self, Asset},
        contacts::{self, Contact},
        controls::{
            Area, Done, breadcrumb, delete_or_cancel, heading, layout, line, lines, primary_link,
            save_or_cancel, summary,
        },
        fields::FieldErrors,
        paging::{Around, Found, Place, Wanted, listing},
        viewer::Rights,
    },
    kit::{Page, Prefix},
};

/// The list of companies.
pub(super) fn list(
    prefix: &Prefix,
    wanted: &Wanted,
    found: &Found<Company>,
    rights: Rights,
    done: Done,
) -> Page {
    let place = Place {
        prefix,
        singular: "company",
        plural: "companies",
        searches: "Name, account number, website, address",
    };
    let around = Around {
        actions: html! { @if rights.edit { (primary_link(&prefix.url("/companies/new"), "New company")) } },
        notice: done.notice(),
        none: none(prefix, rights),
        ..Around::default()
    };
    let body = listing(&place, wanted, found, &around, |rows| table(prefix, rows));
    layout(prefix, Area::Companies, rights, &place.title(), body)
}

fn none(prefix: &Prefix, rights: Rights) -> Markup {
    html! {
        h2 .empty-state__title { "No companies yet" }
        @if rights.edit {
            p .empty-state__text { "Companies are the customers you look after." }
            div .empty-state__actions {
                (primary_link(&prefix.url("/companies/new"), "Create the first company"))
            }
        } @else {
            p .empty-state__text {
                "You see the companies that have you as a contact, by your e-mail address. There is none yet: "
                "please ask your service provider to add you."
            }
        }
    }
}

fn table(prefix: &Prefix, companies: &[Company]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Account number" }
                        th scope="col" { "Phone" }
                        th .table__cell--number scope="col" { "Contacts" }
                        th .table__cell--number scope="col" { "Assets" }
                    }
                }
                tbody {
                    @for company in companies {
                        tr {
                            td { a href=(address(prefix, company.id, "")) { (company.details.name) } }
                            td .u-nowrap { (company.details.account_number.as_deref().unwrap_or("–")) }
                            td .u-nowrap { (company.details.phone.as_deref().unwrap_or("–")) }
                            td .table__cell--number { (company.contacts) }
                            td .table__cell--number { (company.assets) }
                        }
                    }
                }
            }
        }
    }
}

/// What belongs to a company.
pub(super) struct Lists<'a> {
    /// Its contacts.
    pub(super) contacts: &'a [Contact],
    /// Its assets.
    pub(super) assets: &'a [Asset],
}

/// One company with its contacts and assets.
pub(super) fn show(
    prefix: &Prefix,
    company: &Company,
    lists: &Lists<'_>,
    rights: Rights,
    done: Done,
) -> Page {
    let actions = html! {
        @if rights.edit {
            (primary_link(&address(prefix, company.id, "/edit"), "Edit"))
            a .btn .btn--danger href=(address(prefix, company.id, "/delete")) { span .btn__label { "Delete" } }
        }
    };
    layout(
        prefix,
        Area::Companies,
        rights,
        &company.details.name,
        html! {
            (breadcrumb(&[(prefix.url("/companies"), "Companies")], &company.details.name))
            (heading(&company.details.name, company.details.account_number.as_deref(), &actions))
            (done.notice())
            section .card {
                div .card__header { h2 .card__title { "Details" } }
                div .card__body { (facts(company)) }
            }
            (contacts::views::of_company(prefix, company.id, lists.contacts, rights))
            (assets::views::of_company(prefix, company.id, lists.assets, rights))
        },
    )
}

fn facts(company: &Company) -> Markup {
    let details = &company.details;
    html! {
        dl {
            @if let Some(website) = &details.website {
                dt { "Website" }
                // Somebody else's page: it must learn neither our address nor get hold of our window.
                dd { a href=(website) rel="noopener noreferrer" { (website) } }
            }
            @if let Some(phone) = &details.phone { dt { "Phone" } dd { (phone) } }
            @if let Some(address) = &details.address { dt { "Address" } dd { (several_lines(address)) } }
            @if let Some(notes) = &details.notes { dt { "Notes" } dd { (several_lines(notes)) } }
            @if let Some(external) = &company.external {
                dt { "From" }
                dd { (external.source) ", number " (external.id) }
            }
            dt { "Last changed" }
            dd { (day(company.updated_at)) }
        }
    }
}

/// A text with its line breaks.
pub(crate) fn several_lines(text: &str) -> Markup {
    html! { @for (number, line) in text.lines().enumerate() { @if number > 0 { br; } (line) } }
}

/// A day as ISO 8601 writes it, UTC.
pub(crate) fn day(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map(|time| time.date().to_string())
        .unwrap_or_default()
}

/// The form of a new company.
pub(super) fn new(prefix: &Prefix, rights: Rights, typed: &Typed, errors: &FieldErrors) -> Page {
    let address = prefix.url("/companies");
    let form = form(&address, "Create company", &address, typed, errors);
    layout(
        prefix,
        Area::Companies,
        rights,
        "New company",
        html! {
            (breadcrumb(&[(address, "Companies")], "New company"))
            (heading("New company", None, &html! {}))
            (form)
        },
    )
}

/// The form of a company that exists.
pub(super) fn edit(prefix: &Prefix, rights: Rights, id: i64, typed: &Typed, errors: &FieldErrors) -> Page {
    let here = address(prefix, id, "");
    let form = form(&here, "Save", &here, typed, errors);
    layout(
        prefix,
        Area::Companies,
        rights,
        "Edit company",
        html! {
            (breadcrumb(&[(prefix.url("/companies"), "Companies"), (here.clone(), "Company")], "Edit"))
            (heading("Edit company", None, &html! {}))
            (form)
        },
    )
}

fn form(action: &str, save: &str, cancel: &str, typed: &Typed, errors: &FieldErrors) -> Markup {
    html! {
        section .card {
            div .card__body {
                (summary(errors, label))
                // Our own messages are friendlier and the same in every browser.
                form .form method="post" action=(action) novalidate {
                    (line("name", label("name"), &typed.name, "text", true, errors))
                    (line("account_number", label("account_number"), &typed.account_number, "text", false, errors))
                    (line("website", label("website"), &typed.website, "url", false, errors))
                    (line("phone", label("phone"), &typed.phone, "tel", false, errors))
                    (lines("address", label("address"), &typed.address, 3, errors))
                    (lines("notes", label("notes"), &typed.notes, 6, errors))
                    (save_or_cancel(save, cancel))
                }
            }
        }
    }
}

fn label(field: &'static str) -> &'static str {
    match field {
        "name" => "Name",
        "account_number" => "Account number",
        "website" => "Website",
        "phone" => "Phone",
        "address" => "Address",
        "notes" => "Notes",
        other => other,
    }
}

/// Asks whether to delete a company.
pub(super) fn ask_to_delete(prefix: &Prefix, company: &Company, rights: Rights) -> Page {
    let contacts = match company.contacts {
        0 => "It has no contacts.".to_owned(),
        1 => "Its one contact will be deleted with it.".to_owned(),
        several => format!("Its {several} contacts will be deleted with it."),
    };
    let assets = match company.assets {
        0 => String::new(),
        1 => " So will its one asset.".to_owned(),
        several => format!(" So will its {several} assets."),
    };
    layout(
        prefix,
        Area::Companies,
        rights,
        &format!("Delete {}?", company.details.name),
        html! {
            section .card {
                div .card__header { h1 .card__title { "Delete " (company.details.name) "?" } }
                div .card__body {
                    p { (contacts) (assets) " This cannot be undone." }
                    (delete_or_cancel(
                        &address(prefix, company.id, "/delete"),
                        "Delete company",
                        &address(prefix, company.id, ""),
                    ))
                }
            }
        },
    )
}

/// The address of a company's page, or of one below it.
pub(crate) fn address(prefix: &Prefix, id: i64, below: &str) -> String {
    prefix.url(&format!("/companies/{id}{below}"))
}
