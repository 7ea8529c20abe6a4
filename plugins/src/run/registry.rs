//! The explicit list of plugin kinds, and how a route's chain is built from the configuration.

use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::chain::{Built, Chain};
use super::erased::AnyPlugin;
use super::settings;
use crate::contract::plugin::{Invalid, Plugin};
use crate::contract::tools::Tools;

/// One `[plugins.<instance>]` of the configuration, unread.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// The name that routes use.
    pub instance: String,
    /// Which kind of plugin it is.
    pub kind: String,
    /// The whole table with the places of its values; the key `kind` in it is skipped.
    pub settings: Spanned<DeTable<'static>>,
}

type Build = fn(&PluginSpec, &Tools) -> Result<Built, Vec<Invalid>>;

/// The kinds of plugins that a configuration may name.
#[derive(Clone)]
pub struct Registry {
    kinds: Vec<(&'static str, Build)>,
}

impl Registry {
    /// No kinds.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kinds: Vec::new() }
    }

    /// The kinds that ship with the gateway. This list is the registration.
    #[must_use]
    pub fn standard() -> Self {
        Self::empty().with::<crate::composition::Composition>()
    }

    /// Adds a kind; one of the same name is replaced.
    #[must_use]
    pub fn with<P: Plugin>(mut self) -> Self {
        self.kinds.retain(|(kind, _)| *kind != P::KIND);
        self.kinds.push((P::KIND, build::<P>));
        self
    }

    /// The names of all kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.kinds.iter().map(|(kind, _)| *kind)
    }

    /// Builds the chain of one route; `specs` in the order in which the route names them.
    ///
    /// # Errors
    /// Every problem of every spec.
    pub fn build(&self, specs: &[PluginSpec], tools: &Tools) -> Result<Chain, Vec<Invalid>> {
        let mut problems = Vec::new();
        let mut chain = Vec::with_capacity(specs.len());
        for spec in specs {
            match self.build_one(spec, tools) {
                Ok(built) => chain.push(built),
                Err(found) => problems.extend(found.into_iter().map(|mut problem| {
                    problem.instance.clone_from(&spec.instance);
                    problem.span = problem.span.or_else(|| Some(spec.settings.span()));
                    problem
                })),
            }
        }
        if problems.is_empty() {
            Ok(Chain::new(chain, tools.clone()))
        } else {
            Err(problems)
        }
    }

    fn build_one(&self, spec: &PluginSpec, tools: &Tools) -> Result<Built, Vec<Invalid>> {
        if let Some((_, build)) = self.kinds.iter().find(|(kind, _)| *kind == spec.kind) {
            return build(spec, tools);
        }
        let known: Vec<_> = self.kinds().map(|kind| format!("`{kind}`")).collect();
        let message = format!(
            "there is no kind of plugin `{}`; known: {}",
            spec.kind,
            known.join(", ")
        );
        let place = spec
            .settings
            .get_ref()
            .iter()
            .find(|(key, _)| key.get_ref() == "kind");
        let span = place.map(|(_, value)| value.span());
        Err(vec![Invalid {
            span,
            ..Invalid::new(message)
        }])
    }
}

fn build<P: Plugin>(spec: &PluginSpec, tools: &Tools) -> Result<Built, Vec<Invalid>> {
    let plugin = P::new(settings::read(&spec.settings)?, tools).map_err(|problem| vec![problem])?;
    Ok(Built {
        instance: spec.instance.as_str().into(),
        plugin: Arc::new(plugin) as Arc<dyn AnyPlugin>,
        edits_documents: P::EDITS_DOCUMENTS,
    })
}
