//! Ending a session: at once for this gateway, at Core, and in the store.
//!
//! Responsible for: the order of these steps, and an honest account of how far they got. Not responsible for
//! the provider's own session nor for the browser (see `logout`).

use hivematrix_platform::{CoreClient, Handle, SessionError, SessionId};

use super::live::Ended;
use super::record::GatewaySession;
use super::view::SessionView;

/// How far the end of a session got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Core says that the session is revoked.
    pub(super) at_core: bool,
    /// The store says so: every other gateway will see it.
    pub(super) in_store: bool,
    /// The gateway's own record is gone.
    pub(super) record_removed: bool,
}

impl SessionView {
    /// Ends a session by its token. From the first line on this gateway refuses it, whatever happens next;
    /// if Core does not answer, the store is told directly, and if that does not answer either, it is told
    /// as soon as it does.
    pub(super) async fn end_session(
        &self,
        core: &CoreClient,
        session: SessionId,
        token: &str,
        handle: Option<Handle>,
        reason: Ended,
    ) -> Ending {
        self.end(session, reason, false);
        let at_core = match core.revoke(token).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, ?session, "Core could not revoke a session");
                false
            }
        };
        let in_store = at_core || self.sessions.revoke(&session).await.is_ok();
        if in_store {
            self.refusals.set_written(session, true);
        }
        let record_removed = match handle {
            Some(handle) => self.records.delete_session(&handle).await.is_ok(),
            None => true,
        };
        Ending {
            at_core,
            in_store,
            record_removed,
        }
    }

    /// Ends a session whose token is not at hand, in the store alone: Core's, and the gateway's own record under
    /// `own_key`. Should that name another session of Core's by now, this one ends as well.
    pub(super) async fn end_by_key(
        &self,
        session: SessionId,
        own_key: &str,
        reason: Ended,
    ) -> Result<(), SessionError> {
        self.end(session, reason, false);
        let revoked = self.revoke_in_store(session).await;
        let removed = self.store.take(own_key).await?;
        let own = removed.and_then(|sealed| self.records.open::<GatewaySession>(own_key, &sealed));
        if let Some(own) = own.filter(|own| own.jti != session) {
            self.end(own.jti, reason, false);
            self.revoke_in_store(own.jti).await?;
        }
        revoked
    }

    async fn revoke_in_store(&self, session: SessionId) -> Result<(), SessionError> {
        self.sessions.revoke(&session).await?;
        self.refusals.set_written(session, true);
        Ok(())
    }
}
