//! The content codings of the web, written and read with the usual libraries. Not responsible for what the
//! gateway makes of them.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1950, as servers mean it.
    Deflate,
}

/// Packs or unpacks a stream piece by piece.
pub struct Press {
    machine: Box<dyn Write + Send>,
    out: Sink,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Brotli, Self::Zstd, Self::Deflate];

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }

    /// Packs a stream.
    ///
    /// # Panics
    /// If the library fails.
    #[must_use]
    pub fn packer(self) -> Press {
        let level = flate2::Compression::fast();
        Press::new(|out| match self {
            Self::Gzip => Box::new(flate2::write::GzEncoder::new(out, level)),
            Self::Brotli => Box::new(brotli::CompressorWriter::new(out, 4096, 3, 20)),
            Self::Zstd => Box::new(
                zstd::stream::write::Encoder::new(out, 1)
                    .expect("a zstd encoder")
                    .auto_finish(),
            ),
            Self::Deflate => Box::new(flate2::write::ZlibEncoder::new(out, level)),
        })
    }

    /// Unpacks a stream.
    ///
    /// # Panics
    /// If the library fails.
    #[must_use]
    pub fn unpacker(self) -> Press {
        Press::new(|out| match self {
            Self::Gzip => Box::new(flate2::write::MultiGzDecoder::new(out)),
            Self::Brotli => Box::new(brotli::DecompressorWriter::new(out, 4096)),
            Self::Zstd => Box::new(zstd::stream::write::Decoder::new(out).expect("a zstd decoder")),
            Self::Deflate => Box::new(flate2::write::ZlibDecoder::new(out)),
        })
    }

    /// Packs all at once.
    #[must_use]
    pub fn pack(self, data: &[u8]) -> Vec<u8> {
        let mut packer = self.packer();
        let mut packed = packer.push(data);
        packed.extend(packer.finish());
        packed
    }

    /// Unpacks all at once.
    #[must_use]
    pub fn unpack(self, data: &[u8]) -> Vec<u8> {
        let mut unpacker = self.unpacker();
        let mut unpacked = unpacker.push(data);
        unpacked.extend(unpacker.finish());
        unpacked
    }
}

impl Press {
    fn new(machine: impl FnOnce(Sink) -> Box<dyn Write + Send>) -> Self {
        let out = Sink::default();
        Self {
            machine: machine(out.clone()),
            out,
        }
    }

    /// Puts a piece in, and flushes what can be had of it so far. The brotli library's unpacker keeps what goes
    /// beyond 4 KiB back until the next piece or the end.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.machine
            .write_all(piece)
            .expect("a stream in the coding it claims");
        self.machine.flush().expect("memory");
        self.taken()
    }

    /// What is left at the end.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let Self { machine, out } = self;
        drop(machine);
        std::mem::take(&mut *out.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut *self.out.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
