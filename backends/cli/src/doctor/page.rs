//! What a service's page brings along: styles, addresses, scripts and what they call. What is wrong with it is decided in
//! `service`.

use std::cell::RefCell;

use lol_html::{HtmlRewriter, Settings, element, text};

/// What stands in a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Addresses in `href`, `src` and `action`.
    pub(crate) addresses: Vec<String>,
    /// Those of stylesheets.
    pub(crate) stylesheets: Vec<String>,
    /// `<style>` elements.
    pub(crate) style_elements: usize,
    /// `style` attributes.
    pub(crate) style_attributes: usize,
    /// The text of its scripts.
    pub(crate) scripts: String,
    /// The addresses of script files.
    pub(crate) script_files: Vec<String>,
}

impl Page {
    /// Reads a page, as far as it can be read.
    pub(crate) fn read(html: &str) -> Self {
        let page = RefCell::new(Self::default());
        let elements = element!("*", |element| {
            let mut page = page.borrow_mut();
            if element.has_attribute("style") {
                page.style_attributes += 1;
            }
            for name in ["href", "src", "action"] {
                page.addresses.extend(element.get_attribute(name));
            }
            match element.tag_name().as_str() {
                "style" => page.style_elements += 1,
                "script" => page.script_files.extend(element.get_attribute("src")),
                "link" if is_stylesheet(element.get_attribute("rel")) => {
                    page.stylesheets.extend(element.get_attribute("href"));
                }
                _ => {}
            }
            Ok(())
        });
        let texts = text!("script", |chunk| {
            page.borrow_mut().scripts.push_str(chunk.as_str());
            Ok(())
        });
        let settings = Settings::new()
            .append_element_content_handler(elements)
            .append_element_content_handler(texts);
        let mut reader = HtmlRewriter::new(settings, |_: &[u8]| {});
        // What was read before an error counts.
        let _ = reader.write(html.as_bytes()).and_then(|()| reader.end());
        page.take()
    }
}

fn is_stylesheet(rel: Option<String>) -> bool {
    rel.is_some_and(|rel| {
        rel.split_ascii_whitespace()
            .any(|word| word.eq_ignore_ascii_case("stylesheet"))
    })
}

/// A request that a script makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where to, if that stands there as a text.
    pub(crate) address: Option<String>,
    /// Whether the session goes with it.
    pub(crate) credentials: Credentials,
}

/// What a call says of `credentials`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// `same-origin` or `include`; or a call that always takes them along.
    Sent,
    /// `omit`.
    Omitted,
    /// Nothing, so the browser decides.
    Unsaid,
    /// The options stand elsewhere.
    Unknown,
}

/// How a request begins in a script, and whether `credentials` is said in it.
const CALLS: [(&str, bool); 7] = [
    ("fetch(", true),
    ("EventSource(", false),
    ("axios.get(", false),
    ("axios.post(", false),
    ("$.get(", false),
    ("$.post(", false),
    ("$.getJSON(", false),
];

/// The requests that a script makes, as far as its text shows them.
pub(crate) fn calls(script: &str) -> Vec<Call> {
    let mut found = Vec::new();
    for (start, says) in CALLS {
        for (at, _) in script.match_indices(start) {
            let before = script[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                continue;
            }
            let arguments = arguments(&script[at + start.len()..]);
            found.push(Call {
                address: arguments.first().and_then(|argument| literal(argument)),
                credentials: if says {
                    credentials(&arguments)
                } else {
                    Credentials::Sent
                },
            });
        }
    }
    found
}

/// The arguments of a call, from behind its bracket on.
fn arguments(text: &str) -> Vec<&str> {
    const LONGEST: usize = 4000;
    let (mut depth, mut quote, mut escaped, mut start) = (0_usize, None, false, 0);
    let mut found = Vec::new();
    for (at, c) in text.char_indices().take(LONGEST) {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth > 0 => depth -= 1,
            (None, ')') => {
                found.push(text[start..at].trim());
                return found;
            }
            (None, ',') if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    found
}

/// The text that stands in quotes at the beginning of an argument, up to what is put in at run time.
fn literal(argument: &str) -> Option<String> {
    let quote = argument
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inner = &argument[1..];
    let text = &inner[..inner.find(quote)?];
    Some(text.split("${").next().unwrap_or_default().to_owned())
}

fn credentials(arguments: &[&str]) -> Credentials {
    let Some(options) = arguments.get(1) else {
        return Credentials::Unsaid;
    };
    if !options.starts_with('{') || options.contains("...") {
        return Credentials::Unknown;
    }
    match options.split_once("credentials") {
        None => Credentials::Unsaid,
        Some((_, value))
            if value
                .trim_start_matches([':', ' ', '"', '\'', '`'])
                .starts_with("omit") =>
        {
            Credentials::Omitted
        }
        Some(_) => Credentials::Sent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_for_styles_addresses_and_scripts() {
        let page = Page::read(
            "<head><link rel='preload stylesheet' href=/a.css><link rel=icon href=/i><style>b{}</style></head>\
             <body style='x'><a href='/x'>x</a><form action=/y></form><script src=/s.js></script><script>go(1<2)</script>",
        );
        assert_eq!(page.stylesheets, ["/a.css"]);
        assert_eq!((page.style_elements, page.style_attributes), (1, 1));
        assert_eq!(page.addresses, ["/a.css", "/i", "/x", "/y", "/s.js"]);
        assert_eq!(
            (page.script_files, page.scripts.as_str()),
            (vec!["/s.js".to_owned()], "go(1<2)")
        );
    }

    #[test]
    fn a_scripts_requests_are_seen_with_their_credentials() {
        let call = |address: Option<&str>, credentials| Call {
            address: address.map(str::to_owned),
            credentials,
        };
        for (script, expected) in [
            ("fetch('/api/x')", Some(call(Some("/api/x"), Credentials::Unsaid))),
            (
                "await fetch(`/api/${id}/x`, {credentials: 'same-origin'})",
                Some(call(Some("/api/"), Credentials::Sent)),
            ),
            (
                "fetch(\"a)b\", { headers: {a: ')'}, credentials: \"omit\" })",
                Some(call(Some("a)b"), Credentials::Omitted)),
            ),
            ("fetch(url, options)", Some(call(None, Credentials::Unknown))),
            ("fetch(url, {...options})", Some(call(None, Credentials::Unknown))),
            (
                "new EventSource('/events')",
                Some(call(Some("/events"), Credentials::Sent)),
            ),
            ("prefetch('/x')", None),
            ("fetch('/never closed", None),
        ] {
            let found = calls(script);
            let expected: Vec<Call> = expected.into_iter().collect();
            let closed = script.ends_with(')');
            assert!(
                found == expected || (!closed && found.iter().all(|call| call.address.is_none())),
                "{script}: {found:?}"
            );
        }
    }
}
