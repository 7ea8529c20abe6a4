//! Pages of random tag soup, the same ones for the same seed.

/// A small generator of random numbers (xorshift), so that a failure can be repeated.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % limit as u64).unwrap_or(0)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Names that some rule of the parser treats in a way of its own, and a few ordinary ones.
const NAMES: &[&str] = &[
    "html",
    "head",
    "body",
    "title",
    "meta",
    "link",
    "base",
    "style",
    "script",
    "noscript",
    "template",
    "noframes",
    "frameset",
    "frame",
    "br",
    "p",
    "div",
    "span",
    "a",
    "b",
    "i",
    "table",
    "tr",
    "td",
    "tbody",
    "caption",
    "col",
    "select",
    "option",
    "form",
    "input",
    "button",
    "textarea",
    "svg",
    "math",
    "mi",
    "foreignObject",
    "desc",
    "ul",
    "li",
    "h1",
    "pre",
    "section",
    "my-element",
    "iframe",
    "hr",
    "img",
    "main",
    "center",
    "font",
    "nobr",
    "object",
    "dd",
];

const HEAD_NAMES: &[&str] = &[
    "html", "head", "title", "meta", "link", "base", "style", "script", "noscript", "template", "noframes",
];

const PIECES: &[&str] = &[
    " ",
    "\n",
    "  \n\t",
    "text",
    "&amp;",
    "&#32;",
    "&#x0a;",
    "&Tab;",
    "&NewLine;",
    "&nbsp;",
    "&#13;",
    "&",
    "&#",
    "&T",
    "<",
    "</",
    "< ",
    "</ x>",
    "</>",
    "<?php x ?>",
    "<!x>",
    "<![CDATA[ x ]]>",
    "<!-- c -->",
    "<!---->",
    "<!-->",
    "<!--->",
    "<!-- a -- b --!>",
    "<!-- <body> -->",
    "<!doctype html>",
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\">",
    "<!doctype>",
    "]]>",
    "-->",
    "<x",
    "</head",
    "\u{a0}",
    "é",
    "\r\n",
    "\u{c}",
    "\0",
];

const ATTRIBUTES: &[&str] = &[
    "",
    " a",
    " a=1",
    " a='>'",
    " a=\">\"",
    " a=b/",
    " =x",
    " a = \"<body>\"",
    "/",
    " /",
    " a\"b",
    " class=x id=y",
    " a=''b=1",
    " type=hidden",
    " lang=de",
    " data-theme=own",
    " color=red",
    " a='<!--'",
    "\n\ta\n=\n'x'\n",
];

const RAW: &[&str] = &[
    "",
    "x",
    "<body>",
    "</body>",
    "<!-- </script> -->",
    "<!--<script></script>-->",
    "<!--<script>",
    "</titl>",
    "</ title>",
    "</scriptx>",
    "<!--",
    "-->",
    "<!-->",
    "<p>",
    "&amp;",
    "</STYLE\n>",
    "</script/>",
    "<![CDATA[",
];

/// One page.
pub(super) fn page(seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut page = String::new();
    if random.below(2) == 0 {
        page.push_str(random.pick(&[
            "<!doctype html>",
            "<!DOCTYPE HTML>\n",
            "\u{feff}<!doctype html>",
            "<!-- x --><!doctype html>",
        ]));
    }
    let tidy = random.below(3) == 0;
    for _ in 0..random.below(8) {
        piece(&mut random, &mut page, if tidy { HEAD_NAMES } else { NAMES });
    }
    for _ in 0..random.below(24) {
        piece(&mut random, &mut page, NAMES);
    }
    page
}

fn piece(random: &mut Random, page: &mut String, names: &[&str]) {
    let name = random.pick(names);
    match random.below(10) {
        0..=3 => {
            page.push('<');
            page.push_str(&cased(random, name));
            page.push_str(random.pick(ATTRIBUTES));
            page.push('>');
        }
        4 | 5 => {
            page.push_str("</");
            page.push_str(&cased(random, name));
            page.push_str(random.pick(&["", "", " x", "/"]));
            page.push('>');
        }
        6 => {
            let raw = random.pick(&["title", "style", "script", "noscript", "textarea", "noframes"]);
            page.push_str(&format!("<{raw}>{}</{raw}>", random.pick(RAW)));
        }
        7 => page.push_str(random.pick(&["text", " ", "\n", "x y"])),
        _ => page.push_str(random.pick(PIECES)),
    }
}

fn cased(random: &mut Random, name: &str) -> String {
    if random.below(6) == 0 {
        name.to_ascii_uppercase()
    } else {
        name.to_owned()
    }
}
