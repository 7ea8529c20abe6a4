//! The provider's own pages: login, logout, refusals.
//!
//! Responsible for: markup and style of pages that are shown without the gateway's composition, under a policy
//! that allows exactly this style and no script. Not responsible for: when which page is shown.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::address::Base;
use super::authorize::Asked;

/// The style of all pages, allowed by its hash.
const STYLE: &str = include_str!("pages.css");

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE)));

/// The login form. `request` is the query of the authorization request, which comes back with the form: nothing is
/// kept here for people who have not signed in yet, so any number of tabs may be open.
pub(super) fn login(
    base: &Base,
    request: &str,
    asked: &Asked<'_>,
    login: &str,
    notice: Option<&str>,
    problem: Option<&str>,
) -> Response {
    let body = html! {
        h1 { "Sign in" }
        p .lead { "to continue to HiveMatrix" }
        @if let Some(problem) = problem { p .problem #problem role="alert" { (problem) } }
        form method="post" action={ (base.issuer) "/login-actions/authenticate" } {
            input type="hidden" name="request" value=(request);
            label for="username" { "Username or e-mail" }
            input #username name="username" value=(login) autocomplete="username" autocapitalize="none"
                spellcheck="false" maxlength="254" required autofocus[login.is_empty()]
                aria-describedby=[problem.map(|_| "problem")];
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="current-password" maxlength="254"
                required autofocus[!login.is_empty()] aria-describedby=[problem.map(|_| "problem")];
            button type="submit" { "Sign in" }
        }
        @if let Some(notice) = notice { p .notice { (notice) } }
    };
    answer(StatusCode::OK, "Sign in", &body, asked.destination().as_deref())
}

/// Asks whether to sign out, when nobody proved that the application asked for it.
pub(super) fn confirm_logout(base: &Base, kept: &[(&str, &str)]) -> Response {
    let destination = kept
        .iter()
        .find(|(name, _)| *name == "post_logout_redirect_uri")
        .and_then(|(_, uri)| url::Url::parse(uri).ok())
        .map(|url| url.origin().ascii_serialization());
    let body = html! {
        h1 { "Sign out?" }
        p .lead { "You will have to give your password again the next time." }
        form method="post" action={ (base.issuer) "/protocol/openid-connect/logout/logout-confirm" } {
            @for (name, value) in kept { input type="hidden" name=(name) value=(value); }
            button type="submit" { "Sign out" }
        }
    };
    answer(StatusCode::OK, "Sign out?", &body, destination.as_deref())
}

/// What people see after they have signed out, if the application did not say where to send them.
pub(super) fn signed_out() -> Response {
    let body = html! {
        h1 { "Signed out" }
        p .lead { "You can close this tab." }
    };
    answer(StatusCode::OK, "Signed out", &body, None)
}

/// A sentence for the person, because the application cannot be told.
pub(super) fn refused(status: StatusCode, sentence: &str) -> Response {
    tracing::info!(
        reason = "refused",
        status = status.as_u16(),
        detail = sentence,
        "refused a request"
    );
    let body = html! {
        h1 { "This did not work" }
        p .lead { (sentence) }
        p .notice { "Go back to the application and start again." }
    };
    answer(status, "This did not work", &body, None)
}

/// For browsers that came by an address that is not one of ours: cookies and issuer would be wrong.
pub(super) fn unknown_address() -> Response {
    refused(
        StatusCode::MISDIRECTED_REQUEST,
        "The identity provider is not known under this address.",
    )
}

/// What must not be kept by anybody.
pub(super) fn private(answer: &mut Response) {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Not `no-referrer`: with it browsers send `Origin: null` with forms, and nobody could tell whose they are.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn answer(status: StatusCode, title: &str, body: &Markup, destination: Option<&str>) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · HiveMatrix" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p .brand { span .mark aria-hidden="true" {} "HiveMatrix" }
                    (body)
                    p .footnote { "Development identity provider. Not for production." }
                }
            }
        }
    };
    // The form's answer redirects to the application, and browsers hold redirects to `form-action` as well.
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_HASH,
        destination.unwrap_or_default(),
    );
    let mut response = (status, Html(document.into_string())).into_response();
    private(&mut response);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
        .headers_mut()
        .insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_cannot_end_its_element() {
        assert!(!STYLE.contains("</") && !STYLE.contains("<!--"));
    }

    #[test]
    fn pages_hold_nothing_that_their_policy_forbids() {
        let markup = html! { p { "x" } };
        let response = answer(StatusCode::OK, "T", &markup, Some("http://localhost:8000"));
        let policy = response
            .headers()
            .get(CONTENT_SECURITY_POLICY)
            .map(|value| value.as_bytes().to_vec());
        let policy = String::from_utf8(policy.unwrap_or_default()).unwrap_or_default();
        assert!(policy.contains("form-action 'self' http://localhost:8000;"));
        assert!(!policy.contains("unsafe-inline"));
        assert_eq!(STYLE_HASH.len(), 44);
    }
}
