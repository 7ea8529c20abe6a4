//! Whom a route with a grace may admit while the store is down.

use std::time::Duration;

use hivematrix_platform::unix_now;

use super::passed;
use super::world::{Known, World};

const MINUTE: Duration = Duration::from_secs(60);

fn admitted(world: &World, known: &Known, grace: Duration) -> bool {
    world.view.graced_handle(&known.handle, grace).is_some()
}

#[tokio::test]
async fn whoever_was_seen_lately_is_admitted_and_nobody_else() {
    let world = World::new();
    let (alice, bob) = (world.session("alice").await, world.session("bob").await);
    world.settle(&alice).await;
    world.store.set_down(true);
    assert!(world.ask(&alice).await.unwrap_err().is_outage());
    let graced = world.view.graced_handle(&alice.handle, MINUTE).unwrap();
    assert_eq!(graced.identity.session, alice.session);
    assert!(graced.age < MINUTE);
    assert!(!admitted(&world, &bob, MINUTE), "never asked for here");
    assert!(!admitted(&world, &alice, Duration::ZERO), "seen too long ago");
}

#[tokio::test]
async fn a_session_that_ended_here_is_not_admitted() {
    let world = World::new();
    let (revoked, refused) = (world.session("alice").await, world.session("bob").await);
    world.settle(&revoked).await;
    world.settle(&refused).await;
    world.sessions.revoke(&revoked.session).await.unwrap();
    world.feed_is_read().await;
    world.ask(&revoked).await.unwrap_err();
    world.view.refuse(&refused.session);
    world.store.set_down(true);
    assert!(!admitted(&world, &revoked, MINUTE));
    assert!(!admitted(&world, &refused, MINUTE));
}

#[tokio::test]
async fn a_change_that_was_announced_and_that_nobody_could_look_at_counts_as_the_end() {
    for own in [false, true] {
        let world = World::new();
        let alice = world.session("alice").await;
        world.settle(&alice).await;
        let key = if own {
            alice.handle.key()
        } else {
            alice.session.key()
        };
        world.store.announce(&key).await;
        world.feed_is_read().await;
        world.store.set_down(true);
        assert!(!admitted(&world, &alice, MINUTE), "{key}");
    }
}

#[tokio::test]
async fn a_grace_is_no_longer_than_the_session() {
    let world = World::new();
    let alice_ends = unix_now() + 2;
    let alice = world.session_until("alice", alice_ends).await;
    world.settle(&alice).await;
    world.store.set_down(true);
    assert!(admitted(&world, &alice, MINUTE));
    passed(alice_ends).await;
    assert!(!admitted(&world, &alice, MINUTE));
}
