//! One page of the other system's companies.

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;

use super::PullSettings;
use crate::codex::{
    companies::Typed,
    outside::{OutsideError, fetch},
};

/// How often a page is asked for before the run is given up.
const ATTEMPTS: u32 = 4;

/// A company as the other system writes it: read leniently, so that one bad value does not spoil a page.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    #[serde(default)]
    id: Value,
    #[serde(flatten)]
    fields: serde_json::Map<String, Value>,
}

impl Record {
    /// Its number there: a whole number of 64 bits, or the same as text.
    pub(super) fn number(&self) -> Option<i64> {
        match &self.id {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number as it was written, for the log.
    pub(super) fn shown_number(&self) -> String {
        self.id.to_string().chars().take(40).collect()
    }

    /// Its values as if somebody had typed them; numbers count as text, anything else as nothing.
    pub(super) fn typed(&self) -> Typed {
        let text = |name: &str| match self.fields.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Typed {
            name: text("name"),
            account_number: text("account_number"),
            website: text("website"),
            phone: text("phone"),
            address: text("address"),
            notes: text("notes"),
        }
    }
}

/// A page as the other system writes it.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) companies: Vec<Record>,
    #[serde(default)]
    pub(super) next_page: Option<i64>,
}

/// Asks for a page, several times if need be.
pub(super) async fn page(settings: &PullSettings, page: i64) -> Result<Page, OutsideError> {
    let mut pause = settings.pause;
    let mut attempt = 1;
    loop {
        match once(settings, page).await {
            Err(error) if error.may_pass() && attempt < ATTEMPTS => {
                tracing::warn!(
                    reason = "pull_page",
                    source = settings.source.as_str(),
                    page,
                    attempt,
                    %error,
                    "a page did not come; it is asked for again"
                );
                tokio::time::sleep(pause).await;
                pause *= 2;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn once(settings: &PullSettings, page: i64) -> Result<Page, OutsideError> {
    let mut url = settings.url.clone();
    url.query_pairs_mut()
        .append_pair("page", &page.to_string())
        .append_pair("per_page", &settings.per_page.to_string());
    let mut request = settings.http.get(url).header("accept", "application/json");
    if let Some(token) = &settings.token {
        request = request.bearer_auth(token.expose_secret());
    }
    fetch(request).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_keeps_all_its_bits_however_it_is_written() {
        for (id, number) in [
            (json!(9_007_199_254_740_993_i64), Some(9_007_199_254_740_993)),
            (json!("9223372036854775807"), Some(i64::MAX)),
            (json!(7), Some(7)),
            (json!(1.5), None),
            (json!("7a"), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            let record: Record = serde_json::from_value(json!({"id": id, "name": "X"})).unwrap();
            assert_eq!(record.number(), number, "{id}");
        }
        let record: Record =
            serde_json::from_value(json!({"name": "X", "account_number": 12, "phone": {}})).unwrap();
        assert_eq!(record.typed().account_number, "12");
        assert_eq!((record.typed().phone.as_str(), record.number()), ("", None));
    }
}
