//! Tag names as the scanner keeps them: lower case, on the stack, compared cheaply.

/// Longer than every name that the parsing rules mention.
const KEPT: usize = 16;

/// A tag's name in lower case. Of a longer name the start and the length are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    bytes: [u8; KEPT],
    len: u16,
}

impl Name {
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; KEPT],
        len: 0,
    };

    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.len)) {
            *place = byte.to_ascii_lowercase();
        }
        self.len = self.len.saturating_add(1);
    }

    /// The name, empty for one that is longer than any the parsing rules know.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let mut name = Self::EMPTY;
        text.bytes().for_each(|byte| name.push(byte));
        name
    }
}

/// The bytes from here on that mean nothing in a tag's or an attribute's name: taken at once.
pub(crate) fn plain(window: &[u8], from: usize) -> &[u8] {
    let rest = window.get(from..).unwrap_or_default();
    let means = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'-';
    let end = rest.iter().position(means).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}
