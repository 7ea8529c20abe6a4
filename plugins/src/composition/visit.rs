//! One page on its way: preferences are asked for beside the upstream request, and what is known when the
//! head of the answer arrives decides the theme.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use hivematrix_platform::Preferences;
use tokio::task::JoinHandle;

use super::Shared;
use super::panel::{self, Panel, Variant};
use super::person;
use crate::contract::edits::{Edits, Page, RunScript};
use crate::contract::plugin::{PluginError, Verdict, Visit};
use crate::contract::request::{Caller, MenuEntry, Request, RequestHead, ResponseHead};
use crate::design;

/// The per-request state of [`super::Composition`].
pub struct ComposedPage {
    shared: Arc<Shared>,
    menu: Arc<[MenuEntry]>,
    caller: Option<Caller>,
    variant: Variant,
    panel: Arc<Panel>,
    /// Where to come back to after signing in; only for those who are not.
    address: Option<String>,
    known: Known,
}

enum Known {
    /// Nobody asked yet, or there is nothing to learn.
    Nothing,
    /// On the way.
    Asked(JoinHandle<Option<Arc<Preferences>>>),
    Preferences(Arc<Preferences>),
}

impl ComposedPage {
    pub(super) fn new(shared: Arc<Shared>, request: &Request<'_>) -> Self {
        let address = request.caller.is_none().then(|| match request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.to_owned(),
        });
        let level = request.caller.map(Caller::level);
        let variant = Variant {
            level,
            service: request.service.to_owned(),
            scripts: true,
            checked: request.checked,
        };
        let panel = shared.panel(request.menu, &variant);
        Self {
            shared,
            menu: request.menu.clone(),
            caller: request.caller.cloned(),
            variant,
            panel,
            address,
            known: Known::Nothing,
        }
    }

    fn preferences(&self) -> Option<&Preferences> {
        match &self.known {
            Known::Preferences(preferences) => Some(preferences),
            Known::Nothing | Known::Asked(_) => None,
        }
    }

    /// Changes with everything that the edits are made of.
    fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        design::version().hash(&mut hasher);
        self.panel.version().hash(&mut hasher);
        self.address.hash(&mut hasher);
        self.caller.as_ref().map(shown_name).hash(&mut hasher);
        self.caller.as_ref().map(Caller::sub).hash(&mut hasher);
        let preferences = self.preferences();
        preferences
            .map(|known| (known.theme.as_str(), known.color_theme.as_str()))
            .hash(&mut hasher);
        hasher.finish()
    }
}

impl Visit for ComposedPage {
    async fn on_request(&mut self, head: &mut RequestHead) -> Result<Verdict, PluginError> {
        if let Some(caller) = &self.caller {
            let source = self.shared.preferences.clone();
            match source.cached(caller.email()) {
                Some(preferences) => self.known = Known::Preferences(preferences),
                None => {
                    let caller = caller.clone();
                    self.known = Known::Asked(tokio::spawn(async move { source.load(caller.email()).await }));
                }
            }
        }
        if !matches!(self.known, Known::Asked(_)) {
            head.edits_would_be(self.version());
        }
        Ok(Verdict::Continue)
    }

    async fn on_response(&mut self, _: &mut ResponseHead) -> Result<(), PluginError> {
        if let Known::Asked(answer) = &mut self.known
            && let Ok(Some(preferences)) = answer.await
        {
            self.known = Known::Preferences(preferences);
        }
        Ok(())
    }

    fn html_edits(&mut self, page: &Page<'_>) -> Edits {
        let mut edits = Edits::none();
        edits.version(self.version());
        let default = Preferences::default();
        let preferences = self.preferences().unwrap_or(&default);
        edits.html_attribute("data-theme", preferences.theme.as_str());
        edits.html_attribute("data-color-theme", preferences.color_theme.as_str());
        if self.preferences().is_none() {
            // Nobody chose: the system's preference may.
            edits.html_attribute("data-theme-default", "");
        }
        let files = design::files();
        edits.script(files.panel_start, RunScript::BeforePaint);
        edits.stylesheet(files.global);
        edits.stylesheet(files.side_panel);
        edits.script(files.panel, RunScript::Deferred);
        if self.caller.is_some() {
            edits.script(files.session, RunScript::Deferred);
            edits.connects_to("/api/session");
            edits.connects_to("/codex/api/my/settings");
            edits.connects_to("/api/invalidate-cache");
        }
        if !page.scripts {
            self.variant.scripts = false;
            self.panel = self.shared.panel(&self.menu, &self.variant);
        }
        let piece = match &self.caller {
            Some(caller) => person::entry(caller, || {
                panel::user(shown_name(caller), &caller.claims.user.tag())
            }),
            None => panel::sign_in(self.address.as_deref().unwrap_or("/")),
        };
        for piece in self.panel.with(piece) {
            edits.body_start(piece);
        }
        edits
    }
}

fn shown_name(caller: &Caller) -> &str {
    let user = &caller.claims.user;
    [&user.name, &user.preferred_username, &user.email]
        .into_iter()
        .find(|name| !name.is_empty())
        .map_or("", |name| name)
}
