//! Reads a plugin's settings so strictly that no key goes unread, and says where each problem is.
//!
//! A plugin does not have to ask for it (`deny_unknown_fields` is easily forgotten): keys that its type
//! ignores are found here.

use serde::de::DeserializeOwned;
use serde_ignored::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::contract::plugin::Invalid;

/// Reads `table` as `T`, without the keys that belong to the gateway (`kind`).
pub(crate) fn read<T: DeserializeOwned>(table: &Spanned<DeTable<'static>>) -> Result<T, Vec<Invalid>> {
    let mut own = table.clone();
    let span = own.span();
    own.get_mut().remove("kind");
    let mut unread = Vec::new();
    let outcome = serde_ignored::deserialize(Deserializer::from(own), |path| unread.push(keys(&path)));
    let mut problems: Vec<Invalid> = unread
        .iter()
        .map(|keys| Invalid {
            span: Some(find(table.get_ref(), keys).unwrap_or_else(|| span.clone())),
            ..Invalid::new(format!("there is no setting `{}`", keys.join(".")))
        })
        .collect();
    match outcome {
        Ok(settings) if problems.is_empty() => Ok(settings),
        Ok(_) => Err(problems),
        Err(error) => {
            let at = error.span().filter(|found| !found.is_empty()).unwrap_or(span);
            problems.push(Invalid::at(at, error.message().to_owned()));
            Err(problems)
        }
    }
}

fn keys(path: &Path<'_>) -> Vec<String> {
    match path {
        Path::Root => Vec::new(),
        Path::Seq { parent, index } => push(parent, index.to_string()),
        Path::Map { parent, key } => push(parent, key.clone()),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            keys(parent)
        }
    }
}

fn push(parent: &Path<'_>, key: String) -> Vec<String> {
    let mut all = keys(parent);
    all.push(key);
    all
}

/// The span of a key, so that the caret stands below the key and not below its value.
fn find(table: &DeTable<'static>, keys: &[String]) -> Option<std::ops::Range<usize>> {
    let (first, rest) = keys.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first.as_str())?;
    if rest.is_empty() {
        Some(key.span())
    } else {
        find_in_value(value.get_ref(), rest)
    }
}

fn find_in_value(value: &DeValue<'static>, keys: &[String]) -> Option<std::ops::Range<usize>> {
    match value {
        DeValue::Table(table) => find(table, keys),
        DeValue::Array(array) => {
            let (index, rest) = keys.split_first()?;
            let value = array.get(index.parse::<usize>().ok()?)?;
            if rest.is_empty() {
                Some(value.span())
            } else {
                find_in_value(value.get_ref(), rest)
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, dead_code)]
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Settings {
        framed: bool,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        size: u8,
    }

    fn problems(text: &'static str) -> Vec<(String, &'static str)> {
        let table = DeTable::parse(text).unwrap();
        let found = read::<Settings>(&table).unwrap_err();
        found
            .into_iter()
            .map(|p| (p.message.into_owned(), &text[p.span.unwrap()]))
            .collect()
    }

    #[test]
    fn a_setting_that_nobody_reads_is_shown_with_its_place() {
        assert_eq!(
            problems(
                "kind = 'x'\nframed = true\nfarmed = false\n[[inner]]\nsize = 1\n[[inner]]\nsize = 1\nsiez = 2\n"
            ),
            [
                ("there is no setting `farmed`".to_owned(), "farmed"),
                ("there is no setting `inner.1.siez`".to_owned(), "siez")
            ]
        );
    }

    #[test]
    fn a_value_of_another_type_is_shown_with_its_place() {
        let found = problems("framed = 'yes'\n");
        assert_eq!(found[0].1, "'yes'");
        assert!(found[0].0.contains("boolean"), "{found:?}");
    }

    #[test]
    fn a_missing_setting_is_named() {
        assert!(problems("kind = 'x'\n")[0].0.contains("`framed`"));
    }
}
