//! Reads a parsed TOML document into the structs of `file`, going on after every problem.
//!
//! serde stops at the first problem, so a file with five would have to be run five times. The `as_written!`
//! macro declares a table as serde would: its fields are its keys, and there are no others. What single values
//! look like is said in `value`; what they mean together, in `check`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, has_errors};

/// A value as written, and where.
#[derive(Clone, Debug)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Written<T> {
    /// A problem with this value.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.place.clone(), message)
    }
}

/// Something that can stand behind a key.
pub(super) trait FromToml: Sized {
    /// Appends the dotted names of all keys at and below `path`; `*` stands for a name of the user's choice.
    fn keys(path: &str, keys: &mut Vec<String>);

    /// Reads it. `None` means that a problem was found and pushed.
    fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self>;
}

/// A single value: a string, a number, a truth value.
pub(super) trait Leaf: Sized {
    /// Completes the sentence "expected …".
    const EXPECTED: &'static str;

    /// From a string of the file, or from an environment variable. The error is the whole sentence, or empty
    /// for the usual one.
    fn from_text(text: &str) -> Result<Self, String>;

    /// From whatever stands in the file.
    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Self::from_text(text),
            other => Err(unexpected::<Self>(other)),
        }
    }
}

/// The sentence for a value of the wrong type.
pub(super) fn unexpected<T: Leaf>(found: &DeValue<'_>) -> String {
    format!("expected {}, found {}", T::EXPECTED, type_of(found))
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

impl<T: Leaf> FromToml for Written<T> {
    fn keys(path: &str, keys: &mut Vec<String>) {
        keys.push(path.to_owned());
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
        let place = Place::Span(value.span());
        match T::from_value(value.get_ref()) {
            Ok(value) => Some(Self { value, place }),
            Err(message) if message.is_empty() => {
                problems.push(Problem::new(place, format!("expected {}", T::EXPECTED)));
                None
            }
            Err(message) => {
                problems.push(Problem::new(place, message));
                None
            }
        }
    }
}

/// A list; every element is read, whatever is wrong with those before it.
impl<T: FromToml> FromToml for Vec<T> {
    fn keys(path: &str, keys: &mut Vec<String>) {
        T::keys(path, keys);
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            problems.push(Problem::at(
                value.span(),
                format!("expected an array, found {}", type_of(value.get_ref())),
            ));
            return None;
        };
        let read: Vec<Option<T>> = items.iter().map(|item| T::from_toml(item, problems)).collect();
        read.into_iter().collect()
    }
}

/// A table whose keys are names of the user's choice, in the order of the file.
#[derive(Debug)]
pub(super) struct Named<N, T>(pub(super) Vec<(Written<N>, T)>);

impl<N, T> Default for Named<N, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<N: Leaf, T: FromToml> FromToml for Named<N, T> {
    fn keys(path: &str, keys: &mut Vec<String>) {
        T::keys(&format!("{path}.*"), keys);
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
        let table = table_of(value, problems)?;
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut read = Vec::new();
        for (key, value) in entries {
            let place = Place::Span(key.span());
            let name = N::from_text(key.get_ref()).map_err(|message| {
                let message = if message.is_empty() { format!("expected {}", N::EXPECTED) } else { message };
                problems.push(Problem::new(place.clone(), message));
            });
            let value = T::from_toml(value, problems);
            if let (Ok(name), Some(value)) = (name, value) {
                read.push((Written { value: name, place }, value));
            }
        }
        Some(Self(read))
    }
}

/// The table in a value, or a problem.
pub(super) fn table_of<'v, 'i>(
    value: &'v Spanned<DeValue<'i>>,
    problems: &mut Vec<Problem>,
) -> Option<&'v DeTable<'i>> {
    let DeValue::Table(table) = value.get_ref() else {
        problems.push(Problem::at(
            value.span(),
            format!("expected a table, found {}", type_of(value.get_ref())),
        ));
        return None;
    };
    Some(table)
}

/// Reads one key of a table; `None` also when it is not there.
pub(super) fn take<T: FromToml>(table: &DeTable<'_>, key: &str, problems: &mut Vec<Problem>) -> Option<T> {
    table.get(key).and_then(|value| T::from_toml(value, problems))
}

/// One problem for each key that the table does not have, with the key that was probably meant.
pub(super) fn refuse_unknown(
    table: &DeTable<'_>,
    known: &[&str],
    name: &str,
    whole_file: &[String],
    problems: &mut Vec<Problem>,
) {
    for key in table.keys() {
        let written: &str = key.get_ref();
        if known.contains(&written) {
            continue;
        }
        let problem = Problem::at(key.span(), format!("{name} has no key `{}`", written.escape_debug()));
        problems.push(match closest(written, known.iter().copied()) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => match whole_file.iter().find_map(|path| section_of(path, written)) {
                Some(section) => problem.help(format!("`{written}` belongs to {section}")),
                None => problem.help(format!("it has {}", known.join(", "))),
            },
        });
    }
}

/// Where a dotted key belongs, if it is called so.
fn section_of(path: &str, key: &str) -> Option<String> {
    match path.rsplit_once('.') {
        Some((section, last)) if last == key => Some(format!("[{}]", section.replace('*', "<name>"))),
        Some(_) => None,
        None => (path == key).then(|| "the top of the file".to_owned()),
    }
}

/// The candidate that somebody who wrote `name` probably meant.
pub(super) fn closest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Declares a table as written: every field is a key, none is needed, all others are problems.
macro_rules! as_written {
    ($(#[$doc:meta])* struct $name:ident, $title:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: Option<$type>,)+
            /// The table's header, for problems about what is missing in it.
            pub(super) at: Option<std::ops::Range<usize>>,
        }

        impl FromToml for $name {
            fn keys(path: &str, keys: &mut Vec<String>) {
                let dot = if path.is_empty() { "" } else { "." };
                $(<$type as FromToml>::keys(&format!("{path}{dot}{}", stringify!($field)), keys);)+
            }

            fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
                let table = table_of(value, problems)?;
                refuse_unknown(table, &[$(stringify!($field)),+], $title, &super::file::keys(), problems);
                Some(Self {
                    $($field: take(table, stringify!($field), problems),)+
                    at: Some(value.span()).filter(|span| !span.is_empty()),
                })
            }
        }
    };
}
pub(super) use as_written;

/// Parses a text, however broken, and reads what can be read of it.
///
/// After a syntax error the rest is still looked at, but what is said about the same lines would only
/// confuse, and is left out.
pub(super) fn read<T: FromToml>(text: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let syntax: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            let problem = Problem::at(span.clone(), error.message());
            match secret_in_line(text, span.start) {
                Some(secret) => problem.hiding(secret),
                None => problem,
            }
        })
        .collect();
    let value = Spanned::new(0..0, DeValue::Table(document.into_inner()));
    let mut found = Vec::new();
    let read = T::from_toml(&value, &mut found);
    if has_errors(&syntax) {
        let lines: Vec<usize> = syntax.iter().filter_map(|problem| line_of(text, problem)).collect();
        found.retain(|problem| {
            problem.place != Place::Span(0..0) && line_of(text, problem).is_none_or(|line| !lines.contains(&line))
        });
    }
    problems.extend(syntax);
    problems.append(&mut found);
    read
}

fn line_of(text: &str, problem: &Problem) -> Option<usize> {
    let Place::Span(span) = &problem.place else { return None };
    Some(text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count())
}

/// What follows the `=` in a line that cannot be parsed, if the line seems to be about a secret.
fn secret_in_line(text: &str, offset: usize) -> Option<std::ops::Range<usize>> {
    let offset = text.floor_char_boundary(offset);
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |newline| offset + newline);
    let (key, _) = text[start..end].split_once('=')?;
    let telling = ["secret", "password", "redis_url", "sealing_keys"];
    telling.iter().any(|word| key.contains(word)).then(|| start + key.len() + 1..end)
}
