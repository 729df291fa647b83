//! One batch, borrowed from the bytes that hold it.

use super::BatchError;
use super::header::{BatchHeader, CHECKED_FROM, HEADER_LEN};
use super::record::BatchRecords;
use crate::compress::Limits;
use std::ops::Deref;

/// A batch in a byte slice: its header, read, and its records, not yet.
///
/// The accessors of [`BatchHeader`] are all there by dereference.
#[derive(Debug, Clone, Copy)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Takes the batch at the start of `bytes` and returns it with what comes after.
    ///
    /// Neither the checksum nor the records are looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<(BatchView<'a>, &'a [u8]), BatchError> {
        let header = BatchHeader::read(bytes)?;
        let need = header.batch_len();
        match bytes.split_at_checked(need) {
            Some((batch, rest)) => Ok((BatchView { header, bytes: batch }, rest)),
            None => Err(BatchError::Incomplete { need, have: bytes.len() }),
        }
    }

    /// All batches in `bytes`, one after the other.
    pub fn iter(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes, failed: false }
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as stored: compressed, if the batch is.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The checksum that the bytes have.
    pub fn computed_crc(&self) -> u32 {
        crc_fast::crc32_iscsi(self.bytes.get(CHECKED_FROM..).unwrap_or_default())
    }

    /// Whether the bytes are those that the checksum was made for.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let (stored, computed) = (self.header.crc, self.computed_crc());
        if stored == computed { Ok(()) } else { Err(BatchError::Checksum { stored, computed }) }
    }

    /// The records, decompressed if need be, to at most what `limits` allows.
    pub fn records(&self, limits: Limits) -> Result<BatchRecords<'a>, BatchError> {
        BatchRecords::open(self.header, self.payload(), limits)
    }
}

impl Deref for BatchView<'_> {
    type Target = BatchHeader;

    fn deref(&self) -> &BatchHeader {
        &self.header
    }
}

/// The batches in a slice. Ends after the last whole one or the first error; see [`Batches::rest`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// What is left: nothing, or what could not be parsed.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        match BatchView::parse(self.rest) {
            Ok((batch, rest)) => {
                self.rest = rest;
                Some(Ok(batch))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}
