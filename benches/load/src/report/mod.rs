//! The page: everything that a run has found out, in one file without scripts, in light and in dark.

mod bars;
mod curves;
mod tiles;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::results::{Results, Row};
use crate::scenario::Scenario;
use crate::statistics::Figure;
use crate::table::{milliseconds, number, ratio};
use bars::{Bar, Better, bars};

/// The page.
#[must_use]
pub fn report(results: &Results) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "HiveMatrix, measured" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    (words::opening(results))
                    (tiles::tiles(results))
                    @for scenario in Scenario::ALL {
                        (section(results, scenario))
                    }
                    (words::setting(results))
                    (words::method(results))
                    footer { "Written by " code { "hivematrix bench" } "; the page needs nothing but itself." }
                }
            }
        }
    };
    page.into_string()
}

fn section(results: &Results, scenario: Scenario) -> Markup {
    let rows: Vec<&Row> = results
        .rows
        .iter()
        .filter(|row| row.series.scenario == scenario)
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section id=(scenario.name()) {
            h2 { (scenario.title()) }
            p.job { (scenario.job()) }
            div.plots {
                (plot(&rows, &format!("{}s per second", capital(scenario.unit())), Better::More,
                    |row| row.per_second, |row| row.per_second_ratio))
                (plot(&rows, &format!("CPU for each {}, µs", scenario.unit()), Better::Less,
                    |row| row.cpu_us, |row| row.cpu_ratio))
                (plot(&rows, "Memory for each idle one, KiB", Better::Less, |row| row.connection_kib, |_| None))
                (plot(&rows, "Memory, MiB", Better::Less, |row| row.memory_mib, |_| None))
                (curves::curves(&rows))
            }
            (figures(&rows))
            (left_out(results, scenario))
        }
    }
}

/// A bar for every row that has the figure; nothing if none has it.
fn plot(
    rows: &[&Row],
    heading: &str,
    better: Better,
    of: impl Fn(&Row) -> Option<Figure>,
    against: impl Fn(&Row) -> Option<f64>,
) -> Markup {
    let bar = |row: &&Row| {
        Some(Bar {
            name: name(row),
            figure: of(row)?,
            ratio: against(row),
            own: row.series.subject == crate::Subject::Gateway,
        })
    };
    bars(heading, better, &rows.iter().filter_map(bar).collect::<Vec<_>>())
}

/// Who it was, and under which circumstances.
fn name(row: &Row) -> String {
    match row.series.variant.as_str() {
        "" => row.series.subject.title().to_owned(),
        variant => format!("{}, {variant}", row.series.subject.title()),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// All figures of a scenario as a table, folded.
fn figures(rows: &[&Row]) -> Markup {
    let median = |figure: Option<Figure>| number(figure.map(|figure| figure.median));
    html! {
        details {
            summary { "The figures" }
            div.scroll {
                table {
                    thead {
                        tr {
                            @for heading in ["", "per second", "ratio", "CPU µs", "ratio", "offered /s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "MiB", "failed"] {
                                th { (heading) }
                            }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                td { (name(row)) }
                                td { (median(row.per_second)) }
                                td { (ratio(row.per_second_ratio)) }
                                td { (median(row.cpu_us)) }
                                td { (ratio(row.cpu_ratio)) }
                                td { (number(row.offered)) }
                                @for percent in [50.0, 90.0, 99.0, 99.9] {
                                    td { (milliseconds(row.percentile(percent))) }
                                }
                                td { (median(row.memory_mib)) }
                                td { (row.failed) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn left_out(results: &Results, scenario: Scenario) -> Markup {
    let out: Vec<_> = results
        .left_out
        .iter()
        .filter(|left| left.scenario == scenario)
        .collect();
    html! {
        @if !out.is_empty() {
            p.out {
                "Not here: "
                @for (at, left) in out.iter().enumerate() {
                    @if at > 0 { "; " }
                    @if let Some(subject) = left.subject { (subject.title()) " (" (left.reason) ")" } @else { (left.reason) }
                }
                "."
            }
        }
    }
}
