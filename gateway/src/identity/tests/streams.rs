//! Streams end with their session, and not before.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Access, Store as _, unix_now};

use super::world::{Known, World};
use super::{eventually, passed};
use crate::identity::{Ended, LiveStream, Refused, ViewSettings};

async fn stream(world: &World, known: &Known) -> LiveStream {
    let identity = world.ask(known).await.unwrap();
    world.view.watch(&identity, Access::AnyUser).await.unwrap()
}

async fn end_of(stream: &LiveStream) -> Option<Ended> {
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.ended().cancelled()).await;
    stream.reason()
}

/// Lets everything that is due happen, in virtual time.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn a_stream_is_cut_when_its_session_is_revoked_and_others_are_not() {
    let world = World::new();
    let (alice, bob) = (world.session("alice").await, world.session("bob").await);
    let streams = [stream(&world, &alice).await, stream(&world, &alice).await];
    let other = stream(&world, &bob).await;
    assert_eq!(world.view.live_streams(), 3);
    world.sessions.revoke(&alice.session).await.unwrap();
    for stream in &streams {
        assert_eq!(end_of(stream).await, Some(Ended::Revoked));
    }
    assert_eq!(other.reason(), None);
    drop(streams);
    assert_eq!(world.view.live_streams(), 1);
}

#[tokio::test]
async fn a_bearers_stream_is_cut_as_well() {
    let world = World::new();
    let alice = world.session("alice").await;
    let identity = world.view.by_bearer(&alice.jwt).await.unwrap();
    let stream = world.view.watch(&identity, Access::AnyUser).await.unwrap();
    world.sessions.revoke(&alice.session).await.unwrap();
    assert_eq!(end_of(&stream).await, Some(Ended::Revoked));
}

#[tokio::test]
async fn a_stream_is_cut_when_its_handle_is_taken_away() {
    let world = World::new();
    let alice = world.session("alice").await;
    let stream = stream(&world, &alice).await;
    world.store.delete(&alice.handle.key()).await.unwrap();
    assert_eq!(end_of(&stream).await, Some(Ended::Revoked));
}

#[tokio::test]
async fn signing_out_here_cuts_at_once_without_the_store() {
    let world = World::new();
    let alice = world.session("alice").await;
    let stream = stream(&world, &alice).await;
    world.store.set_down(true);
    world.view.refuse(&alice.session);
    assert_eq!(stream.reason(), Some(Ended::SignedOut));
    assert!(stream.ended().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_means_nothing_cuts_nothing() {
    let world = World::new();
    let alice = world.session("alice").await;
    let stream = stream(&world, &alice).await;
    world.store.announce(&alice.session.key()).await;
    world.store.announce(&alice.handle.key()).await;
    world.store.announce_everything().await;
    a_while().await;
    assert_eq!(stream.reason(), None);
    world.ask(&alice).await.unwrap();
}

#[tokio::test]
async fn a_revocation_between_recognising_and_watching_is_not_missed() {
    let world = World::new();
    let alice = world.session("alice").await;
    let identity = world.ask(&alice).await.unwrap();
    world.sessions.revoke(&alice.session).await.unwrap();
    world.feed_is_read().await;
    let stream = world.view.watch_in_background(&identity, Access::AnyUser);
    assert_eq!(end_of(&stream).await, Some(Ended::Revoked));
    assert!(matches!(
        world.view.watch(&identity, Access::AnyUser).await,
        Err(Refused::Revoked)
    ));
    assert!(world.view.recheck(&identity).await.is_err());
}

#[tokio::test]
async fn a_revocation_during_the_check_after_registering_is_not_missed() {
    for in_background in [true, false] {
        let world = World::new();
        let alice = world.session("alice").await;
        let identity = world.ask(&alice).await.unwrap();
        world.store.announce(&alice.session.key()).await;
        world.feed_is_read().await;
        // The check reads the session alive; while its answer is on the way, the session is revoked.
        let hold = world.store.hold_next("session:");
        let view = world.view.clone();
        let watching = tokio::spawn(async move {
            match in_background {
                true => Ok(view.watch_in_background(&identity, Access::AnyUser)),
                false => view.watch(&identity, Access::AnyUser).await,
            }
        });
        hold.reached().await;
        world.sessions.revoke(&alice.session).await.unwrap();
        world.feed_is_read().await;
        hold.release();
        match watching.await.unwrap() {
            Ok(stream) => assert_eq!(end_of(&stream).await, Some(Ended::Revoked), "{in_background}"),
            Err(refused) => assert!(matches!(refused, Refused::Revoked), "{refused}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_revocation_comes_a_registered_stream_ends() {
    let world = Arc::new(World::new());
    let mut watched = 0;
    for round in 0..100 {
        let alice = world.session("alice").await;
        let identity = world.ask(&alice).await.unwrap();
        let view = world.view.clone();
        let watching = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros((round * 7) % 300)).await;
            match round % 2 {
                0 => Some(view.watch_in_background(&identity, Access::AnyUser)),
                _ => view.watch(&identity, Access::AnyUser).await.ok(),
            }
        });
        tokio::time::sleep(Duration::from_micros((round * 13) % 300)).await;
        world.sessions.revoke(&alice.session).await.unwrap();
        if let Some(stream) = watching.await.unwrap() {
            watched += 1;
            assert_eq!(end_of(&stream).await, Some(Ended::Revoked));
        }
    }
    assert!(watched >= 50, "{watched}");
}

#[tokio::test]
async fn a_stream_is_cut_when_its_sessions_time_is_over() {
    let world = World::new();
    let alice = world.session_until("alice", unix_now() + 3).await;
    let stream = stream(&world, &alice).await;
    assert_eq!(stream.reason(), None);
    assert_eq!(end_of(&stream).await, Some(Ended::Expired));
}

#[tokio::test]
async fn a_stream_of_a_session_that_was_prolonged_goes_on() {
    let world = World::new();
    let end = unix_now() + 3;
    let alice = world.session_until("alice", end).await;
    let stream = stream(&world, &alice).await;
    let mut record = world.sessions.get(&alice.session).await.unwrap().unwrap();
    record.expires_at = unix_now() + 3600;
    let json = record.to_json().unwrap();
    world
        .store
        .put(&alice.session.key(), &json, Duration::from_secs(3600))
        .await
        .unwrap();
    passed(end + 1).await;
    assert_eq!(stream.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn without_the_feed_streams_are_looked_at_again_and_again() {
    let world = World::new();
    let alice = world.session("alice").await;
    let stream = stream(&world, &alice).await;
    world.store.set_deaf(true);
    a_while().await;
    assert_eq!(stream.reason(), None);
    world.sessions.revoke(&alice.session).await.unwrap();
    a_while().await;
    assert_eq!(stream.reason(), Some(Ended::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_stream_survives_a_short_outage_of_the_store_and_not_a_long_one() {
    let world = World::new();
    let alice = world.session("alice").await;
    let stream = stream(&world, &alice).await;
    world.store.set_down(true);
    a_while().await;
    assert_eq!(stream.reason(), None);
    world.store.set_down(false);
    a_while().await;
    assert_eq!(stream.reason(), None);
    world.store.set_down(true);
    a_while().await;
    a_while().await;
    assert_eq!(stream.reason(), Some(Ended::Unchecked));
    world.store.set_down(false);
    // The session itself is as good as before: new streams live.
    let identity = world.ask(&alice).await.unwrap();
    let again = world.view.watch(&identity, Access::AnyUser).await.unwrap();
    a_while().await;
    assert_eq!(again.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn sessions_without_streams_are_forgotten() {
    let world = World::with(ViewSettings::default());
    let alice = world.session("alice").await;
    drop(stream(&world, &alice).await);
    assert!(!world.view.live.all().is_empty());
    a_while().await;
    assert!(world.view.live.all().is_empty());
    eventually("it can be watched again", async || {
        let stream = stream(&world, &alice).await;
        stream.reason().is_none() && world.view.live_streams() == 1
    })
    .await;
}
