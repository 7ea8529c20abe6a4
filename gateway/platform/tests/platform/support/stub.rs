//! A small HTTP server whose answers a test writes: one function from request to answer, and a record of what was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method, path and query: `GET /x?y=1`.
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) after: Duration,
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        status,
        body: body.into(),
        after: Duration::ZERO,
    }
}

pub(crate) struct Stub {
    pub(crate) base: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub(crate) async fn start(respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (record, respond) = (Arc::clone(&asked), Arc::new(respond));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&record), Arc::clone(&respond)));
            }
        });
        Self { base, asked }
    }

    /// What was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn times_asked(&self, line_start: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.line.starts_with(line_start))
            .count()
    }
}

async fn serve(stream: TcpStream, record: Arc<Mutex<Vec<Asked>>>, respond: Arc<impl Fn(&Asked) -> Answer>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let mut asked = Asked {
        line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: None,
        body: String::new(),
    };
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    asked.body = String::from_utf8(body).unwrap();
    let answer = respond(&asked);
    record.lock().unwrap().push(asked);
    tokio::time::sleep(answer.after).await;
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    // The other side may have lost patience.
    let _ = stream
        .write_all([head.as_bytes(), answer.body.as_bytes()].concat().as_slice())
        .await;
}
