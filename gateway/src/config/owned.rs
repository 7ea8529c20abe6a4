//! Copies a piece of a TOML document so that it outlives the text it was parsed from, with every place in it.
//!
//! `make_owned` of the `toml` crate copies the strings but cannot say so in the type, and its numbers have no
//! public constructor. So a number is parsed again, from an interned copy of its digits.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A copy of a table.
pub(super) fn table(table: &DeTable<'_>) -> DeTable<'static> {
    table
        .iter()
        .map(|(key, value)| {
            (
                Spanned::new(key.span(), Cow::Owned(key.get_ref().as_ref().to_owned())),
                spanned(value),
            )
        })
        .collect()
}

fn spanned(value: &Spanned<DeValue<'_>>) -> Spanned<DeValue<'static>> {
    Spanned::new(value.span(), copy(value.get_ref()))
}

fn copy(value: &DeValue<'_>) -> DeValue<'static> {
    match value {
        DeValue::String(text) => DeValue::String(Cow::Owned(text.as_ref().to_owned())),
        DeValue::Integer(number) => numeral(number.to_string()),
        DeValue::Float(number) => numeral(number.as_str().to_owned()),
        DeValue::Boolean(value) => DeValue::Boolean(*value),
        DeValue::Datetime(date) => DeValue::Datetime(*date),
        DeValue::Array(items) => DeValue::Array(items.iter().map(spanned).collect()),
        DeValue::Table(inner) => DeValue::Table(table(inner)),
    }
}

/// Each different number is kept once for the life of the process: a reload with the same numbers costs nothing.
static NUMERALS: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);

fn numeral(digits: String) -> DeValue<'static> {
    let mut known = NUMERALS.lock().unwrap_or_else(PoisonError::into_inner);
    let digits: &'static str = match known.get(digits.as_str()) {
        Some(known) => known,
        None => {
            let kept: &'static str = Box::leak(digits.into_boxed_str());
            known.insert(kept);
            kept
        }
    };
    drop(known);
    DeValue::parse_recoverable(digits).0.into_inner()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_copy_says_the_same_at_the_same_places() {
        let text = "a = 'x'\nb = [1, -2_000, 0xff, +1.5e3, inf, true]\nc = { d = 1979-05-27 }\n[e]\nf = \"\\u0041\"\n";
        let original = DeTable::parse(text).unwrap();
        let copied = table(original.get_ref());
        let spans = |table: &DeTable<'_>| {
            table
                .iter()
                .map(|(key, value)| (key.span(), value.span()))
                .collect::<Vec<_>>()
        };
        assert_eq!(spans(original.get_ref()), spans(&copied));
        let read = |table: DeTable<'_>| -> toml::Table {
            serde::Deserialize::deserialize(toml::de::Deserializer::from(Spanned::new(0..0, table))).unwrap()
        };
        assert_eq!(read(original.into_inner()), read(copied));
    }
}
