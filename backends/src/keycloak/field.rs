//! A field of one of Keycloak's objects: where it is, what it must hold, and how that is shown.
//!
//! Responsible for: comparing, so that what means the same to Keycloak is the same here. Not responsible for:
//! objects as a whole.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

/// How Keycloak joins a list into one attribute.
const JOIN: &str = "##";

/// Where a field is. Names of attributes contain dots, so a path would be ambiguous.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// In the object itself.
    Top(&'static str),
    /// In a map of the object: `attributes` or `config`.
    In(&'static str, &'static str),
}

impl At {
    /// What is there.
    pub(super) fn of<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        let found = match self {
            Self::Top(name) => object.get(name),
            Self::In(map, name) => object.get(map)?.get(name),
        };
        found.filter(|value| !value.is_null())
    }

    /// Puts a value there.
    pub(super) fn set(&self, object: &mut Map<String, Value>, value: Value) {
        match self {
            Self::Top(name) => object.insert((*name).to_owned(), value),
            Self::In(map, name) => {
                let inner = object
                    .entry(*map)
                    .or_insert_with(|| Value::Object(Map::new()))
                    .as_object_mut();
                inner.and_then(|inner| inner.insert((*name).to_owned(), value))
            }
        };
    }

    /// The map that it is in, if it is in one.
    pub(super) const fn map(&self) -> Option<&'static str> {
        match self {
            Self::Top(_) => None,
            Self::In(map, _) => Some(map),
        }
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top(name) => f.write_str(name),
            Self::In(map, name) => write!(f, "{map}.{name}"),
        }
    }
}

/// What a field must hold.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// Exactly this.
    Is(Value),
    /// These texts and no others, in any order.
    Set(Vec<String>),
    /// The same, joined into one text.
    Joined(Vec<String>),
    /// The first of these; the others will do.
    OneOf(&'static [&'static str]),
    /// This, which is never shown.
    Secret(SecretString),
}

impl Rule {
    /// Whether what is there will do.
    pub(super) fn holds(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Is(value) => found == Some(value),
            Self::Set(texts) => found
                .and_then(Value::as_array)
                .is_some_and(|found| sorted(found.iter().map(text)) == sorted(texts.iter().cloned())),
            Self::Joined(texts) => found.and_then(Value::as_str).is_some_and(|found| {
                sorted(found.split(JOIN).map(str::to_owned)) == sorted(texts.iter().cloned())
            }),
            Self::OneOf(texts) => found
                .and_then(Value::as_str)
                .is_some_and(|found| texts.contains(&found)),
            Self::Secret(secret) => found
                .and_then(Value::as_str)
                .is_some_and(|found| crate::kit::secret::same(found, secret.expose_secret())),
        }
    }

    /// What is written if it does not.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Is(value) => value.clone(),
            Self::Set(texts) => texts.clone().into(),
            Self::Joined(texts) => texts.join(JOIN).into(),
            Self::OneOf(texts) => texts.first().copied().unwrap_or_default().into(),
            Self::Secret(secret) => secret.expose_secret().into(),
        }
    }

    /// What is written, as people may see it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Secret(_) => "(a secret)".to_owned(),
            Self::Is(_) | Self::Set(_) | Self::Joined(_) | Self::OneOf(_) => self.value().to_string(),
        }
    }

    /// What is there, as people may see it.
    pub(super) fn shown_of(&self, found: Option<&Value>) -> String {
        match (self, found) {
            (_, None) => "nothing".to_owned(),
            (Self::Secret(_), Some(_)) => "(another secret)".to_owned(),
            (_, Some(found)) => found.to_string(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_means_the_same_to_keycloak_is_the_same() {
        let texts = || vec!["https://b/".to_owned(), "https://a/".to_owned()];
        for (rule, found, good) in [
            (Rule::Is(json!(true)), json!(true), true),
            (Rule::Is(json!(true)), json!("true"), false),
            (Rule::Is(json!("S256")), json!("plain"), false),
            (Rule::Set(texts()), json!(["https://a/", "https://b/"]), true),
            (
                Rule::Set(texts()),
                json!(["https://a/", "https://b/", "*"]),
                false,
            ),
            (Rule::Set(texts()), json!(["https://a/"]), false),
            (Rule::Set(Vec::new()), json!([]), true),
            (Rule::Joined(texts()), json!("https://a/##https://b/"), true),
            (Rule::Joined(texts()), json!("+"), false),
            (Rule::OneOf(&["external", "all"]), json!("all"), true),
            (Rule::OneOf(&["external", "all"]), json!("none"), false),
            (Rule::Secret("s3cret".into()), json!("s3cret"), true),
            (Rule::Secret("s3cret".into()), json!("secret"), false),
        ] {
            assert_eq!(rule.holds(Some(&found)), good, "{rule:?} {found}");
            assert!(!rule.holds(None), "{rule:?} of nothing");
            assert!(
                rule.holds(Some(&rule.value())),
                "{rule:?} holds once it is written"
            );
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let rule = Rule::Secret("s3cret".into());
        let found = json!("0ld");
        let shown = format!("{} {} {rule:?}", rule.shown(), rule.shown_of(Some(&found)));
        assert!(!shown.contains("s3cret") && !shown.contains("0ld"), "{shown}");
    }
}
