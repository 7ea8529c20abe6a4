//! What a process group has used: processor time and memory, as the kernel counts them.

use std::path::Path;

use crate::error::BenchError;

/// Processor time of all of a group's processes since they began, in seconds, the kernel's work for them included.
pub(crate) fn cpu_seconds(group: i32) -> f64 {
    members(group).map(|member| member.seconds()).sum()
}

/// Memory of all of a group's processes, in MiB: each page counted once, shared ones in proportion (PSS).
pub(crate) fn memory_mib(group: i32) -> f64 {
    let kib: f64 = members(group).filter_map(|member| pss_kib(member.id)).sum();
    kib / 1024.0
}

/// Whether this machine can tell.
pub(crate) fn supported() -> Result<(), BenchError> {
    if Path::new("/proc/self/smaps_rollup").exists() {
        return Ok(());
    }
    let sentence = "processor time and memory are read from /proc: this needs Linux 4.14 or newer";
    Err(BenchError::Outside(sentence.to_owned()))
}

/// One process of a group.
struct Member {
    id: u32,
    ticks: u64,
}

impl Member {
    /// Its processor time: as the scheduler counts it, in nanoseconds, of the threads that there are; or in ticks, of all
    /// that there were. The latter is rounded off, and says more only if threads have ended.
    #[expect(clippy::cast_precision_loss, reason = "a benchmark does not last so long")]
    fn seconds(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id))
            .into_iter()
            .flatten()
            .flatten();
        let nanoseconds = threads.filter_map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        let precise = nanoseconds.sum::<u64>() as f64 / 1e9;
        precise.max(self.ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

fn members(group: i32) -> impl Iterator<Item = Member> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(move |process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        // Whoever has ended meanwhile is left out.
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        let (of, ticks) = group_and_ticks(&stat)?;
        (of == group).then_some(Member { id, ticks })
    })
}

/// Process group and processor time, from a line of /proc/PID/stat (proc(5)).
fn group_and_ticks(stat: &str) -> Option<(i32, u64)> {
    // The name before may hold anything, spaces and parentheses included.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let group = fields.get(2)?.parse().ok()?;
    Some((group, number(11)? + number(12)?))
}

fn pss_kib(process: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_and_time_are_found_behind_any_name() {
        let stat = "17 (a (strange) name) S 1 42 17 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 100 1 1";
        assert_eq!(group_and_ticks(stat), Some((42, 200)));
        assert_eq!(group_and_ticks("17 (short) S 1"), None);
    }

    #[test]
    fn this_process_has_used_memory_and_is_found_by_its_group() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get();
        assert!(memory_mib(own) > 1.0);
        let before = cpu_seconds(own);
        let began = std::time::Instant::now();
        while began.elapsed().as_millis() < 100 {
            std::hint::spin_loop();
        }
        assert!(cpu_seconds(own) > before);
    }
}
