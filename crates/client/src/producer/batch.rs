//! A batch on its way, and how the senders of its records learn what became of it.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use tokio::sync::Notify;
use tokio::time::Instant;
use wire::batch::{BatchBuilder, BatchView, BuildError, RecordHeader};
use wire::compress::{Compression, Limits};

use super::{ProducerRecord, RecordMetadata};
use crate::Error;

/// Who writes, and from which sequence number on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    pub base: i32,
}

/// Records of one partition that are written together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Ascends in the order in which batches were begun.
    pub id: u64,
    pub created: Instant,
    /// What its records hold of the producer's memory.
    pub charged: usize,
    pub sequence: Option<Sequence>,
    /// Whether an attempt ended so that nobody knows whether it was written.
    pub uncertain: bool,
    pub outcome: Arc<Outcome>,
    state: State,
    records: i32,
}

#[derive(Debug)]
enum State {
    Open(Box<BatchBuilder>),
    Sealed(Bytes),
}

impl Batch {
    pub fn new(id: u64, partition: TopicPartition, now: Instant) -> Batch {
        Batch {
            id,
            created: now,
            charged: 0,
            sequence: None,
            uncertain: false,
            outcome: Arc::new(Outcome { partition, written: OnceLock::new(), done: Notify::new() }),
            state: State::Open(Box::default()),
            records: 0,
        }
    }

    /// Adds a record if there is room for it; an empty batch has room for any.
    pub fn append(
        &mut self,
        record: &ProducerRecord,
        timestamp: Timestamp,
        size: usize,
        limit: usize,
    ) -> Option<Delivery> {
        let State::Open(builder) = &mut self.state else {
            return None;
        };
        if self.records > 0 && builder.size_in_bytes() + size > limit {
            return None;
        }
        let headers: Vec<RecordHeader<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| RecordHeader { key: key.as_bytes(), value: value.as_deref() })
            .collect();
        builder.append_with_headers(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        let delivery = Delivery { outcome: Arc::clone(&self.outcome), index: self.records, timestamp };
        self.records += 1;
        self.charged += size;
        Some(delivery)
    }

    pub fn records(&self) -> i32 {
        self.records
    }

    pub fn is_full(&self, limit: usize) -> bool {
        match &self.state {
            State::Open(builder) => builder.size_in_bytes() >= limit,
            State::Sealed(_) => true,
        }
    }

    /// The bytes to send. The first call compresses; a later one gives the same bytes, unless the sequence changed.
    pub fn seal(&mut self, compression: Compression) -> Result<Bytes, BuildError> {
        let bytes = match &mut self.state {
            State::Sealed(bytes) => return Ok(bytes.clone()),
            State::Open(builder) => {
                let mut builder = std::mem::take(&mut **builder).compression(compression);
                if let Some(sequence) = self.sequence {
                    builder = builder.producer(sequence.producer_id, sequence.epoch, sequence.base);
                }
                builder.build()?
            }
        };
        self.state = State::Sealed(bytes.clone());
        Ok(bytes)
    }

    /// Gives the batch another sequence, as it must have after one before it was given up.
    pub fn resequence(&mut self, sequence: Sequence) {
        self.sequence = Some(sequence);
        let State::Sealed(bytes) = &self.state else {
            return;
        };
        if let Some(builder) = reopened(bytes) {
            self.state = State::Open(Box::new(builder));
        }
    }
}

/// A builder with the records of a batch of our own.
fn reopened(bytes: &Bytes) -> Option<BatchBuilder> {
    let (batch, _) = BatchView::parse(bytes).ok()?;
    let records = batch.records(Limits::trusting(usize::MAX)).ok()?;
    let mut builder = BatchBuilder::new();
    for record in &records {
        builder.append_view(&record.ok()?);
    }
    Some(builder)
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Outcome {
    partition: TopicPartition,
    written: OnceLock<Result<Written, Error>>,
    done: Notify,
}

/// Where a batch was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Nothing if the broker did not say.
    pub base_offset: Option<Offset>,
    /// The broker's time, where it sets the time of records.
    pub log_append_time: Option<Timestamp>,
}

impl Outcome {
    pub fn settle(&self, written: Result<Written, Error>) {
        let _ = self.written.set(written);
        self.done.notify_waiters();
    }

    /// Waits until it is settled.
    pub async fn wait(&self) -> &Result<Written, Error> {
        loop {
            let mut done = std::pin::pin!(self.done.notified());
            // Registered before looking, so that no settling is missed.
            done.as_mut().enable();
            if let Some(written) = self.written.get() {
                return written;
            }
            done.await;
        }
    }
}

/// The report of one record's delivery, to be awaited. Dropping it changes nothing about the record.
#[derive(Debug)]
pub struct Delivery {
    outcome: Arc<Outcome>,
    index: i32,
    timestamp: Timestamp,
}

impl Delivery {
    /// Waits until the record is written or given up, at most `delivery.timeout.ms` and one request's time.
    pub async fn wait(self) -> Result<RecordMetadata, Error> {
        let written = self.outcome.wait().await.clone()?;
        Ok(RecordMetadata {
            partition: self.outcome.partition.clone(),
            offset: written.base_offset.map(|base| base + i64::from(self.index)),
            timestamp: written.log_append_time.unwrap_or(self.timestamp),
        })
    }
}

impl IntoFuture for Delivery {
    type Output = Result<RecordMetadata, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::compress::Codec;

    fn batch() -> Batch {
        Batch::new(1, TopicPartition::new("t", 0), Instant::now())
    }

    fn append(batch: &mut Batch, value: &'static str, limit: usize) -> Option<Delivery> {
        batch.append(&ProducerRecord::new("t").value(value), Timestamp(5), value.len() + 20, limit)
    }

    #[tokio::test]
    async fn each_record_learns_its_own_offset() {
        let mut batch = batch();
        let first = append(&mut batch, "a", 1000).expect("there is room");
        let second = append(&mut batch, "b", 1000).expect("there is room");
        batch.outcome.settle(Ok(Written { base_offset: Some(Offset(40)), log_append_time: None }));
        assert_eq!(first.await.expect("it is written").offset, Some(Offset(40)));
        let second = second.await.expect("it is written");
        assert_eq!((second.offset, second.timestamp), (Some(Offset(41)), Timestamp(5)));
    }

    #[test]
    fn a_full_batch_takes_no_more_but_an_empty_one_takes_anything() {
        let mut batch = batch();
        assert!(append(&mut batch, "a long value for so small a batch", 10).is_some());
        assert!(append(&mut batch, "b", 10).is_none());
        assert!(batch.is_full(10));
    }

    #[test]
    fn another_sequence_keeps_the_records_and_the_codec() {
        let mut batch = batch();
        append(&mut batch, "a", 1000);
        append(&mut batch, "b", 1000);
        let sequence =
            |epoch, base| Sequence { producer_id: ProducerId(7), epoch: ProducerEpoch(epoch), base };
        batch.sequence = Some(sequence(0, 30));
        let zstd = Compression::of(Codec::Zstd);
        batch.seal(zstd).expect("it is small");
        batch.resequence(sequence(1, 0));
        let bytes = batch.seal(zstd).expect("it is small");
        let (view, rest) = BatchView::parse(&bytes).expect("it is a batch");
        assert!(rest.is_empty());
        view.verify_crc().expect("it is sealed");
        assert_eq!((view.producer_epoch(), view.base_sequence()), (ProducerEpoch(1), 0));
        assert_eq!(view.codec(), Ok(Codec::Zstd));
        let records = view.records(Limits::trusting(1 << 20)).expect("it decompresses");
        let values: Vec<_> =
            records.iter().map(|r| r.expect("it is a record").value.map(<[u8]>::to_vec)).collect();
        assert_eq!(values, [Some(b"a".to_vec()), Some(b"b".to_vec())]);
    }
}
