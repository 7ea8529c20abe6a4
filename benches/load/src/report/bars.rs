//! Bars: a figure for each, its spread over rounds as a line upon it, and what it is in multiples of the reference.

use maud::{Markup, html};

use crate::statistics::Figure;
use crate::table::{number, ratio};

/// Which way is the better one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Better {
    More,
    Less,
}

/// One bar.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) figure: Figure,
    pub(super) ratio: Option<f64>,
    /// Ours stands out.
    pub(super) own: bool,
}

/// A plot of them, the best on top; nothing of none.
pub(super) fn bars(heading: &str, better: Better, bars: &[Bar]) -> Markup {
    let longest = bars.iter().map(|bar| bar.figure.high).fold(0.0, f64::max);
    let mut sorted: Vec<&Bar> = bars.iter().collect();
    sorted.sort_by(|a, b| match better {
        Better::More => b.figure.median.total_cmp(&a.figure.median),
        Better::Less => a.figure.median.total_cmp(&b.figure.median),
    });
    html! {
        @if !sorted.is_empty() && longest > 0.0 {
            div.plot {
                h3 {
                    (heading) " "
                    span.better { @match better { Better::More => "· more is better", Better::Less => "· less is better" } }
                }
                div.bars {
                    @for bar in sorted {
                        (one(bar, longest))
                    }
                }
            }
        }
    }
}

fn one(bar: &Bar, longest: f64) -> Markup {
    let percent = |value: f64| value / longest * 100.0;
    let (low, high) = (percent(bar.figure.low), percent(bar.figure.high));
    html! {
        span.bars__name.own[bar.own] { (bar.name) }
        span.bars__track {
            span.bars__bar.own[bar.own] style=(format!("inline-size:{:.2}%", percent(bar.figure.median))) {}
            @if high - low > 0.3 {
                span.bars__range style=(format!("inset-inline-start:{low:.2}%;inline-size:{:.2}%", high - low)) {}
            }
        }
        span.bars__value.own[bar.own] {
            (thousands(&number(Some(bar.figure.median))))
            " "
            small { @if bar.ratio.is_some() { (ratio(bar.ratio)) " ×" } }
        }
    }
}

/// A number with a thin space between thousands.
pub(super) fn thousands(number: &str) -> String {
    let (whole, rest) = number
        .split_once('.')
        .map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    rest.map_or_else(|| text.clone(), |rest| format!("{text}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands("1234567"), "1\u{202f}234\u{202f}567");
        assert_eq!(thousands("123"), "123");
        assert_eq!(thousands("1234.5"), "1\u{202f}234.5");
    }

    #[test]
    fn the_best_is_on_top_and_the_longest_bar_fills_its_track() {
        let bar = |name: &str, median| Bar {
            name: name.to_owned(),
            figure: Figure {
                median,
                low: median,
                high: median,
            },
            ratio: None,
            own: false,
        };
        let of = |better| bars("x", better, &[bar("slow", 1.0), bar("fast", 4.0)]).into_string();
        let (more, less) = (of(Better::More), of(Better::Less));
        assert!(more.find("fast") < more.find("slow") && less.find("slow") < less.find("fast"));
        assert!(more.contains("100.00%") && more.contains("25.00%"), "{more}");
        assert_eq!(bars("x", Better::More, &[]).into_string(), "");
    }
}
