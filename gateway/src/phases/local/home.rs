//! `/`: to the caller's home page, else to the first service it may enter, else a page that says so.

use hivematrix_plugins::{MenuEntry, PreferenceSource, design};
use http::StatusCode;
use maud::html;
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::Identity;
use crate::phases::local::login::caller;
use crate::phases::local::logout;
use crate::reply::Reply;
use crate::snapshot::entrances;

/// Sends a signed-in caller home, anybody else to the login.
pub(super) async fn answer(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let identity = match caller(gateway, head, context).await? {
        Ok(identity) => identity,
        Err(Refusal::LoginNeeded(_)) if let Some(next) = logout::again(head) => {
            return Ok(Reply::redirect(
                StatusCode::SEE_OTHER,
                &logout::login_as_somebody_else(&next),
            ));
        }
        Err(refusal) => return Err(refusal),
    };
    let Some(entry) = home_of(gateway, context, &identity).await else {
        return Ok(Reply::page(StatusCode::OK, nothing(&identity)));
    };
    Ok(Reply::redirect(StatusCode::FOUND, &entry.href))
}

/// The preferred service if it is visible and permitted, else the default, else the first permitted one.
async fn home_of<'a>(gateway: &Gateway, context: &'a Context, identity: &Identity) -> Option<&'a MenuEntry> {
    let preferred = match gateway.preferences.load(identity.caller.email()).await {
        Some(preferences) => preferences.home_page.clone(),
        None => None,
    };
    let menu = &context.snapshot.menu;
    let level = identity.caller.level();
    let named = |name: &str| entrances(menu, level).find(|entry| entry.name == name);
    preferred
        .and_then(|name| named(name.as_str()))
        .or_else(|| named(context.snapshot.config.home.default_service.as_str()))
        .or_else(|| entrances(menu, level).next())
}

fn nothing(identity: &Identity) -> String {
    design::standalone_page(
        "Nothing to open yet",
        html! {
            p { "You are signed in as " strong { (identity.caller.claims.user.name) }
                ", but no service of this platform is open to your account. Ask an administrator for access." }
            a.btn href="/logout" { span.btn__label { "Sign out" } }
        },
    )
}
