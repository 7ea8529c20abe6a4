//! What one should know first: a few figures in large type.

use maud::{Markup, html};

use crate::results::{Results, Row};
use crate::scenario::Scenario;
use crate::subject::Subject;
use crate::table::{milliseconds, number, ratio};

struct Tile {
    figure: String,
    unit: &'static str,
    label: String,
}

pub(super) fn tiles(results: &Results) -> Markup {
    let all = [
        json(results),
        page(results),
        tail(results),
        revocation(results),
        login(results),
        connection(results),
    ];
    let tiles: Vec<Tile> = all.into_iter().flatten().collect();
    html! {
        @if !tiles.is_empty() {
            div.tiles {
                @for tile in tiles {
                    div.tile {
                        div.tile__figure { (tile.figure) " " small { (tile.unit) } }
                        div.tile__label { (tile.label) }
                    }
                }
            }
        }
    }
}

fn own(results: &Results, scenario: Scenario) -> Option<&Row> {
    let mut rows = results.rows.iter();
    rows.find(|row| row.series.scenario == scenario && row.series.subject == Subject::Gateway)
}

/// What stands behind a figure if there is a reference.
fn beside(results: &Results, value: Option<f64>) -> String {
    match (results.reference, value) {
        (Some(reference), Some(value)) => format!(": {} × {}", ratio(Some(value)), reference.title()),
        _ => String::new(),
    }
}

fn json(results: &Results) -> Option<Tile> {
    let row = own(results, Scenario::Json)?;
    Some(Tile {
        figure: number(Some(row.cpu_us?.median)),
        unit: "µs of CPU",
        label: format!(
            "for a request of 1 KB of JSON, all checks included{}",
            beside(results, row.cpu_ratio)
        ),
    })
}

fn page(results: &Results) -> Option<Tile> {
    let row = own(results, Scenario::Page)?;
    Some(Tile {
        figure: number(Some(row.cpu_us?.median)),
        unit: "µs of CPU",
        label: format!(
            "for a page of 23 KB, composed for its user{}",
            beside(results, row.cpu_ratio)
        ),
    })
}

fn tail(results: &Results) -> Option<Tile> {
    let row = own(results, Scenario::Json)?;
    let offered = number(row.offered);
    Some(Tile {
        figure: milliseconds(Some(row.percentile(99.0)?)),
        unit: "ms",
        label: format!("99 of 100 answers came within this, at {offered} requests per second"),
    })
}

fn revocation(results: &Results) -> Option<Tile> {
    let row = own(results, Scenario::Revocation)?;
    Some(Tile {
        figure: milliseconds(Some(row.percentile(99.0)?)),
        unit: "ms",
        label: "99 of 100 ended sessions were refused within this, from the write in Redis on".to_owned(),
    })
}

fn login(results: &Results) -> Option<Tile> {
    let row = own(results, Scenario::Login)?;
    Some(Tile {
        figure: number(Some(row.per_second?.median)),
        unit: "logins a second",
        label: "from a stranger's first request to the page behind the login".to_owned(),
    })
}

fn connection(results: &Results) -> Option<Tile> {
    let row = own(results, Scenario::Idle)?;
    Some(Tile {
        figure: number(Some(row.connection_kib?.median)),
        unit: "KiB",
        label: "of memory for each connection that is open and idle".to_owned(),
    })
}
