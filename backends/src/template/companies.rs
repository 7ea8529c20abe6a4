//! Calling another service: the first companies of Codex, asked for in this service's own name.
//!
//! A service's call is not a user's: Codex tells Template whatever it tells a service. Template decides who of its users
//! may see it, here technicians and admins.

use axum::extract::State;
use hivematrix_platform::{Levels, PermissionLevel, ServiceName};
use maud::html;
use serde::Deserialize;

use super::Template;
use crate::kit::{self, Page, Rejection, User};

/// How many are shown.
const SHOWN: u32 = 10;

/// The answer of Codex, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Answer {
    companies: Vec<Company>,
    total: u64,
}

#[derive(Debug, Deserialize)]
struct Company {
    name: String,
}

/// `GET /companies`.
pub(super) async fn show(State(template): State<Template>, user: User) -> Result<Page, Rejection> {
    user.must_be(hivematrix_platform::Access::Levels(
        Levels::NONE
            .with(PermissionLevel::Technician)
            .with(PermissionLevel::Admin),
    ))?;
    let found: Option<Answer> = match (&template.services, ServiceName::parse("codex")) {
        (Some(services), Ok(codex)) => Some(
            services
                .get(&codex, &format!("/api/companies?per_page={SHOWN}"))
                .await?,
        ),
        _ => None,
    };
    Ok(kit::page(
        "Companies · Template",
        html! {
            main .container {
                section .card {
                    div .card__header { h1 .card__title { "Companies, as Codex knows them" } }
                    div .card__body {
                        @match found {
                            Some(Answer { companies, total }) => {
                                p { "The first " (companies.len()) " of " (total) "." }
                                ul { @for company in companies { li { (company.name) } } }
                            }
                            None => div .empty-state {
                                p .empty-state__text { "This Template was started without the address of Codex." }
                            }
                        }
                    }
                }
            }
        },
    ))
}
