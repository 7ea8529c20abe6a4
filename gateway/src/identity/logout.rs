//! Logout: the end of a session in all places that know it (platform README §2).
//!
//! Responsible for: ending it here at once, at Core and in the store, removing the gateway's own record, and
//! where the browser must go so that the provider ends its session too. Not responsible for the browser's
//! cookies and storage, nor for asking first.

use std::sync::Arc;

use hivematrix_platform::{CoreClient, Handle, SealingKeys, Store};

use super::back_channel::BackChannel;
use super::caller::Refused;
use super::endpoints::Endpoints;
use super::live::Ended;
use super::record::{RecordError, Records};
use super::view::SessionView;
use crate::config::{Config, Origin, Provider};

/// Ends sessions.
pub struct Logout {
    endpoints: Endpoints,
    /// For the provider's addresses, where they must be discovered. Without it there is no way to its own logout.
    back_channel: Option<BackChannel>,
    core: Arc<CoreClient>,
    view: Arc<SessionView>,
    records: Records,
}

/// What became of a session. Whatever it says, this gateway refuses the session from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOut {
    /// Core says that the session is revoked.
    pub at_core: bool,
    /// The store says so, and with it every other gateway. If not, it will be told when it answers again.
    pub in_store: bool,
    /// The gateway's own record is gone.
    pub record_removed: bool,
    /// Where the browser must go so that the provider ends its session too.
    pub location: Option<String>,
}

impl Logout {
    /// Logouts as configured.
    pub fn new(
        config: &Config,
        store: Arc<dyn Store>,
        sealing: Arc<SealingKeys>,
        core: Arc<CoreClient>,
        view: Arc<SessionView>,
    ) -> Self {
        Self::with_provider(config.provider.clone(), store, sealing, core, view)
    }

    /// Logouts with a provider that does not come from a configuration.
    pub fn with_provider(
        provider: Provider,
        store: Arc<dyn Store>,
        sealing: Arc<SealingKeys>,
        core: Arc<CoreClient>,
        view: Arc<SessionView>,
    ) -> Self {
        Self {
            endpoints: Endpoints::new(provider),
            back_channel: BackChannel::new().ok(),
            core,
            view,
            records: Records::new(store, sealing),
        }
    }

    /// Ends the session behind a browser's handle. That of a handle which means nothing (any more) has ended
    /// already; the provider may still know the browser, so `location` is there all the same.
    ///
    /// # Errors
    /// [`Refused`] with [`Refused::is_outage`]: nobody can tell which session it is, so none was ended.
    pub async fn end(&self, origin: &Origin, handle: &Handle) -> Result<SignedOut, Refused> {
        if let Some(back_channel) = &self.back_channel
            && let Err(error) = self.endpoints.ready(back_channel).await
        {
            tracing::warn!(%error, "the provider's own session cannot be ended");
        }
        let (session, token, id_token) = match self.records.session(handle).await {
            Ok(Some(session)) => (session.jti, session.jwt, Some(session.id_token)),
            Err(RecordError::Store(error)) => match self.view.remembered(handle) {
                Some(identity) => (identity.session, identity.token().to_owned(), None),
                None => return Err(Refused::StoreDown(error)),
            },
            Ok(None) | Err(RecordError::Unreadable) => {
                let record_removed = self.records.delete_session(handle).await.is_ok();
                let location = self.endpoints.end_session(origin, None);
                return Ok(SignedOut {
                    at_core: true,
                    in_store: true,
                    record_removed,
                    location,
                });
            }
        };
        let ending = self
            .view
            .end_session(&self.core, session, &token, Some(*handle), Ended::SignedOut)
            .await;
        Ok(SignedOut {
            at_core: ending.at_core,
            in_store: ending.in_store,
            record_removed: ending.record_removed,
            location: self.endpoints.end_session(origin, id_token.as_deref()),
        })
    }
}
