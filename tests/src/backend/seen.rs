//! A request exactly as a backend received it.

use std::sync::{Arc, Mutex, PoisonError};

/// The head as it came, and the body as far as it has come.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The head with its line ends, up to and with the empty line.
    pub head: String,
    body: Arc<Mutex<Body>>,
}

#[derive(Debug, Default)]
struct Body {
    bytes: Vec<u8>,
    complete: bool,
}

impl Seen {
    pub(crate) fn new(head: String) -> Self {
        Self {
            head,
            body: Arc::default(),
        }
    }

    pub(crate) fn push(&self, bytes: &[u8]) {
        self.body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
            .extend_from_slice(bytes);
    }

    pub(crate) fn complete(&self) {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).complete = true;
    }

    /// The request line.
    #[must_use]
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line().split(' ').next().unwrap_or_default()
    }

    /// Path and query, byte for byte.
    #[must_use]
    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// The path alone.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// All header fields as they came.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
    }

    /// The values of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The one value of a header.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        match self.all(name)[..] {
            [one] => one,
            ref other => panic!(
                "{name} has {} values at the backend: {other:?}\n{}",
                other.len(),
                self.head
            ),
        }
    }

    /// Whether a header is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// The body as far as it has come.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
            .clone()
    }

    /// Whether the body came to its proper end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).complete
    }
}
