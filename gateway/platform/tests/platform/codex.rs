//! The client of Codex against servers that answer well, badly, late, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hivematrix_platform::{
    CodexClient, CodexError, ColorTheme, CoreClient, CoreError, Preferences, Theme, http_client,
};

use crate::clients::{core_client, token_answer};
use crate::support::stub::{Answer, Asked, Stub, answer};
use crate::support::{name, redis_server::free_port};

/// Codex and Core in one.
async fn codex_stub(respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Stub, CodexClient) {
    let stub = Stub::start(move |asked| {
        if asked.line.starts_with("POST /service-token") {
            token_answer()
        } else {
            respond(asked)
        }
    })
    .await;
    let client = CodexClient::new(
        http_client::internal().unwrap(),
        stub.base.clone(),
        Arc::new(core_client(&stub)),
    );
    (stub, client)
}

fn dark_blue_ledger(asked: &Asked) -> Answer {
    if asked.line.contains("/theme?") {
        answer(200, r#"{"theme":"dark","color_theme":"blue","source":"agent"}"#)
    } else {
        answer(200, r#"{"home_page":"ledger"}"#)
    }
}

fn dark_blue_ledger_preferences() -> Preferences {
    Preferences {
        theme: Theme::Dark,
        color_theme: ColorTheme::Blue,
        home_page: Some(name("ledger")),
    }
}

#[tokio::test]
async fn preferences_are_loaded_once_with_a_service_token_and_remembered() {
    let (stub, client) = codex_stub(|asked| Answer {
        after: Duration::from_millis(50),
        ..dark_blue_ledger(asked)
    })
    .await;
    assert_eq!(client.cached("a+b@c.d"), None);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.preferences("a+b@c.d").await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(*task.await.unwrap(), dark_blue_ledger_preferences());
    }
    assert_eq!(*client.cached("a+b@c.d").unwrap(), dark_blue_ledger_preferences());
    let mut lines: Vec<String> = stub.asked().into_iter().map(|asked| asked.line).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "GET /api/public/user/home-page?email=a%2Bb%40c.d",
            "GET /api/public/user/theme?email=a%2Bb%40c.d",
            "POST /service-token"
        ]
    );
    let bearer = stub.asked()[1].authorization.clone().unwrap();
    assert!(bearer.starts_with("Bearer ey"), "{bearer}");
}

#[tokio::test]
async fn somebody_whom_codex_does_not_know_or_words_that_we_do_not_know_give_the_defaults() {
    let (_stub, client) = codex_stub(|asked| match asked.line.contains("unknown") {
        true => answer(404, r#"{"error":"Agent not found"}"#),
        false if asked.line.contains("/theme?") => answer(200, r#"{"theme":"sepia","color_theme":7}"#),
        false => answer(200, r#"{"home_page":"../../etc"}"#),
    })
    .await;
    let expected = Preferences {
        theme: Theme::Light,
        color_theme: ColorTheme::Purple,
        home_page: None,
    };
    assert_eq!(*client.preferences("unknown@x").await.unwrap(), expected);
    assert_eq!(*client.preferences("odd@x").await.unwrap(), expected);
    assert_eq!(*client.preferences("").await.unwrap(), expected);
}

#[tokio::test]
async fn forgotten_preferences_are_loaded_again_and_a_load_from_before_is_not_remembered() {
    let slow = Arc::new(AtomicBool::new(true));
    let is_slow = Arc::clone(&slow);
    let (stub, client) = codex_stub(move |asked| match is_slow.load(Ordering::SeqCst) {
        true => Answer {
            after: Duration::from_millis(200),
            ..answer(200, r#"{"theme":"light"}"#)
        },
        false => dark_blue_ledger(asked),
    })
    .await;
    let before = tokio::spawn({
        let client = client.clone();
        async move { client.preferences("a@b").await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.forget("a@b");
    slow.store(false, Ordering::SeqCst);
    assert_eq!(client.preferences("a@b").await.unwrap().theme, Theme::Dark);
    assert_eq!(before.await.unwrap().unwrap().theme, Theme::Light);
    assert_eq!(
        client.cached("a@b").unwrap().theme,
        Theme::Dark,
        "the older answer came later and was not kept"
    );
    client.forget("a@b");
    assert_eq!(client.cached("a@b"), None);
    client.preferences("a@b").await.unwrap();
    assert_eq!(stub.times_asked("GET /api/public/user/theme"), 3);
}

#[tokio::test]
async fn a_load_that_outlives_its_page_is_there_for_the_next_one() {
    let (_stub, client) = codex_stub(|asked| Answer {
        after: Duration::from_millis(200),
        ..dark_blue_ledger(asked)
    })
    .await;
    let impatient = tokio::time::timeout(Duration::from_millis(20), client.preferences("a@b")).await;
    assert!(impatient.is_err());
    crate::support::eventually("the preferences are there", async || {
        client.cached("a@b").is_some()
    })
    .await;
}

#[tokio::test]
async fn while_codex_is_silent_one_waits_and_the_others_are_told_at_once() {
    let (stub, client) = codex_stub(|_| Answer {
        after: Duration::from_secs(60),
        ..answer(200, "{}")
    })
    .await;
    let asked = Instant::now();
    assert_eq!(client.preferences("a@b").await.unwrap_err(), CodexError::TimedOut);
    assert!(
        (1900..2500).contains(&asked.elapsed().as_millis()),
        "{:?}",
        asked.elapsed()
    );
    let asked = Instant::now();
    assert_eq!(client.preferences("c@d").await.unwrap_err(), CodexError::TimedOut);
    assert!(
        asked.elapsed() < Duration::from_millis(50),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(stub.times_asked("GET /api/public/user/theme"), 1);
}

#[tokio::test]
async fn without_core_there_are_no_preferences_and_a_refused_token_is_not_used_again() {
    let refuse = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuse);
    let (stub, client) = codex_stub(move |asked| {
        if refusing.load(Ordering::SeqCst) {
            answer(401, "")
        } else {
            dark_blue_ledger(asked)
        }
    })
    .await;
    assert_eq!(
        client.preferences("a@b").await.unwrap_err(),
        CodexError::Refused(401)
    );
    refuse.store(false, Ordering::SeqCst);
    client.preferences("a@b").await.unwrap();
    assert_eq!(
        stub.times_asked("POST /service-token"),
        2,
        "after the refusal another token was asked for"
    );

    let core = CoreClient::new(
        http_client::internal().unwrap(),
        format!("http://127.0.0.1:{}", free_port().await).parse().unwrap(),
        name("nexus"),
        None,
    );
    let client = CodexClient::new(
        http_client::internal().unwrap(),
        stub.base.clone(),
        Arc::new(core),
    );
    assert!(matches!(
        client.preferences("a@b").await,
        Err(CodexError::Core(CoreError::Unreachable(_)))
    ));
}
