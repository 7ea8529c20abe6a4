//! Parses a text, however broken, and reads what can be read of it. Says of syntax errors what helps, and not
//! what follows from the first of them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};
use super::read::FromToml;

/// What was read, and whether the text was well-formed. After a syntax error the rest is read too, but nothing
/// can be said of what is not there.
pub(super) struct Parsed<T> {
    pub(super) value: Option<T>,
    pub(super) well_formed: bool,
}

/// Parses and reads.
pub(super) fn parse<T: FromToml>(text: &str, problems: &mut Vec<Problem>) -> Parsed<T> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let document = Spanned::new(0..0, DeValue::Table(document.into_inner()));
    let mut found = Vec::new();
    let value = T::from_toml(&document, &mut found);
    let mut errors: Vec<(Range<usize>, &str)> = errors
        .iter()
        .map(|error| (error.span().unwrap_or(0..0), error.message()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    let well_formed = errors.is_empty();
    keep_first_of_cascades(text, &mut errors);
    // What stands behind something unclosed may be read as part of anything.
    let sure_until = errors
        .iter()
        .filter(|(_, message)| is_structural(message))
        .map(|(span, _)| line(text, span))
        .min();
    let broken: Vec<usize> = errors.iter().map(|(span, _)| line(text, span)).collect();
    found.retain(|problem| match &problem.place {
        Place::Span(span) => {
            let line = line(text, span);
            !broken.contains(&line)
                && sure_until.is_none_or(|until| line < until)
                && (well_formed || !span.is_empty())
        }
        Place::Elsewhere(..) | Place::Variable(_) | Place::Document => true,
    });
    problems.extend(
        errors
            .into_iter()
            .map(|(span, message)| syntax_error(text, span, message)),
    );
    problems.append(&mut found);
    Parsed { value, well_formed }
}

/// One error per line; and of an array that is not closed, which makes every following line an error, the first.
fn keep_first_of_cascades(text: &str, errors: &mut Vec<(Range<usize>, &str)>) {
    errors.dedup_by_key(|(span, _)| line(text, span));
    let mut in_array = false;
    errors.retain(|(_, message)| {
        let again = in_array && is_nested(message);
        in_array |= is_nested(message);
        !again
    });
}

fn is_nested(message: &str) -> bool {
    message.contains("array") || message.contains("inline table")
}

fn is_structural(message: &str) -> bool {
    is_nested(message) || message.contains("unclosed") || message.contains("table")
}

fn syntax_error(text: &str, span: Range<usize>, message: &str) -> Problem {
    let secret = secret_in_line(text, span.start);
    let problem = Problem::at(span, message);
    let problem = match secret {
        Some(secret) => problem.hiding(secret),
        None => problem,
    };
    if is_nested(message) {
        problem.help("is a bracket missing, here or above?")
    } else if message.starts_with("invalid") || message.contains("quoted") {
        problem.help("text stands in quotes: key = \"text\"")
    } else {
        problem
    }
}

/// The number of the line, from 0.
fn line(text: &str, span: &Range<usize>) -> usize {
    text.as_bytes()
        .iter()
        .take(span.start)
        .filter(|byte| **byte == b'\n')
        .count()
}

/// What follows the `=` in a line that cannot be parsed, if the line seems to be about a secret.
fn secret_in_line(text: &str, offset: usize) -> Option<Range<usize>> {
    let offset = text.floor_char_boundary(offset);
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |newline| offset + newline);
    let (key, _) = text[start..end].split_once('=')?;
    let telling = ["secret", "password", "redis_url", "sealing_keys"];
    telling
        .iter()
        .any(|word| key.contains(word))
        .then(|| start + key.len() + 1..end)
}
