//! The body of an edited document: decoded if it came encoded, edited, encoded for what the client accepts.
//! Chunk in, chunk out: nothing waits for the end.

use bytes::Bytes;
use hivematrix_plugins::Rewriter;

use crate::coding::{Coding, DecodeError, Decoder, Encoder};

/// What the body of an edited document passes.
pub struct EditedBody {
    decoder: Option<Decoder>,
    rewriter: Rewriter,
    encoder: Option<Encoder>,
}

impl EditedBody {
    /// A body that came with `from` and leaves with `to`.
    ///
    /// # Errors
    /// When a codec can't be made.
    pub fn new(from: Option<Coding>, rewriter: Rewriter, to: Option<Coding>) -> Result<Self, DecodeError> {
        let decoder = from.map(Decoder::new).transpose()?;
        let encoder = to.map(Encoder::new).transpose()?;
        Ok(Self {
            decoder,
            rewriter,
            encoder,
        })
    }

    /// One chunk, or the last one.
    ///
    /// # Errors
    /// When the body is not what its coding says, or unpacks to far too much.
    pub fn pass(&mut self, chunk: Option<Bytes>, end: bool) -> Result<Bytes, DecodeError> {
        let mut plain = chunk.unwrap_or_default();
        if let Some(decoder) = &mut self.decoder {
            plain = decoder.push(&plain)?;
            if end {
                plain = joined(plain, decoder.finish()?);
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
        let coded = encoder.push(&edited)?;
        if end {
            Ok(joined(coded, encoder.finish()?))
        } else {
            Ok(coded)
        }
    }
}

fn joined(first: Bytes, second: Bytes) -> Bytes {
    match (first.is_empty(), second.is_empty()) {
        (_, true) => first,
        (true, false) => second,
        (false, false) => [first, second].concat().into(),
    }
}
