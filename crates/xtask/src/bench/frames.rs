//! Produce requests that are encoded once, and the few bytes of them that change from one to the next.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kernel::{Timestamp, Uuid};
use wire::Records;
use wire::batch::{BatchBuilder, CHECKED_FROM, HEADER_LEN};
use wire::header::ResponseHeader;
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::produce_response::ProduceResponseView;

use super::admin;

/// What today's clients speak: topics by their id.
const PRODUCE_VERSION: i16 = 13;

/// Where a batch keeps its checksum and who wrote it.
const CRC_AT: usize = 17;
const PRODUCER_AT: usize = 43;

/// A whole produce request, length prefix included.
#[derive(Debug, Clone)]
pub struct Template {
    pub frame: Bytes,
    /// Where its last batch begins and ends.
    batch: (usize, usize),
    value_bytes: usize,
}

/// Records of one size: all that requests of one workload differ in is where they go.
#[derive(Debug, Clone)]
pub struct Payload {
    batch: Bytes,
    value_bytes: usize,
}

impl Payload {
    /// A batch of `count` records with values of `value_bytes`, which no codec could make much smaller.
    pub fn new(count: usize, value_bytes: usize, idempotent: bool) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let now = Timestamp(i64::try_from(now).unwrap_or(0));
        let mut builder = BatchBuilder::new();
        if idempotent {
            builder = builder.producer(kernel::ProducerId(0), kernel::ProducerEpoch(0), 0);
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..count {
            let value: Vec<u8> = (0..value_bytes)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 32) as u8
                })
                .collect();
            builder.append(now, None, Some(&value));
        }
        let batch = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { batch, value_bytes })
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// A request with this batch for each of some partitions of a topic.
    pub fn produce(&self, topic: Uuid, partitions: impl Iterator<Item = i32>) -> Result<Template, String> {
        let request = ProduceRequest {
            transactional_id: None,
            acks: 1,
            timeout_ms: 30_000,
            topic_data: vec![TopicProduceData {
                topic_id: topic,
                partition_data: partitions
                    .map(|index| PartitionProduceData { index, records: Records::Bytes(self.batch.clone()) })
                    .collect(),
                ..TopicProduceData::default()
            }],
        };
        let frame = wire::frame::encode_request(&request, PRODUCE_VERSION, 1, admin::CLIENT)
            .map_err(|error| error.to_string())?;
        // The payload is random, so that its bytes occur nowhere else.
        let begin = frame.windows(self.batch.len()).rposition(|bytes| bytes == self.batch);
        let begin = begin.ok_or("a request does not contain its records")?;
        Ok(Template { frame, batch: (begin, begin + self.batch.len()), value_bytes: self.value_bytes })
    }
}

impl Template {
    /// Writes the producer (id, epoch and sequence) and the first bytes of the last record's value into a copy of the
    /// frame.
    pub fn fill_in(&self, copy: &mut [u8], producer: Option<(i64, i16, i32)>, stamp: Option<u64>) {
        let Some(batch) = copy.get_mut(self.batch.0..self.batch.1) else { return };
        if let Some((id, epoch, sequence)) = producer {
            put(batch, PRODUCER_AT, &id.to_be_bytes());
            put(batch, PRODUCER_AT + 8, &epoch.to_be_bytes());
            put(batch, PRODUCER_AT + 10, &sequence.to_be_bytes());
        }
        if let Some(stamp) = stamp {
            // Behind the value there is only the count of headers, a byte.
            put(batch, batch.len() - 1 - self.value_bytes, &stamp.to_be_bytes());
        }
        let crc = checksum(batch.get(CHECKED_FROM..).unwrap_or_default());
        put(batch, CRC_AT, &crc.to_be_bytes());
    }
}

pub fn checksum(bytes: &[u8]) -> u32 {
    // A CRC-32 has 32 bits; the crate returns all of them in 64.
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

fn put(batch: &mut [u8], at: usize, field: &[u8]) {
    debug_assert!(at + field.len() <= batch.len().max(HEADER_LEN));
    if let Some(room) = batch.get_mut(at..at + field.len()) {
        room.copy_from_slice(field);
    }
}

/// Whether a produce was accepted for every partition.
pub fn accepted(reply: &[u8]) -> Result<(), String> {
    let (_, body) = ResponseHeader::decode(reply, ProduceRequest::API_KEY, PRODUCE_VERSION)
        .map_err(|error| error.to_string())?;
    let reply = ProduceResponseView::decode(reply.get(body..).unwrap_or_default(), PRODUCE_VERSION)
        .map_err(|error| error.to_string())?;
    let mut partitions = 0;
    for partition in reply.responses.iter().flat_map(|topic| topic.partition_responses) {
        partitions += 1;
        if partition.error_code != 0 {
            return Err(format!("a produce was refused: {}", admin::name(partition.error_code)));
        }
    }
    if partitions == 0 { Err("a produce was answered for no partition".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::batch::BatchView;
    use wire::compress::Limits;

    #[test]
    fn what_is_filled_in_makes_a_valid_batch() {
        let payload = Payload::new(1, 100, true).unwrap();
        let template = payload.produce(Uuid::from_bytes([7; 16]), std::iter::once(3)).unwrap();
        let mut copy = template.frame.to_vec();
        template.fill_in(&mut copy, Some((9, 2, 41)), Some(0x0102_0304));
        let (batch, _) = BatchView::parse(&copy[template.batch.0..template.batch.1]).unwrap();
        batch.verify_crc().unwrap();
        assert_eq!((batch.producer_id().0, batch.producer_epoch().0, batch.base_sequence()), (9, 2, 41));
        let records = batch.records(Limits::for_batches_of(1 << 20)).unwrap();
        let record = records.iter().next().unwrap().unwrap();
        assert_eq!(record.value.unwrap().len(), 100);
        assert_eq!(record.value.unwrap()[..8], 0x0102_0304_u64.to_be_bytes());
    }
}
