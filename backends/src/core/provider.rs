//! What the identity provider says about whoever holds an access token.
//!
//! Responsible for: asking userinfo over the back channel, and that the token was issued to us: by its own claims, or, where it
//! is opaque, by what the provider's introspection endpoint says. Not responsible for: sessions.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{PermissionLevel, UserData};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::answer::Failure;
use super::endpoints::{Directory, Introspector, ProviderAt};

/// How long the provider may take for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much of the provider's answer is read, in bytes: a person in thousands of groups.
const ANSWER_LIMIT: usize = 256 * 1024;

/// The identity provider as Core sees it.
pub(super) struct Provider {
    http: reqwest::Client,
    directory: Directory,
    client_id: String,
}

/// The claims of an access token that matter here. Not verified by us: userinfo proves that the provider takes
/// the token for its own, and [`Provider::person`] that the answer is about the same person.
#[derive(Deserialize)]
struct AccessClaims {
    sub: Option<String>,
    azp: Option<String>,
    /// In place of `azp` in tokens after RFC 9068.
    client_id: Option<String>,
    #[serde(default)]
    aud: OneOrMany,
    typ: Option<String>,
}

/// What the provider says of an opaque token (RFC 7662 §2.2).
#[derive(Deserialize)]
struct Introspection {
    active: bool,
    client_id: Option<String>,
    sub: Option<String>,
}

/// A list that some providers write without its brackets if there is one entry.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    #[default]
    Nobody,
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, client: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(one) => one == client,
            Self::Many(many) => many.iter().any(|one| one == client),
        }
    }
}

impl From<OneOrMany> for Vec<String> {
    fn from(list: OneOrMany) -> Self {
        match list {
            OneOrMany::Nobody => Self::new(),
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    name: Option<String>,
    email: Option<String>,
    preferred_username: Option<String>,
    groups: Option<OneOrMany>,
}

impl Provider {
    pub(super) fn new(http: reqwest::Client, at: ProviderAt, client_id: String) -> Self {
        Self {
            directory: Directory::new(http.clone(), at),
            http,
            client_id,
        }
    }

    /// The person to whom the provider issued `access_token` for us.
    ///
    /// # Errors
    /// 401 if the token is not the provider's, not for us, or about somebody else than userinfo is; 502 if the
    /// provider is down or answers nonsense.
    pub(super) async fn person(&self, access_token: &str) -> Result<UserData, Failure> {
        let endpoints = self.directory.endpoints().await?;
        let sub = match (claims(access_token), endpoints.introspector()) {
            (Some(claims), _) => self.issued_to_us(claims)?,
            (None, Some(endpoint)) => self.introspected(&endpoint, access_token).await?,
            (None, None) => return Err(refused("malformed")),
        };
        let info = self.userinfo(&endpoints.userinfo_endpoint, access_token).await?;
        if sub != info.sub || info.sub.is_empty() {
            return Err(refused("subject_mismatch"));
        }
        let groups: Vec<String> = info.groups.unwrap_or_default().into();
        Ok(UserData {
            permission_level: PermissionLevel::from_groups(&groups),
            sub: info.sub,
            name: info.name.unwrap_or_default(),
            email: info.email.unwrap_or_default(),
            preferred_username: info.preferred_username.unwrap_or_default(),
            groups,
        })
    }

    /// Whom a token that speaks for itself is about, if it was issued to us.
    fn issued_to_us(&self, claims: AccessClaims) -> Result<String, Failure> {
        // An ID token or a refresh token is no access token, whoever would take it for one.
        if claims
            .typ
            .as_deref()
            .is_some_and(|typ| !typ.eq_ignore_ascii_case("bearer"))
        {
            return Err(refused("not_an_access_token"));
        }
        let party = claims.azp.or(claims.client_id);
        if party.as_deref() != Some(self.client_id.as_str()) && !claims.aud.contains(&self.client_id) {
            return Err(refused("not_for_us"));
        }
        claims.sub.ok_or_else(|| refused("malformed"))
    }

    /// Whom an opaque token is about, if it is good and was issued to us.
    async fn introspected(&self, endpoint: &Introspector, access_token: &str) -> Result<String, Failure> {
        let Some(secret) = self.directory.client_secret().map(ExposeSecret::expose_secret) else {
            return Err(refused("malformed"));
        };
        let mut form = vec![("token", access_token), ("token_type_hint", "access_token")];
        let mut request = self.http.post(endpoint.url.clone());
        if endpoint.secret_in_body {
            form.extend([("client_id", self.client_id.as_str()), ("client_secret", secret)]);
        } else {
            // Encoded first (RFC 6749 §2.3.1).
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(&self.client_id), Some(encoded(secret)));
        }
        let body = read(request.form(&form), |status| down("introspection", status)).await?;
        let said: Introspection = serde_json::from_slice(&body).map_err(|error| down("malformed", error))?;
        if !said.active {
            return Err(refused("inactive"));
        }
        if said.client_id.as_deref() != Some(self.client_id.as_str()) {
            return Err(refused("not_for_us"));
        }
        said.sub.ok_or_else(|| refused("malformed"))
    }

    async fn userinfo(&self, url: &Url, access_token: &str) -> Result<UserInfo, Failure> {
        let request = self.http.get(url.clone()).bearer_auth(access_token);
        let body = read(request, |_| refused("userinfo")).await?;
        serde_json::from_slice(&body).map_err(|error| down("malformed", error))
    }
}

/// The provider's answer, if it is one: in time, of a sensible size, and 200.
///
/// # Errors
/// What `refusal` makes of 401 and 403; 502 for everything else.
pub(super) async fn read(
    request: reqwest::RequestBuilder,
    refusal: impl Fn(StatusCode) -> Failure,
) -> Result<Vec<u8>, Failure> {
    let mut response = request
        .timeout(TIMEOUT)
        .send()
        .await
        .map_err(|error| down("unreachable", error.without_url()))?;
    match response.status() {
        StatusCode::OK => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(refusal(status)),
        status => return Err(down("status", status)),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| down("body", error.without_url()))?
    {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(down("body", "larger than the limit"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn claims(token: &str) -> Option<AccessClaims> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// One answer for all of these: which of them it was is for the log.
fn refused(reason: &'static str) -> Failure {
    tracing::info!(reason, "refused an access token");
    Failure::unauthorized("Invalid access token")
}

pub(super) fn down(reason: &'static str, cause: impl std::fmt::Display) -> Failure {
    tracing::warn!(reason, %cause, "the identity provider did not answer as it should");
    Failure::new(StatusCode::BAD_GATEWAY, "Identity provider unavailable")
}
