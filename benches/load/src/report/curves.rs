//! Latency by percentile, a curve for each: both axes are logarithmic, so that the tail has as much room as the rest.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::Subject;
use crate::results::Row;
use crate::table::milliseconds;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
/// Where the plot itself is: room for the scale at the left, names at the right, percentiles below.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 266.0;
/// Between the names at the ends of two curves.
const LINE: f64 = 14.0;
/// The percentiles on the axis.
const PERCENTS: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99];

struct Scale {
    low: f64,
    high: f64,
    /// The last percentile that anybody has.
    last: f64,
}

impl Scale {
    /// Quarters of decades around these values, up to this percentile; none of none.
    fn around(values: impl Iterator<Item = f64> + Clone, last: f64) -> Option<Self> {
        let positive = values.filter(|value| *value > 0.0).map(f64::log10);
        let low = positive.clone().fold(f64::INFINITY, f64::min);
        let high = positive.fold(f64::NEG_INFINITY, f64::max);
        (low <= high).then(|| Self {
            low: (low * 4.0).floor() / 4.0,
            high: ((high * 4.0).ceil() / 4.0).max((low * 4.0).floor() / 4.0 + 0.5),
            last,
        })
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value.max(1e-6).log10() - self.low) / (self.high - self.low);
        BOTTOM - share * (BOTTOM - TOP)
    }

    /// Where a percentile stands: half of what is left is as wide each time.
    fn x(&self, percent: f64) -> f64 {
        let place = |percent: f64| -(1.0 - percent / 100.0).log10();
        let (first, last) = (place(50.0), place(self.last.max(75.0)));
        LEFT + (place(percent) - first) / (last - first) * (RIGHT - LEFT)
    }

    /// 1, 2 and 5 of each decade that is in sight.
    fn ticks(&self) -> Vec<f64> {
        #[expect(clippy::cast_possible_truncation, reason = "a few decades")]
        let (from, to) = (self.low.floor() as i32, self.high.ceil() as i32);
        let all = (from..=to).flat_map(|decade| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powi(decade)));
        all.filter(|tick| (self.low - 0.01..=self.high + 0.01).contains(&tick.log10()))
            .collect()
    }
}

/// The plot; nothing if no latencies were taken.
pub(super) fn curves(rows: &[&Row]) -> Markup {
    let rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| !shown(row).is_empty())
        .collect();
    let points: Vec<(f64, f64)> = rows.iter().flat_map(|row| shown(row)).collect();
    let last = points.iter().map(|(percent, _)| *percent).fold(0.0, f64::max);
    let Some(scale) = Scale::around(points.iter().map(|(_, value)| *value), last) else {
        return html! {};
    };
    let mut offered: Vec<String> = rows
        .iter()
        .filter_map(|row| row.offered)
        .map(|rate| format!("{rate:.0}"))
        .collect();
    offered.dedup();
    let at = match offered.as_slice() {
        [rate] => format!(", at {} per second", super::bars::thousands(rate)),
        _ => String::new(),
    };
    html! {
        div.plot.plot--wide {
            h3 { "Latency by percentile, ms" (at) " " span.better { "· lower is better" } }
            div.legend {
                @for row in &rows {
                    span style=(format!("color:{}", colour(row))) { (super::name(row)) }
                }
            }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Latency by percentile" {
                @for tick in scale.ticks() {
                    line.grid x1=(LEFT) x2=(RIGHT) y1=(round(scale.y(tick))) y2=(round(scale.y(tick))) {}
                    text x=(LEFT - 8.0) y=(round(scale.y(tick) + 4.0)) text-anchor="end" { (tick_text(tick)) }
                }
                @for percent in PERCENTS.into_iter().filter(|percent| *percent <= last) {
                    text x=(round(scale.x(percent))) y=(BOTTOM + 20.0) text-anchor="middle" { "p" (percent) }
                }
                @for (at, row) in rows.iter().enumerate() {
                    @let before = rows[..at].iter().filter(|other| other.series.subject == row.series.subject);
                    (curve(row, &scale, before.count()))
                }
                @for (row, y) in ends(&rows, &scale) {
                    text.end x=(RIGHT + 8.0) y=(round(y + 4.0)) style=(format!("fill:{}", colour(row))) { (super::name(row)) }
                }
            }
        }
    }
}

/// The points of a row that are on the plot.
fn shown(row: &Row) -> Vec<(f64, f64)> {
    row.latency
        .iter()
        .copied()
        .filter(|(percent, _)| (50.0..=99.99).contains(percent))
        .collect()
}

/// A curve; `before` are those of the same subject, which has one colour.
fn curve(row: &Row, scale: &Scale, before: usize) -> Markup {
    let dashes = ["none", "7 5", "2 5"][before.min(2)];
    let mut path = String::new();
    for (at, (percent, value)) in shown(row).into_iter().enumerate() {
        let letter = if at == 0 { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _ = write!(path, "{letter}{:.1} {:.1}", scale.x(percent), scale.y(value));
    }
    let own = row.series.subject == Subject::Gateway;
    let told = shown(row)
        .into_iter()
        .map(|(percent, value)| format!("p{percent} {}", milliseconds(Some(value))));
    html! {
        path.curve.curve--own[own] d=(path) style=(format!("stroke:{};stroke-dasharray:{dashes}", colour(row))) {
            title { (super::name(row)) ": " (told.collect::<Vec<_>>().join(", ")) " ms" }
        }
    }
}

/// Where the names stand: at the ends of the curves, and far enough from each other to be read.
fn ends<'a>(rows: &[&'a Row], scale: &Scale) -> Vec<(&'a Row, f64)> {
    let end = |row: &&'a Row| Some((*row, scale.y(shown(row).last()?.1)));
    let mut ends: Vec<(&Row, f64)> = rows.iter().filter_map(end).collect();
    ends.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    for at in 1..ends.len() {
        ends[at].1 = ends[at].1.max(ends[at - 1].1 + LINE);
    }
    // What was pushed out below goes up again.
    let mut floor = BOTTOM;
    for end in ends.iter_mut().rev() {
        end.1 = end.1.min(floor);
        floor = end.1 - LINE;
    }
    ends
}

fn colour(row: &Row) -> String {
    format!("var(--{})", row.series.subject.name())
}

fn round(value: f64) -> String {
    format!("{value:.1}")
}

fn tick_text(tick: f64) -> String {
    let text = format!("{tick:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_goes_from_the_median_to_the_last_percentile_that_there_is() {
        let scale = Scale::around([1.0].into_iter(), 99.9).unwrap();
        assert_eq!((scale.x(50.0), scale.x(99.9).round()), (LEFT, RIGHT));
        let (to_99, to_99_9) = (scale.x(99.0) - scale.x(90.0), scale.x(99.9) - scale.x(99.0));
        assert!((to_99 - to_99_9).abs() < 0.1, "each further nine is as wide");
    }

    #[test]
    fn the_scale_holds_all_values_and_its_ticks_are_round() {
        let scale = Scale::around([0.3, 4.0].into_iter(), 99.0).unwrap();
        assert!(scale.y(4.0) >= TOP && scale.y(0.3) <= BOTTOM);
        let ticks: Vec<String> = scale.ticks().into_iter().map(tick_text).collect();
        assert_eq!(ticks, ["0.2", "0.5", "1", "2", "5"]);
        assert!(Scale::around(std::iter::empty(), 99.0).is_none());
    }
}
