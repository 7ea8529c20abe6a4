//! Core's part of a renewal: a new token of the same session, or of another one that takes its place.
//!
//! Responsible for: that the new token is about the same person, that the gateway's record has it in one step, and that
//! no session of Core's stays behind which nobody uses. Not responsible for when and why (see `renewal`).

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hivematrix_platform::{CoreError, Revocation, SessionId, UserClaims, unix_now};
use tokio::time::sleep;

use super::live::Ended;
use super::renewal::{Failed, Outcome, Own, Renewal};
use super::user_sessions::UserSession;
use crate::config::Renewal as How;

/// How long the Core session that an exchange has replaced stays good: requests may be on their way with its token.
const GRACE: Duration = Duration::from_secs(5);

/// How long a Core that renews nothing is left alone, in seconds.
const UNSUPPORTED: u64 = 300;

impl Renewal {
    /// Has Core make a new token for what the provider says by now.
    pub(super) async fn at_core(
        &self,
        own: Own,
        access_token: &str,
        now: u64,
        until: u64,
    ) -> Result<Outcome, Failed> {
        let core = &self.parts.core;
        let jwt = match self.settings.how {
            How::Core => core.renew(&own.session.jwt, access_token, until).await,
            How::Exchange => core.exchange(access_token).await,
            How::Off => return Ok(Outcome::Later),
        };
        let jwt = jwt.inspect_err(|error| self.note_unsupported(error, now))?;
        let (was, own_key) = (own.session.jti, own.key.clone());
        match self.take_over(own, &jwt, now, until).await {
            Ok(Some(claims)) => {
                if claims.jti != was {
                    self.retire(was, claims.jti, own_key);
                }
                Ok(Outcome::Renewed)
            }
            other => {
                self.in_vain(&jwt, was).await;
                other.map(|_| Outcome::Over)
            }
        }
    }

    /// Puts Core's new token into the record; `None` if that is gone.
    async fn take_over(
        &self,
        own: Own,
        jwt: &str,
        now: u64,
        until: u64,
    ) -> Result<Option<UserClaims>, Failed> {
        let claims = self.parts.verifier.user(jwt, now).await;
        let claims = claims.map_err(|error| Failed::Token(error.to_string()))?;
        let same = claims.jti == own.session.jti;
        if claims.user.sub != own.session.sub || (self.settings.how == How::Core && !same) {
            return Err(Failed::Token("it is about somebody or something else".to_owned()));
        }
        if !same {
            let listed = UserSession {
                own_key: own.key.clone(),
                jti: claims.jti,
                sid: own.session.sid.clone(),
                expires_at: until,
            };
            // Takes its predecessor's place, so nothing is too many.
            self.parts.lists.add(&own.session.sub, &listed).await?;
        }
        let expires_at = claims.exp.min(until);
        let ttl = Duration::from_secs(expires_at.saturating_sub(unix_now()));
        let changed = self
            .parts
            .records
            .change(&own.key, own.sealed, Some(ttl), |session| {
                jwt.clone_into(&mut session.jwt);
                session.jti = claims.jti;
                session.checked_at = now;
                session.expires_at = expires_at;
            });
        Ok(changed.await?.map(|_| claims))
    }

    /// A session that an exchange has made and nobody will use must not stay behind.
    async fn in_vain(&self, jwt: &str, was: SessionId) {
        let claims = self.parts.verifier.user(jwt, unix_now()).await;
        if claims.is_ok_and(|claims| claims.jti != was)
            && let Err(error) = self.parts.core.revoke(jwt).await
        {
            tracing::warn!(%error, "a session was made in vain and could not be ended");
        }
    }

    /// Ends the Core session that an exchange has replaced, in a moment. If somebody else did so meanwhile, the whole
    /// session was meant.
    fn retire(&self, old: SessionId, new: SessionId, own_key: String) {
        let view = self.parts.view.clone();
        tokio::spawn(async move {
            sleep(GRACE).await;
            let ended = match view.sessions.revoke(&old).await {
                Ok(Revocation::AlreadyRevoked) => view.end_by_key(new, &own_key, Ended::Revoked).await,
                Ok(Revocation::Revoked | Revocation::Absent) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::warn!(%error, session = ?old, "a session that was exchanged lives until its hour is over");
            }
        });
    }

    /// The Python Core has no renewal: no use in asking for every session.
    fn note_unsupported(&self, error: &CoreError, now: u64) {
        if let (
            How::Core,
            CoreError::Refused {
                status: 404 | 405, ..
            },
        ) = (self.settings.how, error)
        {
            tracing::warn!(
                "this Core renews no sessions, so they end with their hour; see `renewal` in [sessions]"
            );
            self.unsupported_until.store(now + UNSUPPORTED, Relaxed);
        }
    }
}
