//! What a plugin wants changed in a document, said in words and not in bytes.
//!
//! Not responsible for applying it ([`crate::html`]) nor for what a page's policy has to allow for it
//! ([`crate::csp`]): a plugin names the files it links, both are done for it.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::plugin::Invalid;
use super::request::ResponseHead;

/// What a handler of [`Edits::on_element`] returns; an error ends all edits of the page, never the page.
pub use lol_html::HandlerResult;
/// How inserted text is meant: as markup or as text to be escaped.
pub use lol_html::html_content::ContentType;
/// An element of the page, as a handler of [`Edits::on_element`] sees it.
pub use lol_html::send::Element;

/// What is known of a document when edits are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The head of the answer.
    pub head: &'a ResponseHead,
    /// Whether scripts can run on the page. `false` under a `sandbox` policy (CSP Level 3
    /// §6.3.2), which is never loosened: offer something that works without script.
    pub scripts: bool,
}

/// Everything a plugin wants changed in one document.
#[derive(Default)]
pub struct Edits {
    pub(crate) html_attributes: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) head: Vec<HeadItem>,
    pub(crate) body_start: Vec<Fragment>,
    pub(crate) elements: Vec<ElementEdit>,
    pub(crate) connects: Vec<Cow<'static, str>>,
    pub(crate) version: Option<u64>,
}

pub(crate) enum HeadItem {
    Stylesheet(Cow<'static, str>),
    Script {
        path: Cow<'static, str>,
        when: RunScript,
    },
    Fragment(Fragment),
}

pub(crate) struct ElementEdit {
    pub(crate) selector: Selector,
    pub(crate) reach: Reach,
    pub(crate) handler: lol_html::send::ElementHandler<'static>,
}

/// When a script of [`Edits::script`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunScript {
    /// Before the body is parsed and painted. Keep it tiny.
    BeforePaint,
    /// When the document has been parsed.
    Deferred,
}

/// How far down a page an element edit needs the parser. What lies below goes through untouched and
/// unparsed, which is many times cheaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything before the body.
    Head,
    /// The whole document.
    Document,
}

impl Edits {
    /// No edits.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            html_attributes: Vec::new(),
            head: Vec::new(),
            body_start: Vec::new(),
            elements: Vec::new(),
            connects: Vec::new(),
            version: None,
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.html_attributes.is_empty()
            && self.head.is_empty()
            && self.body_start.is_empty()
            && self.elements.is_empty()
    }

    /// Sets an attribute of `<html>`. It wins over one that the page has. `name` is lower-case ASCII.
    pub fn html_attribute(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.html_attributes.push((name, value.into()));
    }

    /// Links a stylesheet of our own origin at the end of `<head>`; `path` begins with `/`.
    pub fn stylesheet(&mut self, path: impl Into<Cow<'static, str>>) {
        self.head.push(HeadItem::Stylesheet(path.into()));
    }

    /// Links a script file of our own origin at the end of `<head>`; `path` begins with `/`. Dropped on
    /// pages where scripts cannot run.
    pub fn script(&mut self, path: impl Into<Cow<'static, str>>, when: RunScript) {
        self.head.push(HeadItem::Script {
            path: path.into(),
            when,
        });
    }

    /// Says that a script of these edits calls this path of our own origin, so that the page's policy is
    /// extended by it.
    pub fn connects_to(&mut self, path: impl Into<Cow<'static, str>>) {
        self.connects.push(path.into());
    }

    /// Puts metadata (`<meta>`, `<link>`) at the end of `<head>`. Anything that is not allowed in a head
    /// would begin the body there. No inline script or style: policies forbid them; use
    /// [`Edits::script`] and [`Edits::stylesheet`].
    pub fn head_end(&mut self, fragment: impl Into<Fragment>) {
        self.head.push(HeadItem::Fragment(fragment.into()));
    }

    /// Puts markup at the start of `<body>`. Elements that are left open are closed by the browser at the
    /// end of the body, and so wrap all of it; use custom elements for that, which no stray end tag of the
    /// page can close.
    pub fn body_start(&mut self, fragment: impl Into<Fragment>) {
        self.body_start.push(fragment.into());
    }

    /// Calls `handler` for every element that `selector` matches, as far down as `reach` says. Handlers see
    /// the upstream's elements, never what plugins inserted.
    pub fn on_element(
        &mut self,
        selector: &Selector,
        reach: Reach,
        handler: impl FnMut(&mut Element<'_, '_>) -> HandlerResult + Send + 'static,
    ) {
        self.elements.push(ElementEdit {
            selector: selector.clone(),
            reach,
            handler: Box::new(handler),
        });
    }

    /// A number that stands for everything these edits depend on: two answers with equal upstream bodies
    /// and equal versions are equal. Without it the edited page loses its `ETag`.
    pub fn version(&mut self, version: u64) {
        self.version = Some(version);
    }
}

/// A checked CSS selector; parse it once, when the plugin is built.
#[derive(Clone, Debug)]
pub struct Selector(pub(crate) Arc<lol_html::Selector>);

impl FromStr for Selector {
    type Err = Invalid;

    fn from_str(selector: &str) -> Result<Self, Invalid> {
        selector
            .parse()
            .map(|parsed| Self(Arc::new(parsed)))
            .map_err(|error| Invalid::new(format!("`{selector}` is not a selector we can follow: {error}")))
    }
}

/// A piece of markup in ASCII. Other characters become numeric references, so that the page's charset does
/// not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment(pub(crate) Bytes);

impl Fragment {
    /// Markup that is trusted as it stands. Text from people or services goes through `maud`, which escapes.
    #[must_use]
    pub fn trusted(markup: &str) -> Self {
        let mut bytes = BytesMut::with_capacity(markup.len());
        push_ascii(&mut bytes, markup);
        Self(bytes.freeze())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<maud::Markup> for Fragment {
    fn from(markup: maud::Markup) -> Self {
        if markup.0.is_ascii() {
            Self(markup.0.into())
        } else {
            Self::trusted(&markup.0)
        }
    }
}

impl From<Bytes> for Fragment {
    /// Bytes that were made by a `Fragment` before; others that are not ASCII are dropped byte by byte.
    fn from(bytes: Bytes) -> Self {
        if bytes.is_ascii() {
            Self(bytes)
        } else {
            Self(bytes.into_iter().filter(u8::is_ascii).collect())
        }
    }
}

/// Appends text, characters beyond ASCII as numeric references.
pub(crate) fn push_ascii(out: &mut BytesMut, text: &str) {
    use std::fmt::Write as _;
    if text.is_ascii() {
        return out.extend_from_slice(text.as_bytes());
    }
    for piece in text.split_inclusive(|c: char| !c.is_ascii()) {
        match piece.char_indices().next_back() {
            Some((at, last)) if !last.is_ascii() => {
                out.extend_from_slice(&piece.as_bytes()[..at]);
                // Writing to a buffer that grows cannot fail.
                let _ = write!(out, "&#{};", u32::from(last));
            }
            _ => out.extend_from_slice(piece.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_ascii_whatever_was_put_into_it() {
        assert_eq!(
            Fragment::trusted("<p>Zoë ❤</p>").as_bytes(),
            "<p>Zo&#235; &#10084;</p>"
        );
        assert_eq!(Fragment::trusted("é").as_bytes(), "&#233;");
        assert_eq!(Fragment::trusted("").as_bytes(), "");
        let name = "Mø<script>";
        assert_eq!(
            Fragment::from(maud::html! { b { (name) } }).as_bytes(),
            "<b>M&#248;&lt;script&gt;</b>"
        );
    }
}
