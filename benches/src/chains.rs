//! Routes' chains of plugins, and a request's way through one. Not responsible for what plugins do.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_gateway::config::PluginInstance;
use hivematrix_platform::Preferences;
use hivematrix_plugins::{Chain, End, PluginSpec, Registry, ResponseHead, Rewriter, Tools, Visits, testing};
use toml::de::DeTable;

use crate::browser::Ask;
use crate::plugins::{Banner, Elsewhere, Framing, Links, Stamp, Title};

/// What a route has for plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugins {
    /// None.
    None,
    /// Composition, as in `config/gateway.toml`.
    Composition,
    /// Composition and four more: one changes the request, one the answer's head, one adds to head and body
    /// of the page, one is not responsible.
    Five,
    /// Composition, and a plugin that edits an element of the head.
    EditingTitle,
    /// Composition, and a plugin that edits elements down to the page's end.
    EditingLinks,
}

impl Plugins {
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Composition => &["composition"],
            Self::Five => &["composition", "stamp", "framing", "banner", "elsewhere"],
            Self::EditingTitle => &["composition", "title"],
            Self::EditingLinks => &["composition", "links"],
        }
    }

    /// Every kind of plugin that is measured.
    #[must_use]
    pub fn registry() -> Registry {
        Registry::standard()
            .with::<Stamp>()
            .with::<Framing>()
            .with::<Elsewhere>()
            .with::<Banner>()
            .with::<Title>()
            .with::<Links>()
    }

    /// One instance of each kind that [`Plugins::Five`] needs, named like its kind, as a configuration has them.
    #[must_use]
    pub fn instances() -> Vec<PluginInstance> {
        let kinds = Self::Five.kinds().iter();
        kinds.map(|kind| PluginInstance::new(kind, kind)).collect()
    }

    /// The names of its instances.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        self.kinds().iter().map(|kind| (*kind).to_owned()).collect()
    }

    /// The chain of such a route. Everybody's preferences are known without waiting.
    ///
    /// # Panics
    /// If it cannot be built.
    #[must_use]
    pub fn chain(self) -> Chain {
        let registry = Self::registry();
        let spec = |kind: &&str| PluginSpec {
            instance: (*kind).to_owned(),
            kind: (*kind).to_owned(),
            settings: DeTable::parse("").expect("an empty table"),
        };
        let specs: Vec<_> = self.kinds().iter().map(spec).collect();
        let tools = Tools {
            preferences: Arc::new(testing::preferring(Preferences::default())),
            ..Tools::default()
        };
        registry.build(&specs, &tools).expect("a chain")
    }
}

/// The way in: from the request's arrival to before it is forwarded.
///
/// # Panics
/// If a plugin fails or answers by itself.
pub async fn way_in(chain: &Chain, ask: &Ask) -> Visits {
    let mut visits = chain.begin(&ask.request());
    // As in the gateway: a head is copied only for plugins that will look at it.
    if !visits.is_empty() {
        let mut head = ask.head();
        let answer = visits
            .on_request(&mut head)
            .await
            .expect("plugins that do not fail");
        assert!(answer.is_none(), "plugins that do not answer");
    }
    visits
}

/// The way out: from the answer's head to its end, without the body.
pub async fn way_out(visits: &mut Visits, head: &mut ResponseHead) -> Option<Rewriter> {
    visits.on_response(head).await;
    let rewriter = visits.rewriter(head);
    visits.on_end(&End {
        status: Some(head.status),
        bytes_sent: 0,
        elapsed: Duration::ZERO,
    });
    rewriter
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use hivematrix_plugins::Outcome;

    use super::*;
    use crate::{browser, pages};

    async fn edited(plugins: Plugins, page: &pages::Page, chunks: &[Bytes]) -> (Bytes, Outcome) {
        let mut head = browser::page_head(page.body.len(), &[]);
        let mut visits = way_in(&plugins.chain(), &Ask::document()).await;
        let mut rewriter = way_out(&mut visits, &mut head).await.expect("an editable page");
        let mut out = BytesMut::new();
        for chunk in chunks {
            out.extend_from_slice(&rewriter.push(chunk));
        }
        out.extend_from_slice(&rewriter.finish());
        (out.freeze(), rewriter.outcome())
    }

    #[tokio::test]
    async fn every_page_is_edited_by_every_chain_and_pieces_make_no_difference() {
        for page in pages::all() {
            for plugins in [
                Plugins::Composition,
                Plugins::Five,
                Plugins::EditingTitle,
                Plugins::EditingLinks,
            ] {
                let (whole, outcome) = edited(plugins, &page, &page.whole()).await;
                assert_eq!(outcome, Outcome::Edited, "{} {plugins:?}", page.name);
                assert!(whole.len() > page.body.len() + 1000);
                assert_eq!(edited(plugins, &page, &page.pieces()).await, (whole, outcome));
            }
        }
    }

    #[tokio::test]
    async fn what_a_script_fetches_is_not_edited() {
        for plugins in [Plugins::None, Plugins::Composition, Plugins::Five] {
            let mut visits = way_in(&plugins.chain(), &Ask::fetch()).await;
            assert!(way_out(&mut visits, &mut browser::json_head()).await.is_none());
        }
    }
}
