//! Arrival: a connection between two requests. Nothing is set up for a request before its first bytes are there: what an
//! exchange needs is some ten times what an idle connection may take, and most connections are idle.
//!
//! Responsible for: waiting for these bytes, for as long as a connection may be idle, and the sequence of requests on an
//! HTTP/1.1 connection. Not responsible for what a request is; once it has begun, HTTP/2 waits by itself.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pingora::apps::{HttpPersistentSettings, ReusedHttpStream};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::switch::Switch;
use super::{CONNECTION, Exchanges, tunnel};

/// Bytes that are read at once. The head of nearly every request is shorter.
const AT_ONCE: usize = 4096;

/// How long a client may take to hear that its idle connection is closed.
const FAREWELL: Duration = Duration::from_secs(1);

thread_local! {
    /// Where first bytes are read to, for all connections of the thread.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Serves one request after the other, until either side has enough.
pub(super) async fn serve(
    exchanges: &Arc<Exchanges>,
    stream: Stream,
    switch: &Switch,
    shutdown: &ShutdownWatch,
) {
    let mut watch = shutdown.clone();
    let mut idle = exchanges.limits.head;
    let mut next: Option<(Stream, Option<HttpPersistentSettings>)> = Some((stream, None));
    while let Some((mut stream, settings)) = next {
        if !something_comes(&mut stream, switch, idle, &mut watch).await {
            // Behind TLS the client is told.
            let _ = tokio::time::timeout(FAREWELL, AsyncWriteExt::shutdown(&mut stream)).await;
            return;
        }
        idle = exchanges.limits.keepalive;
        let reused = exchange(exchanges, stream, settings, shutdown).await;
        next = reused.map(ReusedHttpStream::consume);
    }
    let begun = CONNECTION.try_with(|connection| connection.begun.take());
    if let Some((begun, live)) = begun.ok().flatten() {
        // By itself: most connections never come here.
        Box::pin(tunnel::run(begun, live, exchanges, shutdown)).await;
    }
}

/// A request and its answer. Not an async function: what it makes the session of would have room in the connection's task
/// for as long as that lives.
fn exchange<'a>(
    exchanges: &'a Arc<Exchanges>,
    stream: Stream,
    settings: Option<HttpPersistentSettings>,
    shutdown: &'a ShutdownWatch,
) -> impl Future<Output = Option<ReusedHttpStream>> + Send + 'a {
    // Pipelining stays off: with it, the settings may hold a request that was read already, and nothing would come.
    let mut session = ServerSession::new_http1(stream);
    session.set_keepalive(None);
    if let Some(settings) = settings {
        settings.apply_to_session(&mut session);
    }
    exchanges.exchange(session, shutdown)
}

/// Waits for what every HTTP/2 client says first (RFC 9113 §3.4), and keeps it for who reads next: the server's side of
/// the protocol has no time limit of its own for it. `None` if it does not come.
pub(super) async fn preface(stream: &mut Stream, switch: &Switch, limit: Duration) -> Option<()> {
    let mut preface = [0; 24];
    let read = tokio::time::timeout(limit, stream.read_exact(&mut preface)).await;
    read.ok()?.ok()?;
    switch.keep(&preface);
    Some(())
}

/// Waits for a request's first bytes and keeps them for who reads next. False if none came in time, or none will.
async fn something_comes(
    stream: &mut Stream,
    switch: &Switch,
    idle: Duration,
    shutdown: &mut ShutdownWatch,
) -> bool {
    let kept = CONNECTION.try_with(|connection| connection.waits.take());
    let mut waits = kept.ok().flatten().unwrap_or_default();
    waits.until(Instant::now() + idle);
    let comes = {
        let mut ending = pin!(shutdown.wait_for(|shutdown| *shutdown));
        std::future::poll_fn(|context| {
            if let Poll::Ready(came) = poll_first_bytes(stream, switch, context) {
                return Poll::Ready(came);
            }
            if waits.poll_late(context).is_ready() || ending.as_mut().poll(context).is_ready() {
                return Poll::Ready(false);
            }
            Poll::Pending
        })
        .await
    };
    let _ = CONNECTION.try_with(|connection| connection.waits.set(Some(waits)));
    comes
}

fn poll_first_bytes(stream: &mut Stream, switch: &Switch, context: &mut Context<'_>) -> Poll<bool> {
    let mut scratch = SCRATCH.take();
    scratch.resize(AT_ONCE, 0);
    let mut bytes = ReadBuf::new(&mut scratch);
    let came = Pin::new(stream).poll_read(context, &mut bytes).map(|read| {
        switch.keep(bytes.filled());
        read.is_ok() && !bytes.filled().is_empty()
    });
    SCRATCH.set(scratch);
    came
}
