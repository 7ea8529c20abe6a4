//! Reads a CSV file (RFC 4180) into rows: with comma, semicolon or tab between the cells, in UTF-8, with or without a
//! byte order mark. Everything that is wrong is told with its line and column; nothing is guessed.

use serde::Serialize;

use super::{Kind, LARGEST, MOST_ROWS, PASSED_OVER, formula};

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The line of the file, from 1, where the row begins.
    pub(super) line: u64,
    /// The column, from 1, if it is about one.
    pub(super) column: Option<usize>,
    /// The column's name in the header.
    pub(super) field: Option<String>,
    /// What was expected, a sentence for a person.
    pub(super) message: String,
}

impl Problem {
    /// About a whole line.
    pub(super) fn line(line: u64, message: impl Into<String>) -> Self {
        Self {
            line,
            column: None,
            field: None,
            message: message.into(),
        }
    }

    /// Where it is: `line 3, column 2 (phone)`.
    pub(super) fn place(&self) -> String {
        let line = self.line;
        match (self.column, &self.field) {
            (Some(column), Some(field)) => format!("Line {line}, column {column} ({field})"),
            _ => format!("Line {line}"),
        }
    }
}

/// A row: the cells of the columns that the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The line of the file, from 1, where the row begins.
    pub(super) line: u64,
    cells: Vec<(&'static str, String)>,
}

impl Row {
    /// The text of a column; `None` if the file has no such column.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.cells
            .iter()
            .find(|(name, _)| *name == column)
            .map(|(_, text)| text.as_str())
    }

    /// The same, empty where there is no such column.
    pub(super) fn text(&self, column: &str) -> String {
        self.get(column).unwrap_or_default().to_owned()
    }

    /// Puts the text of a column in the place of what was there, if the file has that column.
    pub(super) fn replace(&self, column: &str, value: &mut String) {
        if let Some(text) = self.get(column) {
            text.clone_into(value);
        }
    }
}

/// A file that can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet {
    header: Vec<Option<&'static str>>,
    /// Its rows, the header left out.
    pub(super) rows: Vec<Row>,
}

impl Sheet {
    /// Reads a file, or says everything that is wrong with its form.
    pub(super) fn read(kind: Kind, file: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = utf8(file).map_err(|problem| vec![problem])?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter(text))
            .from_reader(text.as_bytes());
        let mut records = reader.records();
        let header = match records.next() {
            Some(Ok(record)) => header(kind, &record)?,
            Some(Err(error)) => return Err(vec![Problem::line(1, error.to_string())]),
            None => return Err(vec![Problem::line(1, "The file is empty.")]),
        };
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        for record in records {
            if rows.len() + problems.len() >= MOST_ROWS {
                problems.push(Problem::line(
                    rows.last().map_or(1, |row: &Row| row.line),
                    format!("A file can have {MOST_ROWS} rows. Please split it."),
                ));
                break;
            }
            match record {
                Ok(record) if record.iter().all(|cell| cell.trim().is_empty()) => {}
                Ok(record) => match row(&header, &record, line_at(text, record.position())) {
                    Ok(row) => rows.push(row),
                    Err(problem) => problems.push(problem),
                },
                Err(error) => {
                    let line = line_at(text, error.position());
                    problems.push(Problem::line(line, error.to_string()));
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { header, rows })
        } else {
            Err(problems)
        }
    }

    /// A problem of a row's cell; of the row, if the file has no such column.
    pub(super) fn problem(&self, row: &Row, field: &str, message: &str) -> Problem {
        let column = self.header.iter().position(|name| *name == Some(field));
        match column {
            Some(index) => Problem {
                line: row.line,
                column: Some(index + 1),
                field: Some(field.to_owned()),
                message: message.to_owned(),
            },
            None if field.is_empty() => Problem::line(row.line, message),
            None => Problem::line(row.line, format!("{field}: {message}")),
        }
    }
}

fn utf8(file: &[u8]) -> Result<&str, Problem> {
    if file.len() > LARGEST {
        return Err(Problem::line(
            1,
            format!("A file can have {} MiB. Please split it.", LARGEST / 1024 / 1024),
        ));
    }
    let text = std::str::from_utf8(file).map_err(|error| {
        let before = file.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        Problem::line(
            line,
            "This is not UTF-8. Please save the file as “CSV UTF-8” and send it again.",
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What stands between the cells of the header most often.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |delimiter: char| header.matches(delimiter).count();
    [',', ';', '\t']
        .into_iter()
        .rev()
        .max_by_key(|delimiter| count(*delimiter))
        .map_or(b',', |delimiter| delimiter as u8)
}

fn header(kind: Kind, record: &csv::StringRecord) -> Result<Vec<Option<&'static str>>, Vec<Problem>> {
    let mut names: Vec<Option<&'static str>> = Vec::new();
    let mut problems = Vec::new();
    for (index, cell) in record.iter().enumerate() {
        let wanted = cell.trim().to_lowercase().replace([' ', '-'], "_");
        let wanted = if wanted == "e_mail" { "email" } else { &wanted };
        let known = kind.columns().iter().find(|name| **name == wanted).copied();
        let message = match known {
            Some(name) if names.contains(&Some(name)) => Some(format!("The column {name} is there twice.")),
            None if !PASSED_OVER.contains(&wanted) => Some(format!(
                "There is no column “{}”; there are {}.",
                cell.trim(),
                kind.columns().join(", ")
            )),
            _ => None,
        };
        names.push(known);
        problems.extend(message.map(|message| Problem {
            line: 1,
            column: Some(index + 1),
            field: Some(cell.trim().to_owned()),
            message,
        }));
    }
    for needed in [kind.columns().first(), Some(&"name")].into_iter().flatten() {
        if !names.contains(&Some(*needed)) && !problems.iter().any(|problem| problem.message.contains(needed))
        {
            problems.push(Problem::line(1, format!("The column {needed} is missing.")));
        }
    }
    if problems.is_empty() {
        Ok(names)
    } else {
        Err(problems)
    }
}

/// The line of the file, from 1, in which a record begins. The reader's own position is before the ends of lines that it
/// passes over first: the second half of a CRLF, and empty lines.
fn line_at(text: &str, position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let ahead = text.as_bytes().get(start..).unwrap_or_default();
    let ends = ahead.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + ends.filter(|byte| **byte == b'\n').count() as u64
}

fn row(header: &[Option<&'static str>], record: &csv::StringRecord, line: u64) -> Result<Row, Problem> {
    if record.len() != header.len() {
        return Err(Problem::line(
            line,
            format!(
                "This row has {} cells, and the header has {}. Is there a quotation mark or a comma too many?",
                record.len(),
                header.len()
            ),
        ));
    }
    let cells = header.iter().zip(record).filter_map(|(name, cell)| {
        let name = (*name)?;
        Some((name, formula::unguarded(cell).to_owned()))
    });
    Ok(Row {
        line,
        cells: cells.collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn problems(file: &[u8]) -> Vec<String> {
        let problems = Sheet::read(Kind::Companies, file).unwrap_err();
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.place(), problem.message))
            .collect()
    }

    #[test]
    fn a_row_has_the_line_that_an_editor_shows_whatever_ends_lines() {
        for (file, line) in [
            ("name,phone\nAcme,1\n", 2),
            ("name,phone\r\nAcme,1\r\n", 2),
            ("name,phone\r\n\r\nAcme,1", 3),
            ("name,phone\n\n\nAcme,1\n", 4),
        ] {
            let sheet = Sheet::read(Kind::Companies, file.as_bytes()).unwrap();
            assert_eq!(sheet.rows[0].line, line, "{file:?}");
        }
    }

    #[test]
    fn files_of_every_usual_form_are_read() {
        for file in [
            "name,account_number\nAcme,A-1\n",
            "\u{feff}Name;Account number\r\nAcme;A-1\r\n",
            "name\taccount-number\nAcme\tA-1",
            "id,name,account_number\n7,Acme,A-1\n,,\n",
            "name,account_number\n\"Acme\",'A-1\n".replace("'A", "A").as_str(),
        ] {
            let sheet = Sheet::read(Kind::Companies, file.as_bytes()).unwrap();
            assert_eq!(sheet.rows.len(), 1, "{file}");
            assert_eq!(
                (sheet.rows[0].get("name"), sheet.rows[0].get("account_number")),
                (Some("Acme"), Some("A-1")),
                "{file}"
            );
            assert_eq!(sheet.rows[0].get("phone"), None);
        }
    }

    #[test]
    fn a_row_knows_its_line_even_after_a_cell_of_several_lines() {
        let file = "name,notes\nFirst,\"one\ntwo\nthree\"\nSecond,\n";
        let sheet = Sheet::read(Kind::Companies, file.as_bytes()).unwrap();
        assert_eq!(sheet.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
        let problem = sheet.problem(&sheet.rows[1], "notes", "No.");
        assert_eq!(problem.place(), "Line 5, column 2 (notes)");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_place() {
        for (file, expected) in [
            (&b""[..], "Line 1: The file is empty."),
            (
                b"name,name\nA,B\n",
                "Line 1, column 2 (name): The column name is there twice.",
            ),
            (b"phone\n1\n", "Line 1: The column name is missing."),
            (
                b"name,colour\nA,red\n",
                "Line 1, column 2 (colour): There is no column",
            ),
            (
                b"name,phone\nA,1\nB\n",
                "Line 3: This row has 1 cells, and the header has 2.",
            ),
            (b"name\nA\n\xff\xfe\n", "Line 3: This is not UTF-8."),
        ] {
            let problems = problems(file);
            assert!(
                problems.iter().any(|problem| problem.starts_with(expected)),
                "{problems:?}"
            );
        }
        let many = format!("name\n{}", "x\n".repeat(MOST_ROWS + 1));
        assert!(problems(many.as_bytes())[0].contains("can have 10000 rows"));
        let large = format!("name\n{}", "x".repeat(LARGEST));
        assert!(problems(large.as_bytes())[0].contains("4 MiB"));
    }
}
