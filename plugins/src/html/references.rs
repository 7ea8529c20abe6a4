//! Character references that stand for blanks: they do not begin a body.

/// What stands at a `&`.
pub(crate) enum Reference {
    /// A blank, written in so many bytes.
    Blank(usize),
    /// Anything else: the text is not blank.
    Other,
    /// More bytes are needed to tell.
    Unfinished,
}

/// Whether a character reference at the start of `text` stands for a blank. HTML §13.2.5.72 ff.
pub(crate) fn blank_reference(text: &[u8]) -> Reference {
    for word in [&b"&Tab;"[..], b"&NewLine;"] {
        if text.starts_with(word) {
            return Reference::Blank(word.len());
        }
        if word.starts_with(text) {
            return Reference::Unfinished;
        }
    }
    let (digits_at, radix) = match text {
        [b'&'] | [b'&', b'#'] | [b'&', b'#', b'x' | b'X'] => return Reference::Unfinished,
        [b'&', b'#', b'x' | b'X', ..] => (3, 16),
        [b'&', b'#', ..] => (2, 10),
        _ => return Reference::Other,
    };
    let mut value = 0_u32;
    for (at, byte) in text.iter().enumerate().skip(digits_at) {
        match char::from(*byte).to_digit(radix) {
            // More digits than anybody writes: not worth waiting for.
            Some(_) if at > 32 => return Reference::Other,
            Some(digit) => value = value.saturating_mul(radix).saturating_add(digit),
            None if at == digits_at => return Reference::Other,
            None if matches!(value, 9 | 10 | 12 | 13 | 32) => {
                return Reference::Blank(at + usize::from(*byte == b';'));
            }
            None => return Reference::Other,
        }
    }
    Reference::Unfinished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_are_blank() {
        #[rustfmt::skip]
        let table = [
            ("&#32;x", Some(5)), ("&#32x", Some(4)), ("&#x00020;", Some(9)), ("&#X9;", Some(5)), ("&Tab;", Some(5)),
            ("&NewLine;", Some(9)), ("&#13;", Some(5)), ("&nbsp;", None), ("&#160;", None), ("&#32768;", None),
            ("&tab;", None), ("& ", None), ("&#;", None), ("&#x;", None), ("&#99999999999999999999;", None),
        ];
        for (text, expected) in table {
            let found = match blank_reference(text.as_bytes()) {
                Reference::Blank(len) => Some(len),
                Reference::Other | Reference::Unfinished => None,
            };
            assert_eq!(found, expected, "{text}");
        }
        for text in ["&", "&#", "&#x", "&#3", "&#32", "&T", "&NewLine"] {
            assert!(
                matches!(blank_reference(text.as_bytes()), Reference::Unfinished),
                "{text}"
            );
        }
    }
}
