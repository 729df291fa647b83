//! Batches of metadata records.

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, Timestamp};
use wire::EncodeError;
use wire::batch::{BatchBuilder, BatchError, BatchView, BuildError};
use wire::compress::Limits;

use crate::image::Provenance;
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
    #[error("the record at offset {0} of the metadata log has no value")]
    NoValue(Offset),
}

/// What one batch of a metadata log holds.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataBatch {
    /// The records in order; none in a batch of control records, which say nothing about the cluster's facts.
    pub records: Vec<MetadataRecord>,
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
    let mut records = Vec::new();
    if !batch.is_control() {
        for record in &batch.records(Limits::trusting(BATCH_BYTES_MAX))? {
            let record = record?;
            let value = record.value.ok_or(LogError::NoValue(record.offset))?;
            let decoded = MetadataRecord::decode(value);
            records.push(decoded.map_err(|source| LogError::Record { offset: record.offset, source })?);
        }
    }
    Ok(MetadataBatch { records, provenance })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FeatureLevelRecord, NoOpRecord};
    use wire::batch::ControlRecordType;

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
        assert_eq!(decode_all(&bytes), [MetadataBatch { records, provenance }]);
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
    fn control_records_are_passed_over() {
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
