//! Parameters of requests, as OAuth reads them.
//!
//! Responsible for: queries and form bodies; no parameter twice, an empty one counts as absent (RFC 6749 §3.1).
//! Not responsible for: what they mean.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Params(HashMap<String, String>);

/// A parameter came twice: two readers could take different ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeated;

impl Params {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Repeated> {
        let mut params = HashMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            if params.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Repeated);
            }
        }
        Ok(Self(params))
    }

    /// The parameters of a form body; those of any other body are none.
    pub(super) fn of_body(headers: &HeaderMap, body: &[u8]) -> Result<Self, Repeated> {
        let is_form = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                let kind = value.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
            });
        if is_form {
            Self::parse(body)
        } else {
            Ok(Self::default())
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

/// One value as HTTP Basic carries it for OAuth: percent-encoded like a form (RFC 6749 §2.3.1).
pub(super) fn decoded(text: &str) -> Option<String> {
    if text.contains(['&', '=']) {
        return None;
    }
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_parameter_must_not_come_twice_and_an_empty_one_is_absent() {
        let params = Params::parse(b"a=1&b=&c=%20x").unwrap();
        assert_eq!(
            (params.get("a"), params.get("b"), params.get("c")),
            (Some("1"), None, Some(" x"))
        );
        assert_eq!(Params::parse(b"a=1&a=1").unwrap_err(), Repeated);
    }
}
