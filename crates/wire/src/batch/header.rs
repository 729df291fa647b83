//! The fixed 61 bytes at the front of a batch.
//!
//! | at | field | | at | field |
//! | --- | --- | --- | --- | --- |
//! | 0 | base offset, i64 | | 27 | base timestamp, i64 |
//! | 8 | length of all that follows, i32 | | 35 | maximum timestamp, i64 |
//! | 12 | partition leader epoch, i32 | | 43 | producer id, i64 |
//! | 16 | magic, i8 | | 51 | producer epoch, i16 |
//! | 17 | CRC-32C of all that follows, u32 | | 53 | base sequence, i32 |
//! | 21 | attributes, i16 | | 57 | number of records, i32 |
//! | 23 | last offset delta, i32 | | 61 | the records |
//!
//! The leader assigns the base offset and the leader epoch, which both lie before the checksum's reach, so a batch goes
//! from a producer's request into the log with its first [`ASSIGNED_LEN`] bytes written anew and no other touched.

use super::BatchError;
use crate::compress::Codec;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// The bytes of a batch before its records.
pub const HEADER_LEN: usize = 61;
/// The bytes of a batch that its length field does not count: base offset and the length itself.
pub const PREFIX_LEN: usize = 12;
/// The bytes that the leader writes anew when it appends: base offset, length (unchanged) and leader epoch.
pub const ASSIGNED_LEN: usize = 16;
/// Where the checksum's reach begins.
pub const CHECKED_FROM: usize = 21;
/// The format that this crate reads and writes.
pub const MAGIC: i8 = 2;
/// What stands in place of a sequence number where there is no idempotent producer.
pub const NO_SEQUENCE: i32 = -1;

pub(crate) const MAGIC_AT: usize = 16;
const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// Who set a record's timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer, when it made the record.
    CreateTime,
    /// The leader, when it appended the batch; all records of the batch share it.
    LogAppendTime,
}

/// The header of a batch, read without its records.
///
/// Writing it gives back exactly the bytes that were read, unless a setter was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) length: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may go on with the records or end.
    pub fn read(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        // The length and the format are judged before the header is asked for in full: a batch of an older format
        // can be shorter than a header of ours.
        let length = declared_length(bytes)?;
        let incomplete = BatchError::Incomplete { need: HEADER_LEN, have: bytes.len() };
        let magic = bytes.get(MAGIC_AT).map(|byte| *byte as i8).ok_or_else(|| incomplete.clone())?;
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        if length < (HEADER_LEN - PREFIX_LEN) as i32 {
            return Err(BatchError::Length(length));
        }
        let head: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(incomplete)?;
        Ok(BatchHeader {
            base_offset: i64::from_be_bytes(field(head, 0)),
            length,
            leader_epoch: i32::from_be_bytes(field(head, 12)),
            crc: u32::from_be_bytes(field(head, 17)),
            attributes: i16::from_be_bytes(field(head, CHECKED_FROM)),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        })
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut head = [0; HEADER_LEN];
        put_field(&mut head, 0, self.base_offset.to_be_bytes());
        put_field(&mut head, 8, self.length.to_be_bytes());
        put_field(&mut head, 12, self.leader_epoch.to_be_bytes());
        put_field(&mut head, MAGIC_AT, MAGIC.to_be_bytes());
        put_field(&mut head, 17, self.crc.to_be_bytes());
        put_field(&mut head, CHECKED_FROM, self.attributes.to_be_bytes());
        put_field(&mut head, 23, self.last_offset_delta.to_be_bytes());
        put_field(&mut head, 27, self.base_timestamp.to_be_bytes());
        put_field(&mut head, 35, self.max_timestamp.to_be_bytes());
        put_field(&mut head, 43, self.producer_id.to_be_bytes());
        put_field(&mut head, 51, self.producer_epoch.to_be_bytes());
        put_field(&mut head, 53, self.base_sequence.to_be_bytes());
        put_field(&mut head, 57, self.record_count.to_be_bytes());
        head
    }

    pub fn base_offset(&self) -> Offset {
        Offset(self.base_offset)
    }

    /// The size of the whole batch in bytes, the first 12 included.
    pub fn batch_len(&self) -> usize {
        PREFIX_LEN + self.length as usize
    }

    /// The size of the records in bytes, as they are stored (compressed, if they are).
    pub fn payload_len(&self) -> usize {
        self.batch_len() - HEADER_LEN
    }

    pub fn partition_leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch)
    }

    pub fn magic(&self) -> i8 {
        MAGIC
    }

    /// The checksum that the batch carries; [`super::BatchView::verify_crc`] says whether it is right.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    pub fn attributes(&self) -> i16 {
        self.attributes
    }

    /// How the records are compressed; fails for a number that no codec has.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        let id = (self.attributes & CODEC_MASK) as u8;
        Codec::from_id(id).ok_or(BatchError::Codec(id))
    }

    /// Whether the records are compressed, by whatever codec.
    pub fn is_compressed(&self) -> bool {
        self.attributes & CODEC_MASK != 0
    }

    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes & LOG_APPEND_TIME {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// When the tombstones and markers in this batch may go, once a cleaning has set it (KIP-534).
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        (self.attributes & DELETE_HORIZON != 0).then_some(Timestamp(self.base_timestamp))
    }

    pub fn last_offset_delta(&self) -> i32 {
        self.last_offset_delta
    }

    /// The offset of the last record that the batch had when it was appended; cleaning keeps it.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset() + 1
    }

    pub fn base_timestamp(&self) -> Timestamp {
        Timestamp(self.base_timestamp)
    }

    pub fn max_timestamp(&self) -> Timestamp {
        Timestamp(self.max_timestamp)
    }

    pub fn producer_id(&self) -> ProducerId {
        ProducerId(self.producer_id)
    }

    /// Whether an idempotent producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id().is_some()
    }

    pub fn producer_epoch(&self) -> ProducerEpoch {
        ProducerEpoch(self.producer_epoch)
    }

    pub fn base_sequence(&self) -> i32 {
        self.base_sequence
    }

    /// The sequence number of the last record; numbers wrap to 0 after the largest.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            base => increment_sequence(base, self.last_offset_delta),
        }
    }

    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Gives the batch its place in the log. The checksum does not cover what this changes.
    pub fn assign(&mut self, base_offset: Offset, leader_epoch: LeaderEpoch) {
        self.base_offset = base_offset.get();
        self.leader_epoch = leader_epoch.0;
    }

    /// Sets type and maximum of the timestamps, and drops attribute bits that have no meaning, as Kafka does.
    ///
    /// Returns whether that changed anything; if so the checksum is stale until [`BatchHeader::seal`].
    pub(crate) fn set_max_timestamp(&mut self, kind: TimestampType, max: Timestamp) -> bool {
        if self.timestamp_type() == kind && self.max_timestamp == max.0 {
            return false;
        }
        let known = self.attributes & (CODEC_MASK | TRANSACTIONAL | CONTROL | DELETE_HORIZON);
        self.attributes = match kind {
            TimestampType::CreateTime => known,
            TimestampType::LogAppendTime => known | LOG_APPEND_TIME,
        };
        self.max_timestamp = max.0;
        true
    }

    pub(crate) fn set_codec(&mut self, codec: Codec) {
        self.attributes = (self.attributes & !CODEC_MASK) | i16::from(codec.id());
    }

    pub(crate) fn clear_delete_horizon(&mut self) {
        self.attributes &= !DELETE_HORIZON;
    }

    /// Sets length and checksum for these records.
    pub(crate) fn seal(&mut self, payload: &[u8]) -> Result<(), BatchError> {
        let length = HEADER_LEN - PREFIX_LEN + payload.len();
        self.length = i32::try_from(length).map_err(|_| BatchError::Length(i32::MAX))?;
        self.crc = self.checksum_with(payload);
        Ok(())
    }

    /// What the checksum should be over this header and these records.
    pub(crate) fn checksum_with(&self, payload: &[u8]) -> u32 {
        let head = self.encode();
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(head.get(CHECKED_FROM..).unwrap_or_default());
        digest.update(payload);
        digest.finalize() as u32
    }
}

/// The attributes of a batch with these properties.
pub(crate) fn attributes_of(
    codec: Codec,
    timestamps: TimestampType,
    transactional: bool,
    control: bool,
    delete_horizon: bool,
) -> i16 {
    let flag = |set: bool, bit: i16| if set { bit } else { 0 };
    i16::from(codec.id())
        | flag(timestamps == TimestampType::LogAppendTime, LOG_APPEND_TIME)
        | flag(transactional, TRANSACTIONAL)
        | flag(control, CONTROL)
        | flag(delete_horizon, DELETE_HORIZON)
}

/// The sequence number `increment` after `sequence`; after the largest comes 0.
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    (sequence.wrapping_add(increment)) & i32::MAX
}

/// What the length field at the start of `bytes` says, if it is one that any batch can have.
fn declared_length(bytes: &[u8]) -> Result<i32, BatchError> {
    let prefix: &[u8; PREFIX_LEN] =
        bytes.first_chunk().ok_or(BatchError::Incomplete { need: HEADER_LEN, have: bytes.len() })?;
    let [.., a, b, c, d] = *prefix;
    let length = i32::from_be_bytes([a, b, c, d]);
    // The smallest batch of any format is one of magic 0: a checksum, two single bytes and two lengths.
    if length < SMALLEST_LENGTH {
        return Err(BatchError::Length(length));
    }
    Ok(length)
}

/// The least that the length field can say in any format.
pub(crate) const SMALLEST_LENGTH: i32 = 14;

#[allow(clippy::indexing_slicing)] // Called with constants that lie within the fixed size.
fn field<const N: usize>(head: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

#[allow(clippy::indexing_slicing)] // Called with constants that lie within the fixed size.
fn put_field<const N: usize>(head: &mut [u8; HEADER_LEN], at: usize, bytes: [u8; N]) {
    head[at..at + N].copy_from_slice(&bytes);
}
