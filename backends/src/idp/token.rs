//! The token endpoint: codes and refresh tokens for tokens (RFC 6749 §4.1.3, §6).
//!
//! Responsible for: who the client is, that every code and refresh token works once. Not responsible for: the
//! form of tokens ([`tokens`](super::tokens)).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::unix_now;
use http::header::{AUTHORIZATION, CACHE_CONTROL, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::forms::{self, Params};
use super::settings::DevClient;
use super::tokens::Facts;
use super::{Idp, random};
use crate::kit::secret;

/// What a refresh token stands for.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    client_id: String,
    scope: String,
    sid: String,
    issuer: String,
}

/// A refusal in OAuth's words (RFC 6749 §5.2).
#[derive(Debug)]
pub(super) struct Failure {
    error: &'static str,
    description: &'static str,
}

const fn failure(error: &'static str, description: &'static str) -> Failure {
    Failure { error, description }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::info!(reason = self.error, detail = self.description, "refused tokens");
        let status = match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"hivematrix\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// `POST /protocol/openid-connect/token`.
pub(super) async fn token(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut response = match tokens(&idp, &headers, &body) {
        Ok(tokens) => Json(tokens).into_response(),
        Err(failure) => failure.into_response(),
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn tokens(idp: &Idp, headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    let form =
        Params::of_body(headers, body).map_err(|_| failure("invalid_request", "A parameter came twice."))?;
    let now = unix_now();
    if form.get("grant_type") == Some("client_credentials") {
        return idp.service_token(&form, now);
    }
    let client = idp.client(headers, &form)?;
    match form.get("grant_type") {
        Some("authorization_code") => idp.redeem(client, &form, now),
        Some("refresh_token") => idp.refresh(client, &form, now),
        Some(_) => Err(failure(
            "unsupported_grant_type",
            "Only codes and refresh tokens are redeemed here.",
        )),
        None => Err(failure("invalid_request", "grant_type is missing.")),
    }
}

impl Idp {
    /// The client, by `client_secret_basic` or `client_secret_post`, not both (RFC 6749 §2.3).
    pub(super) fn client(&self, headers: &HeaderMap, form: &Params) -> Result<&DevClient, Failure> {
        let unknown = || {
            failure(
                "invalid_client",
                "The client is not known, or its secret is wrong.",
            )
        };
        let mut authorization = headers.get_all(AUTHORIZATION).iter();
        let (id, secrets) = match (
            authorization.next(),
            authorization.next(),
            form.get("client_secret"),
        ) {
            (Some(value), None, None) => {
                let (id, secret) = value.to_str().ok().and_then(secret::basic).ok_or_else(unknown)?;
                // Encoded, as RFC 6749 §2.3.1 has it, or as it is, as many clients have it.
                (
                    forms::decoded(&id).unwrap_or(id),
                    [forms::decoded(&secret), Some(secret)],
                )
            }
            (None, None, Some(secret)) => (
                form.owned("client_id").ok_or_else(unknown)?,
                [Some(secret.to_owned()), None],
            ),
            (None, None, None) => return Err(unknown()),
            _ => return Err(failure("invalid_request", "The client says twice who it is.")),
        };
        if form.get("client_id").is_some_and(|other| other != id) {
            return Err(failure("invalid_request", "The client names two identifiers."));
        }
        let client = self.clients.get(&id);
        let expected = client.map_or("", |client| client.secret.expose_secret());
        let same = secrets
            .iter()
            .flatten()
            .fold(false, |same, one| secret::same(one, expected) | same);
        client
            .filter(|_| same && !expected.is_empty())
            .ok_or_else(unknown)
    }

    /// A token for a service account, by which it may ask who there is (RFC 6749 §4.4). Opaque: only we read it.
    fn service_token(&self, form: &Params, now: u64) -> Result<Value, Failure> {
        let account = self
            .service_accounts
            .get(form.get("client_id").unwrap_or_default());
        let expected = account.map_or("", |account| account.secret.expose_secret());
        let same = secret::same(form.get("client_secret").unwrap_or_default(), expected);
        if !same || expected.is_empty() {
            return Err(failure(
                "invalid_client",
                "The service account is not known, or its secret is wrong.",
            ));
        }
        let token = random::secret();
        let lifetime = self.lifetimes.access_token.as_secs();
        self.service_tokens
            .insert(random::digest(&token), (), now + lifetime, now);
        Ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime }))
    }

    /// Tokens for a code. Whatever is wrong with the attempt, the code is gone.
    fn redeem(&self, client: &DevClient, form: &Params, now: u64) -> Result<Value, Failure> {
        let secret = form
            .get("code")
            .ok_or(failure("invalid_request", "code is missing."))?;
        let code = self.codes.take(&random::digest(secret), now);
        let code = code.ok_or(failure(
            "invalid_grant",
            "The code is not valid, or not any more.",
        ))?;
        if code.client_id != client.id || form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
            return Err(failure(
                "invalid_grant",
                "The code was made for another client or address.",
            ));
        }
        let verifier = form.get("code_verifier").unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        if !is_verifier(verifier) || !secret::same(&challenge, &code.challenge) {
            return Err(failure("invalid_grant", "The code verifier does not match."));
        }
        let grant = Grant {
            client_id: code.client_id,
            scope: code.scope,
            sid: code.sid,
            issuer: code.issuer,
        };
        self.grant(grant, code.nonce.as_deref(), now)
    }

    /// Tokens for a refresh token, which is gone; the answer has its successor.
    fn refresh(&self, client: &DevClient, form: &Params, now: u64) -> Result<Value, Failure> {
        let secret = form
            .get("refresh_token")
            .ok_or(failure("invalid_request", "refresh_token is missing."))?;
        let grant = self.refresh_tokens.take(&random::digest(secret), now);
        let grant = grant.filter(|grant| grant.client_id == client.id);
        let grant = grant.ok_or(failure(
            "invalid_grant",
            "The refresh token is not valid, or not any more.",
        ))?;
        self.grant(grant, None, now)
    }

    fn grant(&self, grant: Grant, nonce: Option<&str>, now: u64) -> Result<Value, Failure> {
        let session = self.sessions.get(&grant.sid, now);
        let session = session.ok_or(failure("invalid_grant", "The session has ended."))?;
        let person = self.people.by_sub(&session.sub);
        let person = person.ok_or(failure("invalid_grant", "There is no such person."))?;
        if !person.enabled {
            return Err(failure("invalid_grant", "The person is disabled."));
        }
        let facts = Facts {
            issuer: &grant.issuer,
            person: &person,
            session: &session,
            client_id: &grant.client_id,
            scope: &grant.scope,
            now: now + self.lifetimes.clock_ahead.as_secs(),
            lifetime: self.lifetimes.access_token.as_secs(),
        };
        let access_token = self.keys.access_token(&facts).map_err(broken)?;
        let id_token = self.keys.id_token(&facts, nonce, &access_token).map_err(broken)?;
        let refresh_token = random::secret();
        let lifetime = self.lifetimes.refresh_token.as_secs();
        let answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": facts.lifetime,
            "refresh_token": refresh_token,
            "refresh_expires_in": lifetime,
            "id_token": id_token,
            "session_state": grant.sid,
            "scope": grant.scope,
            "not-before-policy": 0,
        });
        self.refresh_tokens
            .insert(random::digest(&refresh_token), grant, now + lifetime, now);
        Ok(answer)
    }
}

/// By value, as `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
fn broken(error: jsonwebtoken::errors::Error) -> Failure {
    tracing::error!(reason = "signing", %error, "could not sign a token");
    failure("server_error", "The token could not be made.")
}

/// 43 to 128 unreserved characters (RFC 7636 §4.1).
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}
