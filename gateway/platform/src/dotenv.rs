//! `.flaskenv` files, read as python-dotenv reads them, because Flask does (platform README §7): which bindings a text has, where
//! each stands, and what they come to. What the variables mean is said where they are used.

use std::ops::Range;

/// What a text binds, and what in it is no binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// In the order of the text; a later one of the same name wins.
    pub bindings: Vec<Binding>,
    /// Bytes of the text that are no binding: python-dotenv skips them with a warning.
    pub broken: Vec<Range<usize>>,
}

/// One line `NAME=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The name.
    pub name: String,
    /// The value as written, without its quotes and escapes; `None` for a name without `=`.
    pub value: Option<String>,
    /// The bytes of the value, quotes included and comments not; those of the name where there is no value.
    pub span: Range<usize>,
}

impl Dotenv {
    /// Reads a text; there is none that cannot be read.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut reader = Reader {
            text,
            at: if text.starts_with('\u{feff}') {
                '\u{feff}'.len_utf8()
            } else {
                0
            },
        };
        let mut found = Self::default();
        while reader.at < text.len() {
            reader.skip(char::is_whitespace);
            let start = reader.at;
            match reader.binding() {
                Ok(binding) => found.bindings.extend(binding),
                Err(Broken) => {
                    reader.skip(|c| !is_newline(c));
                    found.broken.push(start..reader.at);
                }
            }
        }
        found
    }

    /// The values with `${NAME}` and `${NAME:-default}` put in: names that the text has bound before count first, then
    /// `outside`. Each with its place.
    #[must_use]
    pub fn resolve(&self, outside: impl Fn(&str) -> Option<String>) -> Vec<(String, String, Range<usize>)> {
        let mut resolved: Vec<(String, Option<String>, Range<usize>)> = Vec::new();
        for binding in &self.bindings {
            let known = |name: &str| match resolved.iter().rev().find(|(known, ..)| known == name) {
                Some((_, value, _)) => Some(value.clone().unwrap_or_default()),
                None => outside(name),
            };
            let value = binding.value.as_deref().map(|value| interpolate(value, known));
            resolved.retain(|(name, ..)| *name != binding.name);
            resolved.push((binding.name.clone(), value, binding.span.clone()));
        }
        resolved
            .into_iter()
            .filter_map(|(name, value, span)| Some((name, value?, span)))
            .collect()
    }
}

/// Puts variables into a value. What is no complete `${…}` stays as it is.
fn interpolate(value: &str, known: impl Fn(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        let inner = &from[2..];
        let Some(variable) = inner.find('}').map(|end| &inner[..end]) else {
            break;
        };
        let (name, default) = match variable.split_once(':') {
            None => (variable, ""),
            Some((name, default)) => match default.strip_prefix('-') {
                Some(default) => (name, default),
                // No variable; what comes behind may be one.
                None => {
                    result.push_str(before);
                    result.push_str("${");
                    rest = inner;
                    continue;
                }
            },
        };
        result.push_str(before);
        result.push_str(&known(name).unwrap_or_else(|| default.to_owned()));
        rest = &inner[variable.len() + 1..];
    }
    result.push_str(rest);
    result
}

/// The rest of a line is no binding.
struct Broken;

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// The next binding; `None` for a comment, or at the end.
    fn binding(&mut self) -> Result<Option<Binding>, Broken> {
        if self.at == self.text.len() {
            return Ok(None);
        }
        if let Some(after) = self.rest().strip_prefix("export")
            && after.starts_with(is_blank)
        {
            self.at += "export".len();
            self.skip(is_blank);
        }
        let start = self.at;
        let name = match self.peek() {
            Some('#') => None,
            Some('\'') => Some(self.quoted_name()?),
            _ => Some(self.plain_name()?),
        };
        let mut span = start..self.at;
        self.skip(is_blank);
        let value = if self.peek() == Some('=') {
            self.at += 1;
            let space = self.skip(is_blank);
            let start = self.at;
            let value = match self.peek() {
                Some('#') if !space.is_empty() => String::new(),
                _ => self.value()?,
            };
            let quoted = self.text[start..].starts_with(['"', '\'']);
            span = start..if quoted { self.at } else { start + value.len() };
            Some(value)
        } else {
            None
        };
        self.end_of_line()?;
        Ok(name.map(|name| Binding { name, value, span }))
    }

    fn quoted_name(&mut self) -> Result<String, Broken> {
        let inner = &self.rest()[1..];
        let end = inner.find('\'').filter(|end| *end > 0).ok_or(Broken)?;
        self.at += end + 2;
        Ok(inner[..end].to_owned())
    }

    fn plain_name(&mut self) -> Result<String, Broken> {
        match self.skip(|c| !matches!(c, '=' | '#') && !c.is_whitespace()) {
            "" => Err(Broken),
            name => Ok(name.to_owned()),
        }
    }

    fn value(&mut self) -> Result<String, Broken> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted_value(quote),
            _ => Ok(self.plain_value()),
        }
    }

    fn quoted_value(&mut self, quote: char) -> Result<String, Broken> {
        let inner = &self.rest()[1..];
        let mut value = String::new();
        let mut characters = inner.char_indices();
        while let Some((offset, c)) = characters.next() {
            match c {
                '\\' => {
                    let (_, escaped) = characters.next().ok_or(Broken)?;
                    match unescaped(escaped, quote) {
                        Some(meant) => value.push(meant),
                        None => value.extend(['\\', escaped]),
                    }
                }
                c if c == quote => {
                    self.at += offset + 2;
                    return Ok(value);
                }
                c => value.push(c),
            }
        }
        Err(Broken)
    }

    /// Up to the end of the line, or to a `#` that follows white space.
    fn plain_value(&mut self) -> String {
        let line = self.skip(|c| !is_newline(c));
        let comment = line
            .match_indices('#')
            .map(|(at, _)| &line[..at])
            .find(|before| before.ends_with(char::is_whitespace));
        comment.unwrap_or(line).trim_end().to_owned()
    }

    fn end_of_line(&mut self) -> Result<(), Broken> {
        let start = self.at;
        self.skip(is_blank);
        if self.peek() == Some('#') {
            self.skip(|c| !is_newline(c));
        }
        match self.peek() {
            None => Ok(()),
            Some(c) if is_newline(c) => Ok(()),
            Some(_) => {
                self.at = start;
                Err(Broken)
            }
        }
    }
}

/// What stands behind a backslash, if it is an escape within such quotes.
fn unescaped(c: char, quote: char) -> Option<char> {
    match (c, quote) {
        ('\\' | '\'', _) => Some(c),
        ('"', '"') => Some('"'),
        ('a', '"') => Some('\u{7}'),
        ('b', '"') => Some('\u{8}'),
        ('f', '"') => Some('\u{c}'),
        ('n', '"') => Some('\n'),
        ('r', '"') => Some('\r'),
        ('t', '"') => Some('\t'),
        ('v', '"') => Some('\u{b}'),
        _ => None,
    }
}

fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && !is_newline(c)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let outside = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let resolved = Dotenv::parse(text).resolve(outside);
        resolved
            .into_iter()
            .map(|(name, value, _)| (name, value))
            .collect()
    }

    #[test]
    fn a_file_as_the_platform_writes_it() {
        let text = "# Generated\nFLASK_APP=run.py\nexport NEXUS_PORT=443\nNEXUS_HOST='0.0.0.0'\n\
                    KEYCLOAK_CLIENT_SECRET=\"a#b\\\"c\" # secret\nKEYCLOAK_REALM=hivematrix # the realm\nEMPTY=\n";
        let expected = [
            ("FLASK_APP", "run.py"),
            ("NEXUS_PORT", "443"),
            ("NEXUS_HOST", "0.0.0.0"),
            ("KEYCLOAK_CLIENT_SECRET", "a#b\"c"),
            ("KEYCLOAK_REALM", "hivematrix"),
            ("EMPTY", ""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(values(text), expected);
    }

    #[test]
    fn variables_are_put_in_and_the_last_binding_wins() {
        let found = values("A=1\nB=${A}/${HOME}/${C:-none}/${D}\nA=2\nE=${A} ${\nF=${x:y}${A}");
        let expected = [
            ("B", "1//root/none/"),
            ("A", "2"),
            ("E", "2 ${"),
            ("F", "${x:y}2"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_binding_is_said_with_its_place_and_the_rest_is_read() {
        let text = "A=1\nB=\"open\nC=3\n= 4\n";
        let found = Dotenv::parse(text);
        let broken: Vec<&str> = found.broken.iter().map(|span| &text[span.clone()]).collect();
        assert_eq!(broken, ["B=\"open", "= 4"]);
        let names: Vec<&str> = found.bindings.iter().map(|binding| &*binding.name).collect();
        assert_eq!(names, ["A", "C"]);
        assert_eq!(&text[found.bindings[1].span.clone()], "3");
    }

    proptest! {
        #[test]
        fn no_text_whatever_breaks_the_reader(text in "[\\PC\n\r\t\"'#=$\\\\{}:-]{0,120}") {
            let found = Dotenv::parse(&text);
            for binding in &found.bindings {
                prop_assert!(text.get(binding.span.clone()).is_some());
            }
            let _ = found.resolve(|_| None);
        }
    }
}
