//! Composition: makes independent services one product: one look, one menu.

use crate::{Invalid, Plugin, Request, Tools, Visit};

/// The plugin that puts the design system and the side panel around services' pages.
pub struct Composition {}

/// Settings of [`Composition`].
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether pages inside frames get the panel too. Default no.
    pub framed: bool,
}

impl Plugin for Composition {
    const KIND: &'static str = "composition";
    const EDITS_DOCUMENTS: bool = true;
    type Settings = Settings;
    type Visit = ComposedPage;

    fn new(_: Settings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self {})
    }

    fn begin(&self, _: &Request<'_>) -> Option<ComposedPage> {
        None
    }
}

/// One page on its way.
pub struct ComposedPage {}

impl Visit for ComposedPage {}
