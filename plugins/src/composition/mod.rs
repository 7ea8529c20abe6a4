//! Composition: makes independent services one product, with one look and one menu.
//!
//! A plugin like any other (kind `composition`), and the first: what it needs, the contract offers to all.
//! It decides what to put into pages and for whom; how it gets there is `crate::html`, what the files look
//! like is `crate::design`.

mod icons;
pub(crate) mod panel;
mod person;
mod visit;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_answers;

use std::sync::{Arc, PoisonError, RwLock};

use panel::{Panel, Variant};
pub use visit::ComposedPage;

use crate::contract::intent::Intent;
use crate::contract::plugin::{Invalid, Plugin};
use crate::contract::request::{MenuEntry, Request};
use crate::contract::tools::{PreferenceSource, Tools};

/// The plugin that puts the design system and the side panel around services' pages.
///
/// ```toml
/// [plugins.composition]
/// kind = "composition"
/// framed = false   # whether pages inside frames get the panel too
/// ```
pub struct Composition {
    framed: bool,
    shared: Arc<Shared>,
}

/// The settings of [`Composition`].
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct CompositionSettings {
    /// Whether pages inside frames get the panel too. Default: no, because the page around them has one.
    pub framed: bool,
}

/// What all pages of a route share.
struct Shared {
    preferences: Arc<dyn PreferenceSource>,
    panels: RwLock<Vec<Cached>>,
}

struct Cached {
    menu: Arc<[MenuEntry]>,
    variant: Variant,
    panel: Arc<Panel>,
}

/// A route has one service, one menu, five kinds of callers, and pages with and without scripts; more than
/// this many panels are not kept.
const MOST_PANELS: usize = 32;

impl Plugin for Composition {
    const KIND: &'static str = "composition";
    const EDITS_DOCUMENTS: bool = true;
    type Settings = CompositionSettings;
    type Visit = ComposedPage;

    fn new(settings: CompositionSettings, tools: &Tools) -> Result<Self, Invalid> {
        let shared = Shared {
            preferences: tools.preferences.clone(),
            panels: RwLock::default(),
        };
        Ok(Self {
            framed: settings.framed,
            shared: Arc::new(shared),
        })
    }

    fn begin(&self, request: &Request<'_>) -> Option<ComposedPage> {
        match request.intent {
            Intent::Document => {}
            Intent::FramedDocument if self.framed => {}
            Intent::FramedDocument | Intent::Other => return None,
        }
        Some(ComposedPage::new(self.shared.clone(), request))
    }
}

impl Shared {
    /// The panel of a variant, rendered at most once for each menu.
    fn panel(&self, menu: &Arc<[MenuEntry]>, variant: &Variant) -> Arc<Panel> {
        let fits = |cached: &&Cached| Arc::ptr_eq(&cached.menu, menu) && cached.variant == *variant;
        let known = self.panels.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = known.iter().find(fits) {
            return cached.panel.clone();
        }
        drop(known);
        let panel = Arc::new(Panel::render(menu, variant));
        let mut panels = self.panels.write().unwrap_or_else(PoisonError::into_inner);
        if panels.len() >= MOST_PANELS {
            panels.clear();
        }
        panels.push(Cached {
            menu: menu.clone(),
            variant: variant.clone(),
            panel: panel.clone(),
        });
        panel
    }
}
