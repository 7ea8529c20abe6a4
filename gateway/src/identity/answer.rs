//! The query with which the provider sends the browser back.
//!
//! Responsible for: reading it strictly (RFC 6749 §4.1.2, RFC 9207). Not responsible for what it means.

use hivematrix_platform::Handle;

/// Longest code that is passed on, in bytes.
const MAX_CODE: usize = 4096;

/// The provider's answer to an authorization request.
pub(super) struct Answer {
    /// The attempt it belongs to.
    pub(super) state: Handle,
    /// The code, or the provider's error.
    pub(super) result: Result<String, String>,
    /// Who says that it is the answer, if anybody.
    pub(super) issuer: Option<String>,
}

impl Answer {
    /// Reads a query. `None` if it has no proper state, a parameter twice, or neither code nor error.
    pub(super) fn parse(query: &str) -> Option<Self> {
        let (mut state, mut code, mut error, mut issuer) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut state,
                "code" => &mut code,
                "error" => &mut error,
                "iss" => &mut issuer,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        let state = Handle::parse(&state?)?;
        let result = match (code, error) {
            (Some(code), None) if !code.is_empty() && code.len() <= MAX_CODE => Ok(code),
            (None, Some(error)) => Err(error),
            _ => return None,
        };
        Some(Self {
            state,
            result,
            issuer,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn an_answer_is_a_code_or_an_error_for_one_attempt() {
        let id = Handle::generate();
        let state = id.encode();
        let answer = Answer::parse(&format!(
            "state={state}&session_state=x&code=a%2Fb&iss=https%3A%2F%2Fi"
        ))
        .unwrap();
        assert!(answer.state == id);
        assert_eq!(answer.result.as_deref(), Ok("a/b"));
        assert_eq!(answer.issuer.as_deref(), Some("https://i"));
        let answer = Answer::parse(&format!("error=access_denied&state={state}")).unwrap();
        assert_eq!(answer.result.as_deref(), Err(&"access_denied".to_owned()));
    }

    #[test]
    fn an_answer_that_can_be_read_in_two_ways_is_none() {
        let state = Handle::generate().encode();
        for query in [
            String::new(),
            "state=x&code=a".to_owned(),
            "code=a".to_owned(),
            format!("state={state}"),
            format!("state={state}&code="),
            format!("state={state}&code={}", "a".repeat(MAX_CODE + 1)),
            format!("state={state}&code=a&error=b"),
            format!("state={state}&code=a&code=b"),
            format!("state={state}&state={state}&code=a"),
            format!("state={state}&code=a&iss=b&iss=b"),
        ] {
            assert!(Answer::parse(&query).is_none(), "{query}");
        }
    }
}
