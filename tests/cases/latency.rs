//! How long a session's end takes, from the write in Redis: until its streams are closed, and until it is refused, on
//! one gateway and on several. The figures are printed; the bounds are for a machine that is busy with something else.
//!
//! `HIVEMATRIX_MEASURE=1 cargo test --workspace --test cases -- latency --nocapture --test-threads 1` shows them; `benches/README.md` says
//! what they were where.

use std::time::{Duration, Instant};

use hivematrix_gateway::Running;
use hivematrix_tests::{Client, Script, Stack, takes_at_most};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The measurement opens 2,000 streams; beside all other cases, on a machine that is busy with them, a fifth of that.
fn streams(measured: usize) -> usize {
    match std::env::var_os("HIVEMATRIX_MEASURE") {
        Some(_) => measured,
        None => measured / 5,
    }
}

/// What a machine may take that does many other things.
const BOUND: Duration = Duration::from_secs(2);

/// The 50th and the 99th percentile, and the longest.
fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration, Duration) {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    (at(50), at(99), at(100))
}

fn report(what: &str, times: Vec<Duration>, bound: Duration) {
    let count = times.len();
    let (p50, p99, longest) = percentiles(times);
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    eprintln!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms ({count} measured)",
        ms(p50),
        ms(p99),
        ms(longest)
    );
    assert!(p99 < bound, "{what}: p99 {p99:?}");
}

const SOCKET: &str = "GET /echo/socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const EVENTS: &str = "GET /echo/events HTTP/1.1\r\nAccept: text/event-stream\r\n";

/// A text frame of a client's, masked with zeros.
const HI: &[u8] = b"\x81\x82\0\0\0\0hi";

/// What a close frame with the code 1008 begins with, behind its length.
const POLICY: [u8; 2] = 1008_u16.to_be_bytes();

/// Open streams, half of them WebSockets, and a thread that does nothing but note when each has ended: the figures are
/// to hold as little as possible of what clients do.
struct Watched {
    count: usize,
    thread: std::thread::JoinHandle<Vec<(Instant, Vec<u8>)>>,
}

impl Watched {
    async fn begin(open: Vec<TcpStream>) -> Self {
        let count = open.len();
        let open = open
            .into_iter()
            .map(|stream| stream.into_std().expect("a socket"));
        let open: Vec<_> = open.collect();
        let (ready, watching) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut ends = JoinSet::new();
                for stream in open {
                    let mut stream = TcpStream::from_std(stream).expect("a socket");
                    ends.spawn(async move {
                        stream.readable().await.expect("a socket");
                        let ended = Instant::now();
                        let mut rest = Vec::new();
                        let _ = stream.read_to_end(&mut rest).await;
                        (ended, rest)
                    });
                }
                // Behind those tasks, which have all begun to wait by then.
                tokio::task::yield_now().await;
                let _ = ready.send(());
                ends.join_all().await
            })
        });
        watching.await.expect("a thread that watches");
        Self { count, thread }
    }

    /// How long after `began` each has ended, once all have.
    async fn ended(self, began: Instant) -> Vec<Duration> {
        let Self { count, thread } = self;
        let ends = tokio::task::spawn_blocking(move || thread.join());
        let ends = ends.await.expect("a thread").expect("every stream ends");
        let told = ends.iter().filter(|(_, rest)| rest.get(2..4) == Some(&POLICY));
        assert_eq!(told.count(), count / 2, "every WebSocket is told 1008");
        let times = ends.into_iter().map(|(ended, _)| ended);
        times
            .map(|ended| ended.saturating_duration_since(began))
            .collect()
    }
}

/// A stack with several gateways on one Redis, in one process.
struct Several {
    stack: Stack,
    others: Vec<Running>,
}

impl Several {
    async fn start(gateways: usize) -> Self {
        let stack = Stack::builder()
            .configure(|config| {
                config.limits.requests_per_minute = 0;
                config.limits.requests_per_hour = 0;
                config.limits.connections_per_address = 0;
            })
            .start()
            .await;
        stack.echo.on("/socket", Script::websocket());
        let events = Script::chunked("text/event-stream").chunk("data: one\n\n").park();
        stack.echo.on("/events", events);
        let mut others = Vec::new();
        for _ in 1..gateways {
            others.push(stack.another_gateway().await.0);
        }
        Self { stack, others }
    }

    fn gateways(&self) -> impl Iterator<Item = &Running> {
        std::iter::once(self.stack.gateway()).chain(&self.others)
    }

    /// Opens a WebSocket and an event stream at each gateway, `each` times.
    async fn streams(&self, client: &Client, each: usize) -> Watched {
        let mut open = Vec::new();
        for gateway in self.gateways() {
            for _ in 0..each {
                open.push(self.open(gateway, client, SOCKET, Some(HI), b"\x81\x02hi").await);
                open.push(self.open(gateway, client, EVENTS, None, b"data: one\n\n").await);
            }
        }
        Watched::begin(open).await
    }

    /// Opens one by hand, says something, and waits for what comes back.
    async fn open(
        &self,
        gateway: &Running,
        client: &Client,
        asked: &str,
        said: Option<&[u8]>,
        expected: &[u8],
    ) -> TcpStream {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("a gateway");
        stream.set_nodelay(true).expect("a socket");
        let (host, origin) = (self.stack.authority(), client.origin_text());
        let cookie = client.cookie_header("/echo/socket");
        let head = format!("{asked}Host: {host}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let (mut came, mut said) = (Vec::new(), said);
        while !came.windows(expected.len()).any(|bytes| bytes == expected) {
            let more = takes_at_most(BOUND * 5, "the stream begins", stream.read_buf(&mut came)).await;
            let text = String::from_utf8_lossy(&came);
            assert!(more.expect("it answers") > 0, "it ended: {text}");
            if came.windows(4).any(|bytes| bytes == b"\r\n\r\n")
                && let Some(said) = said.take()
            {
                stream.write_all(said).await.expect("it reads");
            }
        }
        stream
    }

    /// Revokes the session of a client as the Python Core does; the moment before the write.
    async fn revoke(&self, client: &Client) -> Instant {
        let session = self.stack.session_of(client).await;
        let mut record = self.stack.record_of(&session).await.expect("a session");
        record.revoked = true;
        let json = serde_json::to_string(&record).expect("JSON");
        let began = Instant::now();
        self.stack.redis.set_keeping_ttl(&session.key(), &json).await;
        began
    }
}

const PEOPLE: [&str; 4] = ["admin", "technician", "billing", "client"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_open_streams_on_four_gateways_those_of_a_revoked_session_are_closed_at_once() {
    let several = Several::start(4).await;
    let mut sessions = Vec::new();
    for number in 0..50 {
        let client = several.stack.signed_in(PEOPLE[number % 4]).await;
        let open = several.streams(&client, streams(5)).await;
        sessions.push((client, open));
    }
    let open: usize = sessions.iter().map(|(_, streams)| streams.count).sum();
    assert_eq!(open, 50 * 8 * streams(5));
    let mut times = Vec::new();
    for (client, streams) in sessions {
        let began = several.revoke(&client).await;
        times.extend(streams.ended(began).await);
    }
    report(
        &format!("{open} streams, 4 gateways, 50 sessions revoked one by one"),
        times,
        BOUND,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_with_many_streams_on_four_gateways_is_closed_whole() {
    let several = Several::start(4).await;
    let client = several.stack.signed_in("technician").await;
    let open = several.streams(&client, streams(250)).await;
    let began = several.revoke(&client).await;
    report(
        "all streams of one session, 4 gateways",
        open.ended(began).await,
        BOUND,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_session_is_refused_at_once_on_one_two_and_four_gateways() {
    for gateways in [1, 2, 4] {
        let several = Several::start(gateways).await;
        let mut times = Vec::new();
        for number in 0..25 {
            let client = several.stack.signed_in(PEOPLE[number % 4]).await;
            let here: Vec<_> = several
                .gateways()
                .map(|gateway| client.with_gateway(gateway.address()))
                .collect();
            for client in &here {
                assert_eq!(client.fetch("/plain/x").await.status, 200);
            }
            let began = several.revoke(&client).await;
            let mut asking = JoinSet::new();
            for client in here {
                asking.spawn(async move {
                    // A request that is under way when its session ends is broken off.
                    while let Ok(answer) = client.script("GET", "/plain/x").try_send().await {
                        if answer.status == 401 {
                            break;
                        }
                    }
                    Instant::now()
                });
            }
            let refused = asking.join_all().await;
            times.extend(
                refused
                    .into_iter()
                    .map(|refused| refused.saturating_duration_since(began)),
            );
        }
        let what = format!("refused at the next request, {gateways} gateway(s)");
        report(&what, times, BOUND);
    }
}
