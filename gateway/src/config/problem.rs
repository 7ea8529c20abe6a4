//! What can be wrong with a configuration: one [`Problem`] each, all of them together in [`Problems`].
//! Finding them is the business of the readers and checks; how they look on paper, of `diagnose`.

use std::ops::Range;
use std::sync::Arc;

/// The text a configuration was read from, kept so that problems can show the line they are about.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The file's name as the user gave it; stands in front of every problem.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Bytes of it that are never shown.
    pub hidden: Vec<Range<usize>>,
}

impl Source {
    /// A text without secrets.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            hidden: Vec::new(),
        }
    }
}

/// Without the text, which may hold secrets.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes of the file.
    Span(Range<usize>),
    /// Bytes of another file, which the configuration names: a registry, a `.flaskenv`.
    Elsewhere(Arc<Source>, Range<usize>),
    /// An environment variable that overrides the file.
    Variable(&'static str),
    /// The file as a whole: something is missing, or it cannot be read.
    Document,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// No configuration can be made of this.
    Error,
    /// It works, and should be looked at.
    Warning,
}

/// One thing that is wrong, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What: a sentence without its full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Bytes of the file that hold a secret and are masked in every report.
    pub hidden: Option<Range<usize>>,
}

impl Problem {
    /// An error at a place.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
            help: None,
            severity: Severity::Error,
            hidden: None,
        }
    }

    /// An error at a span of the file, for those who read parts of it themselves (plugins' settings).
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Place::Span(span), message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Makes it a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Masks these bytes of the file in every report.
    #[must_use]
    pub fn hiding(mut self, span: Range<usize>) -> Self {
        self.hidden = Some(span);
        self
    }
}

/// Everything that is wrong with one configuration, in the order of the file. `Display` is the whole report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    source: Arc<Source>,
    list: Vec<Problem>,
}

impl Problems {
    /// Problems of a text, put in the order in which they stand in it; what has no line there comes last.
    pub fn new(source: Arc<Source>, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| match &problem.place {
            Place::Span(span) => (0, span.start),
            Place::Document => (1, 0),
            Place::Elsewhere(_, span) => (2, span.start),
            Place::Variable(_) => (3, 0),
        });
        Self { source, list }
    }

    /// The text they are about.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any of them forbids to use the configuration.
    pub fn has_errors(&self) -> bool {
        has_errors(&self.list)
    }
}

/// Whether any of the problems is more than a warning.
pub(super) fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Problems {}
