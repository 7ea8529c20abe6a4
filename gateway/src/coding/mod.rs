//! Content codings (RFC 9110 §8.4): undone so that a page can be edited, and applied again for what the client
//! accepts, while the page streams. What the edits are is not known here.
//!
//! ```
//! use hivematrix_gateway::coding::{Coding, Decoder, Encoder};
//!
//! let mut encoder = Encoder::new(Coding::Brotli)?;
//! let mut decoder = Decoder::new(Coding::Brotli)?;
//! // Every chunk can be unpacked as soon as it has left.
//! let sent = encoder.push(b"<p>first</p>")?;
//! assert_eq!(decoder.push(&sent)?, "<p>first</p>");
//! # Ok::<(), hivematrix_gateway::coding::DecodeError>(())
//! ```

mod accept;
mod decode;
mod encode;

pub(crate) use accept::preferred;
pub use decode::{DecodeError, Decoder};
pub use encode::Encoder;

/// A content coding that we can undo and apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// The zlib format of RFC 1950; what some servers send instead, bare RFC 1951, is understood too.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// The coding of a `Content-Encoding` token, in any case.
    #[must_use]
    pub fn named(token: &str) -> Option<Self> {
        let is = |name: &str| token.eq_ignore_ascii_case(name);
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () if is("br") => Some(Self::Brotli),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    /// Its token.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<u8> {
        (0..4000)
            .flat_map(|n| format!("<p>line {n} of a page, {}</p>\n", n * 7919 % 1000).into_bytes())
            .collect()
    }

    fn encoded(coding: Coding, body: &[u8], step: usize) -> Vec<u8> {
        let mut encoder = Encoder::new(coding).expect("encoder");
        let mut out = Vec::new();
        for chunk in body.chunks(step) {
            out.extend_from_slice(&encoder.push(chunk).expect("push"));
        }
        out.extend_from_slice(&encoder.finish().expect("finish"));
        out
    }

    #[test]
    fn what_was_encoded_is_decoded_however_it_is_cut() {
        let page = page();
        for coding in Coding::ALL {
            let coded = encoded(coding, &page, 10_000);
            assert!(coded.len() < page.len() / 3, "{coding:?} compresses");
            for step in [1, 7, 1000, coded.len()] {
                let mut decoder = Decoder::new(coding).expect("decoder");
                let mut out = Vec::new();
                for chunk in coded.chunks(step) {
                    out.extend_from_slice(&decoder.push(chunk).expect("push"));
                }
                out.extend_from_slice(&decoder.finish().expect("finish"));
                assert!(out == page, "{coding:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn every_chunk_leaves_at_once() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding).expect("encoder");
            let mut decoder = Decoder::new(coding).expect("decoder");
            for text in ["<p>first</p>", "<p>second</p>"] {
                let sent = encoder.push(text.as_bytes()).expect("push");
                assert_eq!(decoder.push(&sent).expect("decode"), text, "{coding:?}");
            }
        }
    }

    #[test]
    fn a_chunk_that_unpacks_to_much_is_unpacked_at_once() {
        let page = page();
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding).expect("encoder");
            let mut decoder = Decoder::new(coding).expect("decoder");
            let sent = encoder.push(&page).expect("push");
            assert!(decoder.push(&sent).expect("decode") == page, "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_long_before_it_is_unpacked() {
        let zeros = vec![0_u8; 64 * 1024 * 1024];
        for coding in Coding::ALL {
            let bomb = encoded(coding, &zeros, zeros.len());
            let mut decoder = Decoder::new(coding).expect("decoder");
            let mut unpacked = 0;
            let refused = bomb.chunks(512).any(|chunk| match decoder.push(chunk) {
                Ok(out) => {
                    unpacked += out.len();
                    false
                }
                Err(DecodeError::Bomb) => true,
                Err(other) => panic!("{coding:?}: {other}"),
            });
            assert!(refused, "{coding:?} of {} bytes gave {unpacked}", bomb.len());
        }
    }

    #[test]
    fn a_broken_or_cut_body_is_an_error_and_no_panic() {
        for coding in Coding::ALL {
            let coded = encoded(coding, &page(), 50_000);
            let mut cut = Decoder::new(coding).expect("decoder");
            cut.push(&coded[..coded.len() / 2]).expect("good so far");
            assert!(cut.finish().is_err(), "{coding:?} cut");
            let mut broken = Decoder::new(coding).expect("decoder");
            let noise: Vec<u8> = (0..5000_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
                .collect();
            assert!(
                broken.push(&noise).is_err() || broken.finish().is_err(),
                "{coding:?} noise"
            );
        }
    }

    #[test]
    fn bare_deflate_is_understood() {
        use std::io::Write as _;
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        bare.write_all(&page()).expect("write");
        let bare = bare.finish().expect("finish");
        let mut decoder = Decoder::new(Coding::Deflate).expect("decoder");
        let mut out = decoder.push(&bare).expect("push").to_vec();
        out.extend_from_slice(&decoder.finish().expect("finish"));
        assert!(out == page());
    }
}
