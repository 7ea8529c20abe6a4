//! What was seen revoked stays refused.

use std::time::Duration;

use super::world::World;
use crate::identity::Refused;

#[tokio::test]
async fn a_session_once_seen_revoked_stays_refused_whatever_the_store_says_later() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.sessions.revoke(&alice.session).await.unwrap();
    assert!(matches!(world.ask(&alice).await, Err(Refused::Revoked)));
    world.resurrect(alice.session).await;
    world.feed_is_read().await;
    assert!(matches!(world.ask(&alice).await, Err(Refused::Revoked)));
    assert!(matches!(
        world.view.by_bearer(&alice.jwt).await,
        Err(Refused::Revoked)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_the_store_has_lost_is_written_again() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.sessions.revoke(&alice.session).await.unwrap();
    assert!(world.ask(&alice).await.is_err());
    world.resurrect(alice.session).await;
    assert!(!world.is_revoked_in_store(alice.session).await);
    // Somebody asks, and the loss is noticed.
    assert!(world.ask(&alice).await.is_err());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(world.is_revoked_in_store(alice.session).await);
}

#[tokio::test(start_paused = true)]
async fn after_a_failover_revocations_are_written_again_although_nobody_asks() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.sessions.revoke(&alice.session).await.unwrap();
    assert!(world.ask(&alice).await.is_err());
    world.resurrect(alice.session).await;
    world.store.announce_everything().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(world.is_revoked_in_store(alice.session).await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_to_the_store_when_it_answers_again() {
    let world = World::new();
    let alice = world.session("alice").await;
    world.settle(&alice).await;
    world.store.set_down(true);
    world.view.refuse(&alice.session);
    assert!(world.ask(&alice).await.is_err());
    tokio::time::sleep(Duration::from_secs(6)).await;
    world.store.set_down(false);
    assert!(!world.is_revoked_in_store(alice.session).await);
    assert!(matches!(world.ask(&alice).await, Err(Refused::Revoked)));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(world.is_revoked_in_store(alice.session).await);
}
