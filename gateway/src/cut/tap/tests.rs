//! What passes a tap, and who may take the stream behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::cell::Cell;

use super::super::switch::Left;
use super::super::{CONNECTION, Connection, all_sent};
use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt, DuplexStream};

const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

fn tapped() -> (Tap, Arc<Switch>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (tap, switch) = Tap::new(Box::new(ours));
    (tap, switch, theirs)
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

/// What came without anybody waiting for more.
async fn now(client: &mut DuplexStream) -> Vec<u8> {
    let mut got = vec![0; 64 * 1024];
    let came = tokio::time::timeout(Duration::from_millis(5), client.read(&mut got));
    let came = came.await.map_or(0, |read| read.unwrap());
    got.truncate(came);
    got
}

async fn halt(switch: &Switch) {
    std::future::poll_fn(|context| {
        switch.poll_send_due(context);
        Poll::Ready(())
    })
    .await;
}

async fn all(switch: &Switch) -> io::Result<()> {
    std::future::poll_fn(|context| switch.poll_send_all(context)).await
}

#[tokio::test]
async fn an_answer_in_three_pieces_leaves_as_one_when_its_exchange_halts() {
    let (mut tap, switch, mut client) = tapped();
    switch.begin();
    for piece in ["head", "body", "end"] {
        tap.write_all(piece.as_bytes()).await.unwrap();
        tap.flush().await.unwrap();
    }
    assert_eq!(now(&mut client).await, b"", "not before");
    halt(&switch).await;
    assert_eq!(now(&mut client).await, b"headbodyend");
}

#[tokio::test]
async fn what_nobody_flushed_waits_for_more_unless_it_is_much() {
    let (mut tap, switch, mut client) = tapped();
    switch.begin();
    tap.write_all(b"head").await.unwrap();
    halt(&switch).await;
    assert_eq!(now(&mut client).await, b"");
    tap.write_all(&[b'x'; 5000]).await.unwrap();
    halt(&switch).await;
    assert_eq!(now(&mut client).await.len(), 5004);
}

#[tokio::test]
async fn what_is_held_leaves_before_the_first_byte_of_what_lasts() {
    let (mut tap, switch, client) = tapped();
    switch.begin();
    tap.write_all(b"early hints").await.unwrap();
    switch.last();
    tap.write_all(b", then events").await.unwrap();
    drop(tap);
    assert_eq!(rest(client).await, b"early hints, then events");
}

#[tokio::test]
async fn what_is_held_is_not_sent_to_who_has_no_session_any_more() {
    let (mut tap, switch, client) = tapped();
    switch.begin();
    tap.write_all(b"a secret").await.unwrap();
    tap.flush().await.unwrap();
    assert!(matches!(switch.take(), Left::Nothing));
    drop(tap);
    assert_eq!(rest(client).await, b"");
}

#[tokio::test]
async fn an_exchange_that_breaks_off_leaves_behind_what_it_has_written() {
    let (mut tap, switch, client) = tapped();
    switch.begin();
    tap.write_all(b"half of it").await.unwrap();
    drop(tap);
    assert_eq!(rest(client).await, b"half of it");
    assert!(!switch.holds());
}

#[tokio::test]
async fn before_a_connection_is_shut_down_everything_has_left() {
    let (mut tap, switch, mut client) = tapped();
    switch.begin();
    tap.write_all(b"goodbye").await.unwrap();
    AsyncWriteExt::shutdown(&mut tap).await.unwrap();
    assert_eq!(now(&mut client).await, b"goodbye");
}

#[tokio::test]
async fn who_writes_next_learns_that_the_client_has_gone() {
    let (mut tap, switch, client) = tapped();
    switch.begin();
    drop(client);
    tap.write_all(b"held").await.unwrap();
    tap.flush().await.unwrap();
    halt(&switch).await;
    assert!(tap.write_all(b"more").await.is_err());
    assert!(!switch.holds());
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_exchange() {
    let (ours, mut client) = tokio::io::duplex(1000);
    let (mut tap, switch) = Tap::new(Box::new(ours));
    switch.begin();
    // The first is held; with the second it is too much to hold, and goes as far as the client lets it.
    tap.write_all(&[1; 30_000]).await.unwrap();
    let write = tokio::time::timeout(Duration::from_millis(20), tap.write_all(&[2; 30_000]));
    assert!(write.await.is_err());
    let mut got = vec![0; 30_000];
    let (read, sent) = tokio::join!(client.read_exact(&mut got), all(&switch));
    assert_eq!((read.unwrap(), sent.unwrap()), (30_000, ()));
    assert!(got.iter().all(|byte| *byte == 1));
}

#[tokio::test]
async fn who_does_not_take_the_end_of_an_answer_in_time_is_given_up() {
    let (ours, _client) = tokio::io::duplex(10);
    let (mut tap, switch) = Tap::new(Box::new(ours));
    switch.begin();
    tap.write_all(&[1; 1000]).await.unwrap();
    tap.flush().await.unwrap();
    let connection = Connection {
        fresh: Cell::new(false),
        switch: switch.clone(),
        waits: Cell::default(),
        begun: Cell::default(),
    };
    let sent = CONNECTION.scope(connection, all_sent(Duration::from_millis(20)));
    assert!(!sent.await);
    let shut_down = tokio::time::timeout(Duration::from_millis(20), AsyncWriteExt::shutdown(&mut tap));
    assert!(shut_down.await.expect("without waiting any longer").is_err());
    assert!(!switch.rest(), "there is no other exchange on it");
}

#[tokio::test]
async fn an_error_that_nobody_was_told_is_told_at_the_end() {
    let (mut tap, switch, client) = tapped();
    switch.begin();
    drop(client);
    tap.write_all(b"held").await.unwrap();
    tap.flush().await.unwrap();
    halt(&switch).await;
    assert!(all(&switch).await.is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<usize>),
    Flush,
    Halt,
    Next,
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::*;
    let len = prop_oneof![0..20_usize, 0..5_000_usize, 0..70_000_usize];
    prop_oneof![
        4 => proptest::collection::vec(len, 1..12).prop_map(Step::Write),
        2 => Just(Step::Flush),
        2 => Just(Step::Halt),
        1 => Just(Step::Next),
    ]
}

/// Writes these parts as Pingora does: all of them, in as many calls as it takes.
async fn write_parts(tap: &mut Tap, parts: Vec<Vec<u8>>) {
    use bytes::Buf as _;
    let mut parts: std::collections::VecDeque<_> = parts.into_iter().map(bytes::Bytes::from).collect();
    while parts.front().is_some_and(bytes::Bytes::is_empty) {
        parts.pop_front();
    }
    while !parts.is_empty() {
        let slices: Vec<_> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
        let mut written =
            std::future::poll_fn(|context| Pin::new(&mut *tap).poll_write_vectored(context, &slices))
                .await
                .unwrap();
        assert_ne!(written, 0);
        while let Some(part) = parts.front_mut() {
            let now = written.min(part.len());
            part.advance(now);
            written -= now;
            if !part.is_empty() {
                break;
            }
            parts.pop_front();
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_written_in_whatever_pieces_arrives_once_and_in_order(
        steps in proptest::collection::vec(step(), 1..24),
        capacity in proptest::prop_oneof![1..50_usize, 1..100_000_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let (ours, client) = tokio::io::duplex(capacity);
            let (mut tap, switch) = Tap::new(Box::new(ours));
            let reading = tokio::spawn(rest(client));
            let mut expected = Vec::new();
            switch.begin();
            for step in steps {
                match step {
                    Step::Write(lens) => {
                        let parts: Vec<Vec<u8>> = lens.into_iter().map(|len| {
                            (0..len).map(|at| ((expected.len() + at) % 251) as u8).collect()
                        }).collect();
                        expected.extend(parts.concat());
                        write_parts(&mut tap, parts).await;
                    }
                    Step::Flush => tap.flush().await.unwrap(),
                    Step::Halt => halt(&switch).await,
                    // The next exchange on the connection.
                    Step::Next => {
                        all(&switch).await.unwrap();
                        switch.rest();
                        tap.flush().await.unwrap();
                        switch.begin();
                    }
                }
            }
            all(&switch).await.unwrap();
            assert!(!switch.holds());
            drop(tap);
            assert!(reading.await.unwrap() == expected, "something else arrived");
        });
    }
}
