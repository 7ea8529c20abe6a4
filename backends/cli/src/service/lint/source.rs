//! A source: its text, and the same with comments, or comments and strings, made blank, so that places stay the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Finding;

/// In what a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    Html,
    Script,
    Css,
    /// Settings and shell scripts, where only addresses are looked at.
    Other,
}

/// A file that is checked.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) language: Language,
    /// As it is; in Rust, up to its tests.
    pub(super) text: String,
    /// Without comments.
    pub(super) code: String,
    /// Without comments, and with nothing between quotation marks.
    pub(super) bare: String,
}

impl Source {
    /// Reads a file; `None` if it is nothing that is checked.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let Some(language) = language(path) else {
            return Ok(None);
        };
        let Ok(text) = String::from_utf8(fs::read(path)?) else {
            return Ok(None);
        };
        Ok(Some(Self::new(path.to_owned(), language, text)))
    }

    pub(super) fn new(path: PathBuf, language: Language, mut text: String) -> Self {
        if language == Language::Rust
            && let Some(tests) = text
                .find("#[cfg(test)]\nmod ")
                .or_else(|| text.find("#[cfg(test)]\n#["))
        {
            text.truncate(tests);
        }
        let blank = |strings| match language {
            Language::Rust | Language::Script => blank_c(&text, strings, language == Language::Rust),
            Language::Python | Language::Other => blank_python(&text, strings),
            Language::Html | Language::Css => text.clone(),
        };
        Self {
            path,
            language,
            code: blank(false),
            bare: blank(true),
            text,
        }
    }

    /// A finding at this place of the text.
    pub(super) fn finding(&self, at: usize, rule: &'static str, message: impl Into<String>) -> Finding {
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Finding {
            file: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            rule,
            message: message.into(),
        }
    }
}

fn language(path: &Path) -> Option<Language> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    Some(match extension {
        Some("rs") => Language::Rust,
        Some("py") => Language::Python,
        Some("html" | "htm" | "jinja" | "jinja2" | "j2") => Language::Html,
        Some("js" | "mjs") => Language::Script,
        Some("css" | "scss" | "less") => Language::Css,
        Some("sh" | "toml" | "cfg" | "ini" | "yml" | "yaml" | "service" | "env" | "flaskenv") => {
            Language::Other
        }
        Some(_) => return None,
        None => match path.file_name().and_then(|name| name.to_str()) {
            Some("run" | "Procfile" | ".flaskenv" | ".env") => Language::Other,
            _ => return None,
        },
    })
}

/// Puts spaces in the place of everything from `from` to `to` but line ends.
fn wipe(out: &mut [u8], from: usize, to: usize) {
    for byte in out.iter_mut().take(to).skip(from) {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// For Rust and JavaScript. Raw strings and lifetimes are Rust's, strings in single quotes and backticks JavaScript's.
fn blank_c(text: &str, strings: bool, rust: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let end = match byte {
            b'/' if rest.starts_with(b"//") => {
                let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                wipe(&mut out, at, end);
                end
            }
            b'/' if rest.starts_with(b"/*") => {
                let end = text
                    .get(at..)
                    .and_then(|rest| rest.find("*/"))
                    .map_or(bytes.len(), |end| at + end + 2);
                wipe(&mut out, at, end);
                end
            }
            b'r' if rust && (rest.starts_with(b"r\"") || rest.starts_with(b"r#\"")) => {
                let hashes = usize::from(rest.starts_with(b"r#"));
                let close = if hashes == 1 { "\"#" } else { "\"" };
                let inside = at + 2 + hashes;
                let end = text
                    .get(inside..)
                    .and_then(|rest| rest.find(close))
                    .map_or(bytes.len(), |end| inside + end);
                if strings {
                    wipe(&mut out, inside, end);
                }
                end + close.len()
            }
            b'\'' if rust => char_end(bytes, at),
            b'"' | b'\'' | b'`' => {
                let end = string_end(bytes, at);
                if strings {
                    wipe(&mut out, at + 1, end.saturating_sub(1));
                }
                end
            }
            _ => at + 1,
        };
        at = end.max(at + 1);
    }
    String::from_utf8(out).unwrap_or_default()
}

/// The end of a string that begins here.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes.get(start).copied();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if Some(*byte) == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a character; of the quote alone, if it is a lifetime.
fn char_end(bytes: &[u8], start: usize) -> usize {
    let quote_within = |range: std::ops::Range<usize>| {
        range
            .into_iter()
            .find(|at| bytes.get(*at) == Some(&b'\''))
            .map(|at| at + 1)
    };
    match bytes.get(start + 1) {
        Some(b'\\') => quote_within(start + 3..start + 12).unwrap_or(start + 1),
        Some(first) => {
            let width = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            quote_within(start + 1 + width..start + 2 + width).unwrap_or(start + 1)
        }
        None => start + 1,
    }
}

/// For Python, shell scripts and settings.
fn blank_python(text: &str, strings: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let end = match byte {
            b'#' => {
                let end = at + rest.find('\n').unwrap_or(rest.len());
                wipe(&mut out, at, end);
                end
            }
            b'"' | b'\'' => {
                let long = if *byte == b'"' { "\"\"\"" } else { "'''" };
                if rest.starts_with(long) {
                    let end = rest
                        .get(3..)
                        .and_then(|rest| rest.find(long))
                        .map_or(bytes.len(), |end| at + end + 6);
                    // A text that belongs to nobody is a comment.
                    wipe(&mut out, at, end);
                    end
                } else {
                    let end = string_end(bytes, at).min(at + rest.find('\n').unwrap_or(rest.len()).max(1));
                    if strings {
                        wipe(&mut out, at + 1, end.saturating_sub(1));
                    }
                    end
                }
            }
            _ => at + 1,
        };
        at = end.max(at + 1);
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Every place where `needle` stands.
pub(super) fn places<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(needle).map(|(at, _)| at)
}

/// The end of what is between brackets, given the place of the opening one; of the text, if it is never closed.
pub(super) fn closing(bare: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bare.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    bare.len()
}

/// Whether a byte may be part of a name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
