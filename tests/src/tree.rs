//! What a browser makes of a page: the tree that a parser after the specification (html5ever) builds of it,
//! as text that can be compared. Knows what is the gateway's in a composed page, to take it off again.

use std::fmt::Write as _;

use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, Node, NodeData, RcDom};

/// Attributes that the gateway adds to `<html>`.
const OURS: [&str; 3] = ["data-theme", "data-theme-default", "data-color-theme"];

/// The tree of a page as its backend sent it, with the document's mode in the first line.
#[must_use]
pub fn original_tree(page: &str) -> String {
    dumped(&parse(page), false)
}

/// The tree of a composed page without what the gateway added: wrappers, panel, files, attributes.
///
/// # Errors
/// If it is not composed as the contract says, with what is wrong.
pub fn backends_tree(page: &str) -> Result<String, String> {
    let dom = parse(page);
    let html = child(&dom.document, "html").ok_or("no <html>")?;
    let body = child(&html, "body").ok_or("no <body>")?;
    let layout = child(&body, "hivematrix-layout").ok_or("no layout in the body")?;
    let content = child(&layout, "hivematrix-content").ok_or("no content in the layout")?;
    if body.children.borrow().len() != 1 || layout.children.borrow().len() != 2 {
        return Err("something of the page's own is outside of .hivematrix-content".to_owned());
    }
    let head = child(&html, "head").ok_or("no <head>")?;
    let files = head.children.borrow().iter().filter(|node| is_ours(node)).count();
    if files < 3 {
        return Err(format!("only {files} files of ours are in the head"));
    }
    let own = content.children.borrow_mut().split_off(0);
    *body.children.borrow_mut() = own;
    Ok(dumped(&dom, true))
}

fn parse(page: &str) -> RcDom {
    let tree_builder = TreeBuilderOpts {
        scripting_enabled: true,
        ..TreeBuilderOpts::default()
    };
    let options = ParseOpts {
        tree_builder,
        ..ParseOpts::default()
    };
    parse_document(RcDom::default(), options).one(StrTendril::from(page))
}

fn attribute(node: &Node, name: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else {
        return None;
    };
    let attrs = attrs.borrow();
    let found = attrs.iter().find(|attribute| &*attribute.name.local == name);
    found.map(|attribute| attribute.value.to_string())
}

/// A file that the gateway links: a stylesheet or script under `/static/`.
fn is_ours(node: &Node) -> bool {
    ["href", "src"]
        .iter()
        .any(|name| attribute(node, name).is_some_and(|value| value.starts_with("/static/")))
}

fn child(node: &Handle, local: &str) -> Option<Handle> {
    let named =
        |node: &&Handle| matches!(&node.data, NodeData::Element { name, .. } if &*name.local == local);
    node.children.borrow().iter().find(named).cloned()
}

fn dumped(dom: &RcDom, composed: bool) -> String {
    let mut out = format!("{:?}\n", dom.quirks_mode.get());
    dump(&dom.document.children.borrow(), 0, composed, &mut out);
    out
}

/// One node to a line, adjacent texts joined.
fn dump(nodes: &[Handle], depth: usize, composed: bool, out: &mut String) {
    let mut text = String::new();
    for node in nodes {
        if let NodeData::Text { contents } = &node.data {
            text.push_str(&contents.borrow());
            continue;
        }
        // Ours stand in the head only; a page's own `/static/` elsewhere is compared.
        if composed && depth == 2 && is_ours(node) {
            continue;
        }
        flush(&mut text, depth, out);
        line(node, depth, composed, out);
        dump(&node.children.borrow(), depth + 1, composed, out);
    }
    flush(&mut text, depth, out);
}

fn line(node: &Node, depth: usize, composed: bool, out: &mut String) {
    match &node.data {
        NodeData::Element {
            name,
            attrs,
            template_contents,
            ..
        } => {
            let _ = write!(out, "{:depth$}<{}:{}", "", name.ns, name.local);
            for attribute in attrs.borrow().iter() {
                let name = &*attribute.name.local;
                if !(composed && depth == 0 && OURS.contains(&name)) {
                    let _ = write!(out, " {name}={:?}", attribute.value);
                }
            }
            out.push_str(">\n");
            if let Some(contents) = template_contents.borrow().as_ref() {
                dump(&contents.children.borrow(), depth + 2, composed, out);
            }
        }
        NodeData::Comment { contents } => {
            let _ = writeln!(out, "{:depth$}<!--{contents:?}", "");
        }
        NodeData::Doctype {
            name,
            public_id,
            system_id,
        } => {
            let _ = writeln!(out, "{:depth$}<!doctype {name:?} {public_id:?} {system_id:?}", "");
        }
        other => {
            let _ = writeln!(out, "{:depth$}{other:?}", "");
        }
    }
}

fn flush(text: &mut String, depth: usize, out: &mut String) {
    if !text.is_empty() {
        let _ = writeln!(out, "{:depth$}{text:?}", "");
        text.clear();
    }
}
