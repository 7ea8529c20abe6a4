//! The path of a request, made canonical once, with every reading a backend may make of it.
//!
//! What is ambiguous is refused here, so that the path policy decides on is the path that is forwarded.
//! Routing is not done here.

/// Why a path was refused; each is a sentence for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathProblem {
    /// A `.` or `..` segment in some reading.
    DotSegment,
    /// A backslash, literal or encoded.
    Backslash,
    /// NUL or another control character, literal or encoded.
    Control,
    /// A `%` that is not followed by two hexadecimal digits, or a byte that must be encoded.
    Escape,
    /// The target is not an absolute path.
    NotAbsolute,
}

impl PathProblem {
    /// What is wrong, as the end of a sentence.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::DotSegment => "its path contains a dot segment",
            Self::Backslash => "its path contains a backslash",
            Self::Control => "its path contains a control character",
            Self::Escape => "its path is not validly percent-encoded",
            Self::NotAbsolute => "its target is not an absolute path",
        }
    }
}

/// A path as sent, and the other ways in which a backend may read it.
///
/// WSGI servers decode once; Java servers cut `;params` from every segment. A rule that opens a door must
/// hold for all readings (security rules, "Paths").
#[derive(Clone, Debug)]
pub(crate) struct CanonicalPath {
    sent: Box<str>,
    others: Vec<String>,
}

impl CanonicalPath {
    /// Checks `raw`, the path without its query.
    pub(crate) fn parse(raw: &[u8]) -> Result<Self, PathProblem> {
        if raw.first() != Some(&b'/') {
            return Err(PathProblem::NotAbsolute);
        }
        let plain = check_bytes(raw)?;
        let sent = std::str::from_utf8(raw).map_err(|_| PathProblem::Escape)?;
        if has_dot_segment(sent) {
            return Err(PathProblem::DotSegment);
        }
        let others = if plain { Vec::new() } else { other_readings(sent)? };
        Ok(Self {
            sent: sent.into(),
            others,
        })
    }

    /// The path as the client sent it, and as it is forwarded.
    pub(crate) fn sent(&self) -> &str {
        &self.sent
    }

    /// Every reading, the sent one first.
    pub(crate) fn readings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.sent).chain(self.others.iter().map(String::as_str))
    }

    /// Whether `rule` holds for what follows `prefix` in every reading.
    pub(crate) fn all_match(&self, prefix: &str, rule: impl Fn(&str) -> bool) -> bool {
        self.readings()
            .all(|reading| under(reading, prefix).is_some_and(&rule))
    }
}

/// What follows `prefix` in `path` if it ends on a segment boundary; `/` if nothing follows.
pub(crate) fn under<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    match path.strip_prefix(prefix)? {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

/// Looks at every byte once; true if the path has neither escapes nor parameters.
fn check_bytes(raw: &[u8]) -> Result<bool, PathProblem> {
    let mut plain = true;
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => return Err(PathProblem::Backslash),
            0..=0x1f | 0x7f => return Err(PathProblem::Control),
            0x80.. | b' ' | b'"' | b'<' | b'>' | b'#' => return Err(PathProblem::Escape),
            b';' => plain = false,
            b'%' => {
                plain = false;
                let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                let (Some(high), Some(low)) = digits else {
                    return Err(PathProblem::Escape);
                };
                match high * 16 + low {
                    b'\\' => return Err(PathProblem::Backslash),
                    0..=0x1f | 0x7f => return Err(PathProblem::Control),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(plain)
}

/// Decodes up to three times (doubly encoded dots are dots to somebody) and cuts parameters.
fn other_readings(sent: &str) -> Result<Vec<String>, PathProblem> {
    let mut readings = Vec::with_capacity(3);
    let mut current = sent.to_owned();
    for depth in 0..3 {
        let next = decode(&current);
        if next == current {
            break;
        }
        if next.bytes().any(|byte| byte == b'\\') {
            return Err(PathProblem::Backslash);
        }
        if next.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(PathProblem::Control);
        }
        if has_dot_segment(&next) {
            return Err(PathProblem::DotSegment);
        }
        if depth == 0 {
            readings.push(next.clone());
        }
        current = next;
    }
    let mut cuts = Vec::new();
    for reading in std::iter::once(sent).chain(readings.iter().map(String::as_str)) {
        if reading.contains(';') {
            cuts.push(cut_parameters(reading));
        }
    }
    if cuts.iter().any(|cut| has_dot_segment(cut)) {
        return Err(PathProblem::DotSegment);
    }
    readings.append(&mut cuts);
    Ok(readings)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn cut_parameters(path: &str) -> String {
    let mut cut = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            cut.push('/');
        }
        cut.push_str(segment.split(';').next().unwrap_or_default());
    }
    cut
}

fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| {
        let name = segment.split(';').next().unwrap_or_default();
        name == "." || name == ".."
    })
}

fn hex(byte: &u8) -> Option<u8> {
    char::from(*byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dot_segment_is_refused_in_every_reading() {
        for path in [
            "/a/../b",
            "/a/.",
            "/..",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a/%252e%252e/b",
            "/a/..%2fb",
            "/a/..;x=1/b",
            "/a/%2e%2e%3bx/b",
            "/a%2f..%2fb",
            "/beacon/static/../api/x",
            "/a/.;/b",
            "/a/%25252e%25252e/b",
        ] {
            assert_eq!(
                CanonicalPath::parse(path.as_bytes()).err(),
                Some(PathProblem::DotSegment),
                "{path}"
            );
        }
    }

    #[test]
    fn backslashes_controls_and_bad_escapes_are_refused() {
        for (path, problem) in [
            ("/a\\b", PathProblem::Backslash),
            ("/a%5cb", PathProblem::Backslash),
            ("/a%255Cb", PathProblem::Backslash),
            ("/a%00", PathProblem::Control),
            ("/a%2500", PathProblem::Control),
            ("/a\tb", PathProblem::Control),
            ("/a%7f", PathProblem::Control),
            ("/a%zz", PathProblem::Escape),
            ("/a%2", PathProblem::Escape),
            ("/a\u{e9}", PathProblem::Escape),
            ("*", PathProblem::NotAbsolute),
            ("", PathProblem::NotAbsolute),
        ] {
            assert_eq!(
                CanonicalPath::parse(path.as_bytes()).err(),
                Some(problem),
                "{path:?}"
            );
        }
    }

    #[test]
    fn encoded_slashes_and_repeated_slashes_pass_as_sent() {
        for path in [
            "/codex/a%2Fb",
            "/codex//x",
            "/codex/%3F%23%20",
            "/a/b;v=1",
            "/a/...",
            "/a/..b",
            "/%E2%82%AC",
        ] {
            let parsed = CanonicalPath::parse(path.as_bytes()).expect(path);
            assert_eq!(parsed.sent(), path);
        }
    }

    #[test]
    fn a_rule_must_hold_for_all_readings() {
        let path = CanonicalPath::parse(b"/beacon/api%2Ftickets").expect("valid");
        assert!(path.all_match("/beacon", |_| true));
        assert!(!path.all_match("/beacon", |rest| rest.starts_with("/api/")));
        let path = CanonicalPath::parse(b"/beacon;x/health").expect("valid");
        assert!(!path.all_match("/beacon", |_| true));
        let path = CanonicalPath::parse(b"/beacon/health;x").expect("valid");
        assert!(!path.all_match("/beacon", |rest| rest == "/health"));
        let path = CanonicalPath::parse(b"/codex%2fadmin/x").expect("valid");
        assert!(!path.all_match("/codex", |_| true));
    }

    #[test]
    fn prefixes_end_on_a_segment_boundary() {
        assert_eq!(under("/codex/a", "/codex"), Some("/a"));
        assert_eq!(under("/codex", "/codex"), Some("/"));
        assert_eq!(under("/codexes", "/codex"), None);
        assert_eq!(under("/cod", "/codex"), None);
    }

    proptest! {
        #[test]
        fn no_accepted_path_climbs_however_often_it_is_decoded(path in "/([a.%25eE/;\\\\cC0-9]{0,24})") {
            if let Ok(accepted) = CanonicalPath::parse(path.as_bytes()) {
                let mut reading = accepted.sent().to_owned();
                for _ in 0..3 {
                    prop_assert!(!reading.split(['/', '\\']).any(|s| s == ".." || s == "."), "{}", reading);
                    reading = decode(&reading);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = CanonicalPath::parse(&bytes);
        }
    }
}
