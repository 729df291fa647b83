//! The codecs that batches are compressed with, in the framings that Kafka's clients write.
//!
//! | codec | framing that we write | what we read |
//! | --- | --- | --- |
//! | gzip | one member | any number of members |
//! | snappy | Xerial's, blocks of 32 KiB | Xerial's, also several streams in a row, and one raw block |
//! | lz4 | frame, independent blocks of 64 KiB, no checksums | frames of any block size, linked or not, with all checksums |
//! | zstd | one frame | any number of frames |
//!
//! *Invariant:* what comes out never takes more memory than the [`Limits`] of the caller allow, whatever the input
//! claims: output is produced in chunks, and each is bounded before room is made for it.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use bytes::Bytes;
use std::fmt;
use std::str::FromStr;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    /// The codec with this number in a batch's attributes.
    pub fn from_id(id: u8) -> Option<Self> {
        Codec::ALL.get(usize::from(id)).copied()
    }

    pub fn id(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no codec has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a compression codec: none, gzip, snappy, lz4 or zstd")]
pub struct ParseCodecError(String);

impl FromStr for Codec {
    type Err = ParseCodecError;

    /// Takes a producer's word (`none`) and a topic's (`uncompressed`) for no compression.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name));
        match named {
            Some(codec) => Ok(codec),
            None if name.eq_ignore_ascii_case("uncompressed") => Ok(Codec::None),
            None => Err(ParseCodecError(name.to_owned())),
        }
    }
}

/// A codec and how hard it should try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    pub const NONE: Compression = Compression { codec: Codec::None, level: 0 };

    /// The codec at the level that it has by default.
    pub fn of(codec: Codec) -> Self {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip => -1,
            Codec::Lz4 => 9,
            Codec::Zstd => 3,
        };
        Self { codec, level }
    }

    /// The codec at a level, which is brought into the range that the codec has.
    ///
    /// Our lz4 knows one level only and takes every other for it.
    pub fn with_level(codec: Codec, level: i32) -> Self {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip if level == -1 => -1,
            Codec::Gzip => level.clamp(1, 9),
            Codec::Lz4 => level.clamp(1, 17),
            Codec::Zstd => level.clamp(-131_072, 22),
        };
        Self { codec, level }
    }

    pub fn codec(self) -> Codec {
        self.codec
    }

    pub fn level(self) -> i32 {
        self.level
    }
}

/// How much may come out of a decompression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that may come out.
    pub bytes_max: usize,
}

impl Limits {
    /// What a batch may decompress to where batches may have `message_bytes_max` bytes.
    pub const fn for_batches_of(message_bytes_max: usize) -> Self {
        Self { bytes_max: message_bytes_max.saturating_mul(16) }
    }

    /// For batches of our own log, which were judged when they came in, perhaps under other limits.
    pub const fn trusting(bytes_max: usize) -> Self {
        Self { bytes_max }
    }

    /// What nearly all batches of so many bytes keep to: text that repeats itself becomes a few hundred times as large, and
    /// small batches of equal records come up to a MiB. Whoever has to find room for what comes out begins with these.
    pub fn likely(self, input_len: usize) -> Limits {
        const RATIO: usize = 1_000;
        const FREE: usize = 1024 * 1024;
        Limits { bytes_max: self.bytes_max.min(input_len.saturating_mul(RATIO).max(FREE)) }
    }
}

/// Why bytes do not compress or decompress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// More would come out than the caller allows.
    #[error("more than {limit} bytes come out")]
    TooLarge { limit: usize },
    /// The bytes are not what this codec writes.
    #[error("not well-formed {codec}: {reason}")]
    Corrupt { codec: Codec, reason: &'static str },
    /// The codec's library gave up for a reason of its own, such as memory.
    #[error("{codec} failed: {reason}")]
    Failed { codec: Codec, reason: &'static str },
}

/// Compresses `input` and appends the result to `out`.
pub fn compress(compression: Compression, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    match compression.codec {
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gzip::compress(compression.level, input, out),
        Codec::Snappy => snappy::compress(input, out),
        Codec::Lz4 => lz4::compress(input, out),
        Codec::Zstd => zstd::compress(compression.level, input, out),
    }
}

/// Decompresses all of `input`.
pub fn decompress(codec: Codec, input: &[u8], limits: Limits) -> Result<Bytes, CompressError> {
    decompress_to_vec(codec, input, limits).map(Bytes::from)
}

pub(crate) fn decompress_to_vec(
    codec: Codec,
    input: &[u8],
    limits: Limits,
) -> Result<Vec<u8>, CompressError> {
    let mut decoder = Decoder::new(codec, input, limits);
    let mut out = Vec::new();
    while decoder.next_chunk(&mut out)? {}
    Ok(out)
}

/// Decompresses chunk by chunk.
pub(crate) struct Decoder<'a> {
    kind: Kind<'a>,
    budget: Budget,
}

enum Kind<'a> {
    None(&'a [u8]),
    Gzip(Box<gzip::Decoder<'a>>),
    Snappy(snappy::Decoder<'a>),
    Lz4(Box<lz4::Decoder<'a>>),
    Zstd(&'a [u8]),
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(codec: Codec, input: &'a [u8], limits: Limits) -> Self {
        let limit = match codec {
            Codec::None => limits.bytes_max,
            _ => limits.bytes_max,
        };
        let kind = match codec {
            Codec::None => Kind::None(input),
            Codec::Gzip => Kind::Gzip(Box::new(gzip::Decoder::new(input))),
            Codec::Snappy => Kind::Snappy(snappy::Decoder::new(input)),
            Codec::Lz4 => Kind::Lz4(Box::new(lz4::Decoder::new(input))),
            Codec::Zstd => Kind::Zstd(input),
        };
        Self { kind, budget: Budget { limit, left: limit } }
    }

    /// Appends the next chunk to `out`, which may be empty although more follow; false, and nothing, after the last.
    pub(crate) fn next_chunk(&mut self, out: &mut Vec<u8>) -> Result<bool, CompressError> {
        let before = out.len();
        let more = match &mut self.kind {
            Kind::None(input) => {
                self.budget.check(input.len())?;
                out.extend_from_slice(input);
                !std::mem::take(input).is_empty()
            }
            Kind::Gzip(decoder) => decoder.next_chunk(self.budget, out)?,
            Kind::Snappy(decoder) => decoder.next_chunk(self.budget, out)?,
            Kind::Lz4(decoder) => decoder.next_chunk(self.budget, out)?,
            Kind::Zstd(input) => zstd::next_frame(input, self.budget, out)?,
        };
        self.budget.left = self.budget.left.saturating_sub(out.len() - before);
        Ok(more)
    }
}

/// What may still come out.
#[derive(Debug, Clone, Copy)]
struct Budget {
    limit: usize,
    left: usize,
}

impl Budget {
    /// Whether `count` more bytes may come out.
    fn check(self, count: usize) -> Result<(), CompressError> {
        if count <= self.left { Ok(()) } else { Err(self.exceeded()) }
    }

    fn exceeded(self) -> CompressError {
        CompressError::TooLarge { limit: self.limit }
    }
}

#[cfg(test)]
mod tests;
