//! What passes a tap, and who may take the stream behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

fn tapped() -> (Tap, Arc<Switch>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let switch = Arc::new(Switch::default());
    (Tap::new(Box::new(ours), switch.clone()), switch, theirs)
}

async fn rest(mut client: DuplexStream) -> Vec<u8> {
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    got
}

#[tokio::test]
async fn what_does_not_last_cannot_be_taken_and_has_nothing_to_wait_for() {
    let (mut tap, switch, mut client) = tapped();
    tap.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let mut got = [0; 19];
    client.read_exact(&mut got).await.unwrap();
    assert!(!switch.end());
    assert!(matches!(switch.take(), Left::Nothing));
    tap.write_all(b"!").await.unwrap();
    drop(tap);
    assert_eq!(rest(client).await, b"!");
}

#[tokio::test]
async fn what_lasts_is_taken_from_its_exchange_and_ends_at_once() {
    let (mut tap, switch, client) = tapped();
    switch.last();
    tap.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    assert!(!switch.end());
    let Left::Close(stream) = switch.take() else {
        panic!("a stream without frames")
    };
    drop(stream);
    assert_eq!(rest(client).await.len(), 19, "although there is the exchange");
    assert!(tap.write_all(b"!").await.is_err());
}

#[tokio::test]
async fn what_lasts_and_comes_to_its_end_is_closed_with_its_tap() {
    let (mut tap, switch, client) = tapped();
    switch.last();
    tap.write_all(b"x").await.unwrap();
    drop(tap);
    assert_eq!(rest(client).await, b"x");
    assert!(matches!(switch.take(), Left::Nothing));
}

#[tokio::test]
async fn in_the_middle_of_a_frame_its_rest_passes_and_no_more() {
    let (mut tap, switch, client) = tapped();
    switch.count();
    tap.write_all(&[HEAD, &[0x82, 4, 1, 2]].concat()).await.unwrap();
    assert!(switch.end() && !switch.is_between());
    let next = [3, 4, 0x82, 1, 9];
    let write = tokio::time::timeout(Duration::from_millis(20), tap.write_all(&next));
    assert!(write.await.is_err(), "the next frame is held back");
    assert!(switch.is_between());
    let Left::Speak(mut stream) = switch.take() else {
        panic!("between two frames")
    };
    stream.write_all(b"!").await.unwrap();
    drop(stream);
    assert_eq!(rest(client).await, [HEAD, &[0x82, 4, 1, 2, 3, 4, b'!']].concat());
    drop(tap);
}

#[tokio::test]
async fn a_frame_that_is_never_completed_leaves_nothing_to_say() {
    let (mut tap, switch, _client) = tapped();
    switch.count();
    tap.write_all(&[HEAD, &[0x82, 4, 1, 2]].concat()).await.unwrap();
    assert!(switch.end());
    assert!(matches!(switch.take(), Left::Close(_)));
}

#[tokio::test]
async fn who_has_closed_already_is_not_spoken_for() {
    let (mut tap, switch, _client) = tapped();
    switch.count();
    tap.write_all(&[HEAD, &[0x88, 2, 3, 0xe8]].concat())
        .await
        .unwrap();
    assert!(switch.end() && switch.is_between());
    assert!(matches!(switch.take(), Left::Close(_)));
}
