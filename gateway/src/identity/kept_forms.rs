//! Forms that came after their session had ended, kept over the login until a person sends them again or their time
//! is over: `hm:form:<hash of sub>:<slot>` (platform README §4).
//!
//! Responsible for: room for a few forms per person, sealed, and handing each out once and to its person only. Not
//! responsible for what may be kept (see the phase `keep`) nor for sending it (see the phase `resend`).

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hivematrix_platform::{Handle, SealingKeys, Store, StoreError, unix_now};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::attempts::AttemptLimits;
use super::record::Records;

/// Forms of one person that are kept at a time.
const SLOTS: usize = 4;

/// The one field by which a page of ours says which kept form a person wants to be sent.
const FIELD: &str = "hivematrix-kept-form";

/// A form as it came.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptForm {
    id: String,
    /// The public origin to which it was sent.
    pub origin: String,
    /// Path and query to which it was sent, byte for byte.
    pub target: String,
    /// The value of its `Content-Type`.
    pub content_type: String,
    /// Its body, byte for byte.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub body: Bytes,
    /// When it came, in Unix seconds.
    pub kept_at: u64,
}

impl KeptForm {
    /// A form that has just come.
    pub fn new(origin: String, target: String, content_type: String, body: Bytes) -> Self {
        Self {
            id: Handle::generate().encode(),
            origin,
            target,
            content_type,
            body,
            kept_at: unix_now(),
        }
    }

    /// What tells it from others; good for one sending.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Name of the field that carries [`KeptForm::id`].
    pub const FIELD: &'static str = FIELD;

    /// Length of a body that asks for a kept form to be sent: one field and its value.
    pub const MARK_LEN: usize = FIELD.len() + 1 + Handle::LEN;

    /// The id in a body that asks for a kept form to be sent.
    pub fn marked(body: &[u8]) -> Option<&str> {
        let id = body.strip_prefix(FIELD.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(id)
            .ok()
            .filter(|id| Handle::parse(id).is_some())
    }
}

/// Whether a form was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It was.
    Kept,
    /// The person has as many as there may be.
    Full,
}

/// All kept forms.
pub struct KeptForms {
    store: Arc<dyn Store>,
    records: Records,
}

impl KeptForms {
    /// Kept forms in a store.
    pub fn new(store: Arc<dyn Store>, sealing: Arc<SealingKeys>) -> Self {
        Self {
            records: Records::new(store.clone(), sealing),
            store,
        }
    }

    /// Keeps a form for a person, for as long as a login may take.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn keep(&self, sub: &str, form: &KeptForm) -> Result<Keeping, StoreError> {
        let ttl = AttemptLimits::default().lifetime;
        for key in slots(sub) {
            let Ok(sealed) = self.records.seal(&key, form) else {
                return Ok(Keeping::Full);
            };
            if self.store.put_new(&key, &sealed, ttl).await? {
                return Ok(Keeping::Kept);
            }
        }
        Ok(Keeping::Full)
    }

    /// A person's kept forms, the oldest first.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn of(&self, sub: &str) -> Result<Vec<KeptForm>, StoreError> {
        let mut forms: Vec<KeptForm> = self.read(sub).await?.into_iter().map(|(_, form)| form).collect();
        forms.sort_by_key(|form| form.kept_at);
        Ok(forms)
    }

    /// Takes one of a person's kept forms out: of many who ask at once, one gets it.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn take(&self, sub: &str, id: &str) -> Result<Option<KeptForm>, StoreError> {
        let found = self.read(sub).await?.into_iter().find(|(_, form)| form.id == id);
        let Some((key, _)) = found else {
            return Ok(None);
        };
        let taken = self.store.take(&key).await?;
        let form = taken.and_then(|sealed| self.records.open::<KeptForm>(&key, &sealed));
        Ok(form.filter(|form| form.id == id))
    }

    async fn read(&self, sub: &str) -> Result<Vec<(String, KeptForm)>, StoreError> {
        let keys: Vec<String> = slots(sub).collect();
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = self.store.get_many(&names).await?;
        let forms = keys.into_iter().zip(found).filter_map(|(key, sealed)| {
            let form = self.records.open(&key, &sealed?)?;
            Some((key, form))
        });
        Ok(forms.collect())
    }
}

/// The keys under which a person's forms may be: their number is the limit.
fn slots(sub: &str) -> impl Iterator<Item = String> {
    let person = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(sub));
    (0..SLOTS).map(move |slot| format!("hm:form:{person}:{slot}"))
}

fn to_text<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(body))
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let body = BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    Ok(Bytes::from(body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::identity::tests;

    fn form(body: &'static [u8]) -> KeptForm {
        KeptForm::new(
            "http://localhost:8000".into(),
            "/echo/a?x=1".into(),
            "application/x-www-form-urlencoded".into(),
            Bytes::from_static(body),
        )
    }

    #[tokio::test]
    async fn a_form_is_handed_out_once_to_its_person_byte_for_byte_and_is_unreadable_in_the_store() {
        let store = tests::store();
        let forms = KeptForms::new(store.clone(), tests::sealing());
        let kept = form(b"note=secret words\xff\x00");
        assert_eq!(forms.keep("alice", &kept).await.unwrap(), Keeping::Kept);
        let stored = store.get(&slots("alice").next().unwrap()).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains("secret"));
        assert!(forms.of("bob").await.unwrap().is_empty());
        assert!(forms.take("bob", kept.id()).await.unwrap().is_none());
        assert_eq!(forms.of("alice").await.unwrap()[0].body, kept.body);
        assert_eq!(
            forms.take("alice", kept.id()).await.unwrap().unwrap().body,
            kept.body
        );
        assert!(forms.take("alice", kept.id()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_person_has_so_many_kept_forms_and_others_have_theirs() {
        let forms = KeptForms::new(tests::store(), tests::sealing());
        for _ in 0..SLOTS {
            assert_eq!(forms.keep("alice", &form(b"a")).await.unwrap(), Keeping::Kept);
        }
        assert_eq!(forms.keep("alice", &form(b"a")).await.unwrap(), Keeping::Full);
        assert_eq!(forms.keep("bob", &form(b"a")).await.unwrap(), Keeping::Kept);
    }

    #[test]
    fn a_mark_is_read_exactly() {
        let id = Handle::generate().encode();
        let mark = format!("{FIELD}={id}");
        assert_eq!(mark.len(), KeptForm::MARK_LEN);
        assert_eq!(KeptForm::marked(mark.as_bytes()), Some(id.as_str()));
        for wrong in [
            &mark[1..],
            &format!("{mark}x"),
            &format!("{FIELD}={}", "=".repeat(43)),
            "",
        ] {
            assert_eq!(KeptForm::marked(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
