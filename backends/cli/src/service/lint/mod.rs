//! The house rules of services, read off their sources. One file per rule or language.
//!
//! It reads texts and runs nothing, so it can be wrong in both directions where code is unusual; it is meant to find what
//! is forgotten, not what is hidden.
//!
//! | rule | what is found |
//! |---|---|
//! | `no-css` | style sheets, `<style>`, `style=` |
//! | `unknown-class` | classes that the design system does not have |
//! | `unprotected-route` | addresses, other than `/health`, that answer without a token |
//! | `loopback-only` | listening beyond 127.0.0.1 |
//! | `prefix` | Flask without `ProxyFix` of all four headers, or with a prefix middleware of its own |
//! | `credentials` | `fetch` without `credentials: 'same-origin'` |

mod classes;
mod maud;
mod network;
mod python;
mod rust;
mod script;
mod source;
mod styles;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::source::Source;

/// Largest file that is read, in bytes; others are no sources.
const LARGEST: u64 = 1024 * 1024;

/// Folders that hold what others wrote, or what was built.
const SKIPPED: [&str; 6] = [
    "target",
    "node_modules",
    "__pycache__",
    "venv",
    "tests",
    "benches",
];

/// Something that is against the rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, as it was found from the given folder.
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// A word that stays the same.
    pub(crate) rule: &'static str,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        write!(
            f,
            "{}:{line}:{column}: {}: {}",
            self.file.display(),
            self.rule,
            self.message
        )
    }
}

/// What was found in a folder.
#[derive(Debug)]
pub(crate) struct Report {
    /// How many files were read.
    pub(crate) files: usize,
    /// In the order of files and lines.
    pub(crate) findings: Vec<Finding>,
}

/// Reads a service's folder, or one file of it.
///
/// # Errors
/// If it cannot be read, or holds no sources.
pub(crate) fn folder(path: &Path) -> io::Result<Report> {
    let mut sources = Vec::new();
    collect(path, &mut sources)?;
    if sources.is_empty() {
        let text = "there is nothing here that could be checked (no .rs, .py, .html, .js or .css)";
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let mut findings = Vec::new();
    for source in &sources {
        styles::check(source, &mut findings);
        classes::check(source, &mut findings);
        network::check(source, &mut findings);
        script::check(source, &mut findings);
    }
    rust::check(&sources, &mut findings);
    python::check(&sources, &mut findings);
    findings.sort();
    findings.dedup();
    Ok(Report {
        files: sources.len(),
        findings,
    })
}

fn collect(path: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    let about = fs::metadata(path)?;
    if about.is_file() {
        if about.len() <= LARGEST
            && let Some(source) = Source::read(path)?
        {
            sources.push(source);
        }
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let hidden = name.starts_with('.') && name != ".flaskenv" && name != ".env";
        // A link could lead in circles, or out of here.
        let link = fs::symlink_metadata(&entry)?.is_symlink();
        let skipped = entry.is_dir() && SKIPPED.contains(&&*name);
        if !(hidden || link || skipped) {
            collect(&entry, sources)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
