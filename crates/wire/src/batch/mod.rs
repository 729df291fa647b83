//! Record batches of format v2: the unit that producers send, the log keeps and consumers fetch.
//!
//! [`BatchHeader`] reads the fixed part alone, as a scan of a file needs it. [`BatchView`] is a whole batch in a byte
//! slice; [`BatchView::records`] gives its records. [`BatchBuilder`] makes batches. [`validate`] judges what a producer
//! sent.
//!
//! *Invariant:* nothing that a batch declares about itself (lengths, counts, sizes after decompression) leads to an
//! allocation before it was checked against bytes that are there or a limit that the caller gave.

mod builder;
mod control;
mod error;
mod header;
mod record;
mod source;
pub mod validate;
mod varint;
mod view;

#[cfg(test)]
mod tests;

pub use builder::{BatchBuilder, BuildError, encode_headers};
pub use control::{ControlRecordType, EndTxnMarker};
pub use error::{BatchError, RecordFault};
pub use header::{
    ASSIGNED_LEN, BatchHeader, CHECKED_FROM, HEADER_LEN, MAGIC, NO_SEQUENCE, PREFIX_LEN, TimestampType,
    increment_sequence,
};
pub use record::{BatchRecords, HeadersView, RecordCursor, RecordHeader, RecordIter, RecordView};
pub use view::{BatchView, Batches};
