//! Keeps the newest log lines, bounded by number and by size: old lines make room.
//!
//! In memory only: whoever needs logs for longer reads them from the services' own output.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

use super::line::Line;

/// Which lines are wanted; `None` means any.
#[derive(Debug, Default, Clone)]
pub(super) struct Wanted {
    pub(super) service: Option<String>,
    pub(super) level: Option<String>,
    pub(super) trace_id: Option<String>,
    /// Not before this moment.
    pub(super) start: Option<OffsetDateTime>,
    /// Not after this moment.
    pub(super) end: Option<OffsetDateTime>,
    pub(super) limit: usize,
    pub(super) offset: usize,
}

impl Wanted {
    fn takes(&self, line: &Line) -> bool {
        self.service
            .as_ref()
            .is_none_or(|service| *service == line.service_name)
            && self.level.as_ref().is_none_or(|level| *level == line.level)
            && self
                .trace_id
                .as_ref()
                .is_none_or(|trace| line.trace_id.as_ref() == Some(trace))
            && self.start.is_none_or(|start| line.timestamp >= start)
            && self.end.is_none_or(|end| line.timestamp <= end)
    }
}

/// The lines that are kept.
pub(in crate::helm) struct Ring {
    most_lines: usize,
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// In the order in which they came.
    lines: VecDeque<Line>,
    bytes: usize,
    next_id: u64,
}

impl Ring {
    pub(in crate::helm) fn new(most_lines: NonZeroUsize, most_bytes: usize) -> Self {
        Self {
            most_lines: most_lines.get(),
            most_bytes,
            kept: Mutex::default(),
        }
    }

    /// How many lines are kept.
    pub(in crate::helm) fn len(&self) -> usize {
        self.lock().lines.len()
    }

    /// Keeps these lines; the oldest ones go, as far as there is no room.
    pub(super) fn add(&self, lines: impl Iterator<Item = Line>) {
        let mut kept = self.lock();
        for mut line in lines {
            kept.next_id += 1;
            line.id = kept.next_id;
            kept.bytes += line.size();
            kept.lines.push_back(line);
            while kept.lines.len() > self.most_lines || kept.bytes > self.most_bytes {
                let Some(oldest) = kept.lines.pop_front() else {
                    break;
                };
                kept.bytes -= oldest.size();
            }
        }
    }

    /// How many lines are wanted in all, and those between offset and limit, newest first.
    pub(super) fn find(&self, wanted: &Wanted) -> (usize, Vec<Line>) {
        let kept = self.lock();
        let mut found: Vec<&Line> = kept.lines.iter().filter(|line| wanted.takes(line)).collect();
        found.sort_unstable_by_key(|line| std::cmp::Reverse((line.timestamp, line.id)));
        let page = found
            .iter()
            .skip(wanted.offset)
            .take(wanted.limit)
            .map(|line| (*line).clone())
            .collect();
        (found.len(), page)
    }

    /// How many lines of each level each service has logged in the last hour.
    pub(in crate::helm) fn counts_of_the_last_hour(&self) -> HashMap<String, BTreeMap<String, u64>> {
        let since = OffsetDateTime::now_utc() - Duration::HOUR;
        let mut counts: HashMap<String, BTreeMap<String, u64>> = HashMap::new();
        for line in self.lock().lines.iter().filter(|line| line.timestamp >= since) {
            *counts
                .entry(line.service_name.clone())
                .or_default()
                .entry(line.level.clone())
                .or_default() += 1;
        }
        counts
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A panic while the lock was held leaves at worst a line that is counted but not kept.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use time::macros::datetime;

    use super::*;

    fn line(service: &str, level: &str, message: &str, minute: u8) -> Line {
        let sent: super::super::line::Sent = serde_json::from_value(
            serde_json::json!({"level": level, "message": message, "trace_id": message}),
        )
        .unwrap();
        let when = datetime!(2026-01-31 12:00 UTC).replace_minute(minute).unwrap();
        sent.into_line(&service.parse().unwrap(), when)
    }

    fn messages(ring: &Ring, wanted: &Wanted) -> Vec<String> {
        ring.find(wanted).1.into_iter().map(|line| line.message).collect()
    }

    fn ring(lines: usize, bytes: usize) -> Ring {
        Ring::new(NonZeroUsize::new(lines).unwrap(), bytes)
    }

    const ALL: Wanted = Wanted {
        service: None,
        level: None,
        trace_id: None,
        start: None,
        end: None,
        limit: 100,
        offset: 0,
    };

    #[test]
    fn the_newest_lines_come_first_and_the_oldest_make_room() {
        let ring = ring(3, usize::MAX);
        ring.add(
            ["a", "b", "c", "d"]
                .into_iter()
                .enumerate()
                .map(|(at, text)| line("codex", "info", text, at as u8)),
        );
        assert_eq!(messages(&ring, &ALL), ["d", "c", "b"]);
        assert_eq!(ring.find(&ALL).1[0].id, 4);
    }

    #[test]
    fn big_lines_make_room_by_their_size() {
        let ring = ring(1_000_000, 50_000);
        for _ in 0..1000 {
            ring.add(std::iter::once(line("codex", "info", &"x".repeat(1000), 0)));
        }
        let kept = ring.lock();
        assert!(
            kept.bytes <= 50_000 && kept.lines.len() >= 10,
            "{} lines, {} bytes",
            kept.lines.len(),
            kept.bytes
        );
    }

    #[test]
    fn lines_are_found_by_each_of_their_properties() {
        let ring = ring(10, usize::MAX);
        ring.add(
            [
                line("codex", "info", "a", 1),
                line("codex", "error", "b", 2),
                line("core", "info", "c", 3),
            ]
            .into_iter(),
        );
        let minute = |minute| Some(datetime!(2026-01-31 12:00 UTC).replace_minute(minute).unwrap());
        let rows: [(Wanted, &[&str]); 6] = [
            (
                Wanted {
                    service: Some("codex".to_owned()),
                    ..ALL
                },
                &["b", "a"],
            ),
            (
                Wanted {
                    level: Some("INFO".to_owned()),
                    ..ALL
                },
                &["c", "a"],
            ),
            (
                Wanted {
                    trace_id: Some("b".to_owned()),
                    ..ALL
                },
                &["b"],
            ),
            (
                Wanted {
                    start: minute(2),
                    ..ALL
                },
                &["c", "b"],
            ),
            (
                Wanted {
                    end: minute(2),
                    ..ALL
                },
                &["b", "a"],
            ),
            (
                Wanted {
                    limit: 1,
                    offset: 1,
                    ..ALL
                },
                &["b"],
            ),
        ];
        for (wanted, expected) in rows {
            assert_eq!(messages(&ring, &wanted), expected, "for {wanted:?}");
        }
        assert_eq!(ring.find(&Wanted { limit: 1, ..ALL }).0, 3);
    }
}
