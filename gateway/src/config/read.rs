//! Reads a parsed TOML document into the structs of `file`, going on after every problem.
//!
//! serde stops at the first problem, so a file with five would have to be run five times. The `as_written!`
//! macro declares a table as serde would: its fields are its keys, and there are no others. What single values
//! look like is said in `value`; what they mean together, in `check`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};

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

    /// Whether what stands in the file may be a secret, not to be shown in problems.
    fn hides(_: &DeValue<'_>) -> bool {
        false
    }

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
        let message = match T::from_value(value.get_ref()) {
            Ok(value) => return Some(Self { value, place }),
            Err(message) if message.is_empty() => format!("expected {}", T::EXPECTED),
            Err(message) => message,
        };
        let problem = Problem::new(place, message);
        problems.push(if T::hides(value.get_ref()) {
            problem.hiding(value.span())
        } else {
            problem
        });
        None
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
                let message = if message.is_empty() {
                    format!("expected {}", N::EXPECTED)
                } else {
                    message
                };
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

/// What is known of a table as a whole, for problems about what is missing in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Heading {
    /// Where it is, unless it is the whole file or not written at all.
    pub(super) span: Option<std::ops::Range<usize>>,
    /// Keys that are there but could not be read, or are misspelt: they are not missing.
    pub(super) unread: Vec<&'static str>,
}

impl Heading {
    /// The problem of a missing key, unless it is there in some way.
    pub(super) fn lacks(&self, key: &str, message: impl Into<String>) -> Option<Problem> {
        let place = self.span.clone().map_or(Place::Document, Place::Span);
        (!self.unread.contains(&key)).then(|| Problem::new(place, message))
    }
}

/// Reads one key of a table; `None` also when it is not there.
pub(super) fn take<T: FromToml>(
    table: &DeTable<'_>,
    key: &'static str,
    heading: &mut Heading,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let read = T::from_toml(table.get(key)?, problems);
    if read.is_none() {
        heading.unread.push(key);
    }
    read
}

/// One problem for each key that the table does not have, with the key that was probably meant.
pub(super) fn refuse_unknown(
    table: &DeTable<'_>,
    known: &[&'static str],
    name: &str,
    heading: &mut Heading,
    problems: &mut Vec<Problem>,
) {
    for key in table.keys() {
        let written: &str = key.get_ref();
        if known.contains(&written) {
            continue;
        }
        let problem = Problem::at(
            key.span(),
            format!("{name} has no key `{}`", written.escape_debug()),
        );
        let elsewhere = || {
            super::file::keys()
                .iter()
                .find_map(|path| section_of(path, written))
        };
        problems.push(if let Some(meant) = closest(written, known) {
            heading.unread.push(meant);
            problem.help(format!("did you mean `{meant}`?"))
        } else if let Some(section) = elsewhere() {
            problem.help(format!("`{written}` belongs to {section}"))
        } else {
            problem.help(format!("it has {}", known.join(", ")))
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
pub(super) fn closest<'c>(name: &str, candidates: &[&'c str]) -> Option<&'c str> {
    candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
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
            /// The table as a whole.
            #[allow(dead_code, reason = "not every table has keys that it needs")]
            pub(super) heading: Heading,
        }

        impl FromToml for $name {
            fn keys(path: &str, keys: &mut Vec<String>) {
                let dot = if path.is_empty() { "" } else { "." };
                $(<$type as FromToml>::keys(&format!("{path}{dot}{}", stringify!($field)), keys);)+
            }

            fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
                let table = table_of(value, problems)?;
                let span = Some(value.span()).filter(|span| !span.is_empty());
                let mut heading = Heading { span, unread: Vec::new() };
                refuse_unknown(table, &[$(stringify!($field)),+], $title, &mut heading, problems);
                Some(Self {
                    $($field: take(table, stringify!($field), &mut heading, problems),)+
                    heading,
                })
            }
        }
    };
}
pub(super) use as_written;
