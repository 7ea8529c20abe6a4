//! How problems look: `file:line:column`, the sentence, the line, a caret, and what to do.
//!
//! Forty lines of our own rather than a diagnostics crate, because every report starts with a position that
//! editors jump to, and because a secret in the line is masked.

use std::fmt;
use std::ops::Range;

use super::problem::{Place, Problem, Problems, Severity, Source};

/// Longer lines are cut: the caret must stay in sight.
const WIDEST_LINE: usize = 160;

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.iter().filter_map(|problem| problem.hidden.as_ref());
        let secrets: Vec<&Range<usize>> = hidden.chain(&self.source().hidden).collect();
        for problem in self {
            write_problem(f, self.source(), problem, &secrets)?;
        }
        let errors = self
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count();
        writeln!(f, "{}", tally(errors, self.iter().count() - errors))
    }
}

fn write_problem(
    f: &mut fmt::Formatter<'_>,
    source: &Source,
    problem: &Problem,
    secrets: &[&Range<usize>],
) -> fmt::Result {
    let name = name_of(source);
    let kind = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut margin = 2;
    match &problem.place {
        Place::Document => writeln!(f, "{name}: {kind}: {}", problem.message)?,
        Place::Variable(variable) => {
            writeln!(f, "environment variable {variable}: {kind}: {}", problem.message)?;
        }
        Place::Span(span) => {
            let line = Line::at(&source.text, span, secrets);
            margin = write_line(f, name, kind, &line, &problem.message)?;
        }
        Place::Elsewhere(source, span) => {
            let secrets: Vec<&Range<usize>> = source.hidden.iter().collect();
            let line = Line::at(&source.text, span, &secrets);
            margin = write_line(f, name_of(source), kind, &line, &problem.message)?;
        }
    }
    match &problem.help {
        Some(help) => writeln!(f, "{:margin$} = help: {help}\n", ""),
        None => writeln!(f),
    }
}

fn name_of(source: &Source) -> &str {
    if source.name.is_empty() {
        "configuration"
    } else {
        &source.name
    }
}

/// The sentence, the line and the caret; how far what follows is indented.
fn write_line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    kind: &str,
    line: &Line,
    message: &str,
) -> Result<usize, fmt::Error> {
    writeln!(f, "{name}:{}:{}: {kind}: {message}", line.number, line.column)?;
    let margin = line.number.to_string().len() + 2;
    writeln!(f, "  {} | {}", line.number, line.text)?;
    writeln!(f, "{:margin$} | {}{}", "", line.indent, "^".repeat(line.width))?;
    Ok(margin)
}

/// The line that a problem is about, as it is shown.
struct Line {
    /// From 1.
    number: usize,
    /// From 1, in characters.
    column: usize,
    text: String,
    /// As wide as the text before the caret, tabs kept.
    indent: String,
    /// How many carets.
    width: usize,
}

impl Line {
    fn at(text: &str, span: &Range<usize>, secrets: &[&Range<usize>]) -> Self {
        let start = text.floor_char_boundary(span.start);
        let end = text.floor_char_boundary(span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..]
            .find(['\n', '\r'])
            .map_or(text.len(), |newline| start + newline);
        let shown = mask(text, line_start..line_end, secrets);
        let before = text[line_start..start].chars().count();
        let indent: String = shown
            .chars()
            .take(before)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let marked = text[start..end.min(line_end).max(start)].chars().count();
        let skip = before.saturating_sub(WIDEST_LINE / 2);
        let shown: String = shown.chars().skip(skip).take(WIDEST_LINE).collect();
        let room = shown.chars().count().saturating_sub(before - skip);
        Self {
            number: text[..start].matches('\n').count() + 1,
            column: before + 1,
            text: shown.trim_end().to_owned(),
            indent: indent.chars().skip(skip).collect(),
            width: marked.min(room).max(1),
        }
    }
}

/// The line with every secret, and every control character, replaced.
fn mask(text: &str, line: Range<usize>, secrets: &[&Range<usize>]) -> String {
    text[line.clone()]
        .char_indices()
        .map(|(offset, c)| match c {
            _ if secrets
                .iter()
                .any(|secret| secret.contains(&(line.start + offset))) =>
            {
                '*'
            }
            '\t' => '\t',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn tally(errors: usize, warnings: usize) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn report(text: &str, problems: Vec<Problem>) -> String {
        Problems::new(Arc::new(Source::new("g.toml", text)), problems).to_string()
    }

    #[test]
    fn the_caret_stands_under_what_is_wrong() {
        let shown = report(
            "a = 1\n\tkey = \"wert\"\n",
            vec![Problem::at(13..19, "no such thing").help("leave it")],
        );
        expect_test::expect![[r#"
            g.toml:2:8: error: no such thing
              2 | 	key = "wert"
                | 	      ^^^^^^
                = help: leave it

            1 error
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn a_secret_is_never_shown_not_even_by_another_problem_of_its_line() {
        let text = "client_secret = \"hunter2\"";
        let shown = report(
            text,
            vec![
                Problem::at(16..25, "inline").hiding(16..25),
                Problem::at(0..13, "other"),
            ],
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("client_secret = *********"), "{shown}");
    }

    #[test]
    fn a_problem_of_another_file_shows_that_file_and_none_of_its_secrets() {
        let other = Source {
            hidden: std::iter::once(9..16).collect(),
            ..Source::new(".flaskenv", "A=1\nSEC=xhunter2 # y\n")
        };
        let shown = report(
            "a = 1",
            vec![Problem::new(Place::Elsewhere(Arc::new(other), 4..7), "bad")],
        );
        expect_test::expect![[r#"
            .flaskenv:2:1: error: bad
              2 | SEC=x******* # y
                | ^^^

            1 error
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn spans_that_fit_no_text_do_not_panic() {
        for (start, end) in [(0, 0), (5, 2), (900, 901), (1, 2)] {
            assert!(report("é\n", vec![Problem::at(start..end, "x")]).contains("g.toml:"));
        }
        assert!(report("", vec![Problem::at(0..9, "x")]).contains("g.toml:1:1"));
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_caret() {
        let text = format!("{}here", " ".repeat(5000));
        let shown = report(&text, vec![Problem::at(5000..5004, "x")]);
        assert!(
            shown.contains("here") && shown.contains("^^^^") && shown.len() < 600,
            "{shown}"
        );
    }
}
