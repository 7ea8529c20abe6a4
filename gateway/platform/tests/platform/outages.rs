//! Redis down, cut, slow, back: callers are told quickly, and everything works again by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hivematrix_platform::{RedisSettings, RedisStore, Store, StoreError};

use crate::support::eventually;
use crate::support::redis_server::{RedisServer, free_port, quick};
use crate::support::relay::Relay;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_store_may_be_made_before_its_redis() {
    let port = free_port().await;
    let store = RedisStore::lazy(&format!("redis://127.0.0.1:{port}"), quick()).unwrap();
    assert_eq!(store.feed_epoch(), None);
    let asked = Instant::now();
    assert!(matches!(store.get("k").await, Err(StoreError::Unreachable(_))));
    assert!(
        asked.elapsed() < Duration::from_millis(100),
        "{:?}",
        asked.elapsed()
    );
    let _server = RedisServer::start_on(port).await.expect("the port is still free");
    eventually("the store works", async || {
        store.put("k", b"1", MINUTE).await.is_ok()
    })
    .await;
    eventually("the feed is live", async || store.feed_epoch().is_some()).await;
}

#[tokio::test]
async fn a_restart_of_redis_costs_nothing_but_its_own_time() {
    let server = RedisServer::start().await;
    let store = server.store().await;
    store.put("k", b"1", MINUTE).await.unwrap();
    let port = server.stop().await;
    eventually("the outage is noticed", async || store.get("k").await.is_err()).await;
    for _ in 0..20 {
        let asked = Instant::now();
        assert!(matches!(store.get("k").await, Err(StoreError::Unreachable(_))));
        assert!(
            asked.elapsed() < Duration::from_millis(100),
            "{:?}",
            asked.elapsed()
        );
    }
    let _server = RedisServer::start_on(port).await.expect("the port is still free");
    eventually("the store works", async || {
        store.put("k", b"2", MINUTE).await.is_ok()
    })
    .await;
    eventually("the feed is live", async || store.feed_epoch().is_some()).await;
}

#[tokio::test]
async fn an_idle_connection_that_was_cut_is_replaced_before_its_next_use() {
    let server = RedisServer::start().await;
    let relay = Relay::to(server.port).await;
    let store = RedisStore::connect(&relay.url(), quick()).await.unwrap();
    relay.cut();
    eventually("the loss is noticed", async || store.feed_epoch().is_none()).await;
    relay.heal();
    eventually("an epoch begins", async || store.feed_epoch().is_some()).await;
    store.ping().await.expect("the first command after the recovery");
}

/// An administrator's `CLIENT KILL`, a proxy's idle limit, a failover: nobody who only asks is told of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_under_questions_costs_none_of_them_an_answer() {
    let server = RedisServer::start().await;
    let store = Arc::new(server.store().await);
    store.put("k", b"1", MINUTE).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                let mut asked = 0_u32;
                while !done.load(Relaxed) {
                    let known = store.get("k").await;
                    assert_eq!(known.unwrap().as_deref(), Some(&b"1"[..]), "question {asked}");
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    let mut client = server.client().await;
    let mut killed = 0_u32;
    for _ in 0..20 {
        // Not while it is still being replaced: an attempt to connect that fails is an outage.
        tokio::time::sleep(Duration::from_millis(20)).await;
        store.get("k").await.unwrap();
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL")
            .arg("TYPE")
            .arg("normal")
            .arg("SKIPME")
            .arg("yes");
        killed += kill.query_async::<u32>(&mut client).await.unwrap();
    }
    done.store(true, Relaxed);
    assert!(killed >= 20, "{killed} connections were ended");
    for task in asking {
        assert!(task.await.unwrap() > 20, "each asked all the time");
    }
}

#[tokio::test]
async fn while_redis_is_silent_nobody_waits_longer_than_a_command_may_take() {
    let server = RedisServer::start().await;
    let relay = Relay::to(server.port).await;
    let store = RedisStore::connect(&relay.url(), quick()).await.unwrap();
    relay.stall();
    let mut at_once = 0;
    let stalled = Instant::now();
    while stalled.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        store.get("k").await.unwrap_err();
        let waited = asked.elapsed();
        assert!(
            waited < quick().command_timeout + Duration::from_millis(200),
            "{waited:?}"
        );
        at_once += usize::from(waited < Duration::from_millis(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        at_once > 20,
        "most are told at once, not after a timeout each: {at_once}"
    );
    relay.heal();
    eventually("the store works", async || store.ping().await.is_ok()).await;
}

#[tokio::test]
async fn one_slow_moment_is_survived() {
    let server = RedisServer::start().await;
    let store = server.store().await;
    let mut operator = server.client().await;
    let sleep = tokio::spawn(async move {
        redis::cmd("DEBUG")
            .arg("SLEEP")
            .arg("0.2")
            .exec_async(&mut operator)
            .await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.ping().await.expect("slower than usual, but in time");
    // Whether the server permits DEBUG does not matter here.
    let _ = sleep.await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_no_outage_and_is_told_at_the_start() {
    let server = RedisServer::start().await;
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("secret")
        .exec_async(&mut server.client().await)
        .await
        .unwrap();
    let refused = RedisStore::connect(&server.url(), quick()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
    let url = format!("redis://:wrong-password@127.0.0.1:{}", server.port);
    let refused = RedisStore::connect(&url, quick()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)) && !refused.to_string().contains("wrong-password"),
        "{refused:?}"
    );
    let url = format!("redis://:secret@127.0.0.1:{}", server.port);
    RedisStore::connect(&url, quick())
        .await
        .unwrap()
        .ping()
        .await
        .unwrap();
    assert!(matches!(
        RedisStore::lazy("nonsense", quick()),
        Err(StoreError::Refused(_))
    ));
}

#[tokio::test]
async fn connect_tells_when_nobody_is_there() {
    let settings = RedisSettings {
        connect_timeout: Duration::from_millis(200),
        ..quick()
    };
    let error = RedisStore::connect(&format!("redis://127.0.0.1:{}", free_port().await), settings)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn a_replace_counts_only_when_enough_replicas_have_it() {
    let (server, replica) = (RedisServer::start().await, RedisServer::start().await);
    let store = RedisStore::connect(
        &server.url(),
        RedisSettings {
            replicas: 1,
            ..quick()
        },
    )
    .await
    .unwrap();
    store.put("k", b"1", MINUTE).await.unwrap();
    let unconfirmed = store.replace("k", b"1", b"2").await;
    assert!(
        matches!(&unconfirmed, Err(StoreError::Refused(_))),
        "{unconfirmed:?}"
    );
    let mut operator = replica.client().await;
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(server.port)
        .exec_async(&mut operator)
        .await
        .unwrap();
    eventually("the replica confirms", async || {
        store.replace("k", b"2", b"2").await == Ok(true)
    })
    .await;
    assert_eq!(store.replace("k", b"1", b"3").await, Ok(false));
}

#[tokio::test]
async fn the_rights_that_the_readme_names_are_enough() {
    let server = RedisServer::start().await;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let line = readme
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER gateway "));
    let rights = line.expect("the README's line").replace("PASSWORD", "secret");
    let mut operator = server.client().await;
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg("gateway")
        .arg(rights.split_whitespace().collect::<Vec<_>>())
        .exec_async(&mut operator)
        .await
        .unwrap();
    let url = format!("redis://gateway:secret@127.0.0.1:{}", server.port);
    let replicas = RedisSettings {
        replicas: 1,
        ..quick()
    };
    let waits = RedisStore::connect(&url, replicas).await.unwrap();
    waits.put("session:w", b"1", MINUTE).await.unwrap();
    let unconfirmed = waits.replace("session:w", b"1", b"2").await.unwrap_err();
    assert!(
        unconfirmed.to_string().contains("0 of 1 replicas"),
        "it may WAIT: {unconfirmed}"
    );
    let store = RedisStore::connect(&url, quick()).await.unwrap();
    assert!(store.feed_epoch().is_some());
    let mut changes = store.changes();
    assert!(store.put_new("session:a", b"1", MINUTE).await.unwrap());
    store.put("hm:session:a", b"1", MINUTE).await.unwrap();
    assert!(store.replace("session:a", b"1", b"2").await.unwrap());
    assert!(store.expire("session:a", MINUTE).await.unwrap());
    assert!(store.take("session:a").await.unwrap().is_some());
    assert!(store.delete("hm:session:a").await.unwrap());
    assert_eq!(
        store.get_many(&["session:a", "hm:session:a"]).await.unwrap(),
        [None, None]
    );
    changes.next().await;
    assert!(
        matches!(store.get("other").await, Err(StoreError::Refused(_))),
        "and no more than enough"
    );
}
