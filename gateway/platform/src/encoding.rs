//! Base64url without padding (RFC 4648 §5), the spelling of every identifier and token of the platform, for 32-byte values
//! without touching the heap. Decoding is strict: one value has exactly one spelling.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Characters that 32 bytes take.
pub(crate) const ENCODED_LEN: usize = 43;

/// The 32 bytes that `text` spells, or `None` if it is not exactly 43 characters in canonical form.
pub(crate) fn decode_32(text: &str) -> Option<[u8; 32]> {
    if text.len() != ENCODED_LEN {
        return None;
    }
    // `decode_slice` wants room for its estimate, which is larger than the result by up to two bytes.
    let mut buffer = [0_u8; 36];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).ok()?;
    buffer.get(..written)?.try_into().ok()
}

/// The 43 characters that spell `bytes`.
pub(crate) fn encode_32(bytes: &[u8; 32]) -> [u8; ENCODED_LEN] {
    let mut text = [0_u8; ENCODED_LEN];
    // Cannot fail: the buffer has exactly the size of the result. If it could, zeros parse as no identifier.
    let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    text
}

/// `prefix` followed by the spelling of `bytes`, in one allocation.
pub(crate) fn prefixed(prefix: &str, bytes: &[u8; 32]) -> String {
    let mut out = String::with_capacity(prefix.len() + ENCODED_LEN);
    out.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut out);
    out
}
