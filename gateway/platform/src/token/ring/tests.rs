//! Which key does what at which time, and what is refused.

#![allow(clippy::unwrap_used)]
use super::*;

fn duties(ring: &KeyRing, now: u64) -> Vec<Duty> {
    ring.entries(now).iter().map(|entry| entry.duty).collect()
}

#[test]
fn a_new_key_is_published_then_signs_and_the_old_one_verifies_until_its_tokens_are_over() {
    use Duty::{Next, Over, Signs, Verifies};
    let mut ring = KeyRing::generate(1_000).unwrap();
    assert_eq!(duties(&ring, 1_000), [Signs]);
    ring.rotate(50_000).unwrap();
    let turn = 50_000 + LEAD_SECONDS;
    let rows = [
        (50_000, [Signs, Next]),
        (turn - 1, [Signs, Next]),
        (turn, [Verifies, Signs]),
        (turn + OVERLAP_SECONDS - 1, [Verifies, Signs]),
        (turn + OVERLAP_SECONDS, [Over, Signs]),
    ];
    for (now, expected) in rows {
        assert_eq!(duties(&ring, now), expected, "at {now}");
        let minter = ring.minter("core", now);
        let published = minter.jwks().keys.len();
        assert_eq!(published, expected.iter().filter(|duty| **duty != Over).count());
    }
    assert!(!ring.prune(turn));
    assert!(ring.prune(turn + OVERLAP_SECONDS));
    assert_eq!(duties(&ring, turn + OVERLAP_SECONDS), [Signs]);
}

#[test]
fn a_ring_does_not_rotate_while_a_rotation_is_under_way() {
    let mut ring = KeyRing::generate(0).unwrap();
    ring.rotate(10).unwrap();
    assert_eq!(ring.rotate(10 + LEAD_SECONDS - 1), Err(RingError::UnderWay));
    ring.rotate(10 + LEAD_SECONDS).unwrap();
}

#[test]
fn a_ring_that_somebody_else_may_have_is_replaced_at_once() {
    let mut ring = KeyRing::generate(0).unwrap();
    let old = ring.entries(0).remove(0).kid;
    let new = ring.replace(5).unwrap();
    assert_ne!(old, new);
    let kids: Vec<String> = ring
        .minter("core", 5)
        .jwks()
        .keys
        .into_iter()
        .map(|key| key.kid)
        .collect();
    assert_eq!(kids, [new]);
}

#[test]
fn what_was_written_is_read_again_and_everything_else_is_refused() {
    let mut ring = KeyRing::generate(7).unwrap();
    ring.rotate(8).unwrap();
    let text = ring.to_json();
    let read = KeyRing::from_json(text.expose_secret()).unwrap();
    assert_eq!(read.entries(9), ring.entries(9));
    let text = text.expose_secret();
    let twice = text.replace(&ring.entries(9)[1].kid, &ring.entries(9)[0].kid);
    assert!(matches!(KeyRing::from_json(&twice), Err(RingError::Twice(_))));
    for bad in [
        "",
        "[]",
        "{\"version\":1,\"keys\":[]}",
        "{\"version\":2,\"keys\":[]}",
        // Every key's DER begins with these letters.
        &text.replace("\\nMII", "\\nAII"),
        &text[..text.len() / 2],
    ] {
        let error = KeyRing::from_json(bad).unwrap_err();
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
    }
    assert!(!format!("{ring:?}").contains("BEGIN"));
}

#[test]
fn a_ring_is_due_when_its_newest_key_is_old_enough() {
    let mut ring = KeyRing::generate(100).unwrap();
    assert!(!ring.is_due(50, 149));
    assert!(ring.is_due(50, 150));
    ring.rotate(5_000).unwrap();
    assert!(!ring.is_due(50, 5_049));
}

#[test]
fn a_key_of_another_origin_takes_its_turn_like_any_other() {
    let mut ring = KeyRing::generate(0).unwrap();
    let key = SigningKey::generate("hivematrix-signing-key-1").unwrap();
    assert_eq!(ring.add(key.clone(), 1).unwrap(), "hivematrix-signing-key-1");
    let again = ring.add(key, 1 + LEAD_SECONDS);
    assert_eq!(
        again,
        Err(RingError::Twice("hivematrix-signing-key-1".to_owned()))
    );
}
