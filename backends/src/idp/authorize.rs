//! The authorization endpoint: code flow with PKCE (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1.2).
//!
//! Responsible for: which requests are answered at all, who is let through silently, and codes. Not responsible
//! for: passwords ([`login`](super::login)) and tokens ([`token`](super::token)).

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hivematrix_platform::unix_now;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::address::Base;
use super::forms::Params;
use super::login::Session;
use super::settings::DevClient;
use super::{Idp, pages, random};

/// What a code stands for until it is redeemed.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) scope: String,
    pub(super) sid: String,
    pub(super) issuer: String,
}

/// A request that may be answered.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    client: &'a DevClient,
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    challenge: String,
    scope: String,
    prompt: Prompt,
    max_age: Option<u64>,
    pub(super) login_hint: Option<String>,
}

impl Asked<'_> {
    /// The origin to which the browser is sent afterwards: a form that leads there must be allowed to.
    pub(super) fn destination(&self) -> Option<String> {
        Url::parse(&self.redirect_uri)
            .ok()
            .map(|url| url.origin().ascii_serialization())
    }

    fn refuse(&self, error: &'static str, description: &'static str) -> Refused {
        Refused::There {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            error,
            description,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// Ask only if necessary.
    Default,
    /// Never ask.
    Never,
    /// Ask in any case.
    Login,
}

/// A request that is not answered as it wished.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Told to the person, because nobody else can be trusted to be told.
    Here(&'static str),
    /// Told to the client (RFC 6749 §4.1.2.1).
    There {
        redirect_uri: String,
        state: Option<String>,
        error: &'static str,
        description: &'static str,
    },
}

impl Refused {
    pub(super) fn answer(self, base: &Base) -> Response {
        match self {
            Self::Here(sentence) => pages::refused(StatusCode::BAD_REQUEST, sentence),
            Self::There {
                redirect_uri,
                state,
                error,
                description,
            } => {
                let pairs = [
                    ("error", error),
                    ("error_description", description),
                    ("iss", &base.issuer),
                ];
                redirect(&redirect_uri, &pairs, state.as_deref())
            }
        }
    }
}

/// `GET /protocol/openid-connect/auth`.
pub(super) async fn authorize(
    State(idp): State<Arc<Idp>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(base) = idp.bases.of(&headers) else {
        return pages::unknown_address();
    };
    let query = query.unwrap_or_default();
    let asked = match idp.asked(&query) {
        Ok(asked) => asked,
        Err(refused) => return refused.answer(base),
    };
    let now = unix_now();
    let fresh = idp
        .sessions
        .of_browser(&headers, now)
        .filter(|session| asked.prompt != Prompt::Login && session.is_fresh(asked.max_age, now));
    match fresh {
        Some(session) => idp.send_code(base, &asked, &session, now),
        None if asked.prompt == Prompt::Never => asked
            .refuse("login_required", "Nobody is signed in.")
            .answer(base),
        None => {
            let login = asked.login_hint.as_deref().unwrap_or_default();
            pages::login(base, &query, &asked, login, idp.notice.as_deref(), None)
        }
    }
}

impl Idp {
    /// Reads a request. Until client and redirect URI are known to belong together, nothing is sent anywhere.
    pub(super) fn asked(&self, query: &str) -> Result<Asked<'_>, Refused> {
        let params = Params::parse(query.as_bytes())
            .map_err(|_| Refused::Here("A parameter of the request came twice."))?;
        let client = params
            .get("client_id")
            .and_then(|id| self.clients.get(id))
            .ok_or(Refused::Here("The application is not known here."))?;
        let redirect_uri = params
            .owned("redirect_uri")
            .filter(|uri| client.redirect_uris.contains(uri))
            .ok_or(Refused::Here(
                "The application may not send people to this address.",
            ))?;
        let mut asked = Asked {
            client,
            redirect_uri,
            state: params.owned("state"),
            nonce: params.owned("nonce"),
            challenge: String::new(),
            scope: String::new(),
            prompt: Prompt::Default,
            max_age: None,
            login_hint: params.owned("login_hint"),
        };
        match asked.complete(&params) {
            Ok(()) => Ok(asked),
            Err((error, description)) => Err(asked.refuse(error, description)),
        }
    }

    /// Sends the browser back to the client with a code.
    pub(super) fn send_code(&self, base: &Base, asked: &Asked<'_>, session: &Session, now: u64) -> Response {
        let secret = random::secret();
        let code = Code {
            client_id: asked.client.id.clone(),
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            nonce: asked.nonce.clone(),
            scope: asked.scope.clone(),
            sid: session.sid.clone(),
            issuer: base.issuer.clone(),
        };
        let expires = now + self.lifetimes.code.as_secs();
        self.codes.insert(random::digest(&secret), code, expires, now);
        // `session_state` as Keycloak has it, `iss` by RFC 9207.
        let pairs = [
            ("code", secret.as_str()),
            ("session_state", &session.sid),
            ("iss", &base.issuer),
        ];
        redirect(&asked.redirect_uri, &pairs, asked.state.as_deref())
    }
}

impl Asked<'_> {
    /// Reads what may be refused by telling the client.
    fn complete(&mut self, params: &Params) -> Result<(), (&'static str, &'static str)> {
        if params.get("request").is_some() {
            return Err(("request_not_supported", "Request objects are not supported."));
        }
        if params.get("request_uri").is_some() {
            return Err(("request_uri_not_supported", "Request objects are not supported."));
        }
        if params.get("response_type") != Some("code") {
            return Err(("unsupported_response_type", "Only the code flow is supported."));
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "Only response_mode=query is supported."));
        }
        let scope = params.get("scope").unwrap_or_default();
        if !scope.split(' ').any(|scope| scope == "openid") {
            return Err(("invalid_scope", "The scope openid is required."));
        }
        scope.clone_into(&mut self.scope);
        let challenge = params.get("code_challenge").unwrap_or_default();
        if params.get("code_challenge_method") != Some("S256") || !is_challenge(challenge) {
            return Err(("invalid_request", "PKCE with S256 is required."));
        }
        challenge.clone_into(&mut self.challenge);
        if let Some(age) = params.get("max_age") {
            let age = age
                .parse()
                .map_err(|_| ("invalid_request", "max_age must be a number."))?;
            self.max_age = Some(age);
        }
        let prompts: Vec<&str> = params
            .get("prompt")
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        self.prompt = match prompts.as_slice() {
            [] => Prompt::Default,
            ["none"] => Prompt::Never,
            several if several.contains(&"none") => {
                return Err(("invalid_request", "prompt=none excludes every other."));
            }
            // Whoever may choose another account has to sign in with it.
            several if several.contains(&"login") || several.contains(&"select_account") => Prompt::Login,
            // There is nothing to consent to, and what is not known is ignored.
            _ => Prompt::Default,
        };
        Ok(())
    }
}

/// 43 characters: a SHA-256 in base64url.
fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `303 See Other` to a registered address, with these parameters added to it.
pub(super) fn redirect(uri: &str, pairs: &[(&str, &str)], state: Option<&str>) -> Response {
    let Ok(mut url) = Url::parse(uri) else {
        // Registered addresses were parsed at start.
        return pages::refused(StatusCode::BAD_REQUEST, "The application's address is malformed.");
    };
    if !pairs.is_empty() || state.is_some() {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(pairs);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
    }
    let mut answer = Redirect::to(url.as_str()).into_response();
    pages::private(&mut answer);
    answer
}
