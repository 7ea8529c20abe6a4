//! Which address leads where, and who may go there.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post, put},
};
use hivematrix_platform::Access;

use super::{
    Codex, agents,
    assets::{self, Asset},
    belongings, companies,
    contacts::{self, Contact},
    exchange, preferences, pull,
    viewer::editors,
};
use crate::kit::Auth;

/// For people.
pub(super) fn pages(auth: &Auth) -> Router<Codex> {
    use assets::pages as asset;
    use companies::pages as company;
    use contacts::pages as contact;
    let reading = Router::new()
        .route("/", get(company::list))
        .route("/companies", get(company::list))
        .route("/companies/{id}", get(company::show))
        .route("/contacts", get(belongings::list::<Contact>))
        .route("/assets", get(belongings::list::<Asset>))
        .route(
            "/settings",
            get(preferences::pages::show).post(preferences::pages::save),
        )
        .route("/settings.js", get(preferences::pages::script));
    let editing = Router::new()
        .route("/companies/new", get(company::new))
        .route("/companies", post(company::create))
        .route("/companies/{id}", post(company::update))
        .route("/companies/{id}/edit", get(company::edit))
        .route(
            "/companies/{id}/delete",
            get(company::ask_to_delete).post(company::delete),
        )
        .route("/companies/{id}/contacts/new", get(contact::new))
        .route("/companies/{id}/contacts", post(contact::create))
        .route("/companies/{id}/contacts/{contact}", post(contact::update))
        .route("/companies/{id}/contacts/{contact}/edit", get(contact::edit))
        .route(
            "/companies/{id}/contacts/{contact}/delete",
            get(belongings::ask_to_delete::<Contact>).post(belongings::delete::<Contact>),
        )
        .route("/companies/{id}/assets/new", get(asset::new))
        .route("/companies/{id}/assets", post(asset::create))
        .route("/companies/{id}/assets/{asset}", post(asset::update))
        .route("/companies/{id}/assets/{asset}/edit", get(asset::edit))
        .route(
            "/companies/{id}/assets/{asset}/delete",
            get(belongings::ask_to_delete::<Asset>).post(belongings::delete::<Asset>),
        )
        .route("/export/companies.csv", get(exchange::companies))
        .route("/export/contacts.csv", get(exchange::contacts))
        .route("/export/assets.csv", get(exchange::assets))
        .merge(
            Router::new()
                .route("/import", get(exchange::pages::show).post(exchange::pages::take))
                .layer(DefaultBodyLimit::max(exchange::LARGEST_BODY)),
        );
    let administrating = Router::new()
        .route("/agents", get(agents::pages::list))
        .route("/agents/sync", post(agents::pages::start))
        .route("/pull", get(pull::pages::show).post(pull::pages::start));
    auth.guard(reading, Access::AnyUser)
        .merge(auth.guard(editing, editors()))
        .merge(auth.guard(administrating, Access::admin_only()))
}

/// For programs.
pub(super) fn api(auth: &Auth) -> Router<Codex> {
    use assets::api as asset;
    use companies::api as company;
    use contacts::api as contact;
    let reading = Router::new()
        .route("/api/companies", get(company::list))
        .route("/api/companies/{id}", get(company::get))
        .route("/api/companies/{id}/contacts", get(belongings::all::<Contact>))
        .route(
            "/api/companies/{id}/contacts/{contact}",
            get(belongings::get::<Contact>),
        )
        .route("/api/companies/{id}/assets", get(belongings::all::<Asset>))
        .route(
            "/api/companies/{id}/assets/{asset}",
            get(belongings::get::<Asset>),
        )
        .route("/api/contacts", get(belongings::search::<Contact>))
        .route("/api/assets", get(belongings::search::<Asset>))
        .route(
            "/api/my/settings",
            get(preferences::api::mine).put(preferences::api::change_mine),
        )
        .route("/api/public/user/theme", get(preferences::api::theme_of))
        .route("/api/public/user/home-page", get(preferences::api::home_page_of));
    let editing = Router::new()
        .route("/api/companies", post(company::create))
        .route(
            "/api/companies/{id}",
            put(company::replace).delete(company::delete),
        )
        .route("/api/companies/{id}/contacts", post(contact::create))
        .route(
            "/api/companies/{id}/contacts/{contact}",
            put(contact::replace).delete(belongings::remove::<Contact>),
        )
        .route("/api/companies/{id}/assets", post(asset::create))
        .route(
            "/api/companies/{id}/assets/{asset}",
            put(asset::replace).delete(belongings::remove::<Asset>),
        )
        .merge(
            Router::new()
                .route("/api/import/{kind}", post(exchange::api::take))
                .layer(DefaultBodyLimit::max(exchange::LARGEST_BODY)),
        );
    let administrating = Router::new()
        .route("/api/agents", get(agents::api::list))
        .route("/api/agents/sync", post(agents::api::start))
        .route("/api/pull", get(pull::api::show).post(pull::api::start));
    auth.guard(reading, Access::AnyUser)
        .merge(auth.guard(editing, editors()))
        .merge(auth.guard(administrating, Access::admin_only()))
}
