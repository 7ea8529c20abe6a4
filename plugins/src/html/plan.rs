//! All plugins' edits of one page, put together: what goes where, and which tags it takes.
//!
//! Not responsible for finding the places ([`super::preamble`]).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::attributes;
use crate::contract::edits::{Edits, ElementEdit, Fragment, HeadItem, RunScript, push_ascii};
use crate::csp::{Marks, Needs, Policies, Script};
use crate::design;

/// About how long an attribute of `<html>` is.
const ATTRIBUTE: usize = 32;

/// What will be put into the page.
pub(crate) struct Plan {
    html_attributes: BytesMut,
    head: Vec<HeadItem>,
    body: Vec<Fragment>,
    connects: Vec<Cow<'static, str>>,
    origin: Box<str>,
    sandboxed: bool,
    /// Made for the first policy that is met: most pages have none.
    policies: Option<Policies>,
    /// The page has a `<base>`, so that our links must be absolute.
    based: bool,
}

impl Plan {
    /// Puts edits together; element edits are handed back.
    pub(crate) fn new(edits: Vec<Edits>, origin: &str, sandboxed: bool) -> (Self, Vec<ElementEdit>) {
        let mut plan = Self {
            html_attributes: BytesMut::new(),
            head: Vec::new(),
            body: Vec::new(),
            connects: Vec::new(),
            origin: origin.into(),
            sandboxed,
            policies: None,
            based: false,
        };
        let mut elements = Vec::new();
        for mut edit in edits {
            plan.html_attributes
                .reserve(ATTRIBUTE * edit.html_attributes.len());
            for (name, value) in &edit.html_attributes {
                write_attribute(name, Some(value), &mut plan.html_attributes);
            }
            if sandboxed {
                edit.head.retain(|item| !matches!(item, HeadItem::Script { .. }));
                edit.connects.clear();
            }
            plan.head.append(&mut edit.head);
            plan.body.append(&mut edit.body_start);
            plan.connects.append(&mut edit.connects);
            elements.append(&mut edit.elements);
        }
        (plan, elements)
    }

    /// The page's policies.
    pub(crate) fn policies(&mut self) -> &mut Policies {
        let Self {
            head,
            connects,
            origin,
            sandboxed,
            policies,
            ..
        } = self;
        policies.get_or_insert_with(|| Policies::new(needs(head, connects, origin), origin, *sandboxed))
    }

    /// Whether nothing is to be put into the page.
    pub(crate) fn is_empty(&self) -> bool {
        self.html_attributes.is_empty() && self.head.is_empty() && self.body.is_empty()
    }

    /// About how many bytes the page will grow by.
    pub(crate) fn size(&self) -> usize {
        let body: usize = self.body.iter().map(|fragment| fragment.as_bytes().len()).sum();
        1024 + body
    }

    /// The page has a `<base>`.
    pub(crate) fn based(&mut self) {
        self.based = true;
    }

    /// Attributes of `<html>`, each with a blank in front. The first of two equal attributes counts, so put
    /// right behind the name they win.
    pub(crate) fn html_attributes(&self) -> &[u8] {
        &self.html_attributes
    }

    /// Writes what belongs at the end of the head. If the page wrote no `<html>`, one is added here: its
    /// attributes go to the element that the parser has made by itself (HTML §13.2.6.4.7).
    pub(crate) fn write_head(&self, html_written: bool, out: &mut BytesMut) {
        if !html_written && !self.html_attributes.is_empty() {
            out.put_slice(b"<html");
            out.put_slice(&self.html_attributes);
            out.put_u8(b'>');
        }
        let marks = self.policies.as_ref().map_or(&Marks::NONE, Policies::marks);
        for item in &self.head {
            match item {
                HeadItem::Stylesheet(path) => {
                    out.put_slice(b"<link rel=\"stylesheet\" href=\"");
                    self.write_url(path, out);
                    out.put_u8(b'"');
                    write_attribute("nonce", marks.style_nonce.as_deref(), out);
                    out.put_u8(b'>');
                }
                HeadItem::Script { path, when } => {
                    out.put_slice(b"<script src=\"");
                    self.write_url(path, out);
                    out.put_u8(b'"');
                    write_attribute("nonce", marks.script_nonce.as_deref(), out);
                    if marks.integrity {
                        write_attribute("integrity", design::asset(bare(path)).map(|a| a.integrity), out);
                    }
                    if *when == RunScript::Deferred {
                        out.put_slice(b" defer");
                    }
                    out.put_slice(b"></script>");
                }
                HeadItem::Fragment(fragment) => self.write_fragment(fragment, out),
            }
        }
    }

    /// Writes what belongs at the start of the body.
    pub(crate) fn write_body(&self, out: &mut BytesMut) {
        for fragment in &self.body {
            self.write_fragment(fragment, out);
        }
    }

    /// A `<meta>` of the page whose policy must allow our files; `None` if it can stay.
    pub(crate) fn extended_meta(&mut self, tag: &[u8]) -> Option<Vec<u8>> {
        let kind = attributes::value(tag, "http-equiv")?;
        if !kind.eq_ignore_ascii_case("content-security-policy") {
            return None;
        }
        let extended = self.policies().extend(&attributes::value(tag, "content")?)?;
        let place = attributes::find(tag, "content")?.quoted;
        let mut out = BytesMut::from(tag.get(..place.start)?);
        out.put_u8(b'"');
        push_attribute(&mut out, &extended);
        out.put_u8(b'"');
        out.put_slice(tag.get(place.end..)?);
        Some(out.into())
    }

    fn write_url(&self, path: &str, out: &mut BytesMut) {
        if self.based {
            push_attribute(out, &self.origin);
        }
        push_attribute(out, path);
    }

    fn write_fragment(&self, fragment: &Fragment, out: &mut BytesMut) {
        let bytes = fragment.as_bytes();
        if !self.based {
            out.put_slice(bytes);
            return;
        }
        // Links of ours begin with `/`; `<base>` must neither move them nor open them elsewhere.
        let link = b"href=\"/";
        let mut from = 0;
        for at in memchr::memmem::find_iter(bytes, link) {
            out.put_slice(bytes.get(from..at).unwrap_or_default());
            out.put_slice(b"target=\"_self\" href=\"");
            push_attribute(out, &self.origin);
            from = at + link.len() - 1;
        }
        out.put_slice(bytes.get(from..).unwrap_or_default());
    }
}

fn needs(head: &[HeadItem], connects: &[Cow<'static, str>], origin: &str) -> Needs {
    let mut needs = Needs::default();
    for item in head {
        match item {
            HeadItem::Stylesheet(path) => needs.styles.push(url(origin, path)),
            HeadItem::Script { path, .. } => needs.scripts.push(Script {
                url: url(origin, path),
                integrity: design::asset(bare(path)).map(|asset| asset.integrity),
            }),
            HeadItem::Fragment(_) => {}
        }
    }
    needs
        .connects
        .extend(connects.iter().map(|path| url(origin, path)));
    needs
}

fn url(origin: &str, path: &str) -> String {
    [origin, bare(path)].concat()
}

fn bare(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

fn write_attribute(name: &str, value: Option<&str>, out: &mut BytesMut) {
    if let Some(value) = value {
        out.put_u8(b' ');
        out.put_slice(name.as_bytes());
        out.put_slice(b"=\"");
        push_attribute(out, value);
        out.put_u8(b'"');
    }
}

/// Writes text into a double-quoted attribute, in ASCII.
fn push_attribute(out: &mut BytesMut, text: &str) {
    if text
        .bytes()
        .all(|byte| byte.is_ascii() && !matches!(byte, b'&' | b'"' | b'<'))
    {
        return out.put_slice(text.as_bytes());
    }
    for piece in text.split_inclusive(['&', '"', '<']) {
        let (head, last) = piece.split_at(piece.len() - 1);
        match last {
            "&" | "\"" | "<" => {
                push_ascii(out, head);
                out.put_slice(match last {
                    "&" => b"&amp;",
                    "<" => b"&lt;",
                    _ => b"&quot;",
                });
            }
            _ => push_ascii(out, piece),
        }
    }
}
