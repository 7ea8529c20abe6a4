//! Lines and their registry, alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn line() -> Arc<Line> {
    let handle = Recognised::Handle(Handle::generate());
    let line = Line::new(SessionId::generate(), handle, Access::AnyUser);
    line.confirmed(100, Some(10));
    line
}

#[test]
fn uses_are_noted_once_in_a_while() {
    let line = line();
    let noted: Vec<bool> = [100, 100, 159, 160, 161, 300]
        .map(|now| line.is_seen_again(now, 60))
        .into();
    assert_eq!(noted, [true, false, false, true, false, true]);
}

#[test]
fn a_line_is_known_by_its_session_and_its_handle_while_it_has_streams() {
    let streams = LiveStreams::default();
    let line = line();
    let one = streams.add(&line);
    let two = streams.add(&line);
    assert_eq!(streams.count(), 2);
    let keys: Vec<_> = line.keys().collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| streams.under(key).len() == 1));
    drop(one);
    streams.sweep();
    assert_eq!(streams.count(), 1);
    assert!(keys.iter().all(|key| streams.under(key).len() == 1));
    drop(two);
    streams.sweep();
    assert_eq!(streams.count(), 0);
    assert!(streams.by_key.is_empty());
    let _three = streams.add(&line);
    assert!(keys.iter().all(|key| streams.under(key).len() == 1));
}

#[test]
fn a_stream_that_comes_while_the_registry_is_swept_is_found_again() {
    let streams = LiveStreams::default();
    let line = line();
    std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| (0..2_000).for_each(|_| streams.sweep()));
        let adder = || {
            for _ in 0..2_000 {
                let stream = streams.add(&line);
                assert!(!streams.under(&line.session_key()).is_empty());
                assert!(!streams.under(line.own_key().unwrap()).is_empty());
                drop(stream);
            }
        };
        let adders = [scope.spawn(adder), scope.spawn(adder)];
        for adder in adders {
            adder.join().unwrap();
        }
        sweeper.join().unwrap();
    });
    streams.sweep();
    assert!(streams.by_key.is_empty());
}

#[test]
fn the_first_reason_for_ending_stands() {
    let streams = LiveStreams::default();
    let line = line();
    let stream = streams.add(&line);
    assert_eq!(stream.reason(), None);
    assert!(!stream.ended().is_cancelled());
    assert!(line.cut(Ended::SignedOut));
    assert!(!line.cut(Ended::Revoked));
    assert_eq!(stream.reason(), Some(Ended::SignedOut));
    assert!(stream.ended().is_cancelled());
    assert_eq!(streams.add(&line).reason(), Some(Ended::SignedOut));
}

#[test]
fn streams_are_due_when_their_time_is_over() {
    let streams = LiveStreams::default();
    let line = line();
    let stream = streams.add(&line);
    assert_eq!(streams.due(99).len(), 0);
    assert_eq!(streams.due(100).len(), 1);
    line.confirmed(200, None);
    assert_eq!(streams.due(100).len(), 0);
    drop(stream);
    assert_eq!(streams.due(300).len(), 0);
}

#[test]
fn a_wish_that_comes_during_a_check_is_not_lost() {
    let line = line();
    assert!(line.wants_check());
    let seen = line.checks();
    assert!(!line.wants_check());
    assert!(!line.checked(seen));
    assert!(line.checked(line.checks()));
    assert!(line.wants_check());
}

#[test]
fn streams_behind_different_doors_hang_on_different_lines_of_one_session() {
    let streams = LiveStreams::default();
    let line = line();
    assert!(Arc::ptr_eq(&line.behind(Access::AnyUser), &line));
    let admins = line.behind(Access::admin_only());
    assert!(Arc::ptr_eq(&line.behind(Access::admin_only()), &admins));
    let (_one, _two) = (streams.add(&line), streams.add(&admins));
    assert_eq!(streams.under(&line.session_key()).len(), 2);
    assert!(admins.cut(Ended::Forbidden));
    assert_eq!(line.ended(), None);
    let again = line.behind(Access::admin_only());
    assert!(
        !Arc::ptr_eq(&again, &admins),
        "who may enter again gets a new one"
    );
    assert_eq!((again.expires_at(), again.ended()), (100, None));
}

#[test]
fn a_line_whose_session_was_exchanged_is_found_under_the_new_one_alone() {
    let streams = LiveStreams::default();
    let line = line();
    let (old, new) = (line.session_key(), SessionId::generate());
    let stream = streams.add(&line);
    streams.follow(&line, new);
    assert!(streams.under(&old).is_empty());
    assert_eq!(streams.under(&new.key()).len(), 1);
    assert_eq!(streams.under(line.own_key().unwrap()).len(), 1);
    assert_eq!(streams.all().len(), 1);
    drop(stream);
    streams.sweep();
    assert!(streams.by_key.is_empty());
    streams.follow(&line, SessionId::generate());
    assert!(
        streams.by_key.is_empty(),
        "nothing is registered without a stream"
    );
}

#[test]
fn handles_with_streams_are_due_for_a_renewal_when_the_provider_was_asked_long_ago() {
    let streams = LiveStreams::default();
    let (line, bearers) = (
        line(),
        Line::new(
            SessionId::generate(),
            Recognised::Bearer([0; 32]),
            Access::AnyUser,
        ),
    );
    bearers.confirmed(100, None);
    let (_one, _two, _three) = (
        streams.add(&line),
        streams.add(&line.behind(Access::admin_only())),
        streams.add(&bearers),
    );
    assert!(streams.checked_before(9).is_empty());
    assert_eq!(streams.checked_before(10).len(), 1);
    line.confirmed(100, Some(50));
    line.behind(Access::admin_only()).confirmed(100, Some(50));
    assert!(streams.checked_before(49).is_empty());
}
