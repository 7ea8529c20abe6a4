//! Pages of any size pass in constant memory, and packed ones leave as they come.

use std::time::Duration;

use hivematrix_tests::{Coding, Gate, Script, Stack, is_alone, resident, takes_at_most};

const START: &str = "<!doctype html><html><head><title>T</title></head><body><h1>first</h1>";
const MEBIBYTE: usize = 1 << 20;
/// How many of them the large page has.
const PIECES: usize = 200;
/// How much more memory the process may have while it passes.
const GROWTH: usize = 64 * MEBIBYTE;

#[tokio::test]
async fn the_first_bytes_of_a_packed_page_leave_before_its_last_arrive() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for (upstream, downstream) in [
        (Coding::Gzip, Coding::Zstd),
        (Coding::Brotli, Coding::Gzip),
        (Coding::Zstd, Coding::Gzip),
        (Coding::Deflate, Coding::Zstd),
    ] {
        let gate = Gate::closed();
        let mut packer = upstream.packer();
        let first = packer.push(START.as_bytes());
        let mut last = packer.push(b"<p>last</p></body></html>");
        last.extend(packer.finish());
        let script = Script::chunked("text/html; charset=utf-8")
            .header("Content-Encoding", upstream.name())
            .chunk(first)
            .gate(&gate)
            .chunk(last);
        stack.echo.on("/page", script.end());
        let ask = client
            .visit("/echo/page")
            .header("Accept-Encoding", downstream.name());
        let mut streaming = ask.stream().await;
        assert_eq!(streaming.headers["content-encoding"], downstream.name());
        let mut unpacker = downstream.unpacker();
        let start = async {
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains("<h1>first</h1>") {
                let piece = streaming.chunk().await.expect("no break").expect("no end");
                seen.extend(unpacker.push(&piece));
            }
            String::from_utf8_lossy(&seen).into_owned()
        };
        let what = format!("the start of a page in {}", upstream.name());
        let seen = takes_at_most(Duration::from_secs(2), &what, start).await;
        assert!(seen.contains("hivematrix-side-panel"), "{seen}");
        gate.open();
        let rest = streaming.whole().await.expect("the rest of the page").body;
        let mut text = unpacker.push(&rest);
        text.extend(unpacker.finish());
        assert!(text.ends_with(b"<p>last</p></body></html>"), "{upstream:?}");
    }
}

/// Text that packs to about three quarters, as no page does: nothing here is called a bomb.
fn noise() -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \n"[(state >> 32) as usize & 63]
    };
    std::iter::repeat_with(letter).take(MEBIBYTE).collect()
}

/// Fetches the large page and says how much the process grew meanwhile.
async fn growth(coding: Option<Coding>) -> usize {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let packed = |data: &[u8]| coding.map_or_else(|| data.to_vec(), |coding| coding.pack(data));
    let mut script = Script::chunked("text/html; charset=utf-8");
    if let Some(coding) = coding {
        script = script.header("Content-Encoding", coding.name());
    }
    // Of gzip a file may have many members; each piece is one.
    let script = script
        .chunk(packed(START.as_bytes()))
        .chunk_times(packed(&noise()), PIECES);
    stack.echo.on("/page", script.end());
    let accepted = coding.map_or("identity", Coding::name);
    // Everything that is made once has been made before we measure.
    stack.echo.on("/small", Script::html(START));
    client.navigate("/echo/small").await;
    let before = resident();
    let ask = client.visit("/echo/page").header("Accept-Encoding", accepted);
    let mut streaming = ask.patient().stream().await;
    let mut unpacker = coding.map(Coding::unpacker);
    let (mut length, mut most, mut checked) = (0, before, 0);
    while let Some(piece) = streaming.chunk().await.expect("the page does not break off") {
        length += unpacker
            .as_mut()
            .map_or(piece.len(), |unpacker| unpacker.push(&piece).len());
        if length - checked > 2 * MEBIBYTE {
            checked = length;
            most = most.max(resident());
        }
    }
    assert!(
        length > PIECES * MEBIBYTE + START.len(),
        "it came whole, and with a panel: {length}"
    );
    most - before
}

/// Measured in a process of its own.
async fn alone(case: &str, coding: Option<Coding>) {
    if is_alone(&format!("stream::{case}")).await {
        let grown = growth(coding).await;
        eprintln!("grew by {} MiB", grown / MEBIBYTE);
        assert!(
            grown < GROWTH,
            "the process grew by {} MiB while {PIECES} MiB passed",
            grown / MEBIBYTE
        );
    }
}

#[tokio::test]
async fn a_page_of_200_mb_passes_in_constant_memory() {
    alone("a_page_of_200_mb_passes_in_constant_memory", None).await;
}

#[tokio::test]
async fn a_packed_page_of_200_mb_passes_in_constant_memory() {
    alone(
        "a_packed_page_of_200_mb_passes_in_constant_memory",
        Some(Coding::Gzip),
    )
    .await;
}
