//! How the pages about companies look: markup in the classes of the design system, nothing else.

use form_urlencoded::Serializer;
use maud::{Markup, html};

use super::{Company, Typed, store::Found};
use crate::{
    codex::{
        contacts::{self, Contact},
        controls::{
            Done, breadcrumb, button_link, delete_or_cancel, heading, line, lines, primary_link,
            save_or_cancel, summary,
        },
        fields::FieldErrors,
    },
    kit::{Page, Prefix, page},
};

/// What the list shows.
pub(super) struct Listing<'a> {
    /// What was searched for; empty: everything.
    pub(super) search: &'a str,
    /// Which page this is, from 1.
    pub(super) page: i64,
    /// How many pages there are.
    pub(super) pages: i64,
    /// The companies of this page.
    pub(super) found: &'a Found,
    /// What was just done.
    pub(super) done: Done,
}

/// The list of companies.
pub(super) fn list(prefix: &Prefix, listing: &Listing<'_>, may_edit: bool) -> Page {
    let new = html! { @if may_edit { (primary_link(&prefix.url("/companies/new"), "New company")) } };
    let total = listing.found.total;
    let count = if total == 1 {
        "1 company".to_owned()
    } else {
        format!("{total} companies")
    };
    page(
        "Companies · Codex",
        html! {
            main .container {
                (heading("Companies", Some(&count), new))
                (listing.done.notice())
                section .card {
                    div .card__header { (search_form(prefix, listing.search)) }
                    div .card__body {
                        @if listing.found.companies.is_empty() {
                            (nothing_found(prefix, listing.search, may_edit))
                        } @else {
                            (table(prefix, &listing.found.companies))
                        }
                        (pagination(prefix, listing))
                    }
                }
            }
        },
    )
}

fn search_form(prefix: &Prefix, search: &str) -> Markup {
    html! {
        form .form .form--inline .u-grow method="get" action=(prefix.url("/companies")) role="search" {
            div .form__group .u-grow {
                label .u-visually-hidden for="search" { "Search companies" }
                input .form__input .u-w-full #search name="search" type="search" value=(search) maxlength="100"
                    placeholder="Name, account number, website, address";
            }
            button .btn type="submit" { span .btn__label { "Search" } }
            @if !search.is_empty() { (button_link(&prefix.url("/companies"), "Show all")) }
        }
    }
}

fn nothing_found(prefix: &Prefix, search: &str, may_edit: bool) -> Markup {
    html! {
        div .empty-state {
            @if search.is_empty() {
                h2 .empty-state__title { "No companies yet" }
                p .empty-state__text { "Companies are the customers you look after." }
                @if may_edit {
                    div .empty-state__actions {
                        (primary_link(&prefix.url("/companies/new"), "Create the first company"))
                    }
                }
            } @else {
                h2 .empty-state__title { "Nothing found" }
                p .empty-state__text { "No company matches “" (search) "”." }
                div .empty-state__actions { (button_link(&prefix.url("/companies"), "Show all companies")) }
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
                    }
                }
                tbody {
                    @for company in companies {
                        tr {
                            td { a href=(address(prefix, company.id, "")) { (company.details.name) } }
                            td .u-nowrap { (company.details.account_number.as_deref().unwrap_or("–")) }
                            td .u-nowrap { (company.details.phone.as_deref().unwrap_or("–")) }
                            td .table__cell--number { (company.contacts) }
                        }
                    }
                }
            }
        }
    }
}

fn pagination(prefix: &Prefix, listing: &Listing<'_>) -> Markup {
    let link = |page: i64| {
        let mut query = Serializer::new(String::new());
        if !listing.search.is_empty() {
            query.append_pair("search", listing.search);
        }
        query.append_pair("page", &page.to_string());
        prefix.url(&format!("/companies?{}", query.finish()))
    };
    html! {
        @if listing.pages > 1 {
            nav aria-label="Pages" {
                ul .pagination {
                    @if listing.page > 1 {
                        li .pagination__item { a .pagination__link href=(link(listing.page - 1)) rel="prev" { "Previous" } }
                    }
                    @for page in nearby(listing.page, listing.pages) {
                        li .pagination__item {
                            @if page == listing.page {
                                span .pagination__link aria-current="page" { (page) }
                            } @else {
                                a .pagination__link href=(link(page)) { (page) }
                            }
                        }
                    }
                    @if listing.page < listing.pages {
                        li .pagination__item { a .pagination__link href=(link(listing.page + 1)) rel="next" { "Next" } }
                    }
                }
            }
        }
    }
}

/// The pages that are worth a link: the first, the last, and those around the present one.
fn nearby(page: i64, pages: i64) -> Vec<i64> {
    let mut nearby = vec![1, page - 2, page - 1, page, page + 1, page + 2, pages];
    nearby.retain(|number| (1..=pages).contains(number));
    nearby.sort_unstable();
    nearby.dedup();
    nearby
}

/// One company with its contacts.
pub(super) fn show(
    prefix: &Prefix,
    company: &Company,
    contacts: &[Contact],
    may_edit: bool,
    done: Done,
) -> Page {
    let actions = html! {
        @if may_edit {
            (primary_link(&address(prefix, company.id, "/edit"), "Edit"))
            a .btn .btn--danger href=(address(prefix, company.id, "/delete")) { span .btn__label { "Delete" } }
        }
    };
    page(
        &format!("{} · Codex", company.details.name),
        html! {
            main .container {
                (breadcrumb(&[(prefix.url("/companies"), "Companies")], &company.details.name))
                (heading(&company.details.name, company.details.account_number.as_deref(), actions))
                (done.notice())
                section .card {
                    div .card__header { h2 .card__title { "Details" } }
                    div .card__body { (facts(company)) }
                }
                (contacts::views::list(prefix, company.id, contacts, may_edit))
            }
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
            dt { "Last changed" }
            dd { (day(company.updated_at)) }
        }
    }
}

fn several_lines(text: &str) -> Markup {
    html! { @for (number, line) in text.lines().enumerate() { @if number > 0 { br; } (line) } }
}

/// A day as ISO 8601 writes it, UTC.
fn day(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map(|time| time.date().to_string())
        .unwrap_or_default()
}

/// The empty form.
pub(super) fn new(prefix: &Prefix, typed: &Typed, errors: &FieldErrors) -> Page {
    let (action, cancel) = (prefix.url("/companies"), prefix.url("/companies"));
    form("New company", &action, "Create company", &cancel, typed, errors)
}

/// The form of a company that exists.
pub(super) fn edit(prefix: &Prefix, company: &Company, typed: &Typed, errors: &FieldErrors) -> Page {
    let here = address(prefix, company.id, "");
    form(
        &format!("Edit {}", company.details.name),
        &here,
        "Save",
        &here,
        typed,
        errors,
    )
}

fn form(title: &str, action: &str, save: &str, cancel: &str, typed: &Typed, errors: &FieldErrors) -> Page {
    page(
        &format!("{title} · Codex"),
        html! {
            main .container {
                (heading(title, None, html! {}))
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
        },
    )
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
pub(super) fn ask_to_delete(prefix: &Prefix, company: &Company) -> Page {
    let contacts = match company.contacts {
        0 => "It has no contacts.".to_owned(),
        1 => "Its one contact will be deleted with it.".to_owned(),
        several => format!("Its {several} contacts will be deleted with it."),
    };
    page(
        &format!("Delete {}? · Codex", company.details.name),
        html! {
            main .container {
                section .card {
                    div .card__header { h1 .card__title { "Delete " (company.details.name) "?" } }
                    div .card__body {
                        p { (contacts) " This cannot be undone." }
                        (delete_or_cancel(
                            &address(prefix, company.id, "/delete"),
                            "Delete company",
                            &address(prefix, company.id, ""),
                        ))
                    }
                }
            }
        },
    )
}

/// The address of a company's page, or of one below it.
fn address(prefix: &Prefix, id: i64, below: &str) -> String {
    prefix.url(&format!("/companies/{id}{below}"))
}
