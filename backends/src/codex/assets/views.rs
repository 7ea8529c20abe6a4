//! How assets look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{Asset, KINDS, Typed, kind_label, store::Listed};
use crate::{
    codex::{
        companies::{self, Company},
        contacts::Contact,
        controls::{
            Area, breadcrumb, button_link, delete_or_cancel, heading, layout, line, lines, save_or_cancel,
            summary,
        },
        fields::FieldErrors,
        paging::{Found, Place, Wanted, count, nothing_found, pagination, search_form},
        viewer::Rights,
    },
    kit::{Page, Prefix, choice},
};

/// The assets of all companies.
pub(super) fn list(prefix: &Prefix, wanted: &Wanted, found: &Found<Listed>, rights: Rights) -> Page {
    let place = Place {
        prefix,
        path: "/assets",
        plural: "assets",
        searches: "Name, kind, serial number, model, location",
    };
    layout(
        prefix,
        Area::Assets,
        rights,
        "Assets",
        html! {
            (heading("Assets", Some(&count(found.total, "asset", "assets")), html! {}))
            section .card {
                div .card__header { (search_form(&place, &wanted.search)) }
                div .card__body {
                    @if !found.rows.is_empty() {
                        (everything(prefix, &found.rows))
                    } @else if wanted.search.is_empty() {
                        div .empty-state {
                            h2 .empty-state__title { "No assets yet" }
                            p .empty-state__text { "Assets are added on their company's page." }
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

fn everything(prefix: &Prefix, rows: &[Listed]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Company" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Serial number" }
                        th scope="col" { "Assigned to" }
                    }
                }
                tbody {
                    @for Listed { asset, company_name } in rows {
                        tr {
                            td { (asset.details.name) }
                            td { a href=(companies::views::address(prefix, asset.company_id, "")) { (company_name) } }
                            td { span .badge { (kind_label(&asset.details.kind)) } }
                            td .u-nowrap { (asset.details.serial_number.as_deref().unwrap_or("–")) }
                            td { (asset.contact_name.as_deref().unwrap_or("–")) }
                        }
                    }
                }
            }
        }
    }
}

/// The assets of a company, as a part of its page.
pub(crate) fn of_company(prefix: &Prefix, company: i64, assets: &[Asset], rights: Rights) -> Markup {
    html! {
        section .card {
            div .card__header {
                h2 .card__title { "Assets" }
                @if rights.edit { (button_link(&address(prefix, company, "/new"), "New asset")) }
            }
            div .card__body {
                @if assets.is_empty() {
                    div .empty-state { p .empty-state__text { "No assets yet." } }
                } @else {
                    (table(prefix, company, assets, rights.edit))
                }
            }
        }
    }
}

fn table(prefix: &Prefix, company: i64, assets: &[Asset], may_edit: bool) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Model" }
                        th scope="col" { "Serial number" }
                        th scope="col" { "Location" }
                        th scope="col" { "Assigned to" }
                        @if may_edit { th .table__cell--actions scope="col" { span .u-visually-hidden { "Change" } } }
                    }
                }
                tbody { @for asset in assets { (row(prefix, company, asset, may_edit)) } }
            }
        }
    }
}

fn row(prefix: &Prefix, company: i64, asset: &Asset, may_edit: bool) -> Markup {
    let details = &asset.details;
    let name = details.name.as_str();
    html! {
        tr {
            td { (name) }
            td { span .badge { (kind_label(&details.kind)) } }
            td { (details.model.as_deref().unwrap_or("–")) }
            td .u-nowrap { (details.serial_number.as_deref().unwrap_or("–")) }
            td { (details.location.as_deref().unwrap_or("–")) }
            td { (asset.contact_name.as_deref().unwrap_or("–")) }
            @if may_edit {
                td .table__cell--actions {
                    a .btn .btn--small href=(address(prefix, company, &format!("/{}/edit", asset.id)))
                        aria-label={ "Edit " (name) } { span .btn__label { "Edit" } }
                    " "
                    a .btn .btn--small href=(address(prefix, company, &format!("/{}/delete", asset.id)))
                        aria-label={ "Delete " (name) } { span .btn__label { "Delete" } }
                }
            }
        }
    }
}

/// The form of an asset.
pub(super) struct Form<'a> {
    /// What the page offers.
    pub(super) rights: Rights,
    /// The company.
    pub(super) company: i64,
    /// The asset, if it exists.
    pub(super) asset: Option<i64>,
    /// Whom it may be assigned to.
    pub(super) contacts: &'a [Contact],
    /// What is typed so far.
    pub(super) typed: &'a Typed,
}

/// The page with the form.
pub(super) fn form(prefix: &Prefix, form: &Form<'_>, errors: &FieldErrors) -> Page {
    let (title, save, below) = match form.asset {
        None => ("New asset", "Create asset", String::new()),
        Some(id) => ("Edit asset", "Save", format!("/{id}")),
    };
    let company_page = companies::views::address(prefix, form.company, "");
    let steps = [
        (prefix.url("/companies"), "Companies"),
        (company_page.clone(), "Company"),
    ];
    let typed = form.typed;
    layout(
        prefix,
        Area::Assets,
        form.rights,
        title,
        html! {
            (breadcrumb(&steps, title))
            (heading(title, None, html! {}))
            section .card {
                div .card__body {
                    (summary(errors, label))
                    form .form method="post" action=(address(prefix, form.company, &below)) novalidate {
                        (line("name", label("name"), &typed.name, "text", true, errors))
                        (choice("kind", label("kind"), &KINDS, if typed.kind.is_empty() { "workstation" } else { &typed.kind }))
                        (line("model", label("model"), &typed.model, "text", false, errors))
                        (line("serial_number", label("serial_number"), &typed.serial_number, "text", false, errors))
                        (line("location", label("location"), &typed.location, "text", false, errors))
                        (assigned(form))
                        (lines("notes", label("notes"), &typed.notes, 4, errors))
                        (save_or_cancel(save, &company_page))
                    }
                }
            }
        },
    )
}

fn assigned(form: &Form<'_>) -> Markup {
    let chosen = form.typed.contact_id.as_str();
    let ids: Vec<String> = form
        .contacts
        .iter()
        .map(|contact| contact.id.to_string())
        .collect();
    let mut options = vec![("", "Nobody")];
    options.extend(
        ids.iter()
            .zip(form.contacts)
            .map(|(id, contact)| (id.as_str(), contact.details.name.as_str())),
    );
    if !options.iter().any(|(id, _)| *id == chosen) {
        options.push((chosen, "As chosen before"));
    }
    choice("contact_id", label("contact_id"), &options, chosen)
}

fn label(field: &'static str) -> &'static str {
    match field {
        "name" => "Name",
        "kind" => "Kind",
        "serial_number" => "Serial number",
        "model" => "Model",
        "location" => "Location",
        "notes" => "Notes",
        "contact_id" => "Assigned to",
        other => other,
    }
}

/// Asks whether to delete an asset.
pub(super) fn ask_to_delete(prefix: &Prefix, rights: Rights, company: &Company, asset: &Asset) -> Page {
    let name = asset.details.name.as_str();
    layout(
        prefix,
        Area::Assets,
        rights,
        &format!("Delete {name}?"),
        html! {
            section .card {
                div .card__header { h1 .card__title { "Delete " (name) "?" } }
                div .card__body {
                    p { (name) " belongs to " (company.details.name) ". This cannot be undone." }
                    (delete_or_cancel(
                        &address(prefix, company.id, &format!("/{}/delete", asset.id)),
                        "Delete asset",
                        &companies::views::address(prefix, company.id, ""),
                    ))
                }
            }
        },
    )
}

fn address(prefix: &Prefix, company: i64, below: &str) -> String {
    prefix.url(&format!("/companies/{company}/assets{below}"))
}
