//! Reads the attributes of one complete start tag: where a value stands and what it says.
//!
//! HTML §13.2.5.32 ff. Named character references are understood only as far as policies and charsets need
//! them; a value with others is reported as unreadable.

use std::ops::Range;

/// An attribute's place in its tag: the value without quotes, and all of it with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The value as written.
    pub(crate) value: Range<usize>,
    /// From the first quote to the last; the same as `value` where there are none.
    pub(crate) quoted: Range<usize>,
}

/// The first attribute of that (lower-case) name: later ones do not count.
pub(crate) fn find(tag: &[u8], wanted: &str) -> Option<Place> {
    let mut at = 1;
    while tag.get(at).is_some_and(|byte| !ends_name(*byte)) {
        at += 1;
    }
    loop {
        while tag.get(at).is_some_and(|byte| is_blank(*byte) || *byte == b'/') {
            at += 1;
        }
        if matches!(tag.get(at), None | Some(b'>')) {
            return None;
        }
        let name_start = at;
        // A `=` in front of a name is its first character.
        at += 1;
        while tag.get(at).is_some_and(|byte| !ends_name(*byte) && *byte != b'=') {
            at += 1;
        }
        let name = tag.get(name_start..at).unwrap_or_default();
        let place = read_value(tag, &mut at);
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(place);
        }
    }
}

/// The value of the first attribute of that name, with its character references resolved. `None` also if
/// it holds what we do not understand.
pub(crate) fn value(tag: &[u8], wanted: &str) -> Option<String> {
    decode(tag.get(find(tag, wanted)?.value)?)
}

fn read_value(tag: &[u8], at: &mut usize) -> Place {
    let mut look = *at;
    let skip = |mut look: usize| {
        while tag.get(look).is_some_and(|byte| is_blank(*byte)) {
            look += 1;
        }
        look
    };
    look = skip(look);
    if tag.get(look) != Some(&b'=') {
        return Place {
            value: *at..*at,
            quoted: *at..*at,
        };
    }
    look = skip(look + 1);
    let quote = tag.get(look).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let start = look + usize::from(quote.is_some());
    let mut end = start;
    while let Some(byte) = tag.get(end) {
        let ended = match quote {
            Some(quote) => *byte == quote,
            None => is_blank(*byte) || *byte == b'>',
        };
        if ended {
            break;
        }
        end += 1;
    }
    *at = end + usize::from(quote.is_some());
    Place {
        value: start..end,
        quoted: look..*at,
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

const fn ends_name(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'/' | b'>')
}

/// Resolves character references; `None` for bytes beyond ASCII and for names that are not in the list.
fn decode(value: &[u8]) -> Option<String> {
    if !value.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at)?);
        let reference = rest.get(at + 1..)?;
        let len = reference
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '#')
            .unwrap_or(reference.len());
        let name = reference.get(..len)?;
        match name.strip_prefix('#') {
            _ if name.is_empty() => out.push('&'),
            Some(number) => out.push(numeric(number)?),
            None => out.push(named(name)?),
        }
        rest = reference.get(len..)?;
        if !name.is_empty() {
            rest = rest.strip_prefix(';').unwrap_or(rest);
        }
    }
    out.push_str(rest);
    Some(out)
}

fn numeric(number: &str) -> Option<char> {
    let value = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(value).filter(|c| c.is_ascii() && *c != '\0')
}

fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" | "AMP" => '&',
        "quot" | "QUOT" => '"',
        "apos" => '\'',
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "semi" => ';',
        "colon" => ':',
        "sol" => '/',
        "lowbar" => '_',
        "ast" => '*',
        "period" => '.',
        "num" => '#',
        "Tab" => '\t',
        "NewLine" => '\n',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_attribute_is_found_as_a_browser_finds_it() {
        #[rustfmt::skip]
        let table: &[(&str, Option<&str>)] = &[
            ("<meta a=1>", Some("1")),
            ("<meta A = 'x y'>", Some("x y")),
            ("<meta a>", Some("")),
            ("<meta a/>", Some("")),
            ("<meta b=a a=2>", Some("2")),
            ("<meta a=1 a=2>", Some("1")),
            ("<meta b='a=1'>", None),
            ("<meta b=\"'\"a=3>", Some("3")),
            ("<meta/a=\"4\"/>", Some("4")),
            ("<meta a=5/>", Some("5/")),
            ("<meta =a=6>", None),
            ("<meta a=>", Some("")),
            ("<meta a=\"&#39;self&#x27; &amp; &quot\">", Some("'self' & \"")),
            ("<meta a=\"&hearts;\">", None),
            ("<meta a=\"caf\u{e9}\">", None),
            ("<meta a=\"?x=1&y\">", None),
            ("<meta a=\"? & x\">", Some("? & x")),
        ];
        for (tag, expected) in table {
            assert_eq!(value(tag.as_bytes(), "a").as_deref(), *expected, "{tag}");
        }
        let tag = b"<meta x content = 'abc' y>";
        let place = find(tag, "content").unwrap();
        assert_eq!(
            (&tag[place.value], &tag[place.quoted]),
            (&b"abc"[..], &b"'abc'"[..])
        );
    }
}
