//! What a backend does with a request, written down.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A gate that a script waits at until the case opens it.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// One step of an answer.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Writes these bytes so many times.
    Repeat(Arc<[u8]>, usize),
    /// Pauses.
    Wait(Duration),
    /// Waits for the case.
    Gate(Gate),
    /// Never goes on, until the other side goes away.
    Park,
}

/// What follows the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// The next request on this connection.
    NextRequest,
    /// The end of the connection, whatever the answer had promised.
    Close,
}

/// How a request is dealt with.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// The request is read to its end, then these steps are taken.
    Answer {
        steps: Vec<Step>,
        afterwards: Afterwards,
    },
    /// The steps are taken as soon as the head is there; the body is left where it is.
    AnswerUnread { steps: Vec<Step> },
    /// The request comes back as JSON.
    Echo,
    /// Each piece of the body comes back as soon as it is there.
    EchoBody,
    /// The upgrade is accepted after the steps and messages come back.
    WebSocket { steps: Vec<Step> },
}

/// A script for one path.
///
/// ```
/// # use hivematrix_tests::Script;
/// let page = Script::html("<body><h1>Hello</h1></body>").header("Set-Cookie", "a=b");
/// let slow = Script::chunked("text/plain").chunk("first").wait_ms(50).chunk("second").end();
/// ```
#[derive(Clone, Debug)]
pub struct Script {
    status: u16,
    headers: String,
    pub(super) deed: Deed,
}

impl Script {
    /// Sends the request back as JSON: what a backend without a script does.
    #[must_use]
    pub fn echo() -> Self {
        Self {
            status: 200,
            headers: String::new(),
            deed: Deed::Echo,
        }
    }

    /// Sends each piece of the body back at once, chunked.
    #[must_use]
    pub fn echo_body() -> Self {
        Self {
            status: 200,
            headers: String::new(),
            deed: Deed::EchoBody,
        }
    }

    /// A WebSocket that sends every message back.
    #[must_use]
    pub fn websocket() -> Self {
        Self {
            status: 101,
            headers: String::new(),
            deed: Deed::WebSocket { steps: Vec::new() },
        }
    }

    /// A body of this type with its length.
    #[must_use]
    pub fn text(content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let mut script = Self::status(200).header("Content-Type", content_type);
        script.set_body(body.as_ref());
        script
    }

    /// An HTML page.
    #[must_use]
    pub fn html(body: &str) -> Self {
        Self::text("text/html; charset=utf-8", body)
    }

    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let headers = if status == 204 || status == 304 {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let deed = Deed::Answer {
            steps: Vec::new(),
            afterwards: Afterwards::NextRequest,
        };
        Self {
            status,
            headers: headers.to_owned(),
            deed,
        }
    }

    /// A chunked answer, to be continued with [`Script::chunk`].
    #[must_use]
    pub fn chunked(content_type: &str) -> Self {
        let headers = format!("Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n");
        let deed = Deed::Answer {
            steps: Vec::new(),
            afterwards: Afterwards::Close,
        };
        Self {
            status: 200,
            headers,
            deed,
        }
    }

    /// An answer that promises `length` bytes, to be continued with [`Script::write`].
    #[must_use]
    pub fn promising(content_type: &str, length: usize) -> Self {
        let headers = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
        let deed = Deed::Answer {
            steps: Vec::new(),
            afterwards: Afterwards::Close,
        };
        Self {
            status: 200,
            headers,
            deed,
        }
    }

    /// Exactly these bytes, then the end of the connection.
    #[must_use]
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        let steps = vec![Step::Write(bytes.as_ref().to_vec())];
        Self {
            status: 0,
            headers: String::new(),
            deed: Deed::Answer {
                steps,
                afterwards: Afterwards::Close,
            },
        }
    }

    /// Takes the request and says nothing, ever.
    #[must_use]
    pub fn silent() -> Self {
        Self::raw([]).park()
    }

    /// Takes the request and closes the connection.
    #[must_use]
    pub fn hang_up() -> Self {
        Self::raw([])
    }

    /// With another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With one more header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Then one chunk.
    #[must_use]
    pub fn chunk(self, data: impl AsRef<[u8]>) -> Self {
        self.step(Step::Write(chunk(data.as_ref())))
    }

    /// Then the same chunk so many times; it is kept only once.
    #[must_use]
    pub fn chunk_times(self, data: impl AsRef<[u8]>, times: usize) -> Self {
        self.step(Step::Repeat(chunk(data.as_ref()).into(), times))
    }

    /// Then these bytes.
    #[must_use]
    pub fn write(self, data: impl AsRef<[u8]>) -> Self {
        self.step(Step::Write(data.as_ref().to_vec()))
    }

    /// Then a pause.
    #[must_use]
    pub fn wait_ms(self, milliseconds: u64) -> Self {
        self.step(Step::Wait(Duration::from_millis(milliseconds)))
    }

    /// Then nothing until the case opens the gate.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// Then nothing for ever.
    #[must_use]
    pub fn park(self) -> Self {
        self.step(Step::Park)
    }

    /// Then the last chunk.
    #[must_use]
    pub fn end(mut self) -> Self {
        self = self.step(Step::Write(b"0\r\n\r\n".to_vec()));
        if let Deed::Answer { afterwards, .. } = &mut self.deed {
            *afterwards = Afterwards::NextRequest;
        }
        self
    }

    /// As it is, but without reading the request's body first.
    #[must_use]
    pub fn without_reading(mut self) -> Self {
        if let Deed::Answer { steps, .. } = self.deed {
            self.deed = Deed::AnswerUnread { steps };
        }
        self
    }

    fn step(mut self, step: Step) -> Self {
        match &mut self.deed {
            Deed::Answer { steps, .. } | Deed::AnswerUnread { steps } | Deed::WebSocket { steps } => {
                steps.push(step);
            }
            Deed::Echo | Deed::EchoBody => panic!("an echo has no steps"),
        }
        self
    }

    fn set_body(&mut self, body: &[u8]) {
        self.headers = self.headers.replace("Content-Length: 0\r\n", "");
        self.headers
            .push_str(&format!("Content-Length: {}\r\n", body.len()));
        if let Deed::Answer { steps, .. } = &mut self.deed {
            steps.push(Step::Write(body.to_vec()));
        }
    }

    /// The head of the answer; empty for a raw one.
    pub(super) fn head(&self) -> Vec<u8> {
        if self.status == 0 {
            return Vec::new();
        }
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason());
        format!(
            "HTTP/1.1 {} {}\r\n{}\r\n",
            self.status,
            reason.unwrap_or("Unknown"),
            self.headers
        )
        .into_bytes()
    }

    /// Header lines that the case asked for.
    pub(super) fn extra_headers(&self) -> &str {
        &self.headers
    }
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}
