//! Compressed pages are opened, edited and closed again, and a bomb does not go off here.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use hivematrix_tests::{Script, Stack};

const PAGE: &str = "<!doctype html><html><head><title>T</title></head><body><h1>Hello</h1></body></html>";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn gunzip(data: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(data).read_to_string(&mut text).expect("gzip");
    text
}

#[tokio::test]
async fn a_page_that_comes_compressed_whatever_was_asked_is_composed() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let page = Script::text("text/html; charset=utf-8", gzip(PAGE.as_bytes()));
    stack.echo.on(
        "/page",
        page.header("Content-Encoding", "gzip")
            .header("Vary", "Accept-Encoding"),
    );
    for accepted in ["gzip, deflate, br", "identity", ""] {
        let answer = client
            .visit("/echo/page")
            .header("Accept-Encoding", accepted)
            .send()
            .await;
        let text = match answer.header("content-encoding") {
            "" => answer.text(),
            "gzip" => gunzip(&answer.body),
            other => panic!("{accepted:?}: an encoding that nobody accepts here: {other}"),
        };
        assert!(
            text.contains("side-panel") && text.ends_with("<h1>Hello</h1></body></html>"),
            "{accepted:?}: {text}"
        );
        assert!(
            answer.header("content-encoding").is_empty() || accepted.contains("gzip"),
            "{accepted:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_edited_keeps_its_encoding_byte_for_byte() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let compressed = gzip(b"{\"a\":1}");
    stack.echo.on(
        "/data",
        Script::text("application/json", &compressed).header("Content-Encoding", "gzip"),
    );
    let answer = client
        .script("GET", "/echo/data")
        .header("Accept-Encoding", "gzip")
        .send()
        .await;
    assert!(
        answer.header("content-encoding") == "gzip" && answer.body == compressed,
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_decompression_bomb_is_never_unpacked_whole() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let bomb = gzip(&vec![b'x'; 200 << 20]);
    assert!(bomb.len() < 2 << 20, "{}", bomb.len());
    stack.echo.on(
        "/bomb",
        Script::text("text/html", &bomb).header("Content-Encoding", "gzip"),
    );
    let outcome = client
        .visit("/echo/bomb")
        .header("Accept-Encoding", "identity")
        .try_send()
        .await;
    match outcome {
        Ok(answer) => assert!(
            answer.body.len() < 200 << 20,
            "{} bytes came out of {}",
            answer.body.len(),
            bomb.len()
        ),
        Err(cut) => assert!(!cut.is_timeout(), "{cut:?}"),
    }
    assert_eq!(client.fetch("/echo/x").await.status, 200);
}
