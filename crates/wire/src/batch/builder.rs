//! Making batches.

use super::header::{BatchHeader, HEADER_LEN, NO_SEQUENCE, TimestampType, attributes_of};
use super::record::{RecordHeader, RecordView};
use super::varint::{put_varint, put_varlong, varint_len, varlong_len};
use crate::compress::{self, CompressError, Compression};
use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// Why a batch cannot be made of what was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("a record or the batch takes more bytes than a batch can count")]
    TooLarge,
    #[error("offset {offset} cannot follow {last} in a batch that starts at {base}")]
    OffsetOrder { base: Offset, last: Offset, offset: Offset },
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// Collects records and makes one batch of them.
///
/// Setters describe the batch; `append*` add records; [`BatchBuilder::build`] compresses and seals. A record that cannot
/// be added makes `build` fail, so that a caller can append without looking at each result.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    /// Room for the header, then the records, uncompressed.
    buffer: Vec<u8>,
    compression: Compression,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    producer: (ProducerId, ProducerEpoch, i32),
    transactional: bool,
    control: bool,
    log_append_time: Option<Timestamp>,
    delete_horizon: Option<Timestamp>,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    last_offset: Option<Offset>,
    forced_last_offset: Option<Offset>,
    /// What a batch carries as maximum timestamp if no record remains.
    empty_max_timestamp: Timestamp,
    record_count: i32,
    error: Option<BuildError>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An uncompressed batch at offset 0 with no producer id, whose records carry their own time.
    pub fn new() -> Self {
        Self::with_capacity(HEADER_LEN)
    }

    /// The same with room for a batch of so many bytes, so that it does not move while it grows.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes.max(HEADER_LEN));
        buffer.resize(HEADER_LEN, 0);
        Self {
            buffer,
            compression: Compression::NONE,
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::NONE,
            producer: (ProducerId::NONE, ProducerEpoch::NONE, NO_SEQUENCE),
            transactional: false,
            control: false,
            log_append_time: None,
            delete_horizon: None,
            base_timestamp: None,
            max_timestamp: Timestamp::NONE,
            last_offset: None,
            forced_last_offset: None,
            empty_max_timestamp: Timestamp::NONE,
            record_count: 0,
            error: None,
        }
    }

    /// A builder with the properties of `header`: what a cleaner starts from when it keeps only some of the records.
    ///
    /// The last offset is kept, so that the batch still covers the offsets of the records that go.
    pub fn like(header: &BatchHeader, compression: Compression) -> Self {
        let mut builder = Self::new()
            .compression(compression)
            .base_offset(header.base_offset())
            .leader_epoch(header.partition_leader_epoch())
            .producer(header.producer_id(), header.producer_epoch(), header.base_sequence())
            .last_offset(header.last_offset());
        builder.transactional = header.is_transactional();
        builder.control = header.is_control();
        builder.delete_horizon = header.delete_horizon();
        builder.empty_max_timestamp = header.max_timestamp();
        if header.timestamp_type() == TimestampType::LogAppendTime {
            builder.log_append_time = Some(header.max_timestamp());
        }
        builder
    }

    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The offset of the first record. Must be set before records are appended.
    pub fn base_offset(mut self, offset: Offset) -> Self {
        self.base_offset = offset;
        self
    }

    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = epoch;
        self
    }

    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.producer = (id, epoch, base_sequence);
        self
    }

    pub fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    /// Marks the batch as one of control records, which consumers do not hand out.
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// Gives all records this time instead of their own.
    pub fn log_append_time(mut self, time: Timestamp) -> Self {
        self.log_append_time = Some(time);
        self
    }

    /// From when on tombstones and markers in the batch may go. Must be set before records are appended.
    pub fn delete_horizon(mut self, horizon: Timestamp) -> Self {
        self.delete_horizon = Some(horizon);
        self
    }

    /// Lets the batch cover offsets up to this one, though its records may end earlier.
    pub fn last_offset(mut self, offset: Offset) -> Self {
        self.forced_last_offset = Some(offset);
        self
    }

    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// The size of the batch so far, before compression.
    pub fn size_in_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Adds a record at the next offset.
    pub fn append(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>) -> &mut Self {
        self.append_with_headers(timestamp, key, value, &[])
    }

    /// Adds a record with headers at the next offset.
    pub fn append_with_headers(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> &mut Self {
        self.append_all(timestamp, key, value, headers.iter().copied())
    }

    /// Adds a record at the next offset, with headers from wherever they are.
    pub fn append_all<'h>(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = RecordHeader<'h>> + Clone,
    ) -> &mut Self {
        let offset = self.last_offset.map_or(self.base_offset, |last| last + 1);
        self.push(0, offset, timestamp, key, value, Headers::Apart(headers))
    }

    /// Adds a record at an offset above that of the record before it.
    pub fn append_at(
        &mut self,
        offset: Offset,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> &mut Self {
        self.push(0, offset, timestamp, key, value, Headers::Apart(headers.iter().copied()))
    }

    /// Adds a record of another batch as it is, its offset and time included.
    pub fn append_view(&mut self, record: &RecordView<'_>) -> &mut Self {
        let headers: Headers<'_, std::iter::Empty<_>> =
            Headers::Stored(record.headers.len(), record.headers.bytes());
        self.push(record.attributes, record.offset, record.timestamp, record.key, record.value, headers)
    }

    fn push<'h, H>(
        &mut self,
        attributes: i8,
        offset: Offset,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers<'h, H>,
    ) -> &mut Self
    where
        H: ExactSizeIterator<Item = RecordHeader<'h>> + Clone,
    {
        let Some(offset_delta) = self.offset_delta(offset) else {
            return self;
        };
        let base = *self.base_timestamp.get_or_insert(self.delete_horizon.unwrap_or(timestamp));
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        let header_count = headers.count();
        let size = 1
            + varlong_len(timestamp_delta)
            + varint_len(offset_delta)
            + nullable_len(key)
            + nullable_len(value)
            + varint_len(header_count as i32)
            + headers.size();
        // Everything that is counted as 32 bits fits if this does.
        if self.buffer.len() + size + 5 > i32::MAX as usize {
            self.error.get_or_insert(BuildError::TooLarge);
            return self;
        }
        put_varint(&mut self.buffer, size as i32);
        self.buffer.push(attributes as u8);
        put_varlong(&mut self.buffer, timestamp_delta);
        put_varint(&mut self.buffer, offset_delta);
        put_nullable(&mut self.buffer, key);
        put_nullable(&mut self.buffer, value);
        put_varint(&mut self.buffer, header_count as i32);
        headers.put(&mut self.buffer);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.last_offset = Some(offset);
        self.record_count += 1;
        self
    }

    /// The distance of `offset` from the batch's first, if it may come next.
    fn offset_delta(&mut self, offset: Offset) -> Option<i32> {
        let last = self.last_offset.unwrap_or(self.base_offset + -1);
        match i32::try_from(offset - self.base_offset) {
            Ok(delta) if delta >= 0 && offset > last => Some(delta),
            _ => {
                self.error.get_or_insert(BuildError::OffsetOrder { base: self.base_offset, last, offset });
                None
            }
        }
    }

    /// The finished batch. One without records is a bare header, as cleaning leaves behind.
    pub fn build(mut self) -> Result<Bytes, BuildError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut header = self.header()?;
        let mut batch = self.buffer;
        if header.is_compressed() {
            let mut compressed = Vec::with_capacity(batch.len() / 2 + HEADER_LEN);
            compressed.resize(HEADER_LEN, 0);
            compress::compress(
                self.compression,
                batch.get(HEADER_LEN..).unwrap_or_default(),
                &mut compressed,
            )?;
            batch = compressed;
        }
        let (head, payload) = batch.split_at_mut_checked(HEADER_LEN).ok_or(BuildError::TooLarge)?;
        header.seal(payload).map_err(|_| BuildError::TooLarge)?;
        head.copy_from_slice(&header.encode());
        debug_assert_eq!(BatchHeader::read(&batch), Ok(header), "a header comes back as it was written");
        Ok(batch.into())
    }

    /// The header, but for length and checksum.
    fn header(&self) -> Result<BatchHeader, BuildError> {
        let last = self.forced_last_offset.or(self.last_offset).unwrap_or(self.base_offset);
        let last_offset_delta = i32::try_from(last - self.base_offset).map_err(|_| BuildError::TooLarge)?;
        let kind = match self.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        // With no record there is nothing to compress and nothing that could go at a horizon.
        let empty = self.record_count == 0;
        let codec = if empty { compress::Codec::None } else { self.compression.codec() };
        let horizon = self.delete_horizon.is_some() && !empty;
        let max_timestamp = if empty { self.empty_max_timestamp } else { self.max_timestamp };
        let (producer_id, producer_epoch, base_sequence) = self.producer;
        Ok(BatchHeader {
            base_offset: self.base_offset.get(),
            length: 0,
            leader_epoch: self.leader_epoch.0,
            crc: 0,
            attributes: attributes_of(codec, kind, self.transactional, self.control, horizon),
            last_offset_delta,
            base_timestamp: self.base_timestamp.unwrap_or(Timestamp::NONE).0,
            max_timestamp: self.log_append_time.unwrap_or(max_timestamp).0,
            producer_id: producer_id.0,
            producer_epoch: producer_epoch.0,
            base_sequence,
            record_count: self.record_count,
        })
    }
}

/// The headers of a record that is added.
enum Headers<'h, H> {
    Apart(H),
    /// How many, and their bytes as another batch has them.
    Stored(usize, &'h [u8]),
}

impl<'h, H: ExactSizeIterator<Item = RecordHeader<'h>> + Clone> Headers<'h, H> {
    fn count(&self) -> usize {
        match self {
            Headers::Apart(headers) => headers.len(),
            Headers::Stored(count, _) => *count,
        }
    }

    fn size(&self) -> usize {
        match self {
            Headers::Apart(headers) => headers
                .clone()
                .map(|header| nullable_len(Some(header.key)) + nullable_len(header.value))
                .fold(0, usize::saturating_add),
            Headers::Stored(_, bytes) => bytes.len(),
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Headers::Apart(headers) => put_headers(out, headers),
            Headers::Stored(_, bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Headers as records have them, without their count.
pub fn encode_headers<'h>(headers: impl IntoIterator<Item = RecordHeader<'h>>) -> Vec<u8> {
    let mut out = Vec::new();
    put_headers(&mut out, headers);
    out
}

fn put_headers<'h>(out: &mut Vec<u8>, headers: impl IntoIterator<Item = RecordHeader<'h>>) {
    for header in headers {
        put_nullable(out, Some(header.key));
        put_nullable(out, header.value);
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        // A length that does not fit is caught by the size of the record as a whole.
        Some(bytes) => varint_len(i32::try_from(bytes.len()).unwrap_or(i32::MAX)) + bytes.len(),
        None => 1,
    }
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
        None => put_varint(out, -1),
    }
}
