//! What the figures were taken on: processor, cores, kernel, memory.

use serde::Serialize;

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Memory, in GiB.
    pub memory_gib: f64,
    /// Kernel and architecture.
    pub kernel: String,
    /// What else was running when the benchmark began: processes ready to run, averaged over a minute.
    pub load: f64,
}

impl Machine {
    /// This one. What cannot be found out is said to be unknown.
    #[must_use]
    pub fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            processor: processor(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_gib(&read("/proc/meminfo")),
            kernel: format!("Linux {}, {}", release.trim(), std::env::consts::ARCH),
            load: load(&read("/proc/loadavg")),
        }
    }
}

fn processor(cpuinfo: &str) -> String {
    let named = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = named.and_then(|line| line.split_once(':'));
    name.map_or("an unknown processor", |(_, name)| name.trim())
        .to_owned()
}

fn memory_gib(meminfo: &str) -> f64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0 / 1024.0
}

fn load(loadavg: &str) -> f64 {
    let first = loadavg.split(' ').next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_what_the_kernel_says_of_it() {
        assert_eq!(
            processor("vendor_id\t: X\nmodel name\t: Some CPU 3000\n"),
            "Some CPU 3000"
        );
        assert_eq!(processor("Processor : 1\n"), "an unknown processor");
        assert_eq!(memory_gib("MemTotal:        2097152 kB\n"), 2.0);
        assert_eq!(load("0.52 0.58 0.59 1/467 1\n"), 0.52);
        let here = Machine::this();
        assert!(here.cores > 0 && here.memory_gib > 0.0, "{here:?}");
    }
}
