//! Durations, sizes and counts as they are written. A value that exists is in its range.

use std::time::Duration;

use toml::de::DeValue;

use super::read::{Leaf, unexpected};

/// Longest duration anybody may mean; keeps `Instant + Duration` from overflowing.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A duration above zero: `"150ms"`, `"30s"`, `"5m"`, `"12h"`, `"7d"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period(pub(super) Duration);

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl Leaf for Period {
    const EXPECTED: &'static str = "a duration such as \"150ms\", \"30s\", \"5m\", \"12h\" or \"7d\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let number: u64 = number.parse().map_err(|_| String::new())?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(String::new()),
        };
        match number.checked_mul(milliseconds).map(Duration::from_millis) {
            Some(Duration::ZERO) => Err("expected a duration above zero".to_owned()),
            Some(duration) if duration <= LONGEST => Ok(Self(duration)),
            _ => Err("expected a duration of at most 366 days".to_owned()),
        }
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Self::from_text(text),
            DeValue::Integer(number) => {
                Err(format!("expected a unit: is it \"{number}s\" or \"{number}ms\"?"))
            }
            other => Err(unexpected::<Self>(other)),
        }
    }
}

/// A number of bytes between two bounds: `65536`, `"64KiB"`, `"100MiB"`, `"1GiB"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size<const MIN: u64, const MAX: u64>(pub(super) usize);

impl<const MIN: u64, const MAX: u64> From<Size<MIN, MAX>> for usize {
    fn from(size: Size<MIN, MAX>) -> Self {
        size.0
    }
}

impl<const MIN: u64, const MAX: u64> Size<MIN, MAX> {
    fn checked(bytes: Option<u64>) -> Result<Self, String> {
        match bytes {
            Some(bytes) if (MIN..=MAX).contains(&bytes) => usize::try_from(bytes)
                .map(Self)
                .map_err(|_| "too large for this machine".to_owned()),
            _ => Err(format!(
                "expected between {} and {}",
                in_words(MIN),
                in_words(MAX)
            )),
        }
    }
}

impl<const MIN: u64, const MAX: u64> Leaf for Size<MIN, MAX> {
    const EXPECTED: &'static str = "a size such as \"64KiB\", \"100MiB\" or a number of bytes";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let number: u64 = number.parse().map_err(|_| String::new())?;
        let factor = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => {
                return Err(format!(
                    "expected {}; the units are B, KiB, MiB and GiB",
                    Self::EXPECTED
                ));
            }
        };
        Self::checked(number.checked_mul(factor))
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Integer(number) => {
                Self::checked(u64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::String(text) => Self::from_text(text),
            other => Err(unexpected::<Self>(other)),
        }
    }
}

/// A whole number between two bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<const MIN: u64, const MAX: u64>(pub(super) usize);

impl<const MIN: u64, const MAX: u64> From<Count<MIN, MAX>> for usize {
    fn from(count: Count<MIN, MAX>) -> Self {
        count.0
    }
}

impl<const MIN: u64, const MAX: u64> Leaf for Count<MIN, MAX> {
    const EXPECTED: &'static str = "a whole number";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim().parse::<u64>() {
            Ok(number) if (MIN..=MAX).contains(&number) => usize::try_from(number)
                .map(Self)
                .map_err(|_| "too large for this machine".to_owned()),
            _ => Err(format!("expected a whole number between {MIN} and {MAX}")),
        }
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Integer(number) => {
                let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
                Self::from_text(&number.map(|number| number.to_string()).unwrap_or_default())
            }
            other => Err(unexpected::<Self>(other)),
        }
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..digits], text[digits..].trim_start())
}

fn in_words(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        n if n.is_multiple_of(1 << 30) => format!("{}GiB", n >> 30),
        n if n.is_multiple_of(1 << 20) => format!("{}MiB", n >> 20),
        n if n.is_multiple_of(1 << 10) => format!("{}KiB", n >> 10),
        n => format!("{n}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_is_above_zero() {
        for (text, milliseconds) in [
            ("150ms", 150),
            ("30s", 30_000),
            ("5m", 300_000),
            ("5 min", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                Period::from_text(text).map(|p| p.0),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            "1h30m",
            "0s",
            "367d",
            "99999999999999999999s",
            "١s",
        ] {
            assert!(Period::from_text(text).is_err(), "{text}");
        }
        assert!(Period::from_text("18446744073709551615h").is_err(), "overflow");
    }

    #[test]
    fn a_size_counts_in_powers_of_1024_and_is_in_its_range() {
        type Any = Size<1, { 1 << 40 }>;
        for (text, bytes) in [
            ("1", 1),
            ("512B", 512),
            ("64KiB", 65_536),
            ("100 MiB", 104_857_600),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(Any::from_text(text).map(|size| size.0), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "1kb",
            "1MB",
            "1.5MiB",
            "2048GiB",
            "18446744073709551615GiB",
        ] {
            assert!(Any::from_text(text).is_err(), "{text}");
        }
    }
}
