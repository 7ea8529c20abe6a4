//! Serving a router on loopback, and ending at once.
//!
//! Responsible for: connections, their limits, the peer's address, the end. Not responsible for: TLS, HTTP
//! authentication and anything public: the gateway stands in front.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long requests in flight may take to end once a service is told to: 1 s. Idle connections end at once.
pub const GRACE: Duration = Duration::from_secs(1);

/// Connections at the same time; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 1024;

/// How long a connection may be idle, or take to send a request's head. Longer than the gateway keeps idle
/// connections (60 s), so that it is never the service that closes one which the gateway is about to use.
const HEAD: Duration = Duration::from_secs(120);

/// Streams at the same time on one HTTP/2 connection.
const STREAMS: u32 = 250;

/// Serves `router` until `shutdown` is cancelled; then refuses new connections at once, gives requests in flight
/// [`GRACE`], and returns.
///
/// Speaks HTTP/1.1, and HTTP/2 without TLS to clients that begin with it. Around every request: a correlation id
/// in log and answer, [`BODY_LIMIT`](super::BODY_LIMIT), panics caught. Handlers can extract the peer as
/// `ConnectInfo<SocketAddr>`.
///
/// # Errors
/// A listener that is bound beyond loopback is refused ([`io::ErrorKind::InvalidInput`]): services believe the
/// `X-Forwarded-*` headers of whoever reaches them (platform README §1).
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!("services listen on loopback only, not on {address}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let router = super::request::surround(router);
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &permits) => {
                if let Some((stream, peer, permit)) = accepted {
                    let connection = connection(stream, peer, router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        connections.shutdown().await;
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are written whole; waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(error) => {
            // Out of file descriptors, most likely: without a pause this would spin.
            tracing::warn!(reason = "accept", %error, "could not accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, shutdown: CancellationToken) {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        TowerToHyperService::new(router.clone()).call(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended");
    }
}
