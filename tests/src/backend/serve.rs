//! One connection of a backend: requests read from a bare socket, scripts carried out on it.

use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Memory;
use super::script::{Afterwards, Deed, Script, Step};
use super::seen::Seen;

/// A socket, and what was read from it too early.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Serves until either side has enough.
pub(super) async fn connection(stream: TcpStream, memory: &Memory) -> io::Result<()> {
    let mut wire = Wire {
        stream,
        buffer: Vec::new(),
    };
    while let Some(head) = wire.head().await? {
        let seen = Seen::new(head);
        memory.remember(seen.clone());
        let script = memory.script(seen.path());
        let head = script.head();
        match script.deed {
            Deed::Answer {
                ref steps,
                afterwards,
            } => {
                wire.body(&seen).await?;
                wire.stream.write_all(&head).await?;
                if seen.method() == "HEAD" {
                    continue;
                }
                wire.take(steps).await?;
                if afterwards == Afterwards::Close {
                    return wire.stream.shutdown().await;
                }
            }
            Deed::AnswerUnread { ref steps } => {
                wire.stream.write_all(&head).await?;
                wire.take(steps).await?;
                return wire.stream.shutdown().await;
            }
            Deed::Echo => {
                wire.body(&seen).await?;
                wire.echo(&seen, &script).await?;
            }
            Deed::EchoBody => wire.echo_body(&seen, &script).await?,
            Deed::WebSocket { ref steps } => {
                wire.take(steps).await?;
                return wire.websocket(&seen, &script).await;
            }
        }
    }
    Ok(())
}

impl Wire {
    /// The next request's head; none at the end of the connection.
    async fn head(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..at + 4).collect();
                return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads more; false at the end of the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    async fn body(&mut self, seen: &Seen) -> io::Result<()> {
        while let Some(piece) = self.piece(seen).await? {
            seen.push(&piece);
        }
        Ok(())
    }

    /// The next piece of the body, `None` at its proper end; an error if the connection ended before.
    async fn piece(&mut self, seen: &Seen) -> io::Result<Option<Vec<u8>>> {
        if seen.is_complete() {
            return Ok(None);
        }
        if seen
            .all("transfer-encoding")
            .iter()
            .any(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            return self.chunk(seen).await;
        }
        let length: usize = seen
            .all("content-length")
            .first()
            .and_then(|value| value.parse().ok())
            .unwrap_or(0);
        let missing = length.saturating_sub(seen.body().len());
        if missing == 0 {
            seen.complete();
            return Ok(None);
        }
        if self.buffer.is_empty() && !self.fill().await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let piece = self.buffer.drain(..missing.min(self.buffer.len())).collect();
        Ok(Some(piece))
    }

    async fn chunk(&mut self, seen: &Seen) -> io::Result<Option<Vec<u8>>> {
        let size = self.line().await?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size =
            usize::from_str_radix(size, 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if size == 0 {
            while !self.line().await?.is_empty() {}
            seen.complete();
            return Ok(None);
        }
        while self.buffer.len() < size + 2 {
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let piece = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        Ok(Some(piece))
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn take(&mut self, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Write(bytes) => self.stream.write_all(bytes).await?,
                Step::Repeat(bytes, times) => {
                    for _ in 0..*times {
                        self.stream.write_all(bytes).await?;
                    }
                }
                Step::Wait(time) => tokio::time::sleep(*time).await,
                Step::Gate(gate) => self.unless_gone(gate.pass()).await?,
                Step::Park => self.unless_gone(std::future::pending()).await?,
            }
        }
        Ok(())
    }

    /// Waits for `wait`, and notices when the other side goes away meanwhile.
    async fn unless_gone(&mut self, wait: impl Future<Output = ()>) -> io::Result<()> {
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return Ok(()),
                more = self.stream.read_buf(&mut self.buffer) => if more? == 0 {
                    return Err(io::ErrorKind::BrokenPipe.into());
                },
            }
        }
    }

    async fn echo(&mut self, seen: &Seen, script: &Script) -> io::Result<()> {
        let headers: Vec<[&str; 2]> = seen.headers().map(|(name, value)| [name, value]).collect();
        let body = String::from_utf8_lossy(&seen.body()).into_owned();
        let json = serde_json::json!({ "line": seen.line(), "headers": headers, "body": body }).to_string();
        let extra = script.extra_headers();
        let length = json.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{extra}\r\n"
        );
        self.stream.write_all(head.as_bytes()).await?;
        if seen.method() != "HEAD" {
            self.stream.write_all(json.as_bytes()).await?;
        }
        Ok(())
    }

    async fn echo_body(&mut self, seen: &Seen, script: &Script) -> io::Result<()> {
        let extra = script.extra_headers();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n{extra}\r\n"
        );
        self.stream.write_all(head.as_bytes()).await?;
        while let Some(piece) = self.piece(seen).await? {
            seen.push(&piece);
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(&piece);
            chunk.extend_from_slice(b"\r\n");
            self.stream.write_all(&chunk).await?;
        }
        self.stream.write_all(b"0\r\n\r\n").await
    }

    async fn websocket(mut self, seen: &Seen, script: &Script) -> io::Result<()> {
        let key = seen
            .all("sec-websocket-key")
            .first()
            .copied()
            .unwrap_or_default()
            .to_owned();
        let accept = derive_accept_key(key.as_bytes());
        let extra = script.extra_headers();
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n"
        );
        self.stream.write_all(head.as_bytes()).await?;
        let mut socket =
            WebSocketStream::from_partially_read(self.stream, self.buffer, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}
