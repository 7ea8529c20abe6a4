//! What the identity provider says about whoever holds an access token.
//!
//! Responsible for: asking userinfo over the back channel, and that the token was issued to us. Not responsible
//! for: sessions.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{PermissionLevel, UserData};
use http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::answer::Failure;

/// How long the provider may take for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much of the provider's answer is read, in bytes: a person in thousands of groups.
const ANSWER_LIMIT: usize = 256 * 1024;

/// The identity provider as Core sees it.
pub(super) struct Provider {
    http: reqwest::Client,
    userinfo_url: Url,
    client_id: String,
}

/// The claims of an access token that matter here. Not verified by us: userinfo proves that the provider takes
/// the token for its own, and [`Provider::person`] that the answer is about the same person.
#[derive(Deserialize)]
struct AccessClaims {
    sub: Option<String>,
    azp: Option<String>,
    #[serde(default)]
    aud: Audience,
    typ: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    #[default]
    Nobody,
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, client: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(one) => one == client,
            Self::Many(many) => many.iter().any(|one| one == client),
        }
    }
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    name: Option<String>,
    email: Option<String>,
    preferred_username: Option<String>,
    groups: Option<Vec<String>>,
}

impl Provider {
    pub(super) fn new(http: reqwest::Client, userinfo_url: Url, client_id: String) -> Self {
        Self {
            http,
            userinfo_url,
            client_id,
        }
    }

    /// The person to whom the provider issued `access_token` for us.
    ///
    /// # Errors
    /// 401 if the token is not the provider's, not for us, or about somebody else than userinfo is; 502 if the
    /// provider is down or answers nonsense.
    pub(super) async fn person(&self, access_token: &str) -> Result<UserData, Failure> {
        let claims = claims(access_token).ok_or_else(|| refused("malformed"))?;
        // An ID token or a refresh token is no access token, whoever would take it for one.
        if claims
            .typ
            .as_deref()
            .is_some_and(|typ| !typ.eq_ignore_ascii_case("bearer"))
        {
            return Err(refused("not_an_access_token"));
        }
        let issued_to_us = claims.azp.as_deref() == Some(self.client_id.as_str());
        if !issued_to_us && !claims.aud.contains(&self.client_id) {
            return Err(refused("not_for_us"));
        }
        let info = self.userinfo(access_token).await?;
        if claims.sub.as_deref() != Some(info.sub.as_str()) || info.sub.is_empty() {
            return Err(refused("subject_mismatch"));
        }
        let groups = info.groups.unwrap_or_default();
        Ok(UserData {
            permission_level: PermissionLevel::from_groups(&groups),
            sub: info.sub,
            name: info.name.unwrap_or_default(),
            email: info.email.unwrap_or_default(),
            preferred_username: info.preferred_username.unwrap_or_default(),
            groups,
        })
    }

    async fn userinfo(&self, access_token: &str) -> Result<UserInfo, Failure> {
        let request = self
            .http
            .get(self.userinfo_url.clone())
            .bearer_auth(access_token)
            .timeout(TIMEOUT);
        let mut response = request
            .send()
            .await
            .map_err(|error| down("unreachable", error.without_url()))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(refused("userinfo")),
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
        serde_json::from_slice(&body).map_err(|error| down("malformed", error))
    }
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

fn down(reason: &'static str, cause: impl std::fmt::Display) -> Failure {
    tracing::warn!(reason, %cause, "the identity provider did not answer as it should");
    Failure::new(StatusCode::BAD_GATEWAY, "Identity provider unavailable")
}
