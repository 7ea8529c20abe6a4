//! WebSockets: messages there and back at a fixed rate, over connections that stay open. A latency counts from when its
//! message was due, so nothing is omitted where an answer takes long.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::Counted;
use super::paced::{Latencies, pace};
use crate::error::BenchError;

/// Characters of a message.
const LENGTH: usize = 64;
/// How long a handshake, and the answers that are still under way at the end, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How messages are sent.
#[derive(Clone, Debug)]
pub(crate) struct Talk<'a> {
    /// Where.
    pub(crate) port: u16,
    /// The path.
    pub(crate) path: &'a str,
    /// `Cookie` and `Origin`.
    pub(crate) headers: &'a [(&'static str, String)],
    /// Connections.
    pub(crate) connections: u32,
    /// Messages per second, of all together.
    pub(crate) rate: u32,
    /// For how long.
    pub(crate) duration: Duration,
}

/// Connections that are open.
pub(crate) struct Open {
    due: Vec<UnboundedSender<Instant>>,
    tasks: tokio::task::JoinSet<(Latencies, u64)>,
}

impl Talk<'_> {
    /// Opens all connections.
    pub(crate) async fn connect(&self) -> Result<Open, BenchError> {
        let mut open = Open {
            due: Vec::new(),
            tasks: tokio::task::JoinSet::new(),
        };
        for _ in 0..self.connections {
            let socket = tokio::time::timeout(PATIENCE, self.handshake());
            let socket = socket
                .await
                .map_err(|error| BenchError::outside("a WebSocket", error))??;
            let (sender, due) = unbounded_channel();
            open.due.push(sender);
            open.tasks.spawn(talk(socket, due, Latencies::new()?));
        }
        Ok(open)
    }

    async fn handshake(&self) -> Result<WebSocketStream<TcpStream>, BenchError> {
        let failed =
            |error: &dyn std::fmt::Display| BenchError::outside("a WebSocket cannot be opened", error);
        let address = format!("127.0.0.1:{}", self.port);
        let mut request = format!("ws://{address}{}", self.path)
            .into_client_request()
            .map_err(|error| failed(&error))?;
        for (name, value) in self.headers {
            let value = HeaderValue::from_str(value).map_err(|error| failed(&error))?;
            request.headers_mut().insert(*name, value);
        }
        let stream = TcpStream::connect(&address)
            .await
            .map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .map_err(|error| failed(&error))?;
        // Some proxies are done with the handshake before they are ready: one message before it counts.
        socket.send(message()).await.map_err(|error| failed(&error))?;
        match socket.next().await {
            Some(Ok(answer)) if answer == message() => Ok(socket),
            other => Err(failed(&format!("instead of an echo {other:?}"))),
        }
    }

    /// Sends messages and waits for their answers.
    pub(crate) async fn talk(&self, open: Open) -> Result<Counted, BenchError> {
        let Open { due, mut tasks } = open;
        let began = Instant::now();
        let mut pace = pace(f64::from(self.rate), self.duration);
        let mut senders = due.iter().cycle();
        while let Some((_, at)) = pace.due.recv().await {
            // One whose connection has broken counts as failed there.
            let _ = senders.next().map(|sender| sender.send(at));
        }
        drop(due);
        let took = began.elapsed();
        let mut all = Latencies::new()?;
        let mut failed = 0;
        while let Some(ended) = tasks.join_next().await {
            let (latencies, lost) = ended.map_err(|error| BenchError::outside("a WebSocket", error))?;
            all.merge(&latencies);
            failed += lost;
        }
        Ok(all.counted(took, failed))
    }
}

fn message() -> Message {
    Message::text("m".repeat(LENGTH))
}

/// One connection: a message for each start time; latencies, and how many messages had no answer.
async fn talk(
    socket: WebSocketStream<TcpStream>,
    mut due: UnboundedReceiver<Instant>,
    mut latencies: Latencies,
) -> (Latencies, u64) {
    let (mut sender, mut receiver) = socket.split();
    // Answers come in the order of the messages.
    let waiting: Mutex<VecDeque<Instant>> = Mutex::default();
    let queue = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let sending = async {
        while let Some(at) = due.recv().await {
            queue().push_back(at);
            if sender.send(message()).await.is_err() {
                return;
            }
        }
        // The other side closes, too, when it has answered everything.
        let _ = sender.close().await;
    };
    let receiving = async {
        while let Some(Ok(answer)) = receiver.next().await {
            let asked = answer.is_text().then(|| queue().pop_front()).flatten();
            if let Some(at) = asked {
                latencies.add(at.elapsed());
            }
        }
    };
    {
        tokio::pin!(receiving);
        tokio::select! {
            () = &mut receiving => {}
            () = sending => {
                let _ = tokio::time::timeout(PATIENCE, receiving).await;
            }
        }
    }
    let mut failed = queue().len() as u64;
    // Of a connection that has broken: what it would still have had to send.
    while due.recv().await.is_some() {
        failed += 1;
    }
    (latencies, failed)
}
