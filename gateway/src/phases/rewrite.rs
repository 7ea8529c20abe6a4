//! Rewrite: each chunk of a document is decoded if it came encoded, passes the plugins' edits, which share one
//! rewriter, and is encoded for what the client accepts. Chunk in, chunk out: nothing waits for the end.

use bytes::Bytes;
use hivematrix_plugins::Rewriter;
use pingora::{Error, ErrorType};

use crate::coding::{Coding, Decoder, Encoder};
use crate::context::Context;

/// What the body of an edited document passes.
pub(crate) struct EditedBody {
    decoder: Option<Decoder>,
    rewriter: Rewriter,
    encoder: Option<Encoder>,
}

impl EditedBody {
    /// A body that came with `from` and leaves with `to`.
    ///
    /// # Errors
    /// When a codec can't be made.
    pub(crate) fn new(from: Option<Coding>, rewriter: Rewriter, to: Option<Coding>) -> pingora::Result<Self> {
        let decoder = from.map(Decoder::new).transpose().map_err(broken)?;
        let encoder = to.map(Encoder::new).transpose().map_err(broken)?;
        Ok(Self {
            decoder,
            rewriter,
            encoder,
        })
    }

    /// One chunk, or the last one.
    fn pass(&mut self, chunk: Option<Bytes>, end: bool) -> pingora::Result<Bytes> {
        let mut plain = chunk.unwrap_or_default();
        if let Some(decoder) = &mut self.decoder {
            plain = decoder.push(&plain).map_err(broken)?;
            if end {
                plain = joined(plain, decoder.finish().map_err(broken)?);
            }
        }
        let mut edited = if plain.is_empty() {
            plain
        } else {
            self.rewriter.push(&plain)
        };
        if end {
            edited = joined(edited, self.rewriter.finish());
        }
        let Some(encoder) = &mut self.encoder else {
            return Ok(edited);
        };
        let coded = encoder.push(&edited).map_err(broken)?;
        if end {
            Ok(joined(coded, encoder.finish().map_err(broken)?))
        } else {
            Ok(coded)
        }
    }
}

/// Edits one chunk in place. After the last edit chunks pass uncopied, unless they are coded.
///
/// # Errors
/// When the service's body is not what its Content-Encoding says, or unpacks to far too much: the head has
/// been sent, so the answer can only be broken off.
pub(crate) fn chunk(body: &mut Option<Bytes>, end: bool, context: &mut Context) -> pingora::Result<()> {
    let Some(edited) = &mut context.edited else {
        return Ok(());
    };
    let out = edited.pass(body.take(), end)?;
    *body = (end || !out.is_empty()).then_some(out);
    Ok(())
}

fn joined(first: Bytes, second: Bytes) -> Bytes {
    match (first.is_empty(), second.is_empty()) {
        (_, true) => first,
        (true, false) => second,
        (false, false) => [first, second].concat().into(),
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Box<Error> {
    Error::because(ErrorType::new("ContentCoding"), "the page's encoding", error).into_up()
}
