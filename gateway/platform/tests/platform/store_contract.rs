//! One contract, every store: what a caller of `Store` may rely on, whichever it was given.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Change, Changes, MemoryStore, Store};

use crate::support::eventually;
use crate::support::redis_server::RedisServer;

const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(150);

/// Each case runs against each store.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $case() { super::$case(std::sync::Arc::new(super::MemoryStore::default())).await; })*
        }
        mod redis {
            $(#[tokio::test] async fn $case() {
                let server = super::RedisServer::start().await;
                super::$case(std::sync::Arc::new(server.store().await)).await;
            })*
        }
    };
}

contract! {
    what_was_put_is_there_until_it_is_deleted,
    any_bytes_are_kept_as_they_are,
    many_keys_are_read_in_their_order,
    values_expire,
    the_shortest_life_is_a_millisecond_and_no_error,
    put_new_never_overwrites,
    of_many_that_put_new_one_wins,
    of_many_that_take_one_gets_the_value,
    replace_compares_and_keeps_the_time_to_live,
    of_many_that_replace_one_wins,
    replace_for_compares_and_sets_the_time_to_live,
    expire_prolongs_and_shortens_what_exists,
    keys_are_found_by_their_prefix,
    the_store_answers_a_ping,
    changes_of_sessions_are_announced_to_every_subscriber,
    expiry_is_announced,
    other_keys_are_not_announced,
    an_epoch_is_live_and_stays,
}

async fn text(store: &Arc<impl Store>, key: &str) -> Option<String> {
    store
        .get(key)
        .await
        .unwrap()
        .map(|value| String::from_utf8(value).unwrap())
}

async fn what_was_put_is_there_until_it_is_deleted(store: Arc<impl Store>) {
    assert_eq!(store.get("k").await.unwrap(), None);
    store.put("k", b"1", MINUTE).await.unwrap();
    store.put("k", b"2", MINUTE).await.unwrap();
    assert_eq!(text(&store, "k").await.as_deref(), Some("2"));
    assert!(store.delete("k").await.unwrap());
    assert!(!store.delete("k").await.unwrap());
    assert_eq!(store.get("k").await.unwrap(), None);
}

async fn any_bytes_are_kept_as_they_are(store: Arc<impl Store>) {
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    store.put("k", &bytes, MINUTE).await.unwrap();
    store.put("empty", b"", MINUTE).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(bytes));
    assert_eq!(store.get("empty").await.unwrap(), Some(Vec::new()));
}

async fn many_keys_are_read_in_their_order(store: Arc<impl Store>) {
    store.put("a", b"1", MINUTE).await.unwrap();
    store.put("c", b"3", MINUTE).await.unwrap();
    let values = store.get_many(&["c", "b", "a", "c"]).await.unwrap();
    assert_eq!(
        values,
        [
            Some(b"3".to_vec()),
            None,
            Some(b"1".to_vec()),
            Some(b"3".to_vec())
        ]
    );
    assert_eq!(store.get_many(&[]).await.unwrap(), Vec::<Option<Vec<u8>>>::new());
}

async fn values_expire(store: Arc<impl Store>) {
    store.put("short", b"1", SOON).await.unwrap();
    store.put("long", b"1", MINUTE).await.unwrap();
    assert!(text(&store, "short").await.is_some());
    tokio::time::sleep(SOON + Duration::from_millis(20)).await;
    assert_eq!(text(&store, "short").await, None);
    assert!(!store.delete("short").await.unwrap());
    assert!(!store.replace("short", b"1", b"2").await.unwrap());
    assert!(
        !store.expire("short", MINUTE).await.unwrap(),
        "what has expired does not come back"
    );
    assert_eq!(store.take("short").await.unwrap(), None);
    assert!(text(&store, "long").await.is_some());
}

async fn the_shortest_life_is_a_millisecond_and_no_error(store: Arc<impl Store>) {
    store.put("k", b"1", Duration::ZERO).await.unwrap();
    assert!(store.put_new("l", b"1", Duration::from_nanos(1)).await.unwrap());
    store.put("m", b"1", MINUTE).await.unwrap();
    assert!(store.expire("m", Duration::ZERO).await.unwrap());
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(
        store.get_many(&["k", "l", "m"]).await.unwrap(),
        [None, None, None]
    );
}

async fn put_new_never_overwrites(store: Arc<impl Store>) {
    assert!(store.put_new("k", b"1", SOON).await.unwrap());
    assert!(!store.put_new("k", b"2", MINUTE).await.unwrap());
    assert_eq!(text(&store, "k").await.as_deref(), Some("1"));
    tokio::time::sleep(SOON + Duration::from_millis(20)).await;
    assert!(
        store.put_new("k", b"3", MINUTE).await.unwrap(),
        "the loser has not prolonged the winner's life"
    );
}

/// Runs the work thirty-two times at once and counts how often it answered yes.
async fn winners<F: Future<Output = bool> + Send + 'static>(work: impl Fn(usize) -> F) -> usize {
    let tasks: Vec<_> = (0..32).map(|number| tokio::spawn(work(number))).collect();
    let mut count = 0;
    for task in tasks {
        count += usize::from(task.await.unwrap());
    }
    count
}

async fn of_many_that_put_new_one_wins(store: Arc<impl Store>) {
    let put = |number: usize| {
        let store = Arc::clone(&store);
        async move {
            store
                .put_new("k", number.to_string().as_bytes(), MINUTE)
                .await
                .unwrap()
        }
    };
    assert_eq!(winners(put).await, 1);
}

async fn of_many_that_take_one_gets_the_value(store: Arc<impl Store>) {
    store.put("k", b"1", MINUTE).await.unwrap();
    let take = |_| {
        let store = Arc::clone(&store);
        async move { store.take("k").await.unwrap().is_some_and(|value| value == b"1") }
    };
    assert_eq!(winners(take).await, 1);
    assert_eq!(store.get("k").await.unwrap(), None);
}

async fn replace_compares_and_keeps_the_time_to_live(store: Arc<impl Store>) {
    assert!(
        !store.replace("k", b"", b"1").await.unwrap(),
        "nothing is not the empty value"
    );
    store.put("k", b"1", SOON).await.unwrap();
    assert!(!store.replace("k", b"0", b"2").await.unwrap());
    assert_eq!(text(&store, "k").await.as_deref(), Some("1"));
    assert!(store.replace("k", b"1", b"2").await.unwrap());
    assert_eq!(text(&store, "k").await.as_deref(), Some("2"));
    tokio::time::sleep(SOON + Duration::from_millis(20)).await;
    assert_eq!(store.get("k").await.unwrap(), None);
}

async fn of_many_that_replace_one_wins(store: Arc<impl Store>) {
    store.put("k", b"old", MINUTE).await.unwrap();
    let replace = |number: usize| {
        let store = Arc::clone(&store);
        async move {
            store
                .replace("k", b"old", number.to_string().as_bytes())
                .await
                .unwrap()
        }
    };
    assert_eq!(winners(replace).await, 1);
}

async fn replace_for_compares_and_sets_the_time_to_live(store: Arc<impl Store>) {
    store.put("k", b"1", MINUTE).await.unwrap();
    assert!(!store.replace_for("k", b"2", b"3", SOON).await.unwrap());
    assert!(!store.replace_for("absent", b"", b"3", SOON).await.unwrap());
    assert!(store.replace_for("k", b"1", b"2", SOON).await.unwrap());
    assert_eq!(text(&store, "k").await.as_deref(), Some("2"));
    assert!(store.replace_for("k", b"2", b"3", MINUTE).await.unwrap());
    tokio::time::sleep(SOON * 2).await;
    assert_eq!(
        text(&store, "k").await.as_deref(),
        Some("3"),
        "it lives longer now"
    );
    assert!(store.replace_for("k", b"3", b"4", SOON).await.unwrap());
    let store = &store;
    eventually("it lives shorter now", async || text(store, "k").await.is_none()).await;
    assert!(
        !store.replace_for("k", b"4", b"5", MINUTE).await.unwrap(),
        "nothing comes back"
    );
}

async fn expire_prolongs_and_shortens_what_exists(store: Arc<impl Store>) {
    assert!(!store.expire("k", MINUTE).await.unwrap());
    store.put("k", b"1", SOON).await.unwrap();
    store.put("l", b"1", MINUTE).await.unwrap();
    assert!(store.expire("k", MINUTE).await.unwrap());
    assert!(store.expire("l", SOON).await.unwrap());
    tokio::time::sleep(SOON + Duration::from_millis(20)).await;
    assert_eq!(
        store.get_many(&["k", "l"]).await.unwrap(),
        [Some(b"1".to_vec()), None]
    );
}

async fn the_store_answers_a_ping(store: Arc<impl Store>) {
    store.ping().await.unwrap();
}

/// The next announced key.
async fn next_key(changes: &mut Changes) -> String {
    let patience = tokio::time::timeout(Duration::from_secs(3), changes.next()).await;
    match patience.expect("nothing was announced") {
        Change::Key(key) => key.to_string(),
        Change::Everything => panic!("everything was announced"),
    }
}

async fn changes_of_sessions_are_announced_to_every_subscriber(store: Arc<impl Store>) {
    let (mut one, mut two) = (store.changes(), store.changes());
    store.put("session:a", b"1", MINUTE).await.unwrap();
    assert_eq!(next_key(&mut one).await, "session:a");
    assert!(store.put_new("hm:session:b", b"1", MINUTE).await.unwrap());
    assert_eq!(next_key(&mut one).await, "hm:session:b");
    assert!(store.replace("session:a", b"1", b"2").await.unwrap());
    assert_eq!(next_key(&mut one).await, "session:a");
    assert!(store.expire("session:a", MINUTE).await.unwrap());
    assert_eq!(next_key(&mut one).await, "session:a");
    assert!(store.delete("session:a").await.unwrap());
    assert_eq!(next_key(&mut one).await, "session:a");
    store.take("hm:session:b").await.unwrap();
    assert_eq!(next_key(&mut one).await, "hm:session:b");
    for expected in ["session:a", "hm:session:b", "session:a"] {
        assert_eq!(next_key(&mut two).await, expected);
    }
}

async fn expiry_is_announced(store: Arc<impl Store>) {
    store.put("session:later", b"1", MINUTE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut changes = store.changes();
    store.put("session:a", b"1", SOON).await.unwrap();
    assert_eq!(next_key(&mut changes).await, "session:a");
    // Nobody touches the key in the meantime.
    assert_eq!(next_key(&mut changes).await, "session:a");
    assert_eq!(store.get("session:a").await.unwrap(), None);
}

async fn keys_are_found_by_their_prefix(store: Arc<impl Store>) {
    for number in 0..2500 {
        store.put(&format!("hm:x:{number}"), b"1", MINUTE).await.unwrap();
    }
    store.put("hm:y:1", b"1", MINUTE).await.unwrap();
    let mut found = store.keys("hm:x:", 10_000).await.unwrap();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 2500);
    assert!(found.iter().all(|key| key.starts_with("hm:x:")));
    assert_eq!(store.keys("hm:y:", 10_000).await.unwrap(), ["hm:y:1"]);
    assert_eq!(store.keys("hm:x:", 10).await.unwrap().len(), 10);
    assert!(store.keys("nothing:", 10).await.unwrap().is_empty());
}

async fn other_keys_are_not_announced(store: Arc<impl Store>) {
    let mut changes = store.changes();
    for key in ["hm:attempt:a", "sessions:a", "hm:", "Session:a", "x session:"] {
        store.put(key, b"1", MINUTE).await.unwrap();
    }
    store.put("session:last", b"1", MINUTE).await.unwrap();
    assert_eq!(next_key(&mut changes).await, "session:last");
}

async fn an_epoch_is_live_and_stays(store: Arc<impl Store>) {
    let epoch = store.feed_epoch().expect("the feed is live");
    store.put("session:a", b"1", MINUTE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    eventually("the feed is live", async || store.feed_epoch().is_some()).await;
    assert_eq!(store.feed_epoch(), Some(epoch));
}
