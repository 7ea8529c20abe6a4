//! Undoes a content coding while a body streams, and refuses what unpacks to far too much.

use std::io::{self, Write};

use brotli::enc::StandardAlloc;
use brotli::{BrotliResult, BrotliState};
use bytes::Bytes;

use super::Coding;

/// Input is unpacked in slices of this size, so that a bomb is noticed after one of them.
const SLICE: usize = 1024;
/// Below this much output nothing is called a bomb.
const HARMLESS: u64 = 4 * 1024 * 1024;
/// How many times its size a body may unpack to. HTML reaches some tens; deflate can reach 1032.
const RATIO: u64 = 100;

/// Why a body can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It unpacks to more than any page does.
    #[error("the body unpacks to more than {RATIO} times its size")]
    Bomb,
    /// It is not what its Content-Encoding says, or it is cut off.
    #[error("the body is not validly encoded: {0}")]
    Broken(#[from] io::Error),
}

/// Unpacks one body.
pub struct Decoder {
    inner: Inner,
    received: u64,
    unpacked: u64,
}

enum Inner {
    Gzip(flate2::write::MultiGzDecoder<Vec<u8>>),
    /// Not known before the first two bytes which of the two formats it is.
    DeflateUnseen(Vec<u8>),
    Zlib(flate2::write::ZlibDecoder<Vec<u8>>),
    Deflate(flate2::write::DeflateDecoder<Vec<u8>>),
    Brotli(Box<Brotli>),
    Zstd(Box<Zstd>),
}

/// A zstd decoder that knows whether its frame has ended.
struct Zstd {
    raw: zstd::stream::raw::Decoder<'static>,
    out: Vec<u8>,
    ended: bool,
}

/// The bare brotli decoder: the library's writer keeps back what does not fit its buffer until more input comes.
struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    out: Vec<u8>,
    ended: bool,
}

impl Decoder {
    /// A fresh decoder.
    ///
    /// # Errors
    /// When the library can't make one.
    pub fn new(coding: Coding) -> Result<Self, DecodeError> {
        let inner = match coding {
            Coding::Gzip => Inner::Gzip(flate2::write::MultiGzDecoder::new(Vec::new())),
            Coding::Deflate => Inner::DeflateUnseen(Vec::new()),
            Coding::Brotli => Inner::Brotli(Box::new(Brotli::new())),
            Coding::Zstd => {
                let mut raw = zstd::stream::raw::Decoder::new()?;
                // A window of 8 MiB is what RFC 9659 lets a sender of this coding use.
                raw.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(23))?;
                Inner::Zstd(Box::new(Zstd {
                    raw,
                    out: Vec::new(),
                    ended: false,
                }))
            }
        };
        Ok(Self {
            inner,
            received: 0,
            unpacked: 0,
        })
    }

    /// Unpacks what can be unpacked so far.
    ///
    /// # Errors
    /// [`DecodeError`]; the body can't be used further.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Bytes, DecodeError> {
        let mut all = Vec::new();
        for slice in chunk.chunks(SLICE) {
            self.received += slice.len() as u64;
            self.inner.write(slice)?;
            let out = self.inner.take();
            self.unpacked += out.len() as u64;
            if self.unpacked > HARMLESS && self.unpacked / RATIO > self.received {
                return Err(DecodeError::Bomb);
            }
            if all.is_empty() {
                all = out;
            } else {
                all.extend_from_slice(&out);
            }
        }
        Ok(all.into())
    }

    /// Unpacks the rest.
    ///
    /// # Errors
    /// [`DecodeError::Broken`] if the body was cut off.
    pub fn finish(&mut self) -> Result<Bytes, DecodeError> {
        self.inner.finish()?;
        Ok(self.inner.take().into())
    }
}

impl Inner {
    fn write(&mut self, slice: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(slice).and_then(|()| decoder.flush()),
            Self::Zlib(decoder) => decoder.write_all(slice).and_then(|()| decoder.flush()),
            Self::Deflate(decoder) => decoder.write_all(slice).and_then(|()| decoder.flush()),
            Self::Brotli(decoder) => decoder.write(slice),
            Self::Zstd(decoder) => decoder.write(slice),
            Self::DeflateUnseen(seen) => {
                seen.extend_from_slice(slice);
                let &[first, second, ..] = seen.as_slice() else {
                    return Ok(());
                };
                let seen = std::mem::take(seen);
                let zlib = first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
                *self = if zlib {
                    Self::Zlib(flate2::write::ZlibDecoder::new(Vec::new()))
                } else {
                    Self::Deflate(flate2::write::DeflateDecoder::new(Vec::new()))
                };
                self.write(&seen)
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Gzip(decoder) => std::mem::take(decoder.get_mut()),
            Self::Zlib(decoder) => std::mem::take(decoder.get_mut()),
            Self::Deflate(decoder) => std::mem::take(decoder.get_mut()),
            Self::Brotli(decoder) => std::mem::take(&mut decoder.out),
            Self::Zstd(decoder) => std::mem::take(&mut decoder.out),
            Self::DeflateUnseen(_) => Vec::new(),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let cut_off = || io::Error::new(io::ErrorKind::UnexpectedEof, "the body is cut off");
        match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
            Self::Brotli(decoder) if decoder.ended => Ok(()),
            Self::Zstd(decoder) if decoder.ended => Ok(()),
            Self::DeflateUnseen(seen) if seen.is_empty() => Ok(()),
            Self::Brotli(_) | Self::Zstd(_) | Self::DeflateUnseen(_) => Err(cut_off()),
        }
    }
}

impl Zstd {
    fn write(&mut self, slice: &[u8]) -> io::Result<()> {
        use zstd::stream::raw::{InBuffer, Operation, OutBuffer};
        let mut input = InBuffer::around(slice);
        let mut buffer = [0_u8; 16 * 1024];
        loop {
            let mut output = OutBuffer::around(&mut buffer[..]);
            let wanted = self.raw.run(&mut input, &mut output)?;
            let filled = output.as_slice().len();
            let full = filled == output.capacity();
            self.out.extend_from_slice(output.as_slice());
            self.ended = wanted == 0;
            if input.pos() == slice.len() && !full {
                return Ok(());
            }
        }
    }
}

impl Brotli {
    fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: BrotliState::new(alloc(), alloc(), alloc()),
            out: Vec::new(),
            ended: false,
        }
    }

    fn write(&mut self, slice: &[u8]) -> io::Result<()> {
        let (mut available_in, mut at) = (slice.len(), 0);
        let mut buffer = [0_u8; 16 * 1024];
        let mut total = 0;
        loop {
            let (mut available_out, mut filled) = (buffer.len(), 0);
            let result = brotli::BrotliDecompressStream(
                &mut available_in,
                &mut at,
                slice,
                &mut available_out,
                &mut filled,
                &mut buffer,
                &mut total,
                &mut self.state,
            );
            self.out.extend_from_slice(&buffer[..filled]);
            match result {
                BrotliResult::NeedsMoreOutput => {}
                // It says so as well when the buffer was full while it pushed out what it had.
                BrotliResult::NeedsMoreInput if filled == buffer.len() => {}
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::ResultSuccess if available_in == 0 => {
                    self.ended = true;
                    return Ok(());
                }
                BrotliResult::ResultSuccess | BrotliResult::ResultFailure => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "not a brotli stream"));
                }
            }
        }
    }
}
