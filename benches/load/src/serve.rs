//! The service behind all, as far as nginx does not play it: what [`serve`] runs in a process of its own, so that its
//! processor time is nobody else's.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::CONTENT_TYPE;
use tokio::net::{TcpListener, TcpStream};

use crate::error::BenchError;
use crate::world::fixtures;

/// Serves HTTP on one loopback port and WebSocket echoes on another, until the future is dropped.
///
/// # Errors
/// If it may not listen there.
pub async fn serve(http: u16, sockets: u16) -> Result<(), BenchError> {
    let listen = async |port| {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        listener.map_err(|error| BenchError::outside(format!("127.0.0.1:{port}"), error))
    };
    let (http, sockets) = (listen(http).await?, listen(sockets).await?);
    tokio::select! {
        served = axum::serve(http, answers()) => served.map_err(|error| BenchError::outside("serving", error)),
        () = echo(sockets) => Ok(()),
    }
}

fn answers() -> Router {
    let (json, page) = (fixtures::json(), fixtures::page());
    let preferences = get(|| async { ([(CONTENT_TYPE, "application/json")], fixtures::PREFERENCES) });
    Router::new()
        .route(
            "/json",
            get(|| async move { ([(CONTENT_TYPE, "application/json")], json.clone()) }),
        )
        .route(
            "/page",
            get(|| async move { ([(CONTENT_TYPE, "text/html; charset=utf-8")], page.clone()) }),
        )
        .route("/upload", post(taken))
        .route("/api/public/user/{which}", preferences)
}

/// Reads what is sent, and throws it away.
async fn taken(body: Body) -> &'static str {
    let mut pieces = body.into_data_stream();
    while let Some(Ok(_)) = pieces.next().await {}
    "taken\n"
}

async fn echo(listener: TcpListener) {
    loop {
        // Too many open files pass again.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(echo_one(stream));
    }
}

/// Sends back what comes, until the other side has enough.
async fn echo_one(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
