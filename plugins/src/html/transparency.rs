//! Proof that a page's own nodes stay what they were, by a parser that follows the specification.
//!
//! Every page is parsed as it came and as it is after our edits. What the body held must be in
//! `.hivematrix-content`; all else must be where it was.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use html5ever::tendril::TendrilSink as _;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, Node, NodeData, RcDom};

use super::nasty::NASTY;
use super::plan::Plan;
use super::soup::{self, Random};
use super::splice::{Progress, Splice};
use crate::contract::edits::{Edits, Fragment, RunScript};

fn edits() -> Edits {
    let mut edits = Edits::none();
    edits.html_attribute("data-ours", "dark");
    edits.script("/ours/a.js", RunScript::BeforePaint);
    edits.stylesheet("/ours/a.css");
    edits.body_start(Fragment::trusted(concat!(
        "<hivematrix-layout class=hivematrix-layout><div id=side-panel><ul><li><a href=/>x</a></li></ul>",
        "<button type=button>b</button></div><hivematrix-content class=hivematrix-content>",
    )));
    edits
}

fn splice() -> Splice {
    let (plan, _) = Plan::new(vec![edits()], "https://hm.example", false);
    Splice::new(plan, true, true, 1 << 20)
}

/// The page after our edits, handed over in the given pieces.
fn edited<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Progress) {
    let mut splice = splice();
    let mut out = BytesMut::new();
    for piece in pieces {
        out.extend_from_slice(&splice.push(&Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&splice.finish());
    (out.into(), splice.progress())
}

fn parse(page: &[u8]) -> RcDom {
    let tree_builder = TreeBuilderOpts {
        scripting_enabled: true,
        ..TreeBuilderOpts::default()
    };
    let options = ParseOpts {
        tree_builder,
        ..ParseOpts::default()
    };
    parse_document(RcDom::default(), options).from_utf8().one(page)
}

fn element<'a>(node: &'a Node, local: &str) -> Option<&'a std::cell::RefCell<Vec<html5ever::Attribute>>> {
    match &node.data {
        NodeData::Element { name, attrs, .. } if &*name.local == local => Some(attrs),
        _ => None,
    }
}

fn has_attribute(node: &Node, part: &str) -> bool {
    let NodeData::Element { attrs, .. } = &node.data else {
        return false;
    };
    attrs
        .borrow()
        .iter()
        .any(|attribute| attribute.value.contains(part))
}

fn child(node: &Handle, local: &str) -> Option<Handle> {
    node.children
        .borrow()
        .iter()
        .find(|child| element(child, local).is_some())
        .cloned()
}

/// Nodes as text, one to a line, adjacent texts joined, our own files left out.
fn dump(nodes: &[Handle], depth: usize, out: &mut String) {
    let mut text = String::new();
    for node in nodes {
        if let NodeData::Text { contents } = &node.data {
            text.push_str(&contents.borrow());
            continue;
        }
        if has_attribute(node, "/ours/") {
            continue;
        }
        flush(&mut text, depth, out);
        match &node.data {
            NodeData::Element {
                name,
                attrs,
                template_contents,
                ..
            } => {
                let _ = write!(out, "{:depth$}<{}:{}", "", name.ns, name.local);
                for attribute in attrs
                    .borrow()
                    .iter()
                    .filter(|attribute| &*attribute.name.local != "data-ours")
                {
                    let _ = write!(out, " {}={:?}", attribute.name.local, attribute.value);
                }
                out.push_str(">\n");
                if let Some(contents) = template_contents.borrow().as_ref() {
                    dump(&contents.children.borrow(), depth + 2, out);
                }
            }
            NodeData::Comment { contents } => writeln!(out, "{:depth$}<!--{contents:?}", "").unwrap(),
            NodeData::Doctype {
                name,
                public_id,
                system_id,
            } => {
                writeln!(out, "{:depth$}<!doctype {name:?} {public_id:?} {system_id:?}", "").unwrap();
            }
            other => writeln!(out, "{:depth$}{other:?}", "").unwrap(),
        }
        dump(&node.children.borrow(), depth + 1, out);
    }
    flush(&mut text, depth, out);
}

fn flush(text: &mut String, depth: usize, out: &mut String) {
    if !text.is_empty() {
        let _ = writeln!(out, "{:depth$}{text:?}", "");
        text.clear();
    }
}

/// The whole document. If it is composed, the wrappers are taken off again.
fn tree(dom: &RcDom) -> String {
    let html = child(&dom.document, "html");
    let body = html.and_then(|html| child(&html, "body"));
    let layout = body.as_ref().and_then(|body| child(body, "hivematrix-layout"));
    let content = layout
        .as_ref()
        .and_then(|layout| child(layout, "hivematrix-content"));
    if let (Some(body), Some(layout), Some(content)) = (body, layout, content) {
        assert_eq!(
            layout.children.borrow().len(),
            2,
            "only panel and content are in the layout"
        );
        assert_eq!(body.children.borrow().len(), 1, "only the layout is in the body");
        let own = content.children.borrow_mut().split_off(0);
        *body.children.borrow_mut() = own;
    }
    let mut out = format!("{:?}\n", dom.quirks_mode.get());
    dump(&dom.document.children.borrow(), 0, &mut out);
    out
}

/// Checks one page; says how it was edited.
fn check(page: &[u8]) -> Progress {
    let (after, progress) = edited([page].into_iter());
    let original = parse(page);
    let composed = parse(&after);
    let frameset = child(&original.document, "html").is_some_and(|html| child(&html, "frameset").is_some());
    if frameset {
        assert_eq!(
            progress,
            Progress::LeftAlone,
            "a frameset: {}",
            String::from_utf8_lossy(page)
        );
    }
    if progress == Progress::Done {
        let html = child(&composed.document, "html").unwrap();
        let marked = element(&html, "html")
            .unwrap()
            .borrow()
            .iter()
            .any(|a| &*a.name.local == "data-ours");
        assert!(
            marked,
            "{}\nbecame\n{}",
            String::from_utf8_lossy(page),
            String::from_utf8_lossy(&after)
        );
        let head = child(&html, "head").unwrap();
        let ours = head
            .children
            .borrow()
            .iter()
            .filter(|node| has_attribute(node, "/ours/"))
            .count();
        assert_eq!(
            ours,
            2,
            "our files are in the head:\n{}",
            String::from_utf8_lossy(&after)
        );
    }
    let (before, after_tree) = (tree(&original), tree(&composed));
    assert!(
        before == after_tree,
        "the page\n{}\nbecame\n{}\nwas\n{before}\nis\n{after_tree}",
        String::from_utf8_lossy(page),
        String::from_utf8_lossy(&after)
    );
    progress
}

/// Cuts at every place, and into single bytes: always the same output.
fn check_cuts(page: &[u8]) {
    let whole = edited([page].into_iter());
    assert_eq!(
        edited(page.chunks(1)),
        whole,
        "byte by byte: {}",
        String::from_utf8_lossy(page)
    );
    for cut in 0..=page.len() {
        let (head, tail) = page.split_at(cut);
        assert_eq!(
            edited([head, tail].into_iter()),
            whole,
            "cut at {cut}: {}",
            String::from_utf8_lossy(page)
        );
    }
}

#[test]
fn nasty_pages_keep_their_nodes() {
    for (name, page) in NASTY {
        eprintln!("{name}");
        check(page.as_bytes());
        check_cuts(page.as_bytes());
    }
}

#[test]
fn pages_that_end_in_the_middle_keep_their_nodes() {
    for (name, page) in NASTY {
        eprintln!("{name}");
        for end in (0..page.len()).filter(|end| page.is_char_boundary(*end)) {
            check(&page.as_bytes()[..end]);
        }
    }
}

#[test]
fn ten_thousand_pages_of_tag_soup_keep_their_nodes() {
    let mut edited = 0;
    for seed in 1..=10_000 {
        eprintln!("seed {seed}");
        let page = soup::page(seed);
        edited += usize::from(check(page.as_bytes()) == Progress::Done);
    }
    // Most must really have been edited, or this would prove nothing.
    assert!(edited > 8_000, "{edited}");
}

#[test]
fn tag_soup_is_edited_alike_however_it_is_cut() {
    for seed in 1..=300 {
        check_cuts(soup::page(seed).as_bytes());
    }
    for seed in 301..=3_000 {
        let page = soup::page(seed);
        let mut random = Random::new(seed);
        let mut rest = page.as_bytes();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(1 + random.below(rest.len().min(9)));
            pieces.push(head);
            rest = tail;
        }
        assert_eq!(
            edited(pieces.into_iter()),
            edited([page.as_bytes()].into_iter()),
            "seed {seed}"
        );
    }
}

#[test]
fn a_page_streams_and_its_body_is_neither_held_nor_copied() {
    let mut splice = splice();
    let start = Bytes::from_static(b"<!doctype html><html><head><title>x</title>");
    assert!(
        splice.push(&start).starts_with(b"<!doctype html><html data-ours"),
        "the head leaves at once"
    );
    assert!(
        splice
            .push(&Bytes::from_static(b"</head><body>"))
            .ends_with(b"class=hivematrix-content>")
    );
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    // 200 MB.
    for _ in 0..3_200 {
        let out = splice.push(&chunk);
        assert_eq!((out.as_ptr(), out.len()), (chunk.as_ptr(), chunk.len()));
    }
    assert!(splice.finish().is_empty());
}

#[test]
fn what_lies_before_a_body_is_not_held_either_however_long_it_is() {
    for (open, filler, close) in [
        ("<!--", "- x <p> ", "-->"),
        ("<style>", "a{} ", "</style>"),
        ("", " \n", ""),
    ] {
        let mut splice = splice();
        let mut out = splice.push(&Bytes::from_static(open.as_bytes())).len();
        let mut sent = open.len();
        let chunk = Bytes::from(filler.repeat(1_000));
        for _ in 0..500 {
            out += splice.push(&chunk).len();
            sent += chunk.len();
            assert!(sent - out < 16, "{open} holds {} bytes", sent - out);
        }
        splice.push(&Bytes::copy_from_slice(close.as_bytes()));
        splice.push(&Bytes::from_static(b"text"));
        assert_eq!(splice.progress(), Progress::Done, "{open}");
    }
}

#[test]
fn a_tag_beyond_the_limit_goes_on_as_it_came() {
    let (plan, _) = Plan::new(vec![edits()], "https://hm.example", false);
    let mut splice = Splice::new(plan, true, true, 4_096);
    let page = format!("<div title='{}'>x</div>", "y".repeat(10_000));
    let mut out = BytesMut::new();
    for piece in page.as_bytes().chunks(1_000) {
        out.extend_from_slice(&splice.push(&Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&splice.finish());
    assert_eq!(
        (&out[..], splice.progress()),
        (page.as_bytes(), Progress::GivenUp)
    );
}
