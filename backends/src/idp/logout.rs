//! Logout that an application asks for (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Responsible for: ending the session that the ID token names, asking the person when there is no such token, and
//! sending browsers to registered addresses only. Not responsible for: the application's own session.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hivematrix_platform::unix_now;
use http::{HeaderMap, StatusCode};

use super::address::Base;
use super::forms::{Params, Repeated};
use super::settings::DevClient;
use super::tokens::Kind;
use super::{Idp, authorize, login, pages};

type Refusal = &'static str;

/// `GET /protocol/openid-connect/logout`.
pub(super) async fn asked(
    State(idp): State<Arc<Idp>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    requested(&idp, &headers, params)
}

/// `POST /protocol/openid-connect/logout`: the same, from a form of the application.
pub(super) async fn posted(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::of_body(&headers, &body);
    requested(&idp, &headers, params)
}

/// `POST /protocol/openid-connect/logout/logout-confirm`: the person said yes on our page.
pub(super) async fn confirmed(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(base) = idp.bases.of(&headers) else {
        return pages::unknown_address();
    };
    if !base.is_own_form(&headers) {
        return pages::refused(StatusCode::FORBIDDEN, "This form was sent by another site.");
    }
    let Ok(params) = Params::of_body(&headers, &body) else {
        return malformed();
    };
    let now = unix_now();
    match idp.target(None, &params) {
        Ok(target) => {
            if let Some(session) = idp.sessions.of_browser(&headers, now) {
                idp.end_session(&session.sid, now);
            }
            done(base, target, &params)
        }
        Err(refusal) => pages::refused(StatusCode::BAD_REQUEST, refusal),
    }
}

fn requested(idp: &Arc<Idp>, headers: &HeaderMap, params: Result<Params, Repeated>) -> Response {
    let Some(base) = idp.bases.of(headers) else {
        return pages::unknown_address();
    };
    let Ok(params) = params else { return malformed() };
    let now = unix_now();
    let hint = match params.get("id_token_hint") {
        None => None,
        Some(token) => match idp.keys.read(token, Kind::Id, &idp.bases.issuers(), true) {
            Some(known) => Some(known),
            None => return pages::refused(StatusCode::BAD_REQUEST, "The ID token is not one of ours."),
        },
    };
    let target = match idp.target(hint.as_ref().map(|known| known.azp.as_str()), &params) {
        Ok(target) => target,
        Err(refusal) => return pages::refused(StatusCode::BAD_REQUEST, refusal),
    };
    let browser = idp.sessions.of_browser(headers, now);
    let Some(hint) = hint else {
        return confirm(base, &params, target.is_some());
    };
    idp.end_session(&hint.sid, now);
    match browser {
        // The application's person is not the one who sits here: that one is asked.
        Some(session) if session.sub != hint.sub => confirm(base, &params, target.is_some()),
        Some(session) => {
            idp.end_session(&session.sid, now);
            done(base, target, &params)
        }
        None => done(base, target, &params),
    }
}

impl Idp {
    /// Where the browser is sent afterwards: nowhere, or to an address that is registered for the client.
    fn target(&self, hinted: Option<&str>, params: &Params) -> Result<Option<String>, Refusal> {
        let named = params.get("client_id");
        if hinted.is_some() && named.is_some() && hinted != named {
            return Err("The ID token belongs to another application.");
        }
        let client: Option<&DevClient> = match hinted.or(named) {
            None => None,
            Some(id) => Some(self.clients.get(id).ok_or("The application is not known here.")?),
        };
        let Some(uri) = params.owned("post_logout_redirect_uri") else {
            return Ok(None);
        };
        match client {
            Some(client) if client.post_logout_redirect_uris.contains(&uri) => Ok(Some(uri)),
            Some(_) | None => Err("The application may not send people to this address."),
        }
    }
}

fn confirm(base: &Base, params: &Params, with_target: bool) -> Response {
    let names = ["client_id", "post_logout_redirect_uri", "state"];
    // A client that is known by its ID token alone is not named in the parameters; then nothing is kept.
    let keep = with_target && params.get("client_id").is_some();
    let kept: Vec<(&str, &str)> = names
        .iter()
        .filter_map(|name| Some((*name, params.get(name)?)))
        .filter(|_| keep)
        .collect();
    pages::confirm_logout(base, &kept)
}

fn done(base: &Base, target: Option<String>, params: &Params) -> Response {
    let mut answer = match target {
        Some(uri) => authorize::redirect(&uri, &[], params.get("state")),
        None => pages::signed_out(),
    };
    login::clear_cookie(&mut answer, base);
    answer
}

fn malformed() -> Response {
    pages::refused(StatusCode::BAD_REQUEST, "The request is malformed.")
}
