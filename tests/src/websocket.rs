//! A WebSocket through the gateway, by tokio-tungstenite.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// An open socket.
pub struct WebSocket(WebSocketStream<Box<dyn Duplex>>);

/// What a socket runs on: TCP, or TLS on it.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebSocket")
    }
}

impl WebSocket {
    /// Opens one; the status of the answer if that is not 101.
    ///
    /// # Errors
    /// The status that came instead.
    pub(crate) async fn open(
        stream: Box<dyn Duplex>,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, u16> {
        let mut request = url.into_client_request().expect("a WebSocket URL");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request
                .headers_mut()
                .append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        match timeout(Duration::from_secs(10), client_async(request, stream))
            .await
            .expect("an answer within 10 s")
        {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no WebSocket, and no answer either: {error}"),
        }
    }

    /// Sends a text and waits for the text that comes back.
    ///
    /// # Panics
    /// If none comes within 10 s.
    pub async fn says(&mut self, text: &str) -> String {
        self.0
            .send(Message::text(text))
            .await
            .expect("the socket is open");
        match timeout(Duration::from_secs(10), self.0.next()).await {
            Ok(Some(Ok(Message::Text(back)))) => back.to_string(),
            other => panic!("no text came back: {other:?}"),
        }
    }

    /// Sends a text; whether it comes back.
    ///
    /// # Panics
    /// If neither it nor the end of the connection comes within 10 s.
    pub async fn answers(&mut self, text: &str) -> bool {
        if self.0.send(Message::text(text)).await.is_err() {
            return false;
        }
        let back = timeout(Duration::from_secs(10), self.0.next()).await;
        matches!(back.expect("an answer, or the end"), Some(Ok(Message::Text(back))) if back.as_str() == text)
    }

    /// Waits for the end of the connection, however it comes; returns code and reason of the close frame if one was
    /// sent.
    pub async fn ended(&mut self) -> Option<(u16, String)> {
        let mut said = None;
        while let Some(Ok(message)) = self.0.next().await {
            if let Message::Close(Some(frame)) = message {
                said = Some((frame.code.into(), frame.reason.to_string()));
            }
        }
        said
    }
}
