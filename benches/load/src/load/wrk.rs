//! wrk, the closed loop: every connection asks again as soon as it has its answer. Good for throughput and for processor
//! time per request; its latencies are those of a server that is never given a rest, and are not shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Counted, output};
use crate::error::BenchError;
use crate::stage::Stage;
use crate::target::Job;

/// How wrk is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrk<'a> {
    /// The executable.
    pub(crate) program: &'a Path,
    /// Connections.
    pub(crate) connections: u32,
    /// Whole seconds: it knows no parts of them.
    pub(crate) seconds: u64,
}

/// The end of every script: one line that is easy to read.
const REPORT: &str = r#"
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("MEASURED %d %d %d %d", summary.requests, summary.duration, summary.bytes,
    e.status + e.connect + e.read + e.write + e.timeout))
  for _, percent in ipairs({50, 75, 90, 95, 99, 99.9, 99.99}) do
    io.write(string.format(" %g:%d", percent, latency:percentile(percent)))
  end
  io.write("\n")
end
"#;

/// Many callers in turn. The draws are made beforehand, so that drawing costs the load nothing.
const CALLERS: &str = r#"
local ffi = require("ffi")
local requests, draws, count, at = {}, nil, 0, 0
init = function()
  for line in io.lines("@COOKIES@") do
    requests[#requests + 1] = wrk.format("GET", nil, {["Cookie"] = line, ["Accept"] = "application/json",
      ["Sec-Fetch-Site"] = "same-origin", ["Sec-Fetch-Mode"] = "cors", ["Sec-Fetch-Dest"] = "empty"})
  end
  local file = io.open("@DRAWS@", "rb")
  kept = file:read("*a")
  file:close()
  draws, count = ffi.cast("const uint32_t *", kept), #kept / 4
  at = math.floor(count * @START@)
end
request = function()
  local drawn = requests[draws[at] + 1]
  at = (at + 1) % count
  return drawn
end
"#;

impl Wrk<'_> {
    /// Drives one job.
    pub(crate) async fn drive(self, stage: &Stage, job: &Job) -> Result<Counted, BenchError> {
        let body = match job.body {
            0 => String::new(),
            bytes => format!("wrk.body = string.rep(\"x\", {bytes})\n"),
        };
        let script = format!("wrk.method = \"{}\"\n{body}{REPORT}", job.method);
        let script = stage.write("wrk.lua", script)?;
        let headers = job
            .headers
            .iter()
            .flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]);
        self.run(&script, headers.collect(), job).await
    }

    /// Asks for a job as many callers in turn: `cookies` has a `Cookie` in each line, `draws` their numbers in the order in
    /// which they come, and `start` (0 to 1) is where in it to begin.
    pub(crate) async fn drive_callers(
        self,
        stage: &Stage,
        job: &Job,
        cookies: &Path,
        draws: &Path,
        start: f64,
    ) -> Result<Counted, BenchError> {
        let script = CALLERS
            .replace("@COOKIES@", &cookies.display().to_string())
            .replace("@DRAWS@", &draws.display().to_string())
            .replace("@START@", &start.to_string());
        let script = stage.write("wrk.lua", script + REPORT)?;
        self.run(&script, Vec::new(), job).await
    }

    async fn run(self, script: &Path, headers: Vec<String>, job: &Job) -> Result<Counted, BenchError> {
        let mut arguments = vec![
            "-t1".to_owned(),
            format!("-c{}", self.connections),
            format!("-d{}s", self.seconds),
            "--timeout".to_owned(),
            "10s".to_owned(),
            "-s".to_owned(),
            PathBuf::from(script).display().to_string(),
        ];
        arguments.extend(headers);
        arguments.push(job.url.clone());
        let text = output(self.program, &arguments, Duration::from_secs(self.seconds)).await?;
        let counted = read(&text);
        counted.ok_or_else(|| BenchError::Outside(format!("wrk said something unexpected: {text}")))
    }
}

/// What wrk has written by the script's end.
fn read(text: &str) -> Option<Counted> {
    let line = text.lines().find_map(|line| line.strip_prefix("MEASURED "))?;
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse::<f64>().ok();
    let (done, microseconds, bytes, failed) = (number()?, number()?, number()?, number()?);
    let latency = words.map(|word| {
        let (percent, microseconds) = word.split_once(':')?;
        Some((percent.parse().ok()?, microseconds.parse::<f64>().ok()? / 1000.0))
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    Some(Counted {
        done: done as u64,
        seconds: microseconds / 1e6,
        failed: failed as u64,
        latency: latency.collect::<Option<_>>()?,
        bytes_each: bytes / done.max(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read() {
        let text = "Running 1s test @ http://127.0.0.1:23999/json\n  1 threads and 8 connections\nTransfer/sec: 20.23MB\n\
                    MEASURED 96000 1100064 23331656 3 50:73 99:8681 99.9:18061\n";
        let counted = read(text).unwrap();
        assert_eq!((counted.done, counted.failed), (96_000, 3));
        assert!(
            (87_260.0..87_270.0).contains(&counted.rate()),
            "{}",
            counted.rate()
        );
        assert_eq!(counted.latency, [(50.0, 0.073), (99.0, 8.681), (99.9, 18.061)]);
        assert_eq!(counted.bytes_each.round(), 243.0);
        assert_eq!(read("Running 1s test"), None);
    }
}
