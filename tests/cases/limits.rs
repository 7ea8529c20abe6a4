//! Every size, count and time has a limit.

use std::time::Duration;

use futures_util::stream;
use hivematrix_tests::{Script, Stack, eventually, takes_at_most};

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_whether_its_length_was_declared_or_not() {
    let stack = Stack::builder()
        .configure(|config| config.limits.body_bytes = 10_000)
        .start()
        .await;
    let client = stack.signed_in("admin").await;
    assert_eq!(
        client
            .script("POST", "/plain/x")
            .body(vec![b'x'; 10_000])
            .send()
            .await
            .status,
        200
    );
    let declared = client
        .script("POST", "/plain/declared")
        .body(vec![b'x'; 10_001])
        .send()
        .await;
    assert_eq!(declared.status, 413, "{declared:?}");
    assert!(
        stack.echo.seen_at("/declared").is_empty(),
        "refused by its length alone"
    );
    let pieces = stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1000])));
    let streamed = client
        .script("POST", "/plain/streamed")
        .body(reqwest::Body::wrap_stream(pieces))
        .send()
        .await;
    assert_eq!(streamed.status, 413, "{streamed:?}");
    assert!(
        stack
            .echo
            .seen_at("/streamed")
            .iter()
            .all(|seen| !seen.is_complete()),
        "never taken for a whole one"
    );
    assert_eq!(client.fetch("/plain/after").await.status, 200);
}

#[tokio::test]
async fn targets_headers_and_cookies_have_limits() {
    let stack = Stack::start().await;
    let client = stack.client();
    let long = "x".repeat(9000);
    assert_eq!(client.fetch(&format!("/echo/{long}")).await.status, 414);
    assert_eq!(client.fetch(&format!("/echo/?q={long}")).await.status, 414);
    let many = (0..101).fold(client.get("/echo/"), |ask, number| {
        ask.header(&format!("X-{number}"), "1")
    });
    assert_eq!(many.send().await.status, 431);
    let large = (0..17).fold(client.get("/echo/"), |ask, number| {
        ask.header(&format!("X-{number}"), &"x".repeat(4000))
    });
    assert_eq!(large.send().await.status, 431);
    assert_eq!(
        client
            .get("/echo/")
            .header("Cookie", &format!("a={}", "x".repeat(17_000)))
            .send()
            .await
            .status,
        431
    );
    let cookies: Vec<String> = (0..65).map(|number| format!("c{number}=1")).collect();
    assert_eq!(
        client
            .get("/echo/")
            .header("Cookie", &cookies.join("; "))
            .send()
            .await
            .status,
        431
    );
    assert_eq!(
        client
            .get("/echo/")
            .header("Cookie", &cookies[..64].join("; "))
            .send()
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused_before_it_fills_the_memory() {
    let stack = Stack::start().await;
    let mut raw = stack.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n").await;
    let line = format!("X-A: {}\r\n", "x".repeat(8000)).into_bytes();
    let mut sent = 0;
    while sent < 4_000_000 && raw.try_send(&line).await {
        sent += line.len();
    }
    let answer = raw.answer_or_end_within(Duration::from_secs(5)).await;
    assert!(
        answer.as_ref().is_none_or(|answer| answer.status >= 400),
        "{answer:?}"
    );
}

#[tokio::test]
async fn too_many_requests_of_one_user_are_429_with_retry_after_and_others_are_served() {
    let stack = Stack::builder()
        .configure(|config| config.limits.requests_per_minute = 30)
        .start()
        .await;
    let client = stack.signed_in("client").await;
    let limited = async || {
        let answer = client.fetch("/plain/x").await;
        (answer.status == 429).then_some(answer)
    };
    let answer = eventually("the limit is reached", limited).await;
    assert!(
        answer.is_problem() && answer.header("retry-after").parse::<u32>().is_ok(),
        "{answer:?}"
    );
    assert!(
        stack.echo.seen_at("/x").len() <= 30,
        "{}",
        stack.echo.seen_at("/x").len()
    );
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let stack = Stack::builder()
        .configure(|config| config.limits.connections_per_address = 4)
        .start()
        .await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut raw = stack.raw().await;
        raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
        assert_eq!(raw.answer().await.status, 200);
        kept.push(raw);
    }
    let mut fifth = stack.raw().await;
    fifth.try_send(b"GET /health HTTP/1.1\r\n\r\n").await;
    assert!(
        fifth.answer_or_end_within(Duration::from_secs(2)).await.is_none(),
        "the fifth is closed"
    );
    drop((kept, fifth));
    let again = async || {
        let mut raw = stack.raw().await;
        raw.try_send(format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", stack.authority()).as_bytes())
            .await;
        raw.answer_or_end().await.filter(|answer| answer.status == 200)
    };
    eventually("there is room again", again).await;
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_given_up() {
    let stack = Stack::builder()
        .configure(|config| {
            config.timeouts.header = Duration::from_millis(300);
            config.timeouts.keepalive = Duration::from_secs(1);
        })
        .start()
        .await;
    let mut raw = stack.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHo").await;
    let answer = takes_at_most(
        Duration::from_secs(4),
        "the connection is closed",
        raw.answer_or_end(),
    )
    .await;
    assert!(
        answer.as_ref().is_none_or(|answer| answer.status == 408),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_slow_head_on_a_kept_connection_has_no_more_time_than_on_a_fresh_one() {
    let stack = Stack::builder()
        .configure(|config| {
            config.timeouts.header = Duration::from_millis(300);
            config.timeouts.keepalive = Duration::from_secs(60);
        })
        .start()
        .await;
    let mut raw = stack.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    tokio::time::sleep(Duration::from_millis(600)).await;
    raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200, "idle time is another matter");
    raw.send("GET /health HTTP/1.1\r\nHo").await;
    takes_at_most(
        Duration::from_secs(4),
        "the connection is closed",
        raw.answer_or_end(),
    )
    .await;
}

#[tokio::test]
async fn who_agrees_on_http2_and_then_says_nothing_or_half_a_word_is_given_up() {
    let stack = Stack::builder()
        .tls()
        .configure(|config| config.timeouts.header = Duration::from_millis(300))
        .start()
        .await;
    for said in [&b""[..], b"PRI * HTTP"] {
        takes_at_most(
            Duration::from_secs(4),
            "the connection is closed",
            stack.http2_that_falls_silent(said),
        )
        .await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let stack = Stack::builder()
        .configure(|config| config.timeouts.keepalive = Duration::from_secs(1))
        .start()
        .await;
    let mut raw = stack.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    assert!(raw.answer_or_end_within(Duration::from_secs(4)).await.is_none());
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let stack = Stack::builder()
        .configure(|config| config.timeouts.client_body = Duration::from_millis(300))
        .start()
        .await;
    stack.echo.on("/slow", Script::echo());
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut raw = stack.raw().await;
    raw.send(&format!(
        "POST /plain/slow HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\nContent-Length: 10\r\n\r\nabc"
    ))
    .await;
    let answer = takes_at_most(
        Duration::from_secs(4),
        "the request is given up",
        raw.answer_or_end(),
    )
    .await;
    assert!(
        answer.as_ref().is_none_or(|answer| answer.status == 408),
        "{answer:?}"
    );
    let freed = async || {
        stack
            .echo
            .seen_at("/slow")
            .first()
            .filter(|seen| !seen.is_complete())
            .map(drop)
    };
    eventually("the backend never takes it for a whole one", freed).await;
}

#[tokio::test]
async fn http_2_streams_beyond_the_limit_wait_or_are_refused() {
    let stack = Stack::builder()
        .tls()
        .configure(|config| config.limits.concurrent_streams = 4)
        .start()
        .await;
    let client = stack.signed_in("admin").await;
    let all = futures_util::future::join_all((0..20).map(|_| client.fetch_owned("/plain/x"))).await;
    assert!(
        all.iter().all(|answer| answer.status == 200),
        "the client keeps to the limit that it was told"
    );
}
