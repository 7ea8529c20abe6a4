//! Cases that measure what their process holds: other cases run in the same one, so such a case runs once more, in a process
//! of its own.

use std::process::Command;

/// Set in a process that runs one case.
const ALONE: &str = "HIVEMATRIX_CASE_ALONE";

/// Whether this process runs one case only. If not, the case is run in a process of its own; `case` is its name with its
/// module's.
///
/// # Panics
/// If it fails there.
pub async fn is_alone(case: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("the program of the cases");
    let case = case.to_owned();
    let run = move || {
        Command::new(program)
            .args([&case, "--exact", "--nocapture"])
            .env(ALONE, "1")
            .output()
    };
    let run = tokio::task::spawn_blocking(run).await.expect("no panic");
    let output = run.expect("a process of its own");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    eprintln!("{said}");
    false
}

/// Bytes of memory that this process holds.
///
/// # Panics
/// If the system does not say.
#[must_use]
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<usize>().ok());
    kibibytes.expect("a number of kB") * 1024
}
