//! Who is this, and still?

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Handle, ServiceName, SessionId, Store as _, TokenError, unix_now};

use super::world::World;
use super::{eventually, minter, passed, person};
use crate::identity::{Refused, ViewSettings};

#[tokio::test]
async fn a_handle_is_recognised_and_then_costs_no_reading() {
    let world = World::new();
    let alice = world.session("alice").await;
    let identity = world.ask(&alice).await.unwrap();
    assert_eq!(identity.caller.claims.user.sub, "alice");
    assert_eq!(
        identity.authorization.to_str().unwrap(),
        format!("Bearer {}", alice.jwt)
    );
    assert!(identity.authorization.is_sensitive());
    assert_eq!(identity.handle(), Some(alice.handle));
    assert!(!format!("{identity:?}").contains(&alice.jwt));
    world.settle(&alice).await;
    let reads = world.store.reads();
    for _ in 0..100 {
        world.ask(&alice).await.unwrap();
    }
    assert_eq!(world.store.reads(), reads);
}

#[tokio::test]
async fn an_unknown_handle_is_refused() {
    let world = World::new();
    assert!(matches!(
        world.view.by_handle(&Handle::generate()).await,
        Err(Refused::Unknown)
    ));
}

#[tokio::test]
async fn a_handle_without_cores_record_is_refused() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    world.store.delete(&alice.session.key()).await.unwrap();
    world.feed_is_read().await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Unknown)));
}

#[tokio::test]
async fn a_revoked_session_is_refused_as_soon_as_the_store_announces_it() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    world.sessions.revoke(&alice.session).await.unwrap();
    world.feed_is_read().await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Revoked)));
}

#[tokio::test]
async fn a_read_that_began_before_a_revocation_is_not_believed_after_it() {
    for held in ["session:", "hm:session:"] {
        let world = World::new();
        let alice = world.session("alice").await;
        let hold = world.store.hold_next(held);
        let (view, handle) = (world.view.clone(), alice.handle);
        let early = tokio::spawn(async move { view.by_handle(&handle).await });
        hold.reached().await;
        match held {
            "session:" => drop(world.sessions.revoke(&alice.session).await.unwrap()),
            _ => drop(world.store.delete(&alice.handle.key()).await.unwrap()),
        }
        world.feed_is_read().await;
        hold.release();
        // What it answers to the request that asked before is open; what it leaves behind is not.
        let _ = early.await.unwrap();
        assert!(world.ask(&alice).await.is_err(), "{held}");
    }
}

#[tokio::test]
async fn whoever_joins_a_read_after_a_revocation_is_not_told_its_old_answer() {
    let world = World::new();
    let alice = world.session("alice").await;
    let hold = world.store.hold_next("session:");
    let ask = || {
        let (view, handle) = (world.view.clone(), alice.handle);
        tokio::spawn(async move { view.by_handle(&handle).await })
    };
    let early = ask();
    hold.reached().await;
    world.sessions.revoke(&alice.session).await.unwrap();
    world.feed_is_read().await;
    let late = ask();
    tokio::time::sleep(Duration::from_millis(20)).await;
    hold.release();
    assert!(early.await.unwrap().is_ok(), "its read saw the session alive");
    assert!(matches!(late.await.unwrap(), Err(Refused::Revoked)));
}

#[tokio::test]
async fn without_the_feed_every_request_asks_the_store() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    world.store.set_deaf(true);
    for _ in 0..3 {
        let reads = world.store.reads();
        world.ask(&alice).await.unwrap();
        assert!(world.store.reads() > reads);
    }
    world.sessions.revoke(&alice.session).await.unwrap();
    assert!(matches!(world.ask(&alice).await, Err(Refused::Revoked)));
}

#[tokio::test]
async fn what_was_known_before_the_feed_was_lost_is_asked_again_when_it_is_back() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    world.store.set_deaf(true);
    world.sessions.revoke(&alice.session).await.unwrap();
    world.store.set_deaf(false);
    assert!(matches!(world.ask(&alice).await, Err(Refused::Revoked)));
}

#[tokio::test]
async fn when_the_view_has_lost_count_of_the_changes_everything_is_asked_again() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    let everything = world.view.versions.everything();
    world.store.announce_everything().await;
    eventually("the loss is noticed", async || {
        world.view.versions.everything() > everything
    })
    .await;
    let reads = world.store.reads();
    world.ask(&alice).await.unwrap();
    assert!(world.store.reads() > reads);
}

#[tokio::test]
async fn in_strict_mode_every_request_asks_the_store() {
    let world = World::with(ViewSettings {
        strict: true,
        ..ViewSettings::default()
    });
    let alice = world.session("alice").await;
    for _ in 0..3 {
        let reads = world.store.reads();
        world.ask(&alice).await.unwrap();
        assert!(world.store.reads() > reads);
    }
}

#[tokio::test]
async fn without_the_store_nobody_is_recognised_and_all_are_when_it_is_back() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    world.store.set_down(true);
    let refused = world.ask(&alice).await.unwrap_err();
    assert!(matches!(refused, Refused::StoreDown(_)) && refused.is_outage());
    world.store.set_down(false);
    world.ask(&alice).await.unwrap();
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_read() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.feed_is_read().await;
    let hold = world.store.hold_next("hm:session:");
    let before = world.store.reads();
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (view, handle) = (world.view.clone(), alice.handle);
            tokio::spawn(async move { view.by_handle(&handle).await })
        })
        .collect();
    hold.reached().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    hold.release();
    for each in asking {
        each.await.unwrap().unwrap();
    }
    assert_eq!(world.store.reads() - before, 2, "one read of each record");
}

#[tokio::test]
async fn a_session_that_has_expired_is_refused_although_nothing_was_announced() {
    let world = World::new();
    let end = unix_now() + 3;
    let alice = world.session_until("alice", end).await;
    assert_eq!(
        world.ask(&alice).await.unwrap().expires_at,
        end,
        "the earliest end counts"
    );
    world.settle(&alice).await;
    let reads = world.store.reads();
    passed(end).await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Expired)));
    assert_eq!(world.store.reads(), reads);
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused() {
    let world = World::new();
    let alice = world.session("alice").await;
    let past = unix_now() - 10;
    let (jwt, _) = minter()
        .user_until(&person("alice"), &alice.session, past - 3600, past)
        .unwrap();
    world.give(&alice.handle, alice.session, "alice", &jwt).await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Expired)));
}

#[tokio::test]
async fn a_token_and_a_record_of_different_people_are_refused() {
    let world = World::new();
    let alice = world.session("alice").await;
    let bob = world.session("bob").await;
    // Bob's token in Alice's session, at every level at which it could be.
    world.give(&alice.handle, alice.session, "alice", &bob.jwt).await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Mismatch)));
    let (jwt, _) = minter()
        .user(&person("mallory"), &alice.session, unix_now())
        .unwrap();
    world.give(&alice.handle, alice.session, "alice", &jwt).await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Mismatch)));
    world.give(&alice.handle, alice.session, "mallory", &jwt).await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Mismatch)));
}

#[tokio::test]
async fn a_record_that_was_not_sealed_for_this_handle_is_refused() {
    let world = World::new();
    let alice = world.session("alice").await;
    let stolen = world.store.get(&alice.handle.key()).await.unwrap().unwrap();
    let mallory = Handle::generate();
    world
        .store
        .put(&mallory.key(), &stolen, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(matches!(
        world.view.by_handle(&mallory).await,
        Err(Refused::Unreadable)
    ));
    world
        .store
        .put(&alice.handle.key(), b"{}", Duration::from_secs(60))
        .await
        .unwrap();
    world.feed_is_read().await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Unreadable)));
}

#[tokio::test]
async fn a_new_token_in_the_record_is_taken_over() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    let (jwt, _) = minter()
        .user(&person("alice"), &alice.session, unix_now() - 1)
        .unwrap();
    assert_ne!(jwt, alice.jwt);
    world.give(&alice.handle, alice.session, "alice", &jwt).await;
    world.feed_is_read().await;
    let identity = world.ask(&alice).await.unwrap();
    assert_eq!(identity.authorization.to_str().unwrap(), format!("Bearer {jwt}"));
}

#[tokio::test]
async fn a_bearer_token_is_good_while_its_session_is() {
    let world = World::new();
    let alice = world.session("alice").await;
    let identity = world.view.by_bearer(&alice.jwt).await.unwrap();
    assert_eq!(identity.session, alice.session);
    assert_eq!(identity.handle(), None);
    eventually("a bearer costs no reading", async || {
        let reads = world.store.reads();
        world.view.by_bearer(&alice.jwt).await.unwrap();
        world.store.reads() == reads
    })
    .await;
    world.sessions.revoke(&alice.session).await.unwrap();
    world.feed_is_read().await;
    assert!(matches!(
        world.view.by_bearer(&alice.jwt).await,
        Err(Refused::Revoked)
    ));
}

#[tokio::test]
async fn tokens_that_are_no_users_are_refused() {
    let world = World::new();
    let service = |name: &str| ServiceName::parse(name).unwrap();
    let (jwt, _) = minter()
        .service(&service("helm"), &service("codex"), unix_now())
        .unwrap();
    let refused = world.view.by_bearer(&jwt).await.unwrap_err();
    assert!(matches!(refused, Refused::Token(TokenError::ServiceToken)));
    assert!(matches!(world.view.by_bearer("x").await, Err(Refused::Token(_))));
    assert!(matches!(
        world.view.by_bearer(&"x".repeat(100_000)).await,
        Err(Refused::Token(_))
    ));
    let (jwt, _) = minter()
        .user(&person("alice"), &SessionId::generate(), unix_now())
        .unwrap();
    assert!(matches!(world.view.by_bearer(&jwt).await, Err(Refused::Unknown)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_that_comes_after_an_announced_revocation_is_let_in() {
    let world = Arc::new(World::new());
    for round in 0..50 {
        let alice = world.session("alice").await;
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let (world, alice) = (world.clone(), alice.clone());
                tokio::spawn(async move {
                    while world.ask(&alice).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                    // Once refused, always refused.
                    assert!(world.ask(&alice).await.is_err());
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(round * 40)).await;
        world.sessions.revoke(&alice.session).await.unwrap();
        world.feed_is_read().await;
        assert!(world.ask(&alice).await.is_err());
        for each in asking {
            tokio::time::timeout(Duration::from_secs(5), each)
                .await
                .unwrap()
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_view_that_is_dropped_stops_following_the_feed() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let store = super::store();
    let before = tasks();
    let view = crate::identity::SessionView::new(
        store.clone(),
        super::verifier(),
        super::sealing(),
        ViewSettings::default(),
    );
    assert_eq!(tasks(), before + 2, "one follows, one looks");
    drop(view);
    eventually("both end", async || tasks() == before).await;
}
