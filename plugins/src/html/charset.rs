//! Which charsets let ASCII be put between their bytes. All but four do.
//!
//! UTF-16, ISO-2022-JP and the encodings that browsers refuse pass unedited: transcoding would change the
//! page's bytes, and the few pages that still use them lose a panel, not content.

use encoding_rs::Encoding;

use super::attributes;

/// The charset that a `Content-Type` names.
pub(crate) fn of_content_type(value: &str) -> Option<&'static Encoding> {
    let (_, parameters) = value.split_once(';')?;
    let label = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches(['"', '\'']))
    })?;
    Encoding::for_label(label.as_bytes())
}

/// Whether a `<meta>` declares a charset that we must leave alone. UTF-16 in a `<meta>` is read as UTF-8
/// (HTML §13.2.3.2), so only what is left of the four counts.
pub(crate) fn meta_forbids_ascii(tag: &[u8]) -> bool {
    declared(tag).is_some_and(|charset| {
        !charset.is_ascii_compatible() && charset != encoding_rs::UTF_16LE && charset != encoding_rs::UTF_16BE
    })
}

fn declared(tag: &[u8]) -> Option<&'static Encoding> {
    if let Some(label) = attributes::value(tag, "charset") {
        return Encoding::for_label(label.as_bytes());
    }
    let kind = attributes::value(tag, "http-equiv")?;
    if !kind.eq_ignore_ascii_case("content-type") {
        return None;
    }
    // HTML §2.3.4: the first `charset=` counts, whatever stands around it.
    let content = attributes::value(tag, "content")?.to_ascii_lowercase();
    let (_, rest) = content.split_once("charset")?;
    let label = rest.trim_start().strip_prefix('=')?.trim_start();
    let label = label.trim_start_matches(['"', '\'']);
    let end = label
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, ';' | '"' | '\''))
        .unwrap_or(label.len());
    Encoding::for_label(label.get(..end)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_names_its_charset() {
        #[rustfmt::skip]
        let table = [
            ("text/html", None),
            ("text/html; charset=utf-8", Some("UTF-8")),
            ("text/html;charset=\"Shift_JIS\"", Some("Shift_JIS")),
            ("text/html; x=y; Charset=UTF-16", Some("UTF-16LE")),
            ("text/html; charset=nonsense", None),
        ];
        for (value, expected) in table {
            assert_eq!(of_content_type(value).map(Encoding::name), expected, "{value}");
        }
    }

    #[test]
    fn a_meta_that_declares_japanese_mail_encoding_is_seen() {
        #[rustfmt::skip]
        let table = [
            ("<meta charset=iso-2022-jp>", true),
            ("<meta http-equiv='Content-Type' content='text/html; charset = \"csISO2022JP\"'>", true),
            ("<meta content='text/html; charset=iso-2022-jp'>", false),
            ("<meta charset=hz-gb-2312>", true),
            ("<meta charset=utf-16>", false),
            ("<meta charset=euc-jp>", false),
            ("<meta name=charset content=iso-2022-jp>", false),
        ];
        for (tag, expected) in table {
            assert_eq!(meta_forbids_ascii(tag.as_bytes()), expected, "{tag}");
        }
    }
}
