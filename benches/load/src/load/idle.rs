//! Connections that are open and idle: each has asked once, and could ask again.

use std::time::Duration;

use futures_util::StreamExt as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::target::Job;

/// Connections that are being opened at the same time.
const AT_ONCE: usize = 64;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Open files that anything else may need.
const RESERVE: u64 = 1000;

/// Lets this process, and those that it starts from now on, open as many files as the system allows; how many connections
/// that is room for.
pub(crate) fn make_room() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    let reached = if setrlimit(Resource::Nofile, wanted).is_ok() {
        maximum
    } else {
        current
    };
    reached.unwrap_or(u64::MAX).saturating_sub(RESERVE)
}

/// Opens so many connections, each of which gets one answer; those that did.
pub(crate) async fn open(job: &Job, port: u16, count: u32) -> Vec<TcpStream> {
    let path = job.url.splitn(4, '/').nth(3).unwrap_or_default();
    let headers = job
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n");
    let at_least = usize::try_from(job.at_least).unwrap_or(usize::MAX);
    futures_util::stream::iter(0..count)
        .map(|_| tokio::time::timeout(PATIENCE, one(port, &request, at_least)))
        .buffer_unordered(AT_ONCE)
        .filter_map(async |opened| opened.ok()?.ok()?)
        .collect()
        .await
}

/// One connection, after its answer.
async fn one(port: u16, request: &str, at_least: usize) -> std::io::Result<Option<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut seen = Vec::with_capacity(2048);
    while seen.len() < at_least {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(None);
        }
    }
    Ok(seen.starts_with(b"HTTP/1.1 200").then_some(stream))
}

/// How many of them are still open.
pub(crate) fn still_open(streams: &[TcpStream]) -> usize {
    let open = |stream: &&TcpStream| {
        let mut byte = [0; 1];
        // Nothing to read, and no end: it waits.
        matches!(stream.try_read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    streams.iter().filter(open).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_held_open_until_the_other_side_ends_them() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .await
                    .unwrap();
                held.push(stream);
            }
            held
        });
        let job = Job {
            url: format!("http://127.0.0.1:{port}/x"),
            method: "GET",
            headers: Vec::new(),
            body: 0,
            at_least: 20,
        };
        let streams = open(&job, port, 3).await;
        assert_eq!((streams.len(), still_open(&streams)), (3, 3));
        drop(server.await.unwrap());
        for stream in &streams {
            // What is left of the answer, if anything, comes before the end.
            stream.readable().await.unwrap();
        }
        assert!(make_room() > 0);
    }
}
