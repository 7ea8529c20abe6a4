//! Users' preferences, from Codex where there is one: what plugins ask through `Tools`.

use std::sync::Arc;

use async_trait::async_trait;
use hivematrix_platform::{CodexClient, Preferences};
use hivematrix_plugins::PreferenceSource;

/// Preferences by e-mail address; none without a Codex.
pub(crate) struct CodexPreferences(Option<CodexClient>);

impl CodexPreferences {
    pub(crate) fn new(codex: Option<CodexClient>) -> Self {
        Self(codex)
    }

    /// Forgets what is cached for an address.
    pub(crate) fn forget(&self, email: &str) {
        if let Some(codex) = &self.0 {
            codex.forget(email);
        }
    }
}

#[async_trait]
impl PreferenceSource for CodexPreferences {
    fn cached(&self, email: &str) -> Option<Arc<Preferences>> {
        self.0.as_ref()?.cached(email)
    }

    async fn load(&self, email: &str) -> Option<Arc<Preferences>> {
        let codex = self.0.as_ref()?;
        match codex.preferences(email).await {
            Ok(preferences) => Some(preferences),
            Err(error) => {
                tracing::debug!("preferences are not to be had: {error}");
                None
            }
        }
    }
}
