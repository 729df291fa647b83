//! What can be wrong with the bytes of a batch.

use crate::compress::CompressError;

/// Why bytes are not a record batch of format v2, or not one that can be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes end before the batch does: wait for more, or truncate here.
    #[error("the batch needs {need} bytes and {have} are there")]
    Incomplete { need: usize, have: usize },
    /// The declared length cannot hold a batch header, or is negative.
    #[error("the batch declares a length of {0} bytes, which no batch can have")]
    Length(i32),
    /// Not the format that we keep. Kafka 4 refuses to write the older ones, too.
    #[error("the batch has magic {0}; only 2 is supported")]
    Magic(i8),
    #[error("the batch carries the checksum {stored:#010x} but its bytes have {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("the batch names the compression codec {0}, which does not exist")]
    Codec(u8),
    #[error("the batch declares {0} records")]
    RecordCount(i32),
    /// The record at `index` does not parse.
    #[error("the record at index {index} of the batch is malformed: {fault}")]
    Record { index: i32, fault: RecordFault },
    /// All records that the header counts were read, and bytes remain.
    #[error("bytes follow the {count} records that the batch declares")]
    TrailingBytes { count: i32 },
    #[error("the records of the batch do not decompress: {0}")]
    Decompress(#[from] CompressError),
}

/// What is wrong with the bytes of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    #[error("it ends too early")]
    Truncated,
    #[error("a number takes more bytes than its type has")]
    LongVarint,
    #[error("its declared size and its fields do not agree")]
    Size,
    #[error("a length is below -1")]
    NegativeLength,
    #[error("it declares a negative number of headers")]
    NegativeHeaderCount,
    #[error("it declares more headers than it has bytes for")]
    TooManyHeaders,
    #[error("a header has no key")]
    NullHeaderKey,
}
