//! What the tokenizer reports. Plain data.

use super::name::Name;

/// A token of interest; positions are bytes of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `<name …>`
    Start {
        start: usize,
        end: usize,
        name: Name,
        self_closing: bool,
    },
    /// `</name …>`
    End { start: usize, name: Name },
    /// The first character of a text that is not blank.
    Text { at: usize },
    /// A NUL, which is no text, and no blank either.
    Nul { at: usize },
    /// `<!DOCTYPE …>`
    Doctype,
    /// The page is UTF-16, by its byte order mark.
    Utf16,
}

/// Where the page stood when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndOfPage {
    /// Between two tokens, or in a tag that browsers drop: what follows may be put at this position.
    Clear(usize),
    /// Inside something that swallows whatever follows.
    Inside,
}
