//! Content-Security-Policy: what a page's policies must allow for the edits, and not a word more.
//!
//! Security rules, "Answers": exact URLs or hashes, a nonce only where the policy already uses them, never a
//! bare `'self'`; `default-src` is copied before it is extended; `sandbox` is never loosened. Source: CSP
//! Level 3 (W3C). Not responsible for what the edits are; see `html/plan.rs`.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The two headers that carry policies.
pub(crate) const HEADERS: [HeaderName; 2] = [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY];

/// A script file that a page will load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Its exact URL.
    pub(crate) url: String,
    /// `sha256-…` of its content, if it is a file of ours.
    pub(crate) integrity: Option<&'static str>,
}

/// What the edits load and call, as exact URLs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) styles: Vec<String>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) connects: Vec<String>,
}

/// How the inserted tags have to show that they are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The `nonce` of inserted `<link rel=stylesheet>`.
    pub(crate) style_nonce: Option<String>,
    /// The `nonce` of inserted `<script src>`.
    pub(crate) script_nonce: Option<String>,
    /// Whether scripts must carry `integrity`, because a policy lists them by hash.
    pub(crate) integrity: bool,
}

impl Marks {
    /// Of a page without a policy.
    pub(crate) const NONE: Self = Self {
        style_nonce: None,
        script_nonce: None,
        integrity: false,
    };
}

/// Whether an answer's head has a policy, enforced or report-only.
pub(crate) fn any(headers: &HeaderMap) -> bool {
    HEADERS.iter().any(|name| headers.contains_key(name))
}

/// The policies of one page.
#[derive(Debug)]
pub(crate) struct Policies {
    needs: Needs,
    marks: Marks,
    origin: Box<str>,
    sandboxed: bool,
}

/// Whether an enforced policy puts the page into a sandbox. Such a page gets no scripts from us, even where
/// the sandbox has `allow-scripts`: it has an origin of its own, and ours must not act there.
pub(crate) fn sandboxed(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_SECURITY_POLICY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split([',', ';'])
                .any(|directive| name_of(directive).eq_ignore_ascii_case("sandbox"))
        })
}

impl Policies {
    /// `origin`: the public origin, as in `https://nexus.example`.
    pub(crate) fn new(needs: Needs, origin: &str, sandboxed: bool) -> Self {
        Self {
            needs,
            marks: Marks::default(),
            origin: origin.into(),
            sandboxed,
        }
    }

    /// How the inserted tags have to look.
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Extends the policies in an answer's head, enforced and report-only.
    pub(crate) fn extend_headers(&mut self, headers: &mut HeaderMap) {
        for name in HEADERS {
            let mut changed = false;
            let values: Vec<HeaderValue> = headers
                .get_all(&name)
                .iter()
                .map(|value| match self.extended(value) {
                    Some(extended) => {
                        changed = true;
                        extended
                    }
                    None => value.clone(),
                })
                .collect();
            if changed {
                headers.remove(&name);
                for value in values {
                    headers.append(&name, value);
                }
            }
        }
    }

    fn extended(&mut self, value: &HeaderValue) -> Option<HeaderValue> {
        let mut changed = false;
        let policies: Vec<String> = value
            .to_str()
            .ok()?
            .split(',')
            .map(|policy| match self.extend(policy) {
                Some(extended) => {
                    changed = true;
                    extended
                }
                None => policy.to_owned(),
            })
            .collect();
        if changed {
            policies.join(",").parse().ok()
        } else {
            None
        }
    }

    /// Extends one policy; `None` if it already allows everything.
    pub(crate) fn extend(&mut self, policy: &str) -> Option<String> {
        let mut directives: Vec<String> = policy.split(';').map(str::to_owned).collect();
        let styles = self.missing_styles(&directives);
        let scripts = self.missing_scripts(&directives);
        let connects = self.missing_connects(&directives);
        let mut changed = false;
        for (kind, missing) in [(&STYLE, styles), (&SCRIPT, scripts), (&CONNECT, connects)] {
            changed |= !missing.is_empty();
            add(&mut directives, kind, &missing);
        }
        changed.then(|| directives.join(";"))
    }

    fn missing_styles(&mut self, directives: &[String]) -> Vec<String> {
        let Some(list) = STYLE.effective(directives) else {
            return Vec::new();
        };
        if self.needs.styles.is_empty() || list.takes_nonce(&mut self.marks.style_nonce) {
            return Vec::new();
        }
        let urls = self.needs.styles.iter();
        urls.filter(|url| !list.allows(url, &self.origin, self.sandboxed))
            .cloned()
            .collect()
    }

    fn missing_scripts(&mut self, directives: &[String]) -> Vec<String> {
        let Some(list) = SCRIPT.effective(directives) else {
            return Vec::new();
        };
        if self.needs.scripts.is_empty() || list.takes_nonce(&mut self.marks.script_nonce) {
            return Vec::new();
        }
        if list.has("'strict-dynamic'") {
            // URLs count for nothing here, hashes do.
            let hashes = self.needs.scripts.iter().filter_map(|script| script.integrity);
            self.marks.integrity = true;
            return hashes
                .map(|hash| format!("'{hash}'"))
                .filter(|hash| !list.has(hash))
                .collect();
        }
        let urls = self.needs.scripts.iter().map(|script| &script.url);
        urls.filter(|url| !list.allows(url, &self.origin, self.sandboxed))
            .cloned()
            .collect()
    }

    fn missing_connects(&self, directives: &[String]) -> Vec<String> {
        let Some(list) = CONNECT.effective(directives) else {
            return Vec::new();
        };
        let urls = self.needs.connects.iter();
        urls.filter(|url| !list.allows(url, &self.origin, self.sandboxed))
            .cloned()
            .collect()
    }
}

/// A kind of request and the directives that govern it, most specific first; `default-src` comes last.
struct Kind {
    names: &'static [&'static str],
    /// What a copy of `default-src` is called.
    general: &'static str,
}

const STYLE: Kind = Kind {
    names: &["style-src-elem", "style-src"],
    general: "style-src",
};
const SCRIPT: Kind = Kind {
    names: &["script-src-elem", "script-src"],
    general: "script-src",
};
const CONNECT: Kind = Kind {
    names: &["connect-src"],
    general: "connect-src",
};

impl Kind {
    /// The list in force; `None` if the policy says nothing about this kind.
    fn effective<'a>(&self, directives: &'a [String]) -> Option<Sources<'a>> {
        let at = self.place(directives)?;
        directives.get(at).map(|directive| Sources(directive))
    }

    fn place(&self, directives: &[String]) -> Option<usize> {
        let names = self.names.iter().copied().chain(["default-src"]);
        // Of two directives of one name the first counts.
        names.into_iter().find_map(|name| {
            directives
                .iter()
                .position(|one| name_of(one).eq_ignore_ascii_case(name))
        })
    }
}

/// A directive's source list.
struct Sources<'a>(&'a str);

impl Sources<'_> {
    fn each(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace().skip(1)
    }

    fn has(&self, wanted: &str) -> bool {
        // Keywords in any case; hashes and nonces as they are written.
        let exact = wanted.starts_with("'sha") || wanted.starts_with("'nonce-");
        self.each().any(|source| {
            if exact {
                source == wanted
            } else {
                source.eq_ignore_ascii_case(wanted)
            }
        })
    }

    /// Whether a nonce opens this list for us. The first policy that has one decides which we carry.
    fn takes_nonce(&self, ours: &mut Option<String>) -> bool {
        let prefix = "'nonce-";
        let mut nonces = self.each().filter_map(|source| {
            let (head, nonce) = source.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix)
                .then(|| nonce.trim_end_matches('\''))
        });
        match ours {
            Some(ours) => nonces.any(|nonce| nonce == ours),
            None => {
                *ours = nonces.next().map(str::to_owned);
                ours.is_some()
            }
        }
    }

    /// Whether a URL of our own origin is allowed already. Errs on the side of saying no.
    fn allows(&self, url: &str, origin: &str, sandboxed: bool) -> bool {
        let scheme = origin.split_once("//").map_or("", |(scheme, _)| scheme);
        self.each().any(|source| {
            source == url
                || source == "*"
                || source.eq_ignore_ascii_case(scheme)
                || source.eq_ignore_ascii_case(origin)
                || (!sandboxed && source.eq_ignore_ascii_case("'self'"))
        })
    }
}

fn add(directives: &mut Vec<String>, kind: &Kind, missing: &[String]) {
    let Some(at) = kind.place(directives).filter(|_| !missing.is_empty()) else {
        return;
    };
    let found = directives.get(at).cloned().unwrap_or_default();
    let is_default = name_of(&found).eq_ignore_ascii_case("default-src");
    let name = if is_default { kind.general } else { name_of(&found) };
    let mut list = name.to_owned();
    // `'none'` means nothing beside other sources, and browsers warn about it.
    let kept = Sources(&found);
    for source in kept
        .each()
        .filter(|one| !one.eq_ignore_ascii_case("'none'"))
        .chain(missing.iter().map(String::as_str))
    {
        list.push(' ');
        list.push_str(source);
    }
    if is_default {
        if directives.last().is_some_and(|last| last.trim().is_empty()) {
            directives.pop();
        }
        directives.push(format!(" {list}"));
    } else if let Some(place) = directives.get_mut(at) {
        let indent: String = found.chars().take_while(char::is_ascii_whitespace).collect();
        *place = indent + &list;
    }
}

fn name_of(directive: &str) -> &str {
    directive.split_ascii_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
#[path = "csp_tests.rs"]
mod tests;
