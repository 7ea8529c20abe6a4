//! How long a session's end takes, from the write in Redis: until its streams are closed, and until it is refused, on
//! one gateway and on several. The figures are printed; the bounds are for a machine that is busy with something else.
//!
//! `HIVEMATRIX_MEASURE=1 cargo test --workspace --test cases -- latency --nocapture --test-threads 1` shows them; `benches/README.md` says
//! what they were where.

use std::time::{Duration, Instant};

use hivematrix_gateway::Running;
use hivematrix_tests::{Client, Script, Stack, WebSocket};
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

    async fn socket(&self, gateway: &Running, client: &Client) -> WebSocket {
        let socket = self
            .stack
            .websocket_at(gateway.address(), client, "/echo/socket")
            .await;
        let mut socket = socket.expect("a WebSocket");
        assert_eq!(socket.says("hello").await, "hello");
        socket
    }

    /// Opens a WebSocket and an event stream at each gateway, `each` times; what is returned yields the moment at which
    /// each has ended.
    async fn streams(&self, client: &Client, each: usize) -> JoinSet<Instant> {
        let mut ends = JoinSet::new();
        for gateway in self.gateways() {
            let here = client.with_gateway(gateway.address());
            for _ in 0..each {
                let mut socket = self.socket(gateway, client).await;
                ends.spawn(async move {
                    let end = socket.ended().await;
                    let ended = Instant::now();
                    assert_eq!(end.map(|(code, _)| code), Some(1008));
                    ended
                });
                let asked = here.get("/echo/events").header("Accept", "text/event-stream");
                let mut events = asked.stream().await;
                assert_eq!(events.text().await, "data: one\n\n");
                ends.spawn(async move {
                    let end = events.chunk().await;
                    let ended = Instant::now();
                    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
                    ended
                });
            }
        }
        ends
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
        let ends = several.streams(&client, streams(5)).await;
        sessions.push((client, ends));
    }
    let open: usize = sessions.iter().map(|(_, ends)| ends.len()).sum();
    assert_eq!(open, 50 * 8 * streams(5));
    let mut times = Vec::new();
    for (client, ends) in sessions {
        let began = several.revoke(&client).await;
        let ended = ends.join_all().await;
        times.extend(
            ended
                .into_iter()
                .map(|ended| ended.saturating_duration_since(began)),
        );
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
    let ends = several.streams(&client, streams(250)).await;
    let began = several.revoke(&client).await;
    let ended = ends.join_all().await;
    let times = ended
        .into_iter()
        .map(|ended| ended.saturating_duration_since(began));
    // All at once it is the processor's time for 2,000 ends, at the gateways and at their clients, that counts.
    report(
        "all streams of one session, 4 gateways",
        times.collect(),
        BOUND * 5,
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
