//! Keeps spreadsheets from taking a text for a formula (OWASP, "CSV injection").
//!
//! A text that begins with `=`, `+`, `-`, `@`, tab or carriage return is exported with an apostrophe before it, by
//! which spreadsheets know a text; an import takes that apostrophe off again.

/// What makes a spreadsheet compute.
const DANGEROUS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// As it is written into a file.
pub(super) fn guarded(text: &str) -> String {
    // Nobody's apostrophe may be taken off that we have not put there.
    if text.starts_with(DANGEROUS) || unguarded(text).len() < text.len() {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// As it was before it was written into a file.
pub(super) fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(DANGEROUS) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_written_as_a_text_and_read_as_what_it_was() {
        for (text, written) in [
            ("Acme", "Acme"),
            ("=1+1", "'=1+1"),
            ("+1 555 0100", "'+1 555 0100"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), written, "for {text:?}");
            assert_eq!(unguarded(&guarded(text)), text, "for {text:?}");
        }
    }
}
