//! Bytes on a socket, for requests that no HTTP library would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection to the gateway.
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
    authority: String,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The head with its line ends.
    pub head: String,
    /// The body, freed of its chunks.
    pub body: String,
}

impl RawAnswer {
    /// The first value of a header; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.head
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr, authority: &str) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the gateway accepts connections");
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            buffer: Vec::new(),
            authority: authority.to_owned(),
        }
    }

    /// Sends text, with `{host}` replaced by the public origin's authority. Line ends are those of the text.
    ///
    /// # Panics
    /// If the gateway has closed the connection already.
    pub async fn send(&mut self, text: &str) {
        let text = text.replace("{host}", &self.authority);
        self.stream
            .write_all(text.as_bytes())
            .await
            .expect("the gateway reads");
    }

    /// Sends bytes; false if the gateway has closed the connection.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next answer.
    ///
    /// # Panics
    /// If none comes within 10 s.
    pub async fn answer(&mut self) -> RawAnswer {
        match timeout(Duration::from_secs(10), self.read_answer(false)).await {
            Ok(Some(answer)) => answer,
            Ok(None) => panic!(
                "the connection ended without an answer: {:?}",
                String::from_utf8_lossy(&self.buffer)
            ),
            Err(_) => panic!(
                "no answer within 10 s: {:?}",
                String::from_utf8_lossy(&self.buffer)
            ),
        }
    }

    /// The next answer's head; nothing of its body is waited for.
    ///
    /// # Panics
    /// If none comes within 10 s.
    pub async fn answer_head(&mut self) -> RawAnswer {
        let answer = timeout(Duration::from_secs(10), self.read_answer(true)).await;
        answer.ok().flatten().expect("the head of an answer within 10 s")
    }

    /// The next answer, or none if the gateway closes without one.
    ///
    /// # Panics
    /// If neither happens within 10 s.
    pub async fn answer_or_end(&mut self) -> Option<RawAnswer> {
        timeout(Duration::from_secs(10), self.read_answer(false))
            .await
            .expect("an answer or the end within 10 s")
    }

    /// The next answer, or none if the gateway closes without one within this time.
    ///
    /// # Panics
    /// If neither happens.
    pub async fn answer_or_end_within(&mut self, time: Duration) -> Option<RawAnswer> {
        match timeout(time, self.read_answer(false)).await {
            Ok(answer) => answer,
            Err(_) => panic!("neither an answer nor the end of the connection within {time:?}"),
        }
    }

    /// Bytes that come within the time, without waiting for more than that.
    pub async fn bytes_within(&mut self, time: Duration) -> Vec<u8> {
        let _ = timeout(time, async { while self.fill().await {} }).await;
        std::mem::take(&mut self.buffer)
    }

    /// Whatever comes next, or has come already.
    ///
    /// # Panics
    /// If nothing does within 10 s.
    pub async fn some_bytes(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            timeout(Duration::from_secs(10), self.fill())
                .await
                .expect("bytes within 10 s");
        }
        std::mem::take(&mut self.buffer)
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(read) if read > 0)
    }

    async fn read_answer(&mut self, head_only: bool) -> Option<RawAnswer> {
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..at + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                if !head.starts_with("HTTP/1.1 100") {
                    break head;
                }
            } else if !self.fill().await {
                return None;
            }
        };
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let mut answer = RawAnswer {
            status,
            head,
            body: String::new(),
        };
        if !head_only && !matches!(status, 101 | 204 | 304) {
            answer.body = self.body(&answer).await;
        }
        Some(answer)
    }

    async fn body(&mut self, answer: &RawAnswer) -> String {
        let mut body = Vec::new();
        if answer.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            while let Some(chunk) = self.chunk().await.filter(|chunk| !chunk.is_empty()) {
                body.extend(chunk);
            }
        } else {
            let length = answer.header("content-length").parse().unwrap_or(usize::MAX);
            while self.buffer.len() < length && self.fill().await {}
            body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        }
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let at = loop {
            match self.buffer.windows(2).position(|two| two == b"\r\n") {
                Some(at) => break at,
                None if self.fill().await => {}
                None => return None,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..at]).ok()?.trim(), 16).ok()?;
        while self.buffer.len() < at + 2 + size + 2 {
            if !self.fill().await {
                return None;
            }
        }
        let chunk = self.buffer[at + 2..at + 2 + size].to_vec();
        self.buffer.drain(..at + 2 + size + 2);
        Some(chunk)
    }
}
