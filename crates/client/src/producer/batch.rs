//! A batch on its way, and how the senders of its records learn what became of it.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use tokio::sync::Notify;
use tokio::time::Instant;
use wire::batch::{BatchBuilder, BatchView, BuildError, RecordHeader, increment_sequence};
use wire::compress::{Compression, Limits};

use super::{ProducerRecord, RecordMetadata};
use crate::{BrokerError, Error};

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
    /// Ascends in the order in which batches were begun, with [`ID_STEP`] between two for the parts of the first.
    pub id: u64,
    /// How many ids from its own on are for its parts.
    span: u64,
    pub created: Instant,
    /// What its records hold of the producer's memory.
    pub charged: usize,
    pub sequence: Option<Sequence>,
    /// Whether an attempt ended so that nobody knows whether it was written.
    pub uncertain: bool,
    /// How many attempts have failed, and why the last one did.
    pub attempts: u32,
    pub last_error: Option<Box<Error>>,
    /// What a broker that refused the batch finds wrong with which of its records.
    pub refused: BTreeMap<i32, Option<String>>,
    pub outcome: Arc<Outcome>,
    state: State,
    records: i32,
}

/// The distance of the ids of two batches: a batch can be halved so often that each record is alone.
pub(super) const ID_STEP: u64 = 1 << 32;

#[derive(Debug)]
enum State {
    Open(Box<BatchBuilder>),
    Sealed(Bytes),
}

impl Batch {
    /// An empty batch, with memory for so many bytes.
    pub fn new(id: u64, partition: TopicPartition, now: Instant, capacity: usize) -> Batch {
        Batch {
            id,
            span: ID_STEP,
            created: now,
            charged: 0,
            sequence: None,
            uncertain: false,
            attempts: 0,
            last_error: None,
            refused: BTreeMap::new(),
            outcome: Outcome::new(partition, now),
            state: State::Open(Box::new(BatchBuilder::with_capacity(capacity))),
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
        if !self.has_room(size, limit) {
            return None;
        }
        let State::Open(builder) = &mut self.state else {
            return None;
        };
        let headers = record
            .headers
            .iter()
            .map(|(key, value)| RecordHeader { key: key.as_bytes(), value: value.as_deref() });
        builder.append_all(timestamp, record.key.as_deref(), record.value.as_deref(), headers);
        let delivery = Delivery { outcome: Arc::clone(&self.outcome), index: self.records, timestamp };
        self.records += 1;
        self.charged += size;
        Some(delivery)
    }

    /// Whether a record of this size can be added; an empty batch has room for any.
    pub fn has_room(&self, size: usize, limit: usize) -> bool {
        match &self.state {
            State::Open(builder) => self.records == 0 || builder.size_in_bytes() + size <= limit,
            State::Sealed(_) => false,
        }
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

    /// Its size so far, before compression unless it is sealed.
    pub fn size_in_bytes(&self) -> usize {
        match &self.state {
            State::Open(builder) => builder.size_in_bytes(),
            State::Sealed(bytes) => bytes.len(),
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

    /// Halves a batch that its broker finds too large. Nothing if it has one record, or was never sealed.
    ///
    /// The halves have the sequence numbers that their records had, so that the batches after them fit.
    pub fn split(&self) -> Option<(Batch, Batch)> {
        let State::Sealed(bytes) = &self.state else {
            return None;
        };
        if self.records < 2 || self.span < 2 {
            return None;
        }
        let first = self.records / 2;
        let part = |id: u64, records: i32, charged: usize, builder: BatchBuilder| Batch {
            id,
            span: self.span / 2,
            created: self.created,
            charged,
            sequence: self.sequence.map(|sequence| Sequence {
                base: if id == self.id { sequence.base } else { increment_sequence(sequence.base, first) },
                ..sequence
            }),
            uncertain: self.uncertain,
            attempts: 0,
            last_error: None,
            refused: BTreeMap::new(),
            outcome: Outcome::new(self.outcome.partition.clone(), self.created),
            state: State::Open(Box::new(builder)),
            records,
        };
        let half = self.charged / 2;
        let low = part(self.id, first, half, reopened(bytes, 0..first)?);
        let high_id = self.id + self.span / 2;
        let high =
            part(high_id, self.records - first, self.charged - half, reopened(bytes, first..self.records)?);
        Some((low, high))
    }

    /// It was not acknowledged in time, perhaps as its leader is `unreachable`.
    pub fn late(&self, after: Duration, unreachable: Option<Box<Error>>) -> Error {
        self.outcome.late(after, self.uncertain, self.last_error.clone().or(unreachable))
    }

    /// Gives the batch another sequence, as it must have after one before it was given up.
    pub fn resequence(&mut self, sequence: Sequence) {
        self.sequence = Some(sequence);
        let State::Sealed(bytes) = &self.state else {
            return;
        };
        if let Some(builder) = reopened(bytes, 0..self.records) {
            self.state = State::Open(Box::new(builder));
        }
    }
}

/// A builder with some of the records of a batch of our own, whose offsets count from 0.
fn reopened(bytes: &Bytes, range: Range<i32>) -> Option<BatchBuilder> {
    let (batch, _) = BatchView::parse(bytes).ok()?;
    let records = batch.records(Limits::trusting(usize::MAX)).ok()?;
    let mut builder = BatchBuilder::new();
    for (place, record) in (0..).zip(&records) {
        let mut record = record.ok()?;
        if range.contains(&place) {
            record.offset = Offset(i64::from(place - range.start));
            builder.append_view(&record);
        }
    }
    Some(builder)
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Outcome {
    partition: TopicPartition,
    /// When its first record was handed over.
    pub begun: Instant,
    end: OnceLock<End>,
    done: Notify,
}

#[derive(Debug)]
enum End {
    Written(Written),
    GivenUp(Error),
    /// For some of its records, with what is wrong with them.
    Refused(BrokerError, BTreeMap<i32, Option<String>>),
    /// It became two: how many records the first has, and what becomes of each.
    Split(i32, [Arc<Outcome>; 2]),
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
    fn new(partition: TopicPartition, begun: Instant) -> Arc<Outcome> {
        Arc::new(Outcome { partition, begun, end: OnceLock::new(), done: Notify::new() })
    }

    /// What is told of a batch that was not acknowledged in time.
    pub fn late(&self, after: Duration, uncertain: bool, last: Option<Box<Error>>) -> Error {
        let TopicPartition { topic, partition } = &self.partition;
        Error::DeliveryTimeout { topic: topic.to_string(), partition: *partition, after, uncertain, last }
    }

    /// For how long its first record has waited.
    pub fn waited(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn settle(&self, written: Result<Written, Error>) {
        self.end(match written {
            Ok(written) => End::Written(written),
            Err(error) => End::GivenUp(error),
        });
    }

    /// The broker says which records are to blame.
    pub fn refuse(&self, error: BrokerError, records: BTreeMap<i32, Option<String>>) {
        self.end(End::Refused(error, records));
    }

    /// The records went on in two parts.
    pub fn split(&self, low: &Batch, high: &Batch) {
        self.end(End::Split(low.records, [Arc::clone(&low.outcome), Arc::clone(&high.outcome)]));
    }

    fn end(&self, end: End) {
        let _ = self.end.set(end);
        self.done.notify_waiters();
    }

    /// Waits until it is decided.
    async fn wait(&self) -> &End {
        // Who looks late, as for most records of a batch, takes no lock.
        if let Some(end) = self.end.get() {
            return end;
        }
        loop {
            let mut done = std::pin::pin!(self.done.notified());
            // Registered before looking, so that no decision is missed.
            done.as_mut().enable();
            if let Some(end) = self.end.get() {
                return end;
            }
            done.await;
        }
    }

    /// Waits until every record is written or given up.
    pub async fn all(self: Arc<Self>) {
        let mut open = vec![self];
        while let Some(outcome) = open.pop() {
            if let End::Split(_, parts) = outcome.wait().await {
                open.extend(parts.iter().cloned());
            }
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
    /// Waits until the record is written or given up, which takes at most `delivery.timeout.ms`. Dropping the call changes
    /// nothing about the record.
    ///
    /// # Errors
    /// Why it was given up: [`Error::Broker`] as the broker said, [`Error::RefusedWithAnother`] if it said that of another record
    /// of the batch, [`Error::DeliveryTimeout`] if nobody acknowledged it in time,
    /// [`Error::Uncertain`] if it cannot be sent again because it may be there. With the last one, and where
    /// [`Error::DeliveryTimeout`] says so, the record may have been written.
    pub async fn wait(mut self) -> Result<RecordMetadata, Error> {
        loop {
            if let Some(settled) = self.settled() {
                return settled;
            }
            self.outcome.wait().await;
        }
    }

    /// What became of the record, if that is decided.
    fn settled(&mut self) -> Option<Result<RecordMetadata, Error>> {
        loop {
            let part = match self.outcome.end.get()? {
                End::Written(written) => {
                    return Some(Ok(RecordMetadata {
                        partition: self.outcome.partition.clone(),
                        offset: written.base_offset.map(|base| base + i64::from(self.index)),
                        timestamp: written.log_append_time.unwrap_or(self.timestamp),
                    }));
                }
                End::GivenUp(error) => return Some(Err(error.clone())),
                End::Refused(error, records) => {
                    let TopicPartition { topic, partition } = &self.outcome.partition;
                    return Some(Err(match records.get(&self.index) {
                        Some(message) => error.clone().message(message.clone()).into(),
                        None => Error::RefusedWithAnother { topic: topic.to_string(), partition: *partition },
                    }));
                }
                End::Split(low_records, [low, _]) if self.index < *low_records => Arc::clone(low),
                End::Split(low_records, [_, high]) => {
                    self.index -= low_records;
                    Arc::clone(high)
                }
            };
            self.outcome = part;
        }
    }
}

impl IntoFuture for Delivery {
    type Output = Result<RecordMetadata, Error>;
    type IntoFuture = Delivered;

    fn into_future(mut self) -> Delivered {
        Delivered(match self.settled() {
            Some(settled) => Progress::Settled(Some(settled)),
            None => Progress::Waiting(Box::pin(self.wait())),
        })
    }
}

/// The future of a [`Delivery`] that is awaited. It takes no memory of its own where the record is settled already.
pub struct Delivered(Progress);

enum Progress {
    /// Nothing once it was told.
    Settled(Option<Result<RecordMetadata, Error>>),
    Waiting(Pin<Box<dyn Future<Output = Result<RecordMetadata, Error>> + Send>>),
}

impl Future for Delivered {
    type Output = Result<RecordMetadata, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Progress::Settled(settled) => settled.take().map_or(Poll::Pending, Poll::Ready),
            Progress::Waiting(waiting) => waiting.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::compress::Codec;

    fn batch() -> Batch {
        Batch::new(1, TopicPartition::new("t", 0), Instant::now(), 0)
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

    #[tokio::test]
    async fn a_batch_that_was_halved_tells_each_record_where_it_is() {
        let mut batch = batch();
        let deliveries: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|value| append(&mut batch, value, 1000).expect("there is room"))
            .collect();
        batch.sequence = Some(Sequence { producer_id: ProducerId(7), epoch: ProducerEpoch(0), base: 10 });
        assert!(batch.split().is_none(), "it was never sent");
        batch.seal(Compression::NONE).expect("it is small");
        let (mut low, mut high) = batch.split().expect("it has three records");
        assert_eq!((low.records, high.records, low.charged + high.charged), (1, 2, batch.charged));
        assert!(low.id == batch.id && high.id > low.id && high.id < batch.id + ID_STEP);
        let bytes = high.seal(Compression::NONE).expect("it is small");
        let (view, _) = BatchView::parse(&bytes).expect("it is a batch");
        assert_eq!((view.base_sequence(), view.record_count(), view.base_offset()), (11, 2, Offset(0)));
        batch.outcome.split(&low, &high);
        low.seal(Compression::NONE).expect("it is small");
        assert!(low.split().is_none(), "one record cannot be halved");
        low.outcome.settle(Ok(Written { base_offset: Some(Offset(100)), log_append_time: None }));
        high.outcome.settle(Ok(Written { base_offset: Some(Offset(200)), log_append_time: None }));
        let mut offsets = Vec::new();
        for delivery in deliveries {
            offsets.push(delivery.await.expect("it is written").offset);
        }
        assert_eq!(offsets, [Some(Offset(100)), Some(Offset(200)), Some(Offset(201))]);
        Arc::clone(&batch.outcome).all().await;
    }
}
