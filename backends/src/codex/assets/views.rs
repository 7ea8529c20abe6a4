//! How assets look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{Asset, KINDS, Typed, kind_label, store::Listed};
use crate::{
    codex::{
        belongings::{change_cell, change_heading, form_page, section},
        companies,
        contacts::Contact,
        controls::{line, lines, save_or_cancel, summary},
        fields::FieldErrors,
        viewer::Rights,
    },
    kit::{Page, Prefix, choice},
};

/// The assets of several companies.
pub(super) fn table(prefix: &Prefix, rows: &[Listed]) -> Markup {
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
                            td .u-nowrap { (asset.details.name) }
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
    let table = |assets: &[Asset]| {
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
                            (change_heading(rights))
                        }
                    }
                    tbody { @for asset in assets { (row(prefix, company, asset, rights)) } }
                }
            }
        }
    };
    section(prefix, company, assets, rights, table)
}

fn row(prefix: &Prefix, company: i64, asset: &Asset, rights: Rights) -> Markup {
    let details = &asset.details;
    html! {
        tr {
            td .u-nowrap { (details.name) }
            td { span .badge { (kind_label(&details.kind)) } }
            td { (details.model.as_deref().unwrap_or("–")) }
            td .u-nowrap { (details.serial_number.as_deref().unwrap_or("–")) }
            td { (details.location.as_deref().unwrap_or("–")) }
            td { (asset.contact_name.as_deref().unwrap_or("–")) }
            (change_cell(prefix, company, asset, rights))
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
    let typed = form.typed;
    let kind = if typed.kind.is_empty() {
        "workstation"
    } else {
        &typed.kind
    };
    form_page::<Asset>(
        prefix,
        form.rights,
        form.company,
        form.asset,
        |action, save, back| {
            html! {
                (summary(errors, label))
                form .form method="post" action=(action) novalidate {
                    (line("name", label("name"), &typed.name, "text", true, errors))
                    (choice("kind", label("kind"), &KINDS, kind))
                    (line("model", label("model"), &typed.model, "text", false, errors))
                    (line("serial_number", label("serial_number"), &typed.serial_number, "text", false, errors))
                    (line("location", label("location"), &typed.location, "text", false, errors))
                    (assigned(form))
                    (lines("notes", label("notes"), &typed.notes, 4, errors))
                    (save_or_cancel(save, back))
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
