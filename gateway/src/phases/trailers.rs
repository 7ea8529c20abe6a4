//! Trailers of a backend: what belongs into a head does not pass in one.

use http::header::{self, HeaderMap, HeaderName};

use crate::headers::{FOR_THE_ORIGIN, HOP_BY_HOP, is_reserved};

/// Trailers say something about the body; what belongs into a head is dropped (RFC 9110 §6.5.1).
pub(crate) fn trailers(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| belongs_into_head(name))
        .cloned()
        .collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

fn belongs_into_head(name: &HeaderName) -> bool {
    const HEAD_ONLY: [HeaderName; 8] = [
        header::SET_COOKIE,
        header::LOCATION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::CACHE_CONTROL,
        header::CONTENT_SECURITY_POLICY,
    ];
    HEAD_ONLY.contains(name)
        || is_reserved(name)
        || FOR_THE_ORIGIN.contains(&name.as_str())
        || HOP_BY_HOP.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    #[test]
    fn reserved_names_are_dropped_from_trailers() {
        let mut map = HeaderMap::new();
        for name in [
            "grpc-status",
            "set-cookie",
            "x-forwarded-for",
            "clear-site-data",
            "x_y",
        ] {
            map.insert(
                HeaderName::from_bytes(name.as_bytes()).expect("valid"),
                HeaderValue::from_static("0"),
            );
        }
        trailers(&mut map);
        assert_eq!(
            map.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["grpc-status"]
        );
    }
}
