//! Which coding a client prefers: `Accept-Encoding` with its weights (RFC 9110 §12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::Coding;

/// In the order of our own preference among equals: cheapest per byte saved first, as measured on pages of
/// some 20 KB. Deflate is left out: clients that take it take gzip, and its two readings cause trouble.
const OURS: [Coding; 3] = [Coding::Zstd, Coding::Gzip, Coding::Brotli];

/// The coding to send, or none for the identity.
pub(crate) fn preferred(headers: &HeaderMap) -> Option<Coding> {
    let mut weights = [None::<u16>; OURS.len()];
    let (mut identity, mut any) = (None, None);
    let values = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let (name, weight) = weighted(range);
        if name.eq_ignore_ascii_case("identity") {
            identity = Some(weight);
        } else if name == "*" {
            any = Some(weight);
        } else if let Some(at) =
            Coding::named(name).and_then(|coding| OURS.iter().position(|ours| *ours == coding))
        {
            weights[at] = Some(weight);
        }
    }
    let (coding, weight) = OURS
        .iter()
        .zip(weights.map(|weight| weight.or(any).unwrap_or(0)))
        .rev()
        .max_by_key(|(_, weight)| *weight)?;
    // Identity has no weight of its own unless it is named: then only a stronger wish replaces it.
    let plain = identity.unwrap_or(0);
    (weight > 0 && weight >= plain).then_some(*coding)
}

/// A name and its weight in thousandths; what is not a weight counts as zero.
fn weighted(range: &str) -> (&str, u16) {
    let mut parts = range.split(';');
    let name = parts.next().unwrap_or_default().trim();
    let weight = parts
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("q"))
        .map_or(Some(1.0), |(_, value)| value.trim().parse::<f32>().ok());
    let weight = weight
        .filter(|weight| (0.0..=1.0).contains(weight))
        .unwrap_or(0.0);
    // In range by the filter above.
    (name, (weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_decide_and_then_our_own_order() {
        for (sent, expected) in [
            (None, None),
            (Some(""), None),
            (Some("gzip"), Some(Coding::Gzip)),
            (Some("gzip, deflate, br, zstd"), Some(Coding::Zstd)),
            (Some("gzip, deflate, br"), Some(Coding::Gzip)),
            (Some("gzip;q=0.5, br"), Some(Coding::Brotli)),
            (Some("gzip;q=0"), None),
            (Some("zstd;q=0, *"), Some(Coding::Gzip)),
            (Some("*"), Some(Coding::Zstd)),
            (Some("*;q=0"), None),
            (Some("identity, gzip;q=0.5"), None),
            (Some("identity;q=0.5, gzip"), Some(Coding::Gzip)),
            (Some("identity;q=1, gzip;q=1"), Some(Coding::Gzip)),
            (Some("GZIP ; Q=1"), Some(Coding::Gzip)),
            (Some("gzip;q=nonsense"), None),
            (Some("gzip;q=7"), None),
            (Some("deflate"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(ACCEPT_ENCODING, sent.parse().expect("valid"));
            }
            assert_eq!(preferred(&headers), expected, "{sent:?}");
        }
    }
}
