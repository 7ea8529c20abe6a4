//! One HTTP/2 connection, for what no HTTP library would send.

use bytes::Bytes;
use http::{HeaderMap, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::tls::Certificate;

/// The connection.
pub struct Http2 {
    send: h2::client::SendRequest<Bytes>,
    task: tokio::task::JoinHandle<()>,
}

impl Http2 {
    pub(crate) async fn connect(address: std::net::SocketAddr, certificate: &Certificate) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the gateway accepts connections");
        let stream = certificate.connect(stream, &["h2"]).await;
        assert_eq!(
            stream.get_ref().1.alpn_protocol(),
            Some(&b"h2"[..]),
            "the gateway offers HTTP/2"
        );
        let (send, connection) = h2::client::handshake(stream).await.expect("an HTTP/2 connection");
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { send, task }
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// What the gateway did to the stream instead of answering.
    pub async fn send(&mut self, request: Request<()>) -> Result<Http2Answer, h2::Error> {
        let mut ready = self.send.clone().ready().await?;
        let (answer, _) = ready.send_request(request, true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut text = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            let _ = body.flow_control().release_capacity(piece.len());
            text.extend_from_slice(&piece);
        }
        Ok(Http2Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&text).into_owned(),
            trailers: body.trailers().await?.unwrap_or_default(),
        })
    }
}

/// Agrees on HTTP/2, says no more than `said` of what a client has to say first, and waits for the gateway to end the
/// connection.
pub(crate) async fn falls_silent(address: std::net::SocketAddr, certificate: &Certificate, said: &[u8]) {
    let stream = TcpStream::connect(address)
        .await
        .expect("the gateway accepts connections");
    let mut stream = certificate.connect(stream, &["h2"]).await;
    stream.write_all(said).await.expect("a connection");
    // An error is an end as well.
    while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
}

/// An answer with its trailers.
#[derive(Clone, Debug)]
pub struct Http2Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// What came behind the body.
    pub trailers: HeaderMap,
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.task.abort();
    }
}
