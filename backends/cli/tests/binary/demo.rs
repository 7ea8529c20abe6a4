//! `hivematrix demo`.

use std::path::PathBuf;
use std::time::Duration;

use hivematrix_tests::{Client, Redis};

use super::process::{Binary, Process};

async fn demo(further: &[&str]) -> Process {
    let arguments = [&["demo", "--listen", "127.0.0.1:0"], further].concat();
    Binary::new(&arguments).ready().await
}

/// The certificate that the demo has made.
fn certificate(process: &Process) -> String {
    let files = process.files();
    let file = files
        .iter()
        .find(|file| file.ends_with("tls.crt"))
        .expect("a certificate");
    std::fs::read_to_string(file).unwrap()
}

#[tokio::test]
async fn it_says_ready_when_it_answers_and_ends_at_once_on_ctrl_c() {
    let mut process = demo(&[]).await;
    assert!(process.url.starts_with("http://localhost:"), "{}", process.url);
    let answer = Client::at(&process.url, None).get("/health").send().await;
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (200, Some("healthy"))
    );

    let banner = process.told("Ctrl-C").await;
    for word in [
        &process.url,
        "admin",
        "technician",
        "billing",
        "client",
        "/metrics",
        "Ctrl-C",
    ] {
        assert!(banner.contains(word), "no {word} in {banner}");
    }
    assert!(
        !process.files().is_empty(),
        "its data are in the temporary folder"
    );

    process.signal("INT");
    let (status, took, rest) = process.end().await;
    assert_eq!((status, rest.as_str()), (0, ""), "{}", process.stderr());
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(
        process.files(),
        Vec::<PathBuf>::new(),
        "the temporary folder is removed"
    );
}

#[tokio::test]
async fn metrics_are_where_it_says() {
    let process = demo(&[]).await;
    let banner = process.told("Ctrl-C").await;
    let url = banner
        .split_whitespace()
        .find(|word| word.ends_with("/metrics"))
        .expect("an address")
        .to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("hivematrix_"));
}

#[tokio::test]
async fn everybody_signs_in_with_their_name_and_sees_what_they_may() {
    let process = demo(&[]).await;
    for (name, helm) in [
        ("admin", 200),
        ("technician", 403),
        ("billing", 403),
        ("client", 403),
    ] {
        let client = Client::at(&process.url, None);
        let page = client.login_to(name, "/codex/").await;
        assert_eq!((page.status, page.url.path()), (200, "/codex/"), "{name}");
        let text = page.text();
        assert!(
            text.contains("hivematrix-side-panel") && text.contains("Alder &amp; Finch"),
            "{name}: {text}"
        );
        assert_eq!(
            text.contains("href=\"/helm/\""),
            helm == 200,
            "{name}: the menu follows the door"
        );
        assert_eq!(client.navigate("/helm/").await.status, helm, "{name}");
        assert_eq!(client.navigate("/template/").await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_is_open_does_not_hold_up_the_end_and_what_is_usual_is_not_logged() {
    let mut process = demo(&[]).await;
    let banner = process.told("Ctrl-C").await;
    let client = Client::at(&process.url, None);
    client.login_to("technician", "/template/clock").await;
    let mut left = client.script("GET", "/template/clock/events").stream().await;
    left.until("data:").await;
    drop(left);
    assert_eq!(client.fetch("/nowhere/").await.status, 404);
    let mut stream = client.script("GET", "/template/clock/events").stream().await;
    stream.until("data:").await;

    process.signal("TERM");
    let (status, took, _) = process.end().await;
    assert_eq!(status, 0, "{}", process.stderr());
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(
        process.stderr().trim_end(),
        banner.trim_end(),
        "nothing happened that anybody must know of"
    );
}

#[tokio::test]
async fn with_tls_it_speaks_http_2_with_a_certificate_made_on_the_spot() {
    let mut process = demo(&["--tls"]).await;
    let banner = process.told("Ctrl-C").await;
    assert!(process.url.starts_with("https://localhost:"), "{}", process.url);
    let pem = certificate(&process);
    let client = Client::at(&process.url, Some(&pem));
    let page = client.login_to("client", "/codex/").await;
    assert_eq!((page.status, page.version), (200, reqwest::Version::HTTP_2));
    let by_number = Client::at(&process.url.replace("localhost", "127.0.0.1"), Some(&pem));
    assert_eq!(by_number.get("/health").send().await.status, 200);

    let stranger = Client::at(&process.url, None).get("/health").try_send().await;
    assert!(
        stranger.is_err(),
        "a self-signed certificate is trusted by nobody who was not told to"
    );
    assert_eq!(client.get("/health").send().await.status, 200);
    process.signal("INT");
    assert_eq!(process.end().await.0, 0);
    assert_eq!(
        process.stderr().trim_end(),
        banner.trim_end(),
        "that somebody does not trust us is no error"
    );
}

#[tokio::test]
async fn with_tls_and_without_the_gateway_hears_of_a_logout_at_the_provider() {
    for further in [&[][..], &["--tls"]] {
        let process = demo(further).await;
        let pem = further.first().map(|_| certificate(&process));
        let client = Client::at(&process.url, pem.as_deref());
        client.login_to("technician", "/codex/").await;
        let other = client.another();
        other.login_to("technician", "/codex/").await;
        // Not at the gateway's own door, which would end the session by itself.
        let path = "/keycloak/realms/hivematrix/protocol/openid-connect/logout";
        let page = client.navigate(path).await;
        assert_eq!(
            client.fetch("/codex/").await.status,
            200,
            "only asked: {further:?}"
        );
        client.submit(&page, &[]).await;
        // A request that is under way when its session ends is broken off.
        let ended = async || {
            let answer = client.script("GET", "/codex/").try_send().await;
            answer.is_ok_and(|answer| answer.status == 401).then_some(())
        };
        hivematrix_tests::eventually(&format!("the gateway has heard of it: {further:?}"), ended).await;
        assert_eq!(
            other.fetch("/codex/").await.status,
            200,
            "another browser's session goes on"
        );
        assert!(!process.stderr().contains("WARN"), "{}", process.stderr());
    }
}

#[tokio::test]
async fn beyond_loopback_it_refuses_to_run_without_tls() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let ended = Binary::new(&["demo", "--listen", listen]).ended().await;
        assert_eq!((ended.status, ended.stdout.as_str()), (64, ""));
        assert!(ended.stderr.contains("--tls"), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn beyond_loopback_passwords_are_random_and_printed() {
    let process = Binary::new(&["demo", "--listen", "0.0.0.0:0", "--tls"])
        .ready()
        .await;
    let pem = certificate(&process);
    let banner = process.told("Ctrl-C").await;
    let line = banner
        .lines()
        .find(|line| line.trim_start().starts_with("technician "))
        .expect("a line");
    let password = line.split_whitespace().nth(1).expect("a password");
    assert!(password.len() >= 16, "{line}");

    let client = Client::at(&process.url, Some(&pem));
    let form = client.navigate("/codex/").await;
    assert!(!form.text().contains("password is the name"), "{}", form.text());
    let refused = client
        .submit(&form, &[("username", "technician"), ("password", "technician")])
        .await;
    assert_ne!(refused.url.path(), "/codex/", "the name is no password here");
    let form = client.navigate("/codex/").await;
    let page = client
        .submit(&form, &[("username", "technician"), ("password", password)])
        .await;
    assert_eq!((page.status, page.url.path()), (200, "/codex/"));
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Binary::new(&["demo", "--listen", &address]).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(
        ended
            .stderr
            .starts_with(&format!("hivematrix: {address} is already in use; ")),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn sessions_are_in_the_redis_that_is_named_and_data_in_the_folder() {
    let redis = Redis::start().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("kept");
    let mut process = demo(&["--redis", &redis.url(), "--data", data.to_str().unwrap()]).await;
    let client = Client::at(&process.url, None);
    assert_eq!(client.login_to("billing", "/codex/").await.status, 200);
    assert_eq!(redis.keys("session:*").await.len(), 1, "Core's record");
    assert_eq!(redis.keys("hm:session:*").await.len(), 1, "the gateway's record");
    process.signal("INT");
    process.end().await;
    assert!(data.join("codex.db").exists());
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_one_clear_sentence() {
    let port = hivematrix_tests::free_port();
    let url = format!("redis://127.0.0.1:{port}/0");
    let ended = Binary::new(&["demo", "--listen", "127.0.0.1:0", "--redis", &url])
        .ended()
        .await;
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("--redis"), "{}", ended.stderr);
}
