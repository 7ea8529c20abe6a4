//! Medians, spreads and ratios: rounds in, figures out.

use serde::Serialize;

/// A figure over rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The median.
    pub median: f64,
    /// The lowest round.
    pub low: f64,
    /// The highest round.
    pub high: f64,
}

impl Figure {
    /// Of these rounds; none of none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        Some(Self {
            median: middle(&values),
            low,
            high,
        })
    }
}

/// The median of sorted values, which are not empty.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    }
}

/// The median of what each round's value is in multiples of the same round's reference: drift of the machine between
/// rounds falls out. Pairs are (value, reference).
pub(crate) fn ratio(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let ratios = pairs.into_iter().filter(|(_, reference)| *reference > 0.0);
    Figure::of(ratios.map(|(value, reference)| value / reference)).map(|figure| figure.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let figure = Figure::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((figure.median, figure.low, figure.high), (2.5, 1.0, 4.0));
        assert_eq!(Figure::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Figure::of([]), None);
    }

    #[test]
    fn ratios_are_taken_within_each_round_so_that_drift_falls_out() {
        // The machine became three times slower in the second round; the ratio did not change.
        assert_eq!(ratio([(20.0, 10.0), (60.0, 30.0)]), Some(2.0));
        assert_eq!(ratio([(20.0, 0.0)]), None, "a reference that was not measured");
    }

    #[test]
    fn figures_that_are_none_do_not_count() {
        assert_eq!(Figure::of([f64::NAN, 2.0]).unwrap().high, 2.0);
    }
}
