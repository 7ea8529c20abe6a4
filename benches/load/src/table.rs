//! The table for the terminal.

use std::fmt::Write as _;

use crate::results::{Results, Row};
use crate::scenario::Scenario;
use crate::statistics::Figure;

/// Width of the first column.
const NAME: usize = 22;

/// A column: its heading, its width, and what stands in it.
struct Column {
    heading: &'static str,
    width: usize,
    cell: fn(&Row) -> Option<String>,
}

const COLUMNS: [Column; 11] = [
    column("per s", 9, |row| figure(row.per_second)),
    column("ratio", 6, |row| {
        row.per_second_ratio.map(|value| ratio(Some(value)))
    }),
    column("CPU µs", 8, |row| figure(row.cpu_us)),
    column("ratio", 6, |row| row.cpu_ratio.map(|value| ratio(Some(value)))),
    column("offered", 8, |row| row.offered.map(|value| number(Some(value)))),
    column("p50 ms", 8, |row| percentile(row, 50.0)),
    column("p99 ms", 8, |row| percentile(row, 99.0)),
    column("p99.9 ms", 9, |row| percentile(row, 99.9)),
    column("KiB each", 9, |row| figure(row.connection_kib)),
    column("MiB", 6, |row| figure(row.memory_mib)),
    column("failed", 7, |row| Some(row.failed.to_string())),
];

const fn column(heading: &'static str, width: usize, cell: fn(&Row) -> Option<String>) -> Column {
    Column { heading, width, cell }
}

fn figure(figure: Option<Figure>) -> Option<String> {
    figure.map(|figure| number(Some(figure.median)))
}

fn percentile(row: &Row, percent: f64) -> Option<String> {
    row.percentile(percent).map(|value| milliseconds(Some(value)))
}

/// The figures as a table, and what could be installed.
#[must_use]
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    for scenario in Scenario::ALL {
        let rows: Vec<&Row> = results
            .rows
            .iter()
            .filter(|row| row.series.scenario == scenario)
            .collect();
        part(&mut text, scenario, &rows);
    }
    text.push('\n');
    // Writing to a string cannot fail.
    if let Some(reference) = results.reference {
        let name = reference.title();
        let _ = writeln!(
            text,
            "Ratios are to {name}, round by round; CPU is for each request, message or login."
        );
    }
    for missing in &results.missing {
        let _ = writeln!(
            text,
            "Not installed: {} ({}). {}",
            missing.name, missing.purpose, missing.get
        );
    }
    if results.unoptimized {
        text.push_str(
            "This is an unoptimized build: its own figures say nothing. Use `cargo build --release`.\n",
        );
    }
    text
}

/// One scenario: a line for each, and the columns in which somebody has something.
fn part(text: &mut String, scenario: Scenario, rows: &[&Row]) {
    if rows.is_empty() {
        return;
    }
    let used = |column: &&Column| rows.iter().any(|row| (column.cell)(row).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(used).collect();
    let _ = write!(text, "\n{:<NAME$}", scenario.name());
    for column in &columns {
        let (heading, width) = (column.heading, column.width);
        let _ = write!(text, " {heading:>width$}");
    }
    text.push('\n');
    for row in rows {
        let name = match row.series.variant.as_str() {
            "" => row.series.subject.title().to_owned(),
            variant => format!("{}, {variant}", row.series.subject.title()),
        };
        let _ = write!(text, "{name:<NAME$}");
        for column in &columns {
            let (cell, width) = ((column.cell)(row).unwrap_or_else(|| "–".to_owned()), column.width);
            let _ = write!(text, " {cell:>width$}");
        }
        text.push('\n');
    }
}

/// A figure with the digits that count.
pub(crate) fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.1}"),
    }
}

pub(crate) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

pub(crate) fn milliseconds(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value < 1.0 => format!("{value:.3}"),
        Some(value) if value < 100.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.0}"),
    }
}
