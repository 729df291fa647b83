//! Batches of metadata records.

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, Timestamp};
use wire::batch::{BatchBuilder, BatchError, BatchView, BuildError, ControlRecordType};
use wire::compress::Limits;
use wire::{DecodeError, EncodeError};

use crate::image::{Provenance, QuorumRecord};
use crate::record::{MetadataRecord, RecordError};
use crate::version::MetadataVersion;

/// Why records do not become a batch; always a fault of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeBatchError {
    #[error("a record cannot be written: {0}")]
    Record(#[from] EncodeError),
    #[error("the batch cannot be built: {0}")]
    Batch(#[from] BuildError),
}

/// Why bytes of a metadata log cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("the metadata log is damaged: {0}")]
    Batch(#[from] BatchError),
    #[error("the record at offset {offset} of the metadata log cannot be replayed: {source}")]
    Record { offset: Offset, source: RecordError },
    #[error("the control record at offset {offset} of the metadata log cannot be replayed: {source}")]
    Control { offset: Offset, source: DecodeError },
    #[error("the record at offset {0} of the metadata log has no value")]
    NoValue(Offset),
}

/// What one batch of a metadata log holds.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataBatch {
    /// The records in order; none in a batch of control records.
    pub records: Vec<MetadataRecord>,
    /// What its control records say about the quorum.
    pub quorum: Vec<QuorumRecord>,
    /// Where the log stands once they are replayed.
    pub provenance: Provenance,
}

/// How large a batch may get, decompressed: several times Kafka's largest, which is 8 MiB.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One batch of records, which count together or not at all.
///
/// `level` is the cluster's metadata version after the records: [`Features::record_level`] of the image, or the new one
/// where the records finalize it.
///
/// [`Features::record_level`]: crate::image::Features::record_level
pub fn encode_batch(
    records: &[MetadataRecord],
    level: MetadataVersion,
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: Timestamp,
) -> Result<Bytes, EncodeBatchError> {
    let mut builder = BatchBuilder::new().base_offset(base_offset).leader_epoch(epoch);
    for record in records {
        builder.append(timestamp, None, Some(&record.encode(level)?));
    }
    Ok(builder.build()?)
}

/// Batches of at most about `bytes_max`, for records of which any number from the front may count.
pub fn encode_batches(
    records: impl IntoIterator<Item = MetadataRecord>,
    level: MetadataVersion,
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: Timestamp,
    bytes_max: usize,
) -> Result<Vec<Bytes>, EncodeBatchError> {
    let begin = |offset| BatchBuilder::new().base_offset(offset).leader_epoch(epoch);
    let mut batches = Vec::new();
    let mut next = base_offset;
    let mut builder = begin(next);
    for record in records {
        let value = record.encode(level)?;
        if !builder.is_empty() && builder.size_in_bytes() + value.len() > bytes_max {
            batches.push(std::mem::replace(&mut builder, begin(next)).build()?);
        }
        builder.append(timestamp, None, Some(&value));
        next = next + 1;
    }
    if !builder.is_empty() {
        batches.push(builder.build()?);
    }
    Ok(batches)
}

/// Reads a batch of a metadata log or snapshot. Its checksum is verified.
pub fn decode_batch(batch: &BatchView<'_>) -> Result<MetadataBatch, LogError> {
    batch.verify_crc()?;
    let provenance = Provenance {
        offset: batch.last_offset(),
        epoch: batch.partition_leader_epoch(),
        timestamp: batch.max_timestamp(),
    };
    let (mut records, mut quorum) = (Vec::new(), Vec::new());
    for record in &batch.records(Limits::trusting(BATCH_BYTES_MAX))? {
        let record = record?;
        let (offset, value) = (record.offset, record.value.ok_or(LogError::NoValue(record.offset))?);
        if !batch.is_control() {
            let decoded = MetadataRecord::decode(value);
            records.push(decoded.map_err(|source| LogError::Record { offset, source })?);
        } else if let Some(decoded) = control_record(record.key, value) {
            quorum.push(decoded.map_err(|source| LogError::Control { offset, source })?);
        }
    }
    Ok(MetadataBatch { records, quorum, provenance })
}

/// What a control record says about the quorum, if it does. Kinds that are not known are passed over.
fn control_record(key: Option<&[u8]>, value: &[u8]) -> Option<Result<QuorumRecord, DecodeError>> {
    QuorumRecord::decode(ControlRecordType::parse(key?)?, value)
}

/// One batch of control records that say this of the quorum.
pub fn encode_quorum(
    records: &[QuorumRecord],
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: Timestamp,
) -> Result<Bytes, EncodeBatchError> {
    let records = records.iter().map(QuorumRecord::encode).collect::<Result<Vec<_>, _>>()?;
    encode_control(&records, base_offset, epoch, timestamp)
}

/// One batch of control records, of which kinds and values are given.
pub(super) fn encode_control(
    records: &[(ControlRecordType, Bytes)],
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: Timestamp,
) -> Result<Bytes, EncodeBatchError> {
    let mut builder = BatchBuilder::new().control().base_offset(base_offset).leader_epoch(epoch);
    for (kind, value) in records {
        builder.append(timestamp, Some(&kind.key()), Some(value));
    }
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FeatureLevelRecord, NoOpRecord};
    use wire::records::voters_record::VotersRecord;

    fn noops(count: usize) -> Vec<MetadataRecord> {
        vec![NoOpRecord::default().into(); count]
    }

    fn decode_all(bytes: &[u8]) -> Vec<MetadataBatch> {
        BatchView::iter(bytes).map(|batch| decode_batch(&batch.expect("whole")).expect("readable")).collect()
    }

    #[test]
    fn a_batch_comes_back_with_the_position_of_its_last_record() {
        let feature = FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 33 };
        let records: Vec<MetadataRecord> = vec![feature.into(), NoOpRecord::default().into()];
        let (epoch, time) = (LeaderEpoch(4), Timestamp(1234));
        let bytes = encode_batch(&records, MetadataVersion::LATEST, Offset(10), epoch, time)
            .expect("it can be written");
        let provenance = Provenance { offset: Offset(11), epoch, timestamp: time };
        assert_eq!(decode_all(&bytes), [MetadataBatch { records, quorum: Vec::new(), provenance }]);
    }

    #[test]
    fn many_records_become_several_batches_without_a_gap() {
        let (level, epoch, time) = (MetadataVersion::LATEST, LeaderEpoch(0), Timestamp(0));
        let batches =
            encode_batches(noops(100), level, Offset(5), epoch, time, 256).expect("they can be written");
        assert!(batches.len() > 1 && batches.iter().all(|batch| batch.len() <= 300), "{batches:?}");
        let decoded = decode_all(&batches.concat());
        assert_eq!(decoded.iter().map(|batch| batch.records.len()).sum::<usize>(), 100);
        let mut next = 5;
        for batch in &decoded {
            next += batch.records.len() as i64;
            assert_eq!(batch.provenance.offset, Offset(next - 1));
        }
    }

    #[test]
    fn what_control_records_say_of_the_quorum_comes_back_as_it_was_written() {
        let voters = QuorumRecord::voters(&VotersRecord::default()).expect("it can be written");
        let records = [QuorumRecord::Version(1), voters];
        let bytes =
            encode_quorum(&records, Offset(3), LeaderEpoch(2), Timestamp(9)).expect("it can be written");
        let decoded = decode_all(&bytes);
        assert_eq!((decoded[0].quorum.as_slice(), decoded[0].records.len()), (records.as_slice(), 0));
        assert_eq!(decoded[0].provenance.offset, Offset(4));
    }

    #[test]
    fn voters_that_cannot_be_read_are_an_error_with_their_offset() {
        let cut_short = QuorumRecord::Voters(Bytes::from_static(&[0, 0, 9]));
        let bytes =
            encode_quorum(&[cut_short], Offset(3), LeaderEpoch(2), Timestamp(9)).expect("it can be written");
        let (batch, _) = BatchView::parse(&bytes).expect("it parses");
        let error = decode_batch(&batch).unwrap_err().to_string();
        assert!(error.contains("control record at offset 3"), "{error}");
    }

    #[test]
    fn other_control_records_are_passed_over() {
        let mut builder = BatchBuilder::new().control().base_offset(Offset(3));
        builder.append(Timestamp(9), Some(&ControlRecordType::LeaderChange.key()), Some(&[0, 0]));
        let decoded = decode_all(&builder.build().expect("it can be built"));
        assert_eq!((decoded[0].records.len(), decoded[0].provenance.offset), (0, Offset(3)));
    }

    #[test]
    fn a_record_that_is_not_understood_is_named_with_its_offset() {
        let mut builder = BatchBuilder::new().base_offset(Offset(7));
        builder.append(Timestamp(0), None, Some(&[1, 99, 0]));
        let bytes = builder.build().expect("it can be built");
        let (batch, _) = BatchView::parse(&bytes).expect("it parses");
        let error = decode_batch(&batch).unwrap_err().to_string();
        assert!(error.contains("offset 7") && error.contains("type 99 (version 0)"), "{error}");
    }
}
