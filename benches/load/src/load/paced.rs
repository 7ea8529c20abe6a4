//! Start times at a fixed rate, and latencies counted from them: what an open loop of our own clients is made of.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Counted, beyond};
use crate::error::BenchError;

/// Percentiles that are told.
const PERCENTS: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99];
/// The longest latency that is told apart from longer ones, in microseconds.
const LONGEST_US: u64 = 60_000_000;

/// Start times, one after the other; ends them on drop.
pub(crate) struct Pace {
    /// Numbers from 0 and when each was due.
    pub(crate) due: UnboundedReceiver<(u64, Instant)>,
    _end: Sender<()>,
}

/// So many start times per second, for so long. They come from a thread of their own, because a runtime's clock counts
/// milliseconds. Whoever is late in taking one counts from when it was due.
pub(crate) fn pace(per_second: f64, duration: Duration) -> Pace {
    let (sender, due) = unbounded_channel();
    let (end, ended): (Sender<()>, Receiver<()>) = channel();
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        for number in 0_u64.. {
            #[expect(clippy::cast_precision_loss, reason = "a count of seconds")]
            let after = Duration::from_secs_f64(number as f64 / per_second.max(0.1));
            let at = began + after;
            let stopped = ended.recv_timeout(at.saturating_duration_since(Instant::now()));
            if after > duration
                || stopped != Err(RecvTimeoutError::Timeout)
                || sender.send((number, at)).is_err()
            {
                return;
            }
        }
    });
    Pace { due, _end: end }
}

/// Latencies.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    pub(crate) fn new() -> Result<Self, BenchError> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3);
        histogram
            .map(Self)
            .map_err(|error| BenchError::outside("no histogram", error))
    }

    /// One more.
    pub(crate) fn add(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US);
        self.0.saturating_record(us);
    }

    /// Those of several.
    pub(crate) fn merge(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// What was counted, over this time. A percentile is told only if somebody stands beyond it.
    pub(crate) fn counted(&self, took: Duration, failed: u64) -> Counted {
        #[expect(clippy::cast_precision_loss, reason = "microseconds")]
        let latency = PERCENTS
            .into_iter()
            .filter(|percent| beyond(self.count(), *percent))
            .map(|percent| (percent, self.0.value_at_percentile(percent) as f64 / 1000.0));
        Counted {
            done: self.count(),
            seconds: took.as_secs_f64(),
            failed,
            latency: latency.collect(),
            bytes_each: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn start_times_come_at_their_rate_whether_or_not_somebody_takes_them_in_time() {
        let mut pace = pace(1000.0, Duration::from_millis(100));
        let (number, first) = pace.due.recv().await.unwrap();
        assert_eq!(number, 0);
        let mut last = first;
        let mut count = 1;
        while let Some((_, due)) = pace.due.recv().await {
            last = due;
            count += 1;
        }
        assert_eq!(count, 101);
        assert_eq!((last - first).as_millis(), 100);
    }

    #[test]
    fn a_percentile_is_told_only_if_somebody_stands_beyond_it() {
        let mut latencies = Latencies::new().unwrap();
        for ms in 1..=100 {
            latencies.add(Duration::from_millis(ms));
        }
        let counted = latencies.counted(Duration::from_secs(2), 1);
        assert_eq!((counted.done, counted.rate(), counted.failed), (100, 50.0, 1));
        let told: Vec<(f64, f64)> = counted.latency.iter().map(|(p, ms)| (*p, ms.round())).collect();
        assert_eq!(
            told,
            [
                (50.0, 50.0),
                (75.0, 75.0),
                (90.0, 90.0),
                (95.0, 95.0),
                (99.0, 99.0)
            ]
        );
    }
}
