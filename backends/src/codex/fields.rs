//! Reads what people and programs typed into fields: trims it, checks it, and says in a sentence what was expected.
//!
//! One checker serves the forms and the JSON API, so both accept the same values. How an error is shown is the
//! business of the pages and of the API.

use serde::Serialize;
use url::Url;

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// The field's name, as in the form and in the JSON.
    pub(crate) field: &'static str,
    /// What was expected, a sentence for a person.
    pub(crate) message: String,
}

/// Everything that is wrong with one form, in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// A single error.
    pub(crate) fn one(field: &'static str, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    /// An error that is about no field in particular.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self::one("", message)
    }

    /// Notes one more error.
    pub(crate) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(FieldError {
            field,
            message: message.into(),
        });
    }

    /// Notes what is wrong with something else, too.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// What is wrong with `field`, if anything.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|error| error.field == field)
            .map(|error| error.message.as_str())
    }

    /// All errors, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &FieldError> {
        self.0.iter()
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` if nothing is wrong, else the errors.
    pub(crate) fn unless_any<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// All errors as one sentence each, led by the field's name.
    pub(crate) fn sentences(&self) -> String {
        let sentences: Vec<String> = self
            .0
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect();
        sentences.join(" ")
    }
}

/// A text of one line that must be there.
pub(crate) fn required_line(
    field: &'static str,
    typed: &str,
    longest: usize,
    errors: &mut FieldErrors,
) -> String {
    optional_line(field, typed, longest, errors).unwrap_or_else(|| {
        if errors.of(field).is_none() {
            errors.add(field, "This must not be empty.");
        }
        String::new()
    })
}

/// A text of one line, or nothing. `longest` counts characters.
pub(crate) fn optional_line(
    field: &'static str,
    typed: &str,
    longest: usize,
    errors: &mut FieldErrors,
) -> Option<String> {
    let text = typed.trim();
    if text.chars().any(char::is_control) {
        errors.add(field, "This must be one line, without control characters.");
        return None;
    }
    within(field, text, longest, errors)
}

/// A text of several lines, or nothing. Line ends become `\n`.
pub(crate) fn optional_text(
    field: &'static str,
    typed: &str,
    longest: usize,
    errors: &mut FieldErrors,
) -> Option<String> {
    let text = typed.replace("\r\n", "\n").replace('\r', "\n");
    if text
        .chars()
        .any(|letter| letter.is_control() && letter != '\n' && letter != '\t')
    {
        errors.add(field, "This must not contain control characters.");
        return None;
    }
    within(field, text.trim(), longest, errors)
}

fn within(field: &'static str, text: &str, longest: usize, errors: &mut FieldErrors) -> Option<String> {
    let length = text.chars().count();
    if length > longest {
        errors.add(
            field,
            format!("This must not be longer than {longest} characters; it has {length}."),
        );
        return None;
    }
    (!text.is_empty()).then(|| text.to_owned())
}

/// A web address, or nothing. `example.com` becomes `https://example.com/`; other schemes than http are refused,
/// because the address becomes a link.
pub(crate) fn optional_website(
    field: &'static str,
    typed: &str,
    longest: usize,
    errors: &mut FieldErrors,
) -> Option<String> {
    let text = optional_line(field, typed, longest, errors)?;
    let with_scheme = if text.contains("://") || text.contains(':') && !text.contains('.') {
        text
    } else {
        format!("https://{text}")
    };
    let parsed = Url::parse(&with_scheme).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url
                .host_str()
                .is_some_and(|host| host.contains('.') && !host.contains(".."))
            && url.username().is_empty()
            && url.password().is_none()
    });
    match parsed {
        Some(url) => Some(url.into()),
        None => {
            errors.add(field, "This must be a web address such as https://example.com.");
            None
        }
    }
}

/// A telephone number as people write it, or nothing.
pub(crate) fn optional_phone(field: &'static str, typed: &str, errors: &mut FieldErrors) -> Option<String> {
    let text = optional_line(field, typed, 40, errors)?;
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain = text
        .chars()
        .all(|letter| letter.is_ascii_digit() || " +-()./x".contains(letter));
    if digits < 3 || !plain {
        errors.add(
            field,
            "This must be a telephone number such as +1 555 0100 (digits, spaces, + - ( ) . / x).",
        );
        return None;
    }
    Some(text)
}

/// An e-mail address, or nothing. Only what is plainly not an address is refused: whether it works, only a mail shows.
pub(crate) fn optional_email(field: &'static str, typed: &str, errors: &mut FieldErrors) -> Option<String> {
    let text = optional_line(field, typed, 254, errors)?;
    let plausible = text.split_once('@').is_some_and(|(mailbox, domain)| {
        !mailbox.is_empty()
            && !domain.contains('@')
            && domain.split('.').all(|label| !label.is_empty())
            && domain.contains('.')
    }) && !text
        .contains(|letter: char| letter.is_whitespace() || "<>()[],;:\\\"".contains(letter));
    if !plausible {
        errors.add(field, "This must be an e-mail address such as kim@example.com.");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    type Check = fn(&'static str, &str, &mut FieldErrors) -> Option<String>;

    fn table(check: Check, rows: &[(&str, Result<Option<&str>, ()>)]) {
        for (typed, expected) in rows {
            let mut errors = FieldErrors::default();
            let value = check("field", typed, &mut errors);
            match expected {
                Ok(expected) => {
                    assert!(errors.is_empty(), "{typed:?} was refused: {}", errors.sentences());
                    assert_eq!(value.as_deref(), *expected, "for {typed:?}");
                }
                Err(()) => assert!(
                    errors.of("field").is_some(),
                    "{typed:?} was accepted as {value:?}"
                ),
            }
        }
    }

    #[test]
    fn a_website_becomes_a_link_that_cannot_run_script() {
        table(
            |field, typed, errors| optional_website(field, typed, 300, errors),
            &[
                ("", Ok(None)),
                ("  ", Ok(None)),
                ("example.com", Ok(Some("https://example.com/"))),
                (" http://example.com/a?b#c ", Ok(Some("http://example.com/a?b#c"))),
                ("example.com:8443", Ok(Some("https://example.com:8443/"))),
                ("javascript:alert(1)", Err(())),
                ("javascript:alert('a.b')", Err(())),
                ("JavaScript://example.com/%0aalert(1)", Err(())),
                ("data:text/html,x", Err(())),
                ("ftp://example.com", Err(())),
                ("https://user:secret@example.com", Err(())),
                ("example", Err(())),
                ("https://", Err(())),
                ("two words.com", Err(())),
            ],
        );
    }

    #[test]
    fn a_telephone_number_has_digits_and_what_people_write_between_them() {
        table(
            optional_phone,
            &[
                ("", Ok(None)),
                ("+1 (555) 010-0100 x12", Ok(Some("+1 (555) 010-0100 x12"))),
                ("112", Ok(Some("112"))),
                ("12", Err(())),
                ("call me", Err(())),
                ("555 0100 <b>", Err(())),
            ],
        );
    }

    #[test]
    fn an_email_address_has_one_at_sign_and_a_domain() {
        table(
            optional_email,
            &[
                ("", Ok(None)),
                ("kim@example.com", Ok(Some("kim@example.com"))),
                (
                    "kim+tag@mail.example.co.uk",
                    Ok(Some("kim+tag@mail.example.co.uk")),
                ),
                ("kim", Err(())),
                ("@example.com", Err(())),
                ("kim@example", Err(())),
                ("kim@.com", Err(())),
                ("kim@@example.com", Err(())),
                ("kim lee@example.com", Err(())),
                ("Kim <kim@example.com>", Err(())),
            ],
        );
    }

    #[test]
    fn a_line_is_trimmed_counted_in_characters_and_has_no_control_characters() {
        table(
            |field, typed, errors| optional_line(field, typed, 5, errors),
            &[
                ("  Müller".trim_end_matches('r'), Ok(Some("Mülle"))),
                ("Müller", Err(())),
                ("a\nb", Err(())),
                ("a\0b", Err(())),
            ],
        );
        let mut errors = FieldErrors::default();
        assert_eq!(required_line("name", "  ", 5, &mut errors), "");
        assert_eq!(errors.sentences(), "name: This must not be empty.");
    }

    #[test]
    fn a_text_keeps_its_lines() {
        table(
            |field, typed, errors| optional_text(field, typed, 20, errors),
            &[
                ("one\r\ntwo\rthree", Ok(Some("one\ntwo\nthree"))),
                ("a\u{7}b", Err(())),
            ],
        );
    }
}
