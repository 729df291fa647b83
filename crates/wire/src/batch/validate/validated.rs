//! A batch that may be appended.

use crate::batch::{BatchError, BatchHeader, BatchView, HEADER_LEN};
use bytes::{Bytes, BytesMut};
use kernel::{LeaderEpoch, Offset, Timestamp};

/// A batch that was judged fit for the log: its header, apart, and its records, untouched.
///
/// The records are a slice of the request that they came in unless they had to be compressed anew. The header is kept as
/// values: the log sets offset and leader epoch in it, and writes it and the records as two buffers.
#[derive(Debug, Clone)]
pub struct Validated {
    header: BatchHeader,
    payload: Bytes,
}

impl Validated {
    pub(crate) fn new(header: BatchHeader, payload: Bytes) -> Self {
        Self { header, payload }
    }

    /// Takes a batch that this process made itself, or its leader judged, as it is.
    ///
    /// `bytes` must be exactly one batch. The checksum is not looked at.
    pub fn trusted(bytes: &Bytes) -> Result<Self, BatchError> {
        let (batch, rest) = BatchView::parse(bytes)?;
        if !rest.is_empty() {
            return Err(BatchError::TrailingBytes { count: batch.record_count() });
        }
        Ok(Self { header: *batch.header(), payload: bytes.slice(HEADER_LEN..) })
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
    }

    /// What the time index says of this batch: its latest timestamp, and the offset of the batch's last record, since
    /// a lookup goes by batch and need not know which record has it.
    pub fn max_timestamp_entry(&self) -> (Timestamp, Offset) {
        (self.header.max_timestamp(), self.header.last_offset())
    }

    /// The whole batch in one piece, which takes a copy.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.batch_len());
        bytes.extend_from_slice(&self.header.encode());
        bytes.extend_from_slice(&self.payload);
        bytes.freeze()
    }
}
