//! One of Keycloak's objects as it should be, and what has to change for it.
//!
//! Responsible for: the difference, and the body of the call that removes it. Not responsible for: the calls.

use serde_json::{Map, Value};

use super::field::{At, Rule};
use super::report::{Change, Difference};

/// An object as it should be.
pub(super) struct Wanted {
    /// What people call it: `client core-client`.
    pub(super) object: String,
    /// What names it, in whatever is written.
    pub(super) named: Vec<(&'static str, Value)>,
    /// What a new one begins with; later it is the operator's business.
    pub(super) initial: Vec<(At, Value)>,
    /// What is ours, now and later.
    pub(super) owned: Vec<(At, Rule)>,
}

impl Wanted {
    /// What has to change; `None` if nothing has to.
    pub(super) fn change(&self, current: Option<&Value>) -> Option<Change> {
        let Some(current) = current else {
            let initial = self.initial.iter().map(|(at, value)| (at, value.to_string()));
            let owned = self.owned.iter().map(|(at, rule)| (at, rule.shown()));
            let fields = initial.chain(owned).map(|(at, to)| Difference {
                field: at.to_string(),
                from: None,
                to,
            });
            return Some(Change {
                object: self.object.clone(),
                is_new: true,
                fields: fields.collect(),
            });
        };
        let fields: Vec<Difference> = self
            .violated(current)
            .map(|(at, rule)| Difference {
                field: at.to_string(),
                from: Some(rule.shown_of(at.of(current))),
                to: rule.shown(),
            })
            .collect();
        (!fields.is_empty()).then(|| Change {
            object: self.object.clone(),
            is_new: false,
            fields,
        })
    }

    fn violated<'a>(&'a self, current: &'a Value) -> impl Iterator<Item = &'a (At, Rule)> {
        self.owned.iter().filter(|(at, rule)| !rule.holds(at.of(current)))
    }

    /// A new object.
    pub(super) fn created(&self) -> Value {
        let mut body = self.name();
        for (at, value) in &self.initial {
            at.set(&mut body, value.clone());
        }
        for (at, rule) in &self.owned {
            at.set(&mut body, rule.value());
        }
        Value::Object(body)
    }

    /// The fields that change and no others, for objects of which Keycloak takes a part. Maps are whole: of some,
    /// Keycloak forgets what is not there.
    pub(super) fn part(&self, current: &Value) -> Value {
        let mut body = self.name();
        for (at, rule) in self.violated(current) {
            if let Some(map) = at.map()
                && !body.contains_key(map)
                && let Some(whole) = current.get(map)
            {
                body.insert(map.to_owned(), whole.clone());
            }
            at.set(&mut body, rule.value());
        }
        Value::Object(body)
    }

    /// The whole object with what changes, for objects of which Keycloak takes no part.
    pub(super) fn whole(&self, current: &Value) -> Value {
        let mut body = current.as_object().cloned().unwrap_or_default();
        body.extend(self.name());
        for (at, rule) in self.violated(current) {
            at.set(&mut body, rule.value());
        }
        Value::Object(body)
    }

    fn name(&self) -> Map<String, Value> {
        let named = self.named.iter();
        named
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn wanted() -> Wanted {
        Wanted {
            object: "thing t".to_owned(),
            named: vec![("name", json!("t"))],
            initial: vec![(At::Top("title"), json!("T"))],
            owned: vec![
                (At::Top("open"), Rule::Is(json!(false))),
                (At::In("attributes", "a.b"), Rule::Is(json!("1"))),
            ],
        }
    }

    #[test]
    fn a_new_object_has_everything_and_an_existing_one_is_changed_where_it_differs() {
        let wanted = wanted();
        let new = wanted.change(None).unwrap();
        assert!(new.is_new);
        assert_eq!(new.fields.len(), 3);
        let created = wanted.created();
        let expected = json!({"name": "t", "title": "T", "open": false, "attributes": {"a.b": "1"}});
        assert_eq!(created, expected);
        assert!(wanted.change(Some(&created)).is_none(), "nothing is left to do");

        let mine = json!({"id": 7, "name": "t", "title": "mine", "open": false, "attributes": {"c": "2"}});
        let change = wanted.change(Some(&mine)).unwrap();
        assert_eq!(change.fields.len(), 1, "what an operator chose is left alone");
        assert_eq!(
            wanted.part(&mine),
            json!({"name": "t", "attributes": {"a.b": "1", "c": "2"}})
        );
        assert_eq!(
            wanted.whole(&mine),
            json!({"id": 7, "name": "t", "title": "mine", "open": false, "attributes": {"a.b": "1", "c": "2"}})
        );
    }
}
