//! Applies a content coding while a body streams: every chunk leaves at once, so that the first bytes of a page
//! are never held back by the compressor.

use std::io::{self, Write};

use bytes::Bytes;

use super::Coding;

/// Fast settings: a page is compressed once per visitor, so speed counts more than the last percent.
const GZIP_LEVEL: u32 = 3;
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 19;
const ZSTD_LEVEL: i32 = 3;

/// Compresses one body.
pub struct Encoder(Inner);

enum Inner {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
    Brotli(Option<Box<brotli::CompressorWriter<Vec<u8>>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// A fresh encoder.
    ///
    /// # Errors
    /// When the library can't make one.
    pub fn new(coding: Coding) -> io::Result<Self> {
        let level = flate2::Compression::new(GZIP_LEVEL);
        Ok(Self(match coding {
            Coding::Gzip => Inner::Gzip(flate2::write::GzEncoder::new(Vec::new(), level)),
            Coding::Deflate => Inner::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), level)),
            Coding::Brotli => Inner::Brotli(Some(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                4096,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            )))),
            Coding::Zstd => Inner::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        }))
    }

    /// Compresses a chunk to its end: the client can unpack all of it.
    ///
    /// # Errors
    /// Memory alone; the sink is a vector.
    pub fn push(&mut self, chunk: &[u8]) -> io::Result<Bytes> {
        if chunk.is_empty() {
            return Ok(Bytes::new());
        }
        let out = match &mut self.0 {
            Inner::Gzip(encoder) => {
                encoder.write_all(chunk)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Inner::Deflate(encoder) => {
                encoder.write_all(chunk)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Inner::Brotli(Some(encoder)) => {
                encoder.write_all(chunk)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Inner::Brotli(None) => return Err(io::ErrorKind::BrokenPipe.into()),
            Inner::Zstd(encoder) => {
                encoder.write_all(chunk)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
        };
        Ok(out.into())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// As [`Encoder::push`].
    pub fn finish(&mut self) -> io::Result<Bytes> {
        let out = match &mut self.0 {
            Inner::Gzip(encoder) => {
                encoder.try_finish()?;
                std::mem::take(encoder.get_mut())
            }
            Inner::Deflate(encoder) => {
                encoder.try_finish()?;
                std::mem::take(encoder.get_mut())
            }
            Inner::Brotli(encoder) => encoder
                .take()
                .map(|encoder| encoder.into_inner())
                .unwrap_or_default(),
            Inner::Zstd(encoder) => {
                encoder.do_finish()?;
                std::mem::take(encoder.get_mut())
            }
        };
        Ok(out.into())
    }
}
