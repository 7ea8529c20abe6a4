//! h2load, the closed loop over TLS and HTTP/2: kept connections with several requests under way on each.

use std::path::Path;
use std::time::Duration;

use super::{Counted, output};
use crate::error::BenchError;
use crate::target::Job;

/// Requests under way on each connection.
const STREAMS: u32 = 4;
/// The cipher, the same for all.
const CIPHER: &str = "TLS_AES_128_GCM_SHA256";

/// How h2load is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct H2load<'a> {
    /// The executable.
    pub(crate) program: &'a Path,
    /// Connections.
    pub(crate) connections: u32,
    /// For how long.
    pub(crate) duration: Duration,
}

impl H2load<'_> {
    /// Drives one job without a body.
    pub(crate) async fn drive(self, job: &Job) -> Result<Counted, BenchError> {
        let mut arguments = vec![
            "-t1".to_owned(),
            format!("-c{}", self.connections),
            format!("-m{STREAMS}"),
            format!("-D{}", self.duration.as_secs().max(1)),
            format!("--tls13-ciphers={CIPHER}"),
        ];
        let headers = job.headers.iter();
        arguments.extend(headers.flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]));
        arguments.push(job.url.clone());
        let text = output(self.program, &arguments, self.duration).await?;
        if !text.contains("Application protocol: h2") {
            return Err(BenchError::Outside(format!("no HTTP/2: {}", text.trim())));
        }
        read(&text).ok_or_else(|| BenchError::Outside(format!("h2load said something unexpected: {text}")))
    }
}

/// What h2load says at its end.
fn read(text: &str) -> Option<Counted> {
    let behind = |start: &str| {
        text.lines()
            .find_map(|line| line.trim_start().strip_prefix(start))
    };
    let seconds = duration(behind("finished in ")?.split(',').next()?)?;
    // "14 2xx, 0 3xx, …": only the first are what was asked for.
    let statuses = behind("status codes: ")?
        .split(", ")
        .map(|part| part.split(' ').next()?.parse::<u64>().ok());
    let statuses: Vec<u64> = statuses.collect::<Option<_>>()?;
    // "24 total, 24 started, 24 done, 24 succeeded, 0 failed, 0 errored, 0 timeout"; what has failed includes the others.
    let requests = behind("requests: ")?.split(", ");
    let failed = requests
        .filter_map(|part| part.strip_suffix(" failed"))
        .next()?
        .parse::<u64>()
        .ok()?;
    // "… (N) data" at the line's end.
    let data = behind("traffic: ")?
        .rsplit_once('(')?
        .1
        .split(')')
        .next()?
        .parse::<f64>()
        .ok()?;
    let (done, others) = statuses.split_first()?;
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let bytes_each = data / (*done).max(1) as f64;
    Some(Counted {
        done: *done,
        seconds,
        failed: failed.max(others.iter().sum()),
        latency: Vec::new(),
        bytes_each,
    })
}

/// "2.00s" or "950.12ms", in seconds.
fn duration(text: &str) -> Option<f64> {
    match text.strip_suffix("ms") {
        Some(milliseconds) => Some(milliseconds.parse::<f64>().ok()? / 1000.0),
        None => text.strip_suffix('s')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "TLS Protocol: TLSv1.3\nApplication protocol: h2\n\nfinished in 2.00s, 12345.50 req/s, 13.00MB/s\n\
        requests: 24691 total, 24755 started, 24691 done, 24689 succeeded, 2 failed, 0 errored, 0 timeout\n\
        status codes: 24689 2xx, 0 3xx, 2 4xx, 0 5xx\n\
        traffic: 26.00MB (27262976) total, 1.00MB (1048576) headers (space savings 80.00%), 24.00MB (24689000) data\n";

    #[test]
    fn what_h2load_says_is_read() {
        let counted = read(SAID).unwrap();
        assert_eq!(
            (counted.done, counted.failed, counted.bytes_each),
            (24_689, 2, 1000.0)
        );
        assert_eq!(counted.rate(), 12_344.5);
        assert_eq!(duration("950.00ms"), Some(0.95));
        assert_eq!(read("finished in 2.00s"), None);
    }
}
