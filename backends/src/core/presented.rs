//! The token that a request presents, and its JSON body.
//!
//! Responsible for: body or `Authorization: Bearer`, never the URL (tokens in URLs end up in logs and histories).
//! Not responsible for: whether the token is worth anything.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::Failure;

/// A body as axum read it, or did not.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// The token under `member` of a JSON body, or in the `Authorization` header. Both are fine if they agree.
///
/// # Errors
/// 400 without a token, or with two; 413 for too large a body.
pub(super) fn token(headers: &HeaderMap, body: Body, member: &str) -> Result<String, Failure> {
    let body: Value = json(headers, body)?;
    let in_body = match body.get(member) {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) if !token.is_empty() => Some(token.as_str()),
        Some(_) => return Err(Failure::bad_request(format!("{member} must be a string"))),
    };
    match (in_body, bearer(headers)?) {
        (Some(one), Some(other)) if one != other => Err(Failure::bad_request("Two different tokens")),
        (Some(token), _) | (None, Some(token)) => Ok(token.to_owned()),
        (None, None) => Err(Failure::bad_request("No token provided")),
    }
}

/// The JSON body; a body of another type counts as none (`null`), so that no form of a foreign page is taken for
/// a request.
///
/// # Errors
/// 400 if it is not JSON of this shape; 413 if it is too large.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Failure> {
    let body = body.map_err(|error| Failure::new(error.status(), "Request body could not be read"))?;
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let kind = value.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        });
    let text: &[u8] = if is_json && !body.is_empty() {
        &body
    } else {
        b"null"
    };
    serde_json::from_slice(text).map_err(|_| Failure::bad_request("Malformed JSON body"))
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Failure::bad_request("Two Authorization headers"));
    }
    let token = first
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty());
    Ok(token)
}
