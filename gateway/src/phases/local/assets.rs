//! The design system's files, served without login: hashed names for a year, plain names to be asked again.

use hivematrix_plugins::design;
use http::StatusCode;
use http::header;
use pingora::http::RequestHeader;

use crate::error::Refusal;
use crate::reply::Reply;

/// Serves one asset; a matching `If-None-Match` gets 304 (RFC 9110 §13.1.2).
pub(super) fn answer(head: &RequestHeader, path: &str) -> Result<Reply, Refusal> {
    let asset = design::asset(path).ok_or(Refusal::NotFound)?;
    let unchanged = head
        .headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == asset.etag);
    let status = if unchanged {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let mut reply = Reply::empty(status);
    reply.headers.clear();
    let reply = reply
        .with(header::CACHE_CONTROL, asset.cache_control())
        .with(header::ETAG, asset.etag)
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if unchanged {
        return Ok(reply);
    }
    Ok(reply
        .with(header::CONTENT_TYPE, asset.content_type)
        .body(asset.body.clone()))
}
