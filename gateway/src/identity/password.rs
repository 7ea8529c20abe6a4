//! A password that is newer than a login: Keycloak renews what was begun with the one before, and tells nobody of it.
//!
//! Responsible for: asking Keycloak, in the name of the session's own person and with the access token of the renewal that is
//! under way, when that person's password was set; whether that was after the login; that a session for which it was has
//! an end at Keycloak too; and that a question without an answer ends nothing and holds nobody up. Not responsible for when
//! it is asked (see `renewal`).
//!
//! Both moments are by Keycloak's own clock: what the gateway's says does not matter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hivematrix_platform::{Handle, unix_now};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION};
use openidconnect::AsyncHttpClient as _;
use serde::Deserialize;
use tokio::time::timeout;

use super::back_channel::CallError;
use super::live::Ended;
use super::oidc::Oidc;
use super::record::GatewaySession;
use super::renewal::Renewal;
use crate::config::Origin;

/// For the whole of an answer: a renewal is held up no longer by a question, nor the end of a session by Keycloak's part of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long nobody is asked after an answer that did not come or made no sense, in seconds.
const PAUSE: u64 = 30;

/// How often the log says that Keycloak does not let us ask, in seconds.
const REMINDER: u64 = 3600;

/// How far the clocks of several Keycloak servers may be apart, in seconds: a password that is chosen during a login, on
/// one of them, is not newer than that login, which ends on another.
const SKEW: u64 = 2;

/// What Keycloak calls a password among credentials.
const PASSWORD: &str = "password";

/// What there is to remember about asking.
#[derive(Default)]
pub(super) struct Questions {
    /// Unix seconds until which nobody is asked.
    paused_until: AtomicU64,
    /// Unix seconds after which the log says again what is missing.
    silent_until: AtomicU64,
}

/// Keycloak did not say when a password was set. The words are for logs.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error("it does not let us ask: {0}")]
    NotLetIn(StatusCode),
    #[error("it answered with {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("the answer is not Keycloak's: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// One kind of a person's credentials, with those that they have.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    name: String,
    #[serde(rename = "userCredentialMetadatas", default)]
    owned: Option<Vec<Owned>>,
}

#[derive(Deserialize)]
struct Owned {
    credential: Credential,
}

#[derive(Deserialize)]
struct Credential {
    /// Unix milliseconds. Absent where the password is kept elsewhere, in a directory.
    #[serde(rename = "createdDate", default)]
    set_at: Option<i64>,
}

/// When the newest password was set, in Unix milliseconds.
fn newest(kinds: &[Kind]) -> Option<u64> {
    let passwords = kinds.iter().filter(|kind| kind.name == PASSWORD);
    let owned = passwords.filter_map(|kind| kind.owned.as_ref()).flatten();
    let dates = owned.filter_map(|owned| owned.credential.set_at);
    dates.filter_map(|date| u64::try_from(date).ok()).max()
}

/// Whether a password that was set then, in Unix milliseconds, was chosen after its person had proved who they are, in Unix
/// seconds that are cut off, not rounded.
fn is_newer(set_at: u64, proved_at: u64) -> bool {
    set_at >= proved_at.saturating_add(1 + SKEW).saturating_mul(1000)
}

impl Oidc {
    /// When the person who holds this access token was given the password that they have, in Unix milliseconds; `None` if
    /// they have none at Keycloak.
    async fn password_set_at(
        &self,
        origin: &Origin,
        address: String,
        access_token: &str,
    ) -> Result<Option<u64>, NotTold> {
        let request = http::Request::get(address)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {access_token}"))
            .body(Vec::new())
            .map_err(CallError::from)?;
        let channel = self.on_behalf_of(origin);
        let answer = timeout(PATIENCE, channel.call(request))
            .await
            .map_err(|_| NotTold::Late)??;
        match answer.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                return Err(NotTold::NotLetIn(status));
            }
            status => return Err(NotTold::Status(status)),
        }
        let kinds: Vec<Kind> = serde_json::from_slice(answer.body())?;
        Ok(newest(&kinds))
    }
}

impl Renewal {
    /// Whether somebody who proved at `proved_at` who they are has got another password since. Only if Keycloak says so.
    pub(super) async fn has_newer_password(
        &self,
        origin: &Origin,
        access_token: &str,
        proved_at: Option<u64>,
    ) -> bool {
        let (provider, questions, now) = (&self.parts.provider, &self.questions, unix_now());
        let Some(address) = provider.endpoints.credentials() else {
            return false;
        };
        if now < questions.paused_until.load(Relaxed) {
            return false;
        }
        match (
            provider.password_set_at(origin, address, access_token).await,
            proved_at,
        ) {
            (Ok(Some(set_at)), Some(proved_at)) => return is_newer(set_at, proved_at),
            (Ok(Some(_)), None) => questions.remind("ID tokens do not say when people signed in", now),
            (Ok(None), _) => {}
            (Err(error @ NotTold::NotLetIn(_)), _) => questions.remind(error, now),
            (Err(error), _) => {
                tracing::warn!(
                    %error,
                    "Keycloak did not say when a password was set; sessions stay as they are, and it is asked again later"
                );
                questions.paused_until.store(now + PAUSE, Relaxed);
            }
        }
        false
    }

    /// Ends a session that was begun with a password which is not its person's any more: at Keycloak, which would let its
    /// browser in again without a question, here, and in the store.
    pub(super) async fn end_for_newer_password(
        &self,
        handle: &Handle,
        origin: &Origin,
        session: &GatewaySession,
    ) {
        let parts = &self.parts;
        // First, or a browser that is refused here at this moment would begin a login that fails half-way: with a code of a
        // session that is no more.
        let complete = self.ended_at_keycloak(origin, session).await;
        parts
            .view
            .end_session(
                &parts.core,
                session.jti,
                &session.jwt,
                Some(*handle),
                Ended::Revoked,
            )
            .await;
        tracing::info!(
            reason = "password_changed",
            session = ?session.jti,
            user = session.sub,
            complete,
            "ended a session that was begun with an earlier password"
        );
    }

    /// Whether Keycloak has ended its side, within the time that may pass until ours has ended too.
    async fn ended_at_keycloak(&self, origin: &Origin, session: &GatewaySession) -> bool {
        let provider = &self.parts.provider;
        let end = provider.end_session(origin, session.refresh_token.as_deref(), &session.id_token);
        let why = match timeout(PATIENCE, end).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(_) => NotTold::Late.to_string(),
        };
        tracing::warn!(why, session = ?session.jti, "the provider could not be told of a session's end");
        false
    }
}

impl Questions {
    /// Says what is missing, now and then.
    fn remind(&self, why: impl std::fmt::Display, now: u64) {
        let silent = self.silent_until.load(Relaxed);
        let next = now + REMINDER;
        if now >= silent
            && self
                .silent_until
                .compare_exchange(silent, next, Relaxed, Relaxed)
                .is_ok()
        {
            tracing::warn!(
                reason = "password_unknown",
                %why,
                "Keycloak does not say whether a password is newer than a login, so another password ends no session: run \
                 `hivematrix keycloak configure`, or set `recheck_passwords = false` in [provider]"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_password_is_newer_than_a_login_if_it_was_set_surely_after_it() {
        for (set_at, proved_at, newer) in [
            (0, 1_000, false),
            (999_999, 1_000, false),
            // Within the second that the login's time leaves open, and what clocks may be apart.
            (1_000_999, 1_000, false),
            (1_002_999, 1_000, false),
            (1_003_000, 1_000, true),
            (9_000_000, 1_000, true),
            (u64::MAX, u64::MAX, true),
            (u64::MAX - 1, u64::MAX, false),
        ] {
            assert_eq!(is_newer(set_at, proved_at), newer, "{set_at} {proved_at}");
        }
    }

    #[test]
    fn only_passwords_with_a_date_count_and_of_several_the_newest() {
        let password = |date: &str| format!(r#"{{"credential":{{"id":"1"{date}}}}}"#);
        let kind = |name: &str, owned: &str| {
            format!(r#"{{"type":"{name}","removeable":false,"userCredentialMetadatas":[{owned}]}}"#)
        };
        let dated = |date: u32| password(&format!(r#","createdDate":{date}"#));
        for (said, expected) in [
            ("[]".to_owned(), None),
            (format!("[{}]", kind("password", "")), None),
            (r#"[{"type":"password"}]"#.to_owned(), None),
            (
                r#"[{"type":"password","userCredentialMetadatas":null}]"#.to_owned(),
                None,
            ),
            (format!("[{}]", kind("password", &dated(7))), Some(7)),
            // A directory's: Keycloak knows that there is one, and no more.
            (format!("[{}]", kind("password", &password(""))), None),
            (
                format!("[{}]", kind("password", &password(r#","createdDate":null"#))),
                None,
            ),
            (
                format!("[{}]", kind("password", &password(r#","createdDate":-1"#))),
                None,
            ),
            (format!("[{}]", kind("otp", &dated(7))), None),
            (
                format!("[{},{}]", kind("otp", &dated(9)), kind("password", &dated(7))),
                Some(7),
            ),
            (
                format!("[{}]", kind("password", &[dated(7), dated(8)].join(","))),
                Some(8),
            ),
        ] {
            let kinds: Vec<Kind> = serde_json::from_str(&said).unwrap();
            assert_eq!(newest(&kinds), expected, "{said}");
        }
    }

    #[test]
    fn what_is_missing_is_said_once_an_hour() {
        let questions = Questions::default();
        let mut told = Vec::new();
        for now in [100, 101, 3_699, 3_700, 3_701] {
            let before = questions.silent_until.load(Relaxed);
            questions.remind("nobody knows", now);
            if questions.silent_until.load(Relaxed) != before {
                told.push(now);
            }
        }
        assert_eq!(told, [100, 3_700]);
    }
}
