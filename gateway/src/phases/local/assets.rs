//! The design system's files, served without login and compressed: hashed names for a year, plain names to be
//! asked for again.

use std::sync::LazyLock;

use bytes::Bytes;
use dashmap::DashMap;
use hivematrix_plugins::design::{self, Asset};
use http::StatusCode;
use http::header;
use pingora::http::RequestHeader;

use crate::coding::{self, Coding, Encoder};
use crate::error::Refusal;
use crate::reply::Reply;

/// Compressed once for the life of the process; as many entries as files and codings.
static COMPRESSED: LazyLock<DashMap<(&'static str, Coding), Bytes>> = LazyLock::new(DashMap::new);

/// The platform's sign, for browsers that ask for it on every origin.
const SIGN: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#6d28d9" d="M16 1l13 7.5v15L16 31 3 23.5v-15z"/></svg>"##;

/// `/favicon.ico`, as a drawing.
pub(super) fn sign() -> Reply {
    Reply::bare(StatusCode::OK)
        .with(header::CONTENT_TYPE, "image/svg+xml")
        .with(header::CACHE_CONTROL, "public, max-age=86400")
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(SIGN)
}

/// Serves one asset; a matching `If-None-Match` gets 304 (RFC 9110 §13.1.2).
pub(super) fn answer(head: &RequestHeader, path: &str) -> Result<Reply, Refusal> {
    let asset = design::asset(path).ok_or(Refusal::NotFound)?;
    let coding = coding::preferred(&head.headers);
    let tag = tag_of(asset, coding);
    let unchanged = head
        .headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|theirs| theirs == "*" || theirs.trim_start_matches("W/") == tag);
    let reply = Reply::bare(if unchanged {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    })
    .with(header::CACHE_CONTROL, asset.cache_control())
    .with(header::ETAG, tag)
    .with(header::VARY, "Accept-Encoding")
    .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if unchanged {
        return Ok(reply);
    }
    let reply = reply.with(header::CONTENT_TYPE, asset.content_type);
    match coding.and_then(|coding| Some((coding, compressed(asset, coding)?))) {
        Some((coding, body)) => Ok(reply.with(header::CONTENT_ENCODING, coding.token()).body(body)),
        None => Ok(reply.body(asset.body.clone())),
    }
}

/// Other bytes have another strong tag (RFC 9110 §8.8.3).
fn tag_of(asset: &Asset, coding: Option<Coding>) -> String {
    match coding {
        Some(coding) => format!("{}-{}\"", asset.etag.trim_end_matches('"'), coding.token()),
        None => asset.etag.to_owned(),
    }
}

fn compressed(asset: &'static Asset, coding: Coding) -> Option<Bytes> {
    if let Some(known) = COMPRESSED.get(&(asset.path, coding)) {
        return Some(known.clone());
    }
    let mut encoder = Encoder::new(coding).ok()?;
    let mut body = encoder.push(&asset.body).ok()?.to_vec();
    body.extend_from_slice(&encoder.finish().ok()?);
    let body = Bytes::from(body);
    COMPRESSED.insert((asset.path, coding), body.clone());
    Some(body)
}
