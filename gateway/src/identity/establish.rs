//! The last step of a login: from Core's token to a session that a browser can use.
//!
//! Responsible for: that token, session and person belong together, the lists by which a session is found again, and
//! what becomes of sessions that are in the way. Not responsible for how the token was had (see `login`).

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Handle, unix_now};
use tokio::time::sleep;

use super::caller::Identity;
use super::live::Ended;
use super::login::Login;
use super::login_error::LoginError;
use super::login_refusal::{refusal_of_token, refusal_of_view};
use super::oidc::SignedIn;
use super::record::GatewaySession;
use super::user_sessions::UserSession;
use crate::config::Origin;

impl Login {
    /// A new handle for Core's token, once that has proved to be about the same person.
    ///
    /// The lists come first, then the look at what has ended at the provider, then the session itself: a logout that
    /// comes at any moment either finds the session in the lists or was seen.
    pub(super) async fn establish(
        &self,
        origin: &Origin,
        signed_in: SignedIn,
        jwt: &str,
    ) -> Result<(Handle, Arc<Identity>), LoginError> {
        let now = unix_now();
        let claims = self.verifier.user(jwt, now).await.map_err(refusal_of_token)?;
        if claims.user.sub != signed_in.sub {
            return Err(LoginError::SubjectMismatch);
        }
        let latest = now + self.settings.lifetime.as_secs();
        let issued_at = signed_in.issued_at;
        let session = GatewaySession {
            jwt: jwt.to_owned(),
            refresh_token: signed_in.refresh_token,
            id_token: signed_in.id_token,
            sub: signed_in.sub,
            jti: claims.jti,
            sid: signed_in.sid,
            origin: origin.to_string(),
            created_at: now,
            checked_at: now,
            expires_at: claims.exp.min(latest),
            auth_time: signed_in.auth_time,
        };
        let handle = Handle::generate();
        let listed = UserSession {
            own_key: handle.key(),
            jti: session.jti,
            sid: session.sid.clone(),
            expires_at: latest,
        };
        let surplus = self.user_sessions.add(&session.sub, &listed).await?;
        let begun = self.begin_session(&handle, &session, issued_at).await;
        // They have left the list, so nobody would find them any more.
        for old in surplus {
            let ended = self.view.end_by_key(old.jti, &old.own_key, Ended::Revoked);
            if let Err(error) = ended.await {
                tracing::warn!(%error, session = ?old.jti, "a session that is too many could not be ended");
            }
        }
        Ok((handle, begun?))
    }

    async fn begin_session(
        &self,
        handle: &Handle,
        session: &GatewaySession,
        issued_at: u64,
    ) -> Result<Arc<Identity>, LoginError> {
        let sid = session.sid.as_deref();
        if self.marks.forbid(sid, &session.sub, issued_at).await? {
            return Err(LoginError::EndedMeanwhile);
        }
        let ttl = Duration::from_secs(session.expires_at.saturating_sub(session.created_at));
        self.records.put_session(handle, session, ttl).await?;
        match self.view.by_handle(handle).await {
            Ok(identity) => Ok(identity),
            Err(refused) => {
                let _ = self.records.delete_session(handle).await;
                Err(refusal_of_view(refused))
            }
        }
    }

    /// Lets the browser's earlier session go: its handle in a while even if this process does not live that
    /// long, its session by then.
    pub(super) fn retire(&self, old: Handle) {
        let (view, core, records) = (self.view.clone(), self.core.clone(), self.records.clone());
        let grace = self.settings.grace;
        tokio::spawn(async move {
            let Ok(Some(session)) = records.session(&old).await else {
                return;
            };
            if let Err(error) = records.let_expire(&old, grace).await {
                tracing::warn!(%error, "an earlier session could not be given an end");
            }
            sleep(grace).await;
            view.end_session(&core, session.jti, &session.jwt, Some(old), Ended::SignedOut)
                .await;
        });
    }
}
