//! The feed of changes from a real Redis: whoever changes a session, every subscriber hears of it, or hears that it no longer hears.

use std::time::Duration;

use hivematrix_platform::{Change, Changes, RedisStore, Store};

use crate::support::eventually;
use crate::support::redis_server::{RedisServer, quick};
use crate::support::relay::Relay;

async fn next(changes: &mut Changes) -> Change {
    tokio::time::timeout(Duration::from_secs(3), changes.next())
        .await
        .expect("nothing was announced")
}

#[tokio::test]
async fn a_set_by_another_client_is_announced() {
    let server = RedisServer::start().await;
    let store = server.store().await;
    let mut changes = store.changes();
    let mut python = server.client().await;
    redis::cmd("SETEX")
        .arg("session:x")
        .arg(3600)
        .arg("{}")
        .exec_async(&mut python)
        .await
        .unwrap();
    assert_eq!(next(&mut changes).await, Change::Key("session:x".into()));
    redis::cmd("UNLINK")
        .arg("session:x")
        .exec_async(&mut python)
        .await
        .unwrap();
    assert_eq!(next(&mut changes).await, Change::Key("session:x".into()));
}

#[tokio::test]
async fn many_changes_at_once_are_announced_one_by_one() {
    let server = RedisServer::start().await;
    let store = server.store().await;
    let mut changes = store.changes();
    let mut pipe = redis::pipe();
    for number in 0..1000 {
        pipe.cmd("SET").arg(format!("session:{number}")).arg("1");
    }
    pipe.exec_async(&mut server.client().await).await.unwrap();
    let mut heard = std::collections::HashSet::new();
    while heard.len() < 1000 {
        heard.insert(next(&mut changes).await);
    }
    assert!(heard.contains(&Change::Key("session:999".into())) && !heard.contains(&Change::Everything));
}

#[tokio::test]
async fn a_flush_announces_everything() {
    let server = RedisServer::start().await;
    let store = server.store().await;
    for command in ["FLUSHDB", "FLUSHALL"] {
        store
            .put("hm:session:x", b"1", Duration::from_secs(60))
            .await
            .unwrap();
        let mut changes = store.changes();
        redis::cmd(command)
            .exec_async(&mut server.client().await)
            .await
            .unwrap();
        eventually("everything is announced", async || {
            next(&mut changes).await == Change::Everything
        })
        .await;
        assert_eq!(store.get("hm:session:x").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_lost_connection_ends_the_epoch_and_a_new_one_has_a_new_number() {
    let server = RedisServer::start().await;
    let relay = Relay::to(server.port).await;
    let store = RedisStore::connect(&relay.url(), quick()).await.unwrap();
    let mut changes = store.changes();
    let mut epochs = vec![store.feed_epoch().unwrap()];
    for _ in 0..3 {
        relay.cut();
        eventually("the epoch ends", async || store.feed_epoch().is_none()).await;
        assert_eq!(next(&mut changes).await, Change::Everything);
        relay.heal();
        eventually("an epoch begins", async || store.feed_epoch().is_some()).await;
        assert_eq!(next(&mut changes).await, Change::Everything);
        epochs.push(store.feed_epoch().unwrap());
    }
    assert!(
        epochs.is_sorted_by(|earlier, later| earlier < later),
        "{epochs:?}"
    );
    store
        .put("session:x", b"1", Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(
        next(&mut changes).await,
        Change::Key("session:x".into()),
        "the new connection announces too"
    );
}

#[tokio::test]
async fn a_feed_that_falls_silent_is_noticed() {
    let server = RedisServer::start().await;
    let relay = Relay::to(server.port).await;
    let store = RedisStore::connect(&relay.url(), quick()).await.unwrap();
    let before = store.feed_epoch().unwrap();
    relay.stall();
    let stalled = std::time::Instant::now();
    eventually("the epoch ends", async || store.feed_epoch().is_none()).await;
    assert!(
        stalled.elapsed() < quick().heartbeat + quick().command_timeout + Duration::from_millis(300),
        "{:?}",
        stalled.elapsed()
    );
    relay.heal();
    eventually("an epoch begins", async || store.feed_epoch().is_some()).await;
    assert!(store.feed_epoch().unwrap() > before);
}

#[tokio::test]
async fn a_killed_tracking_connection_ends_the_epoch_at_once() {
    let server = RedisServer::start().await;
    let settings = hivematrix_platform::RedisSettings {
        heartbeat: Duration::from_secs(3600),
        ..quick()
    };
    let store = RedisStore::connect(&server.url(), settings).await.unwrap();
    let before = store.feed_epoch().unwrap();
    // The first heartbeat has passed; the next one is an hour off.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut changes = store.changes();
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("SKIPME")
        .arg("yes")
        .arg("TYPE")
        .arg("normal")
        .exec_async(&mut server.client().await)
        .await
        .unwrap();
    assert_eq!(next(&mut changes).await, Change::Everything);
    eventually("another epoch begins", async || {
        store.feed_epoch().is_some_and(|epoch| epoch > before)
    })
    .await;
}

#[tokio::test]
async fn a_demoted_master_is_not_believed_any_more() {
    let (server, other) = (RedisServer::start().await, RedisServer::start().await);
    let store = server.store().await;
    store
        .put("session:x", b"1", Duration::from_secs(60))
        .await
        .unwrap();
    let mut operator = server.client().await;
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(other.port)
        .exec_async(&mut operator)
        .await
        .unwrap();
    eventually("the epoch ends", async || store.feed_epoch().is_none()).await;
    eventually("commands are refused", async || {
        store.get("session:x").await.is_err()
    })
    .await;
    redis::cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .exec_async(&mut operator)
        .await
        .unwrap();
    eventually("an epoch begins", async || store.feed_epoch().is_some()).await;
    eventually("commands are accepted", async || store.ping().await.is_ok()).await;
}

#[tokio::test]
async fn a_dropped_store_leaves_no_connection_behind() {
    let server = RedisServer::start().await;
    let store = server.store().await;
    store.ping().await.unwrap();
    let mut operator = server.client().await;
    let count = async |operator: &mut redis::aio::MultiplexedConnection| {
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query_async(operator)
            .await
            .unwrap();
        list.matches("lib-name=hivematrix")
            .count()
            .max(list.lines().count() - 1)
    };
    assert_eq!(
        count(&mut operator).await,
        2,
        "one for commands, one for the feed"
    );
    drop(store);
    eventually("both are closed", async || count(&mut operator).await == 0).await;
}
