//! Rewrite: each chunk of a document passes its edits. What those are is `edited`'s and the plugins' business.

use bytes::Bytes;
use pingora::{Error, ErrorType};

use crate::coding::DecodeError;
use crate::context::Context;

/// Edits one chunk in place. After the last edit chunks pass uncopied, unless they are coded.
///
/// # Errors
/// When the service's body is not what its Content-Encoding says, or unpacks to far too much: the head has
/// been sent, so the answer can only be broken off.
pub(crate) fn chunk(body: &mut Option<Bytes>, end: bool, context: &mut Context) -> pingora::Result<()> {
    let Some(edited) = &mut context.edited else {
        return Ok(());
    };
    let out = edited.pass(body.take(), end).map_err(broken)?;
    *body = (end || !out.is_empty()).then_some(out);
    Ok(())
}

fn broken(error: DecodeError) -> Box<Error> {
    Error::because(ErrorType::new("ContentCoding"), "the page's encoding", error).into_up()
}
