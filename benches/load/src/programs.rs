//! Programs of the machine: where they are, which version, and how to get those that are not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::BenchError;

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that may be installed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Its name, also that of its executable.
    pub(crate) name: &'static str,
    /// What it is here for.
    pub(crate) purpose: &'static str,
    /// How to get it: one command, or a few words.
    pub(crate) get: &'static str,
    /// What makes it say its version.
    pub(crate) version: &'static [&'static str],
}

/// The store of sessions.
pub(crate) const REDIS: Known = Known {
    name: "redis-server",
    purpose: "sessions",
    get: "apt-get install redis-server",
    version: &["--version"],
};
/// Closed-loop load.
pub(crate) const WRK: Known = Known {
    name: "wrk",
    purpose: "closed-loop load",
    get: "apt-get install wrk",
    version: &["--version"],
};
/// Open-loop load.
pub(crate) const OHA: Known = Known {
    name: "oha",
    purpose: "open-loop load: latencies",
    get: "cargo install oha --locked",
    version: &["--version"],
};

/// Closed-loop load over TLS and HTTP/2.
pub(crate) const H2LOAD: Known = Known {
    name: "h2load",
    purpose: "load over TLS and HTTP/2",
    get: "apt-get install nghttp2-client",
    version: &["--version"],
};

/// A program that is there.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its version, as it says it.
    pub version: String,
    /// Where it is.
    #[serde(skip)]
    pub path: PathBuf,
}

/// A program that is not there.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// What it would be here for.
    pub purpose: String,
    /// How to get it.
    pub get: String,
}

impl Known {
    /// Looks for it: where `places` say, or else on the PATH and among the places for a system's programs.
    pub(crate) async fn find(&self, places: &BTreeMap<String, PathBuf>) -> Result<Found, Missing> {
        let path = match places.get(self.name) {
            Some(path) => Some(path.clone()),
            None => on_path(self.name),
        };
        let Some(path) = path.filter(|path| path.is_file()) else {
            return Err(self.missing());
        };
        let version = version(&path, self.version).await;
        Ok(Found {
            name: self.name.to_owned(),
            version: version.unwrap_or_else(|| "of an unknown version".to_owned()),
            path,
        })
    }

    /// It is not there.
    pub(crate) fn missing(&self) -> Missing {
        Missing {
            name: self.name.to_owned(),
            purpose: self.purpose.to_owned(),
            get: self.get.to_owned(),
        }
    }
}

impl From<Missing> for BenchError {
    fn from(missing: Missing) -> Self {
        Self::Missing(format!(
            "{} is needed ({}) and not on the PATH; install it: {}",
            missing.name, missing.purpose, missing.get
        ))
    }
}

/// Where an executable is. Debian keeps servers where only root's PATH looks.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// What it says of its version.
async fn version(path: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new(path);
    let output = command
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    let said = [output.stdout, output.stderr].concat();
    number(&String::from_utf8_lossy(&said))
}

/// The first word of a text that is a version, without what stands around it.
fn number(text: &str) -> Option<String> {
    // Some say where they are before that, and there are numbers in paths.
    let text = text.split_once("ersion").map_or(text, |(_, behind)| behind);
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '/' | '=' | ','));
    words
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(|word| word.trim_end_matches([')', ';']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("nginx version: nginx/1.22.1\n", "1.22.1"),
            (
                "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/",
                "2.6.12-1+deb12u4",
            ),
            ("Server version: Apache/2.4.71 (Debian)", "2.4.71"),
            ("v2.11.7 h1:yj0Y4f", "2.11.7"),
            ("Version:      3.7.15\nCodename: langres", "3.7.15"),
            (
                "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer",
                "4.1.0-3+b2",
            ),
            ("Redis server v=7.0.15 sha=00000000:0", "7.0.15"),
            (
                "/usr/lib/3.11.7/bin/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL",
                "1.40.0",
            ),
            ("oha 1.16.0", "1.16.0"),
        ] {
            assert_eq!(number(said).as_deref(), Some(version), "{said}");
        }
        assert_eq!(number("usage: forwarder PORT"), None);
    }

    #[tokio::test]
    async fn what_is_missing_is_told_with_how_to_get_it() {
        let known = Known {
            name: "no-such-program-here",
            ..WRK
        };
        let missing = known.find(&BTreeMap::new()).await.unwrap_err();
        let sentence = BenchError::from(missing).to_string();
        assert_eq!(
            sentence,
            "no-such-program-here is needed (closed-loop load) and not on the PATH; install it: apt-get install wrk"
        );
    }
}
