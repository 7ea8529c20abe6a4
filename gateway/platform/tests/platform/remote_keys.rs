//! Core's key set over HTTP: fetched when needed, seldom, by one for all, and kept while Core is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hivematrix_platform::{Jwks, KeySource, RemoteKeys, http_client};

use crate::support::stub::{Answer, Stub, answer};
use crate::support::{eventually, redis_server::free_port};
use crate::tokens::{key, other_key};

fn both() -> String {
    serde_json::to_string(&Jwks {
        keys: vec![key().jwk(), other_key().jwk()],
    })
    .unwrap()
}

fn one() -> String {
    serde_json::to_string(&Jwks {
        keys: vec![key().jwk()],
    })
    .unwrap()
}

fn keys_of(core: &Stub) -> RemoteKeys {
    RemoteKeys::new(
        http_client::internal().unwrap(),
        core.base.join("/.well-known/jwks.json").unwrap(),
    )
}

#[tokio::test]
async fn many_that_need_a_key_at_once_cause_one_fetch() {
    let core = Stub::start(|_| Answer {
        after: Duration::from_millis(100),
        ..answer(200, one())
    })
    .await;
    let keys = keys_of(&core);
    assert!(keys.at_hand("key-1").is_none());
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let keys = keys.clone();
            tokio::spawn(async move {
                keys.key(if number % 2 == 0 { "key-1" } else { "nobody" })
                    .await
                    .unwrap()
                    .is_some()
            })
        })
        .collect();
    let mut found = 0;
    for task in tasks {
        found += usize::from(task.await.unwrap());
    }
    assert_eq!(found, 25);
    assert_eq!(core.times_asked("GET /.well-known/jwks.json"), 1);
    assert!(keys.at_hand("key-1").is_some());
}

#[tokio::test]
async fn unknown_key_ids_do_not_hammer_core() {
    let core = Stub::start(|_| answer(200, one())).await;
    let keys = keys_of(&core);
    for number in 0..100 {
        assert!(keys.key(&format!("forged-{number}")).await.unwrap().is_none());
    }
    assert_eq!(core.asked().len(), 1);
}

#[tokio::test]
async fn while_core_has_never_answered_keys_are_unavailable_and_soon_after_it_does_they_are_there() {
    let failures = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&failures);
    let core = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => answer(503, ""),
        1 => answer(200, "{\"keys\":[]}"),
        2 => answer(200, "<html>"),
        3 => answer(200, " ".repeat(300_000)),
        _ => answer(200, both()),
    })
    .await;
    let keys = keys_of(&core);
    assert!(keys.key("key-1").await.is_err());
    assert!(
        keys.key("key-1").await.is_err(),
        "told at once, without asking again"
    );
    assert_eq!(core.asked().len(), 1);
    eventually("the keys are there", async || {
        keys.key("key-2").await.is_ok_and(|key| key.is_some())
    })
    .await;
    assert_eq!(failures.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_core_that_is_not_there_is_an_outage_not_an_unknown_key() {
    let url = format!("http://127.0.0.1:{}/", free_port().await)
        .parse()
        .unwrap();
    let keys = RemoteKeys::new(http_client::internal().unwrap(), url);
    assert!(keys.key("key-1").await.is_err());
}
