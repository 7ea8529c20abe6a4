//! The markup in `html! { … }` of maud: where it is, and which classes and words stand in it.

use std::ops::Range;

use super::source::{Source, closing, is_word, places};

/// The bodies of all `html!` in a source.
pub(super) fn bodies(source: &Source) -> Vec<Range<usize>> {
    places(&source.bare, "html!")
        .filter_map(|at| {
            let open = at + source.bare.get(at..)?.find(['{', '(', '['])?;
            Some(open + 1..closing(&source.bare, open))
        })
        .collect()
}

/// The classes that are written as `.name`, and where.
pub(super) fn classes(source: &Source, body: &Range<usize>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    walk(&source.bare, body, |at, rest| {
        if let Some(name) = rest.strip_prefix('.') {
            let name: String = name
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-' || *letter == '_')
                .collect();
            if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
                found.push((at + 1, name));
            }
        }
    });
    found
}

/// The places where a word stands as an element or an attribute.
pub(super) fn words(source: &Source, body: &Range<usize>, word: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let bytes = source.bare.as_bytes();
    walk(&source.bare, body, |at, rest| {
        let is_part = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(|byte| is_word(*byte) || b"-.#".contains(byte))
        };
        if rest.starts_with(word) && !is_part(at.checked_sub(1)) && !is_part(Some(at + word.len())) {
            found.push(at);
        }
    });
    found
}

/// Goes through markup, passing over what is code: brackets, and the heads of `@if`, `@for`, `@match`, `@let`.
fn walk(bare: &str, body: &Range<usize>, mut visit: impl FnMut(usize, &str)) {
    let bytes = bare.as_bytes();
    let mut at = body.start;
    while at < body.end {
        match bytes.get(at) {
            Some(b'(' | b'[') => at = closing(bare, at),
            Some(b'@') => {
                let is_let = bare.get(at..).is_some_and(|rest| rest.starts_with("@let"));
                let end = if is_let { b';' } else { b'{' };
                while at < body.end && bytes.get(at) != Some(&end) {
                    if matches!(bytes.get(at), Some(b'(' | b'[')) {
                        at = closing(bare, at);
                    }
                    at += 1;
                }
            }
            Some(_) => {
                if let Some(rest) = bare.get(at..body.end) {
                    visit(at, rest);
                }
            }
            None => return,
        }
        at += 1;
    }
}
