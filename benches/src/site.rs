//! A whole gateway on loopback, with one backend behind two services that differ in one thing: the pages of one are
//! composed. A user is signed in and has preferences, so nothing is asked that a cache could answer.
//!
//! The backend plays Core and Codex as well. Not responsible for load: one connection, one request at a time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hivematrix_gateway::config::{Codex, Composed, Config, Core, Origin, Provider, Service, Upstream};
use hivematrix_gateway::{Builder, Running};
use hivematrix_platform::ServiceName;
use tokio::runtime::Runtime;

use crate::sessions::World;

/// Where the service is whose pages are composed.
pub const COMPOSED: &str = "/composed/";
/// Where the service is whose pages pass as they are.
pub const UNTOUCHED: &str = "/untouched/";

/// The gateway and what it needs; ends with the value.
pub struct Site {
    gateway: Running,
    cookie: String,
    _runtime: Runtime,
}

impl Site {
    /// A site whose backend answers everything with this page.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn of(page: &Bytes) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (gateway, cookie) = runtime.block_on(started(page));
        Self {
            gateway,
            cookie,
            _runtime: runtime,
        }
    }

    /// A browser's connection to it, which is kept.
    ///
    /// # Panics
    /// If there is none to be had.
    #[must_use]
    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.gateway.address()).expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        Connection {
            stream,
            seen: vec![0; 1 << 20],
            cookie: self.cookie.clone(),
        }
    }
}

async fn started(page: &Bytes) -> (Running, String) {
    let world = World::new().await;
    let backend = backend(&world, page.clone());
    let at = format!("http://{backend}");
    let url = || at.parse().expect("a URL");
    let service = |name: &str, composition| Service {
        composition,
        ..Service::new(
            ServiceName::parse(name).expect("a name"),
            Upstream::parse(&at).expect("an address"),
        )
    };
    let mut config = Config::minimal(
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        Origin::parse("http://localhost:8000").expect("an origin"),
        Provider::new(url(), "secret".to_owned().into()),
        Core::new(url()),
    );
    config.admin.listen = None;
    config.codex = Some(Codex::new(url()));
    (config.limits.requests_per_minute, config.limits.requests_per_hour) = (0, 0);
    for (name, composition) in [
        ("composed", Composed::On),
        ("untouched", Composed::Off),
        ("codex", Composed::On),
        ("ledger", Composed::On),
        ("helm", Composed::On),
    ] {
        config.services.push(service(name, composition));
    }
    let handle = world.browsers(1).await.remove(0);
    let builder = Builder::new(config)
        .store(world.store.clone())
        .sealing_keys(world.sealing.clone());
    let gateway = builder.start().await.expect("a gateway");
    (gateway, format!("__Host-hivematrix={}", handle.encode()))
}

/// A backend that answers as fast as can be: a thread for each connection, the answer made beforehand.
fn backend(world: &World, page: Bytes) -> SocketAddr {
    let (keys, token) = world.authority.answers();
    let json = |body: &str| answer("application/json", body.as_bytes());
    let answers: Arc<[(&str, Vec<u8>)]> = Arc::new([
        ("/.well-known/jwks.json", json(&keys)),
        ("/service-token", json(&token)),
        (
            "/api/public/user/",
            json(r#"{"theme":"dark","color_theme":"blue"}"#),
        ),
        ("/", answer("text/html; charset=utf-8", &page)),
    ]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = answers.clone();
            std::thread::spawn(move || serve(stream, &answers));
        }
    });
    address
}

fn answer(content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Until the other side has enough.
fn serve(mut stream: TcpStream, answers: &[(&str, Vec<u8>)]) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let (_, answer) = answers.iter().find(|(start, _)| path.starts_with(start))?;
        stream.write_all(answer).ok()?;
    }
}

/// A browser's connection.
pub struct Connection {
    stream: TcpStream,
    seen: Vec<u8>,
    cookie: String,
}

/// A page that came.
pub struct Came {
    /// From sending the request to having the first byte behind the answer's head.
    pub first_byte: Duration,
    /// From sending the request to having all of it.
    pub whole: Duration,
    /// Bytes of the answer, head included.
    pub length: usize,
    /// Whether the panel is in it; not to be seen in a packed page.
    pub has_panel: bool,
}

impl Connection {
    /// Navigates to a path; `coding` is what the browser accepts.
    ///
    /// # Panics
    /// If the answer is not a page.
    pub fn navigate(&mut self, path: &str, coding: &str) -> Came {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:8000\r\nAccept: text/html\r\nAccept-Encoding: {coding}\r\n\
             Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: same-origin\r\nCookie: {}\r\n\r\n",
            self.cookie
        );
        let began = Instant::now();
        self.stream
            .write_all(request.as_bytes())
            .expect("a connection that is kept");
        let (mut filled, mut head, mut first_byte) = (0, None, None);
        loop {
            let read = self.stream.read(&mut self.seen[filled..]).expect("an answer");
            assert!(read > 0, "the answer breaks off");
            filled += read;
            let seen = &self.seen[..filled];
            let ends = |seen: &[u8]| seen.windows(4).position(|four| four == b"\r\n\r\n");
            head = head.or_else(|| ends(seen).map(|at| at + 4));
            let Some(head) = head.filter(|head| filled > *head) else {
                continue;
            };
            let first_byte = *first_byte.get_or_insert_with(|| began.elapsed());
            if is_whole(&seen[..head], &seen[head..]) {
                let whole = began.elapsed();
                assert!(
                    seen.starts_with(b"HTTP/1.1 200"),
                    "{}",
                    String::from_utf8_lossy(seen)
                );
                let has_panel = seen.windows(10).any(|ten| ten == b"side-panel");
                return Came {
                    first_byte,
                    whole,
                    length: filled,
                    has_panel,
                };
            }
        }
    }
}

/// Whether the body has come to its end, by its length or by its last chunk.
fn is_whole(head: &[u8], body: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    match head.split("content-length:").nth(1) {
        Some(rest) => {
            let length = rest.split("\r\n").next().unwrap_or_default().trim();
            length.parse() == Ok(body.len())
        }
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages;

    #[test]
    fn one_service_is_composed_and_the_other_is_not() {
        let page = pages::dashboard();
        let site = Site::of(&page.body);
        let mut connection = site.connect();
        for _ in 0..2 {
            let composed = connection.navigate(COMPOSED, "identity");
            assert!(composed.has_panel && composed.length > page.body.len() + 1_000);
            let untouched = connection.navigate(UNTOUCHED, "identity");
            assert!(!untouched.has_panel && untouched.length < page.body.len() + 1_000);
            assert!(connection.navigate(COMPOSED, "zstd").length < page.body.len() / 2);
        }
    }
}
