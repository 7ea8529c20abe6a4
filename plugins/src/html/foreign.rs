//! Which of the page's elements make the parser read differently: templates, SVG, MathML.
//!
//! A stack of those alone. Ordinary elements are not followed: nothing before a page's body depends on them.

use super::attributes;
use super::name::Name;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Template,
    /// An SVG or MathML element whose content is foreign too.
    Foreign,
    /// A foreign element whose content is HTML again.
    HtmlPoint,
    /// A MathML element whose text is HTML.
    TextPoint,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    math: bool,
    name: Name,
}

/// What a start tag means where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An HTML element.
    Html,
    /// A foreign element; nothing to do.
    Foreign,
}

/// The stack.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    open: Vec<Open>,
}

/// Start tags that end foreign content. HTML §13.2.6.5.
const BREAKS_OUT: [&str; 44] = [
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strong",
    "strike",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
];

impl Stack {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether some template is open.
    pub(crate) fn in_template(&self) -> bool {
        self.open.iter().any(|one| one.kind == Kind::Template)
    }

    /// Whether the current element is an SVG or MathML one.
    pub(crate) fn in_foreign(&self) -> bool {
        self.open.last().is_some_and(|one| one.kind != Kind::Template)
    }

    pub(crate) fn open_template(&mut self) {
        self.push(Kind::Template, false, Name::from("template"));
    }

    /// A start tag; opens what has to be followed.
    pub(crate) fn start(&mut self, name: Name, tag: &[u8], self_closing: bool) -> Meaning {
        if self.reads_as_html(name) {
            return self.html_start(name, self_closing);
        }
        let math = self.open.last().is_some_and(|one| one.math);
        if BREAKS_OUT.iter().any(|one| one.as_bytes() == name.as_bytes())
            || breaks_out_by_attribute(name, tag)
        {
            while self.open.last().is_some_and(|one| one.kind == Kind::Foreign) {
                self.open.pop();
            }
            return self.html_start(name, self_closing);
        }
        if !self_closing {
            self.push(kind_of(name, math, tag), math, name);
        }
        Meaning::Foreign
    }

    fn html_start(&mut self, name: Name, self_closing: bool) -> Meaning {
        match name.as_bytes() {
            b"svg" | b"math" => {
                if !self_closing {
                    self.push(Kind::Foreign, name.as_bytes() == b"math", name);
                }
                Meaning::Foreign
            }
            b"template" => {
                self.open_template();
                Meaning::Html
            }
            _ => Meaning::Html,
        }
    }

    fn reads_as_html(&self, name: Name) -> bool {
        match self.open.last().map(|one| one.kind) {
            None | Some(Kind::Template | Kind::HtmlPoint) => true,
            Some(Kind::TextPoint) => !matches!(name.as_bytes(), b"mglyph" | b"malignmark"),
            Some(Kind::Foreign) => false,
        }
    }

    /// An end tag; closes what it names.
    pub(crate) fn end(&mut self, name: Name) {
        let breaks_out = matches!(name.as_bytes(), b"br" | b"p");
        if breaks_out && self.open.last().is_some_and(|one| one.kind == Kind::Foreign) {
            while self.open.last().is_some_and(|one| one.kind == Kind::Foreign) {
                self.open.pop();
            }
            return;
        }
        let above_template = self
            .open
            .iter()
            .rposition(|one| one.kind == Kind::Template)
            .map_or(0, |at| at + 1);
        let foreign = self
            .open
            .iter()
            .skip(above_template)
            .rposition(|one| one.name == name);
        if let Some(at) = foreign {
            self.open.truncate(above_template + at);
        } else if name.as_bytes() == b"template"
            && let Some(at) = self.open.iter().rposition(|one| one.kind == Kind::Template)
        {
            self.open.truncate(at);
        }
    }

    fn push(&mut self, kind: Kind, math: bool, name: Name) {
        self.open.push(Open { kind, math, name });
    }

    /// How deep the stack is.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }
}

fn kind_of(name: Name, math: bool, tag: &[u8]) -> Kind {
    match (math, name.as_bytes()) {
        (false, b"foreignobject" | b"desc" | b"title") => Kind::HtmlPoint,
        (true, b"mi" | b"mo" | b"mn" | b"ms" | b"mtext") => Kind::TextPoint,
        (true, b"annotation-xml") => {
            let html = attributes::value(tag, "encoding").is_some_and(|encoding| {
                ["text/html", "application/xhtml+xml"]
                    .iter()
                    .any(|kind| encoding.eq_ignore_ascii_case(kind))
            });
            if html { Kind::HtmlPoint } else { Kind::Foreign }
        }
        _ => Kind::Foreign,
    }
}

fn breaks_out_by_attribute(name: Name, tag: &[u8]) -> bool {
    name.as_bytes() == b"font"
        && ["color", "face", "size"]
            .iter()
            .any(|one| attributes::find(tag, one).is_some())
}
