//! Judging what a producer sent for one partition.
//!
//! [`validate_produce`] makes the checks that Kafka's leader makes, in its order and with its error codes, and gives back
//! the batch as it is to be appended. Where nothing must change, which is the common case, the records stay the very
//! bytes of the request. Where only timestamps change, the header does, and the checksum with it. Only where the topic
//! wants another codec than the producer chose are records decompressed and compressed again.
//!
//! We are stricter than Kafka in four things, none of which a client does on purpose: uncompressed records must be
//! numbered from 0 on (Kafka asks it of compressed ones only), a transactional batch needs a producer id, a producer id
//! needs an epoch, and neither lengths below -1 nor over-long numbers pass. And records that do not decompress are
//! INVALID_RECORD and an unknown codec UNSUPPORTED_COMPRESSION_TYPE, where Kafka says UNKNOWN_SERVER_ERROR to both.

mod records;
mod reject;
mod validated;

use super::header::{MAGIC, MAGIC_AT, PREFIX_LEN, SMALLEST_LENGTH};
use super::source::{SliceSource, StreamSource};
use super::{BatchError, BatchView, HEADER_LEN, TimestampType};
use crate::compress::{self, Codec, Compression, Decoder, Limits};
use bytes::Bytes;
use kernel::{ErrorCode, Timestamp};
use records::Checker;

pub use reject::{ProduceReject, RECORD_ERRORS_MAX, RecordError, RecordProblem};
pub use validated::Validated;

/// What a topic asks of the batches appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceRules {
    /// `max.message.bytes`: the most bytes of a batch, as sent and as stored.
    pub max_message_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record's time may lie in the past.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far a record's time may lie in the future.
    pub timestamp_after_max_ms: i64,
    /// `compression.type`; nothing stands for `producer`.
    pub compression: Option<Compression>,
    /// Whether `cleanup.policy` has `compact`, which needs a key in every record.
    pub compacted: bool,
    /// Whether the request's version knows zstd, as those from 7 on do.
    pub zstd_allowed: bool,
    /// What the records may decompress to.
    pub limits: Limits,
}

impl Default for ProduceRules {
    fn default() -> Self {
        const MAX_MESSAGE_BYTES: usize = 1_048_588;
        Self {
            max_message_bytes: MAX_MESSAGE_BYTES,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compression: None,
            compacted: false,
            zstd_allowed: true,
            limits: Limits::for_batches_of(MAX_MESSAGE_BYTES),
        }
    }
}

/// Judges what a producer sent for one partition, which must be one batch.
///
/// Bytes after the batch that are too few to be another are dropped, as Kafka does.
pub fn validate_produce(
    records: &Bytes,
    rules: &ProduceRules,
    now: Timestamp,
) -> Result<Validated, ProduceReject> {
    let batch = only_batch(records, rules)?;
    check_batch(&batch, rules)?;
    let source = batch.codec().map_err(reject::from_batch)?;
    match rules.compression {
        Some(target) if target.codec() != source => recompress(&batch, source, target, rules, now),
        _ => keep(records, &batch, source, rules, now),
    }
}

/// Judges the records where they are and keeps them so.
fn keep(
    records: &Bytes,
    batch: &BatchView<'_>,
    source: Codec,
    rules: &ProduceRules,
    now: Timestamp,
) -> Result<Validated, ProduceReject> {
    let mut checker = Checker::new(*batch.header(), rules, now);
    match source {
        Codec::None => checker.check_all(&mut SliceSource::new(batch.payload()))?,
        codec => {
            let decoder = Decoder::new(codec, batch.payload(), rules.limits);
            checker.check_all(&mut StreamSource::new(decoder))?;
        }
    }
    let mut header = *batch.header();
    if !header.set_max_timestamp(rules.timestamp_type, checker.max_timestamp()) {
        return Ok(Validated::in_one_piece(header, records.slice(..header.batch_len())));
    }
    header.seal(batch.payload()).map_err(reject::from_batch)?;
    Ok(Validated::with_header(header, records.slice(HEADER_LEN..header.batch_len())))
}

/// Judges the records and compresses them as the topic wants it.
fn recompress(
    batch: &BatchView<'_>,
    source: Codec,
    target: Compression,
    rules: &ProduceRules,
    now: Timestamp,
) -> Result<Validated, ProduceReject> {
    let decompressed;
    let plain = match source {
        Codec::None => batch.payload(),
        codec => {
            let result = compress::decompress_to_vec(codec, batch.payload(), rules.limits);
            decompressed = result.map_err(|error| reject::from_batch(error.into()))?;
            &decompressed
        }
    };
    let mut checker = Checker::new(*batch.header(), rules, now);
    checker.check_all(&mut SliceSource::new(plain))?;
    let mut whole = vec![0; HEADER_LEN];
    compress::compress(target, plain, &mut whole).map_err(|error| reject::from_batch(error.into()))?;
    let (head, payload) = whole.split_at_mut(HEADER_LEN);
    let mut header = *batch.header();
    header.set_codec(target.codec());
    header.clear_delete_horizon();
    header.set_max_timestamp(rules.timestamp_type, checker.max_timestamp());
    header.seal(payload).map_err(reject::from_batch)?;
    check_size(header.batch_len(), rules)?;
    head.copy_from_slice(&header.encode());
    Ok(Validated::in_one_piece(header, whole.into()))
}

/// Finds the one batch that a producer may send.
fn only_batch<'r>(records: &'r [u8], rules: &ProduceRules) -> Result<BatchView<'r>, ProduceReject> {
    let Some((len, magic)) = next_batch(records)? else {
        return Err(ProduceReject::of_form(ErrorCode::InvalidRecord, "there is no complete batch"));
    };
    if magic != MAGIC {
        let message = format!("the batch has magic {magic}; producers may send magic 2 only");
        return Err(ProduceReject::of_form(ErrorCode::InvalidRecord, message));
    }
    let (batch, rest) = BatchView::parse(records).map_err(reject::from_batch)?;
    debug_assert_eq!(batch.batch_len(), len, "both look at the same field");
    if !rules.zstd_allowed && batch.codec() == Ok(Codec::Zstd) {
        let message = "this version of the request does not know zstd";
        return Err(ProduceReject::of_form(ErrorCode::UnsupportedCompressionType, message));
    }
    if next_batch(rest)?.is_some() {
        let message = "there is more than one batch for the partition";
        return Err(ProduceReject::of_form(ErrorCode::InvalidRecord, message));
    }
    Ok(batch)
}

/// Size and magic of the batch at the start of `bytes`, of whatever format; nothing if it is not there in full.
fn next_batch(bytes: &[u8]) -> Result<Option<(usize, i8)>, ProduceReject> {
    let Some(&[.., a, b, c, d]) = bytes.first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([a, b, c, d]);
    if length < SMALLEST_LENGTH {
        return Err(reject::from_batch(BatchError::Length(length)));
    }
    let Some(magic) = bytes.get(MAGIC_AT).map(|byte| *byte as i8) else {
        return Ok(None);
    };
    if !(0..=MAGIC).contains(&magic) {
        return Err(reject::from_batch(BatchError::Magic(magic)));
    }
    let len = PREFIX_LEN + length as usize;
    Ok((len <= bytes.len()).then_some((len, magic)))
}

/// The checks that need the header only, and the checksum.
fn check_batch(batch: &BatchView<'_>, rules: &ProduceRules) -> Result<(), ProduceReject> {
    let invalid = |message: String| Err(ProduceReject::new(ErrorCode::InvalidRecord, message));
    if batch.base_offset().get() != 0 {
        return invalid(format!("the batch has base offset {}; a producer's must be 0", batch.base_offset()));
    }
    check_size(batch.batch_len(), rules)?;
    batch.verify_crc().map_err(reject::from_batch)?;
    batch.codec().map_err(reject::from_batch)?;
    let (last_delta, count) = (batch.last_offset_delta(), batch.record_count());
    if last_delta < 0 || count <= 0 || i64::from(last_delta) + 1 != i64::from(count) {
        return invalid(format!("the batch has {count} records and last offset delta {last_delta}"));
    }
    if batch.is_control() {
        return invalid("producers may not write control records".to_owned());
    }
    if batch.has_producer_id() && batch.base_sequence() < 0 {
        let (sequence, id) = (batch.base_sequence(), batch.producer_id().0);
        return invalid(format!(
            "the batch has sequence number {sequence} although its producer has the id {id}"
        ));
    }
    if batch.has_producer_id() && batch.producer_epoch().0 < 0 {
        return invalid(format!("the batch has producer id {} but no producer epoch", batch.producer_id().0));
    }
    if batch.is_transactional() && !batch.has_producer_id() {
        return invalid("the batch is transactional but has no producer id".to_owned());
    }
    Ok(())
}

fn check_size(len: usize, rules: &ProduceRules) -> Result<(), ProduceReject> {
    if len > rules.max_message_bytes {
        let message = format!("the batch takes {len} bytes; the topic allows {}", rules.max_message_bytes);
        return Err(ProduceReject::new(ErrorCode::MessageTooLarge, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
