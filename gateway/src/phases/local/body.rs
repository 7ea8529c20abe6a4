//! The body of a request to one of our own doors: small, and read whole.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_proxy::Session;

use crate::error::Refusal;

/// For the whole body: our forms are small.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a body of at most `longest` bytes.
///
/// # Errors
/// [`Refusal::BodyTooLarge`], [`Refusal::ClientTooSlow`], [`Refusal::ClientGone`].
pub(super) async fn read(session: &mut Session, longest: usize) -> Result<Bytes, Refusal> {
    let reading = async {
        let mut body = BytesMut::new();
        loop {
            match session.downstream_session.read_request_body().await {
                Ok(Some(piece)) if body.len() + piece.len() > longest => return Err(Refusal::BodyTooLarge),
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => {
                    tracing::debug!("a request's body did not come: {error}");
                    return Err(Refusal::ClientGone);
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .unwrap_or(Err(Refusal::ClientTooSlow))
}
