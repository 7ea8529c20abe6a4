//! Clocks that differ. A minute is what checks of tokens forgive; half of it is worth a word.

use hivematrix_platform::unix_now;

use super::finding::{Check, Finding, Report};

/// From here on it is told, in seconds.
const NOTABLE: i64 = 30;

/// Compares what a part says the time is with this machine's.
pub(crate) fn compare(part: &str, theirs: Option<i64>, report: &mut Report) {
    let Some(difference) = theirs.map(|theirs| theirs - i64::try_from(unix_now()).unwrap_or(i64::MAX)) else {
        return;
    };
    if difference.abs() < NOTABLE {
        return;
    }
    let direction = if difference > 0 { "ahead of" } else { "behind" };
    let seen = format!("its clock is {} s {direction} this machine's", difference.abs());
    let fix = "let both machines follow a time server (timedatectl set-ntp true)";
    report.find(Finding::new(Check::ClockSkew, part, seen, fix));
}
