//! What is shown while it runs: one line that changes on a terminal, a line for each step elsewhere. Goes to stderr.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Where the benchmark is.
pub struct Progress {
    began: Instant,
    steps: AtomicUsize,
    done: AtomicUsize,
    terminal: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// At the beginning.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            steps: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// So many measurements there will be.
    pub(crate) fn expect(&self, steps: usize) {
        self.steps.store(steps, Relaxed);
    }

    /// A sentence that stays.
    pub(crate) fn note(&self, sentence: &str) {
        self.show(&format!("{sentence}\n"));
    }

    /// What is being done now; makes room for what follows.
    pub(crate) fn now(&self, what: &str) {
        self.show(&if self.terminal {
            what.to_owned()
        } else {
            format!("{what}\n")
        });
    }

    /// A measurement begins.
    pub(crate) fn step(&self, what: &str) {
        let (done, steps) = (self.done.fetch_add(1, Relaxed), self.steps.load(Relaxed));
        let left = left(self.began.elapsed(), done, steps);
        self.now(&format!("[{:>3}/{steps}{left}] {what}", done + 1));
    }

    /// Nothing more is shown.
    pub fn end(&self) {
        self.show("");
    }

    fn show(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        // Nobody reads it? Then nobody misses it.
        let _ = write!(stderr, "{clear}{text}").and_then(|()| stderr.flush());
    }
}

/// How long it will still take if it goes on like this; nothing at first, when nobody can tell.
fn left(passed: Duration, done: usize, steps: usize) -> String {
    if done < 5 || steps <= done {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "some hundred steps")]
    let share = (steps - done) as f64 / done as f64;
    let seconds = passed.mul_f64(share).as_secs();
    format!(", {}:{:02} left", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_told_as_soon_as_it_can_be() {
        let minute = Duration::from_secs(60);
        assert_eq!(left(minute, 4, 100), "");
        assert_eq!(left(minute, 25, 100), ", 3:00 left");
        assert_eq!(left(minute, 100, 100), "");
    }
}
