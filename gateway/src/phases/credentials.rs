//! What a request shows as proof of who it is, and whether a foreign site made the browser show it. Values that
//! the phases share; who the caller is, is found out elsewhere.

use http::Method;
use http::header::{self, HeaderMap};

use crate::config::Origin;
use crate::error::Refusal;
use crate::identity::{Handle, Refused, cookies};

/// What a request shows as proof of who it is.
pub(crate) enum Credentials<'a> {
    /// Nothing.
    None,
    /// The session cookie.
    Cookie(Handle),
    /// An `Authorization: Bearer` token.
    Bearer(&'a str),
}

/// Reads the proofs of a request.
///
/// # Errors
/// 400 for two session cookies, or a cookie and a bearer token together.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, Refusal> {
    let handle = cookies::session_handle(headers)
        .map_err(|_| Refusal::BadRequest("it has more than one session cookie"))?;
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let bearer = authorizations
        .next()
        .and_then(|value| bearer_token(value.as_bytes()));
    if authorizations.next().is_some() {
        return Err(Refusal::BadRequest("it has more than one Authorization"));
    }
    match (handle, bearer) {
        (Some(_), Some(_)) => Err(Refusal::BadRequest(
            "it has both a session cookie and a bearer token",
        )),
        (Some(handle), None) => Ok(Credentials::Cookie(handle)),
        (None, Some(token)) => Ok(Credentials::Bearer(token)),
        (None, None) => Ok(Credentials::None),
    }
}

fn bearer_token(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = std::str::from_utf8(token).ok()?.trim();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Refuses an unsafe request, or a WebSocket, that a foreign site sends with our cookie.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub(crate) fn refuse_cross_site(method: &Method, headers: &HeaderMap, ours: &Origin) -> Result<(), Refusal> {
    if method.is_safe() && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    let foreign_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| matches!(site.as_bytes(), b"cross-site" | b"same-site"));
    let foreign_origin = headers.get_all(header::ORIGIN).iter().any(|origin| {
        !origin
            .to_str()
            .is_ok_and(|origin| Origin::parse(origin).is_ok_and(|origin| origin == *ours))
    });
    if foreign_site || foreign_origin {
        return Err(Refusal::Forbidden {
            reason: "cross_site",
            public: "This request came from another site and was not carried out.",
        });
    }
    Ok(())
}

/// What a refusal of the session view means for the request.
pub(crate) fn refusal(refused: Refused) -> Refusal {
    if refused.is_outage() {
        Refusal::IdentityDown(refused)
    } else {
        Refusal::LoginNeeded(refused.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn unsafe_requests_and_websockets_from_foreign_origins_are_refused() {
        let ours = Origin::parse("https://hive.example").expect("valid");
        let refused = |method: Method, pairs: &[(&'static str, &'static str)]| {
            refuse_cross_site(&method, &headers(pairs), &ours).is_err()
        };
        assert!(refused(Method::POST, &[("origin", "https://evil.example")]));
        assert!(refused(Method::POST, &[("origin", "null")]));
        assert!(refused(Method::DELETE, &[("sec-fetch-site", "cross-site")]));
        assert!(refused(
            Method::POST,
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://hive.example")
            ]
        ));
        assert!(refused(
            Method::GET,
            &[("upgrade", "websocket"), ("origin", "https://evil.example")]
        ));
        assert!(refused(
            Method::POST,
            &[
                ("origin", "https://hive.example"),
                ("origin", "https://evil.example")
            ]
        ));
        assert!(!refused(Method::GET, &[("origin", "https://evil.example")]));
        assert!(!refused(
            Method::POST,
            &[
                ("origin", "https://hive.example"),
                ("sec-fetch-site", "same-origin")
            ]
        ));
        assert!(!refused(Method::POST, &[]));
    }

    #[test]
    fn a_cookie_and_a_bearer_token_together_are_refused() {
        let handle = "__Host-hivematrix=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let both = headers(&[("cookie", handle), ("authorization", "Bearer x.y.z")]);
        assert!(credentials(&both).is_err());
        assert!(matches!(
            credentials(&headers(&[("cookie", handle)])),
            Ok(Credentials::Cookie(_))
        ));
        assert!(matches!(
            credentials(&headers(&[("authorization", "bearer x.y.z")])),
            Ok(Credentials::Bearer(_))
        ));
        assert!(matches!(
            credentials(&headers(&[("authorization", "Basic eDp5")])),
            Ok(Credentials::None)
        ));
    }
}
