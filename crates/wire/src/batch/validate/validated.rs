//! A batch that may be appended.

use crate::batch::{BatchError, BatchHeader, BatchView, HEADER_LEN};
use bytes::{Bytes, BytesMut};
use kernel::{LeaderEpoch, Offset, Timestamp};

/// A batch that was judged fit for the log: its header, apart, and its records, untouched.
///
/// The records are a slice of the request that they came in unless they had to be compressed anew. The header is kept as
/// values, so that a log can set offset and leader epoch in it and write it and the records as two buffers.
#[derive(Debug, Clone)]
pub struct Validated {
    header: BatchHeader,
    payload: Bytes,
    /// Header and records in one piece, where such a piece exists and its header is the one above.
    whole: Option<Bytes>,
}

impl Validated {
    /// A header that was changed, and records as they came.
    pub(super) fn with_header(header: BatchHeader, payload: Bytes) -> Self {
        Self { header, payload, whole: None }
    }

    /// A batch in one piece, as its header says.
    pub(super) fn in_one_piece(header: BatchHeader, whole: Bytes) -> Self {
        debug_assert_eq!(BatchHeader::read(&whole), Ok(header), "the piece begins with the header");
        Self { header, payload: whole.slice(HEADER_LEN..), whole: Some(whole) }
    }

    /// Takes a batch that this process made itself, or its leader judged, as it is.
    ///
    /// `bytes` must be exactly one batch. The checksum is not looked at.
    pub fn trusted(bytes: &Bytes) -> Result<Self, BatchError> {
        let (batch, rest) = BatchView::parse(bytes)?;
        if !rest.is_empty() {
            return Err(BatchError::TrailingBytes { count: batch.record_count() });
        }
        Ok(Self::in_one_piece(*batch.header(), bytes.clone()))
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records, as they are to be stored.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The size of the whole batch.
    pub fn batch_len(&self) -> usize {
        self.header.batch_len()
    }

    /// Gives the batch its place in the log.
    pub fn assign(&mut self, base_offset: Offset, leader_epoch: LeaderEpoch) {
        self.header.assign(base_offset, leader_epoch);
        self.whole = None;
    }

    /// What the time index says of this batch: its latest timestamp, and the offset of the batch's last record, since
    /// a lookup goes by batch and need not know which record has it.
    pub fn max_timestamp_entry(&self) -> (Timestamp, Offset) {
        (self.header.max_timestamp(), self.header.last_offset())
    }

    /// The whole batch in one piece. That takes a copy only if the header was changed and the records were not.
    pub fn to_bytes(&self) -> Bytes {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let mut bytes = BytesMut::with_capacity(self.batch_len());
        bytes.extend_from_slice(&self.header.encode());
        bytes.extend_from_slice(&self.payload);
        bytes.freeze()
    }
}
