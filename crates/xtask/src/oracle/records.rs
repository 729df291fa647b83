//! Record batches: made for requests, and read from answers.

use bytes::Bytes;
use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp};
use wire::batch::{BatchBuilder, BatchView};
use wire::compress::{Codec, Compression, Limits};

use super::value::{Value, int, record};

/// More than any batch of the oracle becomes.
const LIMITS: Limits = Limits::trusting(64 << 20);

const LOG_APPEND_TIME: i64 = 0x08;

/// Key and value of a record.
pub type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What goes into one batch.
#[derive(Debug, Clone)]
pub struct Plan {
    pub codec: Codec,
    pub first_timestamp: i64,
    pub records: Vec<Pair>,
    /// Id, epoch and first sequence.
    pub producer: Option<(i64, i16, i32)>,
}

pub fn build(plan: &Plan) -> Result<Bytes, String> {
    let mut builder = BatchBuilder::new().compression(Compression::of(plan.codec)).base_offset(Offset::ZERO);
    if let Some((id, epoch, sequence)) = plan.producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), sequence);
    }
    for (at, (key, value)) in (0..).zip(&plan.records) {
        builder.append(Timestamp(plan.first_timestamp + at), key.as_deref(), value.as_deref());
    }
    builder.build().map_err(|error| error.to_string())
}

/// Batches as a tree; what does not read as a batch is there as bytes.
pub fn tree(bytes: &[u8]) -> Value {
    let mut batches = BatchView::iter(bytes);
    let mut out = Vec::new();
    for batch in batches.by_ref() {
        match batch {
            Ok(batch) => out.push(batch_tree(&batch)),
            Err(_) => break,
        }
    }
    record([("Batches", Value::Array(out)), ("Rest", int(batches.rest().len() as i64))])
}

/// Whether these bytes are whole batches whose sums are right.
pub fn is_sound(bytes: &[u8]) -> bool {
    let mut batches = BatchView::iter(bytes);
    let sound = batches.by_ref().all(|batch| batch.is_ok_and(|batch| batch.verify_crc().is_ok()));
    sound && batches.rest().is_empty() && !bytes.is_empty()
}

fn batch_tree(batch: &BatchView<'_>) -> Value {
    let header = batch.header();
    let attributes = i64::from(header.attributes());
    let stamped = attributes & LOG_APPEND_TIME != 0;
    let records: Vec<Value> = match batch.records(LIMITS) {
        Ok(records) => records
            .iter()
            .map(|read| match read {
                Ok(view) => record([
                    ("Offset", int(view.offset.0)),
                    // The leader's time is compared once, in the batch.
                    ("Timestamp", int(if stamped { 0 } else { view.timestamp.0 })),
                    ("Key", optional(view.key)),
                    ("Value", optional(view.value)),
                    (
                        "Headers",
                        Value::Array(
                            view.headers
                                .iter()
                                .map(|one| {
                                    record([("Key", optional(Some(one.key))), ("Value", optional(one.value))])
                                })
                                .collect(),
                        ),
                    ),
                ]),
                Err(error) => Value::Text(error.to_string()),
            })
            .collect(),
        Err(error) => vec![Value::Text(error.to_string())],
    };
    record([
        ("BaseOffset", int(header.base_offset().0)),
        ("LeaderEpoch", int(header.partition_leader_epoch().0)),
        ("Magic", int(header.magic())),
        ("Attributes", int(attributes)),
        ("SoundCrc", Value::Bool(batch.verify_crc().is_ok())),
        ("LastOffsetDelta", int(header.last_offset_delta())),
        ("BaseTimestamp", int(header.base_timestamp().0)),
        (if stamped { "LogAppendTimeMs" } else { "MaxTimestamp" }, int(header.max_timestamp().0)),
        ("ProducerId", int(header.producer_id().0)),
        ("ProducerEpoch", int(header.producer_epoch().0)),
        ("BaseSequence", int(header.base_sequence())),
        ("RecordCount", int(header.record_count())),
        ("Records", Value::Array(records)),
    ])
}

fn optional(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec()))
}
