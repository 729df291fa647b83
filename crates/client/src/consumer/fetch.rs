//! Fetching: what is asked of a leader, and records out of what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel::{LeaderEpoch, NodeId, Offset, ProducerId, TopicPartition, Uuid};
use wire::batch::{BatchError, BatchView, RecordCursor, RecordView};
use wire::compress::{Codec, Limits};
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::fetch_response::{FetchResponseView, PartitionDataView};

use super::room::Held;
use super::{ConsumerRecord, Headers, Origin};
use crate::cluster::{ConsumerId, Lane};
use crate::config::{IsolationLevel, millis};
use crate::conn::Answer;
use crate::{BrokerError, Client, ConsumerConfig, Error};

/// The version from which a topic goes by its id alone.
const TOPIC_IDS_FROM: i16 = 13;

/// The version from which a fetch says whose reign it believes in.
const LEADER_EPOCH_FROM: i16 = 9;

/// What the records of one batch may decompress to. Producers bound batches before they compress them; this only keeps a
/// hostile server from filling the memory.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// For how many records memory is taken before they are read. Beyond that it follows those that are there.
const RESERVED_MAX: usize = 1024;

/// A partition to be fetched.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub name: TopicPartition,
    pub topic_id: Uuid,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    /// Whom the answer is for; see `Position`.
    pub token: u64,
}

/// What a broker answered about a partition.
#[derive(Debug)]
pub(super) struct Got {
    pub name: TopicPartition,
    pub token: u64,
    pub result: Result<Fetched, BrokerError>,
}

/// Asks a leader, or a replica that it has named, for records, once: for no more than there is room for. It may wait for them
/// for `patience`.
pub(super) async fn fetch(
    client: Client,
    config: Arc<ConsumerConfig>,
    consumer: ConsumerId,
    node: NodeId,
    wants: Vec<Want>,
    held: Held,
    patience: Duration,
) -> Result<Vec<Got>, Error> {
    let connection = client.broker(node, Lane::Fetch(consumer)).await?;
    let has_ids = wants.iter().all(|want| !want.topic_id.is_zero());
    let max_version = if has_ids { i16::MAX } else { TOPIC_IDS_FROM - 1 };
    let version = connection.version_up_to::<FetchRequest>(max_version)?;
    let max_bytes = held.records_max(wants.len()).min(config.fetch_max_bytes);
    let request = request(&config, &wants, (max_bytes, patience), version);
    let time = connection.request_timeout() + patience;
    let answer = connection.start(&request, version)?.wait(time).await?;
    let held = held.arrived(answer.frame().len());
    read(&answer, &config, wants, &held)
}

fn request(
    config: &ConsumerConfig,
    wants: &[Want],
    (max_bytes, patience): (i32, Duration),
    version: i16,
) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for want in wants {
        let epoch = if version >= LEADER_EPOCH_FROM { want.leader_epoch } else { LeaderEpoch::NONE };
        let partition = FetchPartition {
            partition: want.name.partition,
            current_leader_epoch: epoch.0,
            fetch_offset: want.offset.0,
            partition_max_bytes: config.max_partition_fetch_bytes,
            ..Default::default()
        };
        let by_id = version >= TOPIC_IDS_FROM;
        let (topic, topic_id) =
            if by_id { (String::new(), want.topic_id) } else { (want.name.topic.to_string(), Uuid::ZERO) };
        // Only neighbours are joined, as the order says who comes first where there is not room for all.
        match topics.last_mut().filter(|last| last.topic == topic && last.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic { topic, topic_id, partitions: vec![partition] }),
        }
    }
    FetchRequest {
        max_wait_ms: millis(patience),
        // More than it may send would never be there.
        min_bytes: config.fetch_min_bytes.min(max_bytes),
        max_bytes,
        isolation_level: config.isolation_level.number(),
        topics,
        // Older versions have no place for it.
        rack_id: config.client_rack.clone(),
        ..Default::default()
    }
}

/// Takes an answer apart, by partition. What was not asked for is ignored.
fn read(
    answer: &Answer,
    config: &ConsumerConfig,
    wants: Vec<Want>,
    held: &Arc<Held>,
) -> Result<Vec<Got>, Error> {
    let view =
        FetchResponseView::decode(answer.body(), answer.version()).map_err(|error| answer.nonsense(error))?;
    BrokerError::check(view.error_code)?;
    let by_id = answer.version() >= TOPIC_IDS_FROM;
    let key = |want: &Want| {
        let topic = if by_id { String::new() } else { want.name.topic.to_string() };
        (topic, if by_id { want.topic_id } else { Uuid::ZERO }, want.name.partition)
    };
    let mut wants: BTreeMap<_, Want> = wants.into_iter().map(|want| (key(&want), want)).collect();
    let mut gots = Vec::new();
    for topic in view.responses {
        for partition in topic.partitions {
            let key = (topic.topic.to_owned(), topic.topic_id, partition.partition_index);
            if let Some(want) = wants.remove(&key) {
                let checked = BrokerError::check(partition.error_code)
                    .map_err(|error| error.partition(want.name.topic.as_ref(), want.name.partition));
                let fetched = |()| Fetched::new(&want, answer.frame(), held, &partition, config);
                let result = checked.map(fetched);
                gots.push(Got { name: want.name, token: want.token, result });
            }
        }
    }
    Ok(gots)
}

/// Where a partition begins and ends, as far as its broker told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The first offset that is kept.
    pub log_start: Option<Offset>,
    /// Before it every transaction has ended.
    pub last_stable: Option<Offset>,
    /// After the last record that all replicas in sync have.
    pub high_watermark: Option<Offset>,
}

impl Bounds {
    /// What is told now, and for the rest what was told before.
    pub(super) fn or(self, before: Bounds) -> Bounds {
        Bounds {
            log_start: self.log_start.or(before.log_start),
            last_stable: self.last_stable.or(before.last_stable),
            high_watermark: self.high_watermark.or(before.high_watermark),
        }
    }
}

/// Records of a partition that were fetched and are read batch by batch.
#[derive(Debug)]
pub(super) struct Fetched {
    pub name: TopicPartition,
    pub token: u64,
    pub bounds: Bounds,
    /// Up to where a consumer of this isolation level may read; nothing where the broker does not tell.
    pub end: Option<Offset>,
    /// The replica that is to be read in place of the leader.
    pub preferred: Option<NodeId>,
    /// What has not been taken apart yet.
    batches: Bytes,
    /// The whole answer, which stays in memory as long as any part of it.
    held: Arc<Held>,
    /// The batch that is being read, and what it takes beside the answer if it was compressed.
    open: Option<(RecordCursor, Option<Held>)>,
    /// The position: the offset of the next record, or one below it.
    next: Offset,
    check_crcs: bool,
    aborted: Option<Aborted>,
}

impl Fetched {
    fn new(
        want: &Want,
        frame: &Bytes,
        held: &Arc<Held>,
        data: &PartitionDataView<'_>,
        config: &ConsumerConfig,
    ) -> Fetched {
        let committed_only = config.isolation_level == IsolationLevel::ReadCommitted;
        let told = |offset: i64| (offset >= 0).then_some(Offset(offset));
        let bounds = Bounds {
            log_start: told(data.log_start_offset),
            last_stable: told(data.last_stable_offset),
            high_watermark: told(data.high_watermark),
        };
        Fetched {
            name: want.name.clone(),
            token: want.token,
            bounds,
            end: bounds.last_stable.filter(|_| committed_only).or(bounds.high_watermark),
            preferred: (data.preferred_read_replica >= 0).then_some(NodeId(data.preferred_read_replica)),
            // The view borrows from the frame, so this shares it.
            batches: data.records.map_or_else(Bytes::new, |records| frame.slice_ref(records)),
            held: Arc::clone(held),
            open: None,
            next: want.offset,
            check_crcs: config.check_crcs,
            aborted: committed_only.then(|| Aborted::new(data)),
        }
    }

    /// Whether there is nothing in it at all.
    pub fn is_empty(&self) -> bool {
        self.open.is_none() && self.batches.is_empty()
    }

    /// The position after all that was taken.
    pub fn position(&self) -> Offset {
        self.next
    }

    /// Moves records to `out` until that has `max`, or nothing is left.
    pub fn take(&mut self, max: usize, out: &mut Vec<ConsumerRecord>) -> Result<(), Error> {
        let mut taken = Ok(());
        while taken.is_ok() && out.len() < max && !self.is_empty() {
            taken = match self.open.take() {
                Some((open, expanded)) => self.read(open, expanded, max, out),
                None => self.open_batch(),
            }
            .map_err(|error| self.unreadable(&error));
        }
        taken
    }

    /// Goes to the next batch.
    fn open_batch(&mut self) -> Result<(), BatchError> {
        let bytes = std::mem::take(&mut self.batches);
        let (batch, rest) = match BatchView::parse(&bytes) {
            Ok(parsed) => parsed,
            // An answer may end within a batch, as long as there is a whole one before.
            Err(BatchError::Incomplete { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.batches = bytes.slice_ref(rest);
        self.held.saw_batch(batch.bytes().len());
        if self.check_crcs {
            batch.verify_crc()?;
        }
        let skip = self.aborted.as_mut().is_some_and(|aborted| aborted.skips(&batch));
        if skip || batch.is_control() {
            self.pass(batch.next_offset());
        } else {
            let open = batch.records(Limits::trusting(BATCH_BYTES_MAX))?.into_cursor(&bytes);
            let is_compressed = open.header().codec().is_ok_and(|codec| codec != Codec::None);
            let expanded = is_compressed.then(|| self.held.more(open.bytes().len()));
            self.open = Some((open, expanded));
        }
        Ok(())
    }

    /// Reads records of a batch until there are enough, or no more.
    fn read(
        &mut self,
        mut open: RecordCursor,
        expanded: Option<Held>,
        max: usize,
        out: &mut Vec<ConsumerRecord>,
    ) -> Result<(), BatchError> {
        let epoch = open.header().partition_leader_epoch();
        let origin = Origin::of(open.header());
        let shared = open.bytes().clone();
        // As many as there will be if all batches are like this one.
        let in_one = usize::try_from(open.header().record_count()).unwrap_or(0);
        let likely = in_one.saturating_mul(1 + self.batches.len() / open.header().batch_len());
        out.reserve(likely.min(max.saturating_sub(out.len())).min(RESERVED_MAX));
        while out.len() < max
            && let Some(record) = open.next_record()
        {
            let record = record?;
            if record.offset >= self.next {
                out.push(self.record(&shared, &record, epoch, origin));
                self.next = record.offset + 1;
            }
        }
        if open.is_at_end() {
            if let Some(after_the_last) = open.next_record() {
                after_the_last?;
            }
            self.pass(open.header().next_offset());
        } else {
            self.open = Some((open, expanded));
        }
        Ok(())
    }

    /// Goes on after a batch: offsets may be missing at its end. A server must not send us back.
    fn pass(&mut self, next: Offset) {
        self.next = self.next.max(next);
    }

    fn record(
        &self,
        shared: &Bytes,
        record: &RecordView<'_>,
        epoch: LeaderEpoch,
        origin: Origin,
    ) -> ConsumerRecord {
        let share = |bytes: Option<&[u8]>| bytes.map(|bytes| shared.slice_ref(bytes));
        ConsumerRecord {
            topic: Arc::clone(&self.name.topic),
            partition: self.name.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            leader_epoch: (epoch.0 >= 0).then_some(epoch),
            key: share(record.key),
            value: share(record.value),
            headers: Headers::share(record.headers, shared),
            origin,
        }
    }

    fn unreadable(&self, error: &BatchError) -> Error {
        Error::Records {
            topic: self.name.topic.to_string(),
            partition: self.name.partition,
            offset: self.next.0,
            reason: error.to_string(),
        }
    }
}

/// Which transactions among the fetched records were aborted.
#[derive(Debug)]
struct Aborted {
    /// Those that begin later than what was read, the next one last.
    to_come: Vec<(Offset, ProducerId)>,
    open: BTreeSet<ProducerId>,
}

impl Aborted {
    fn new(data: &PartitionDataView<'_>) -> Aborted {
        let aborted = data.aborted_transactions.into_iter().flatten();
        let mut to_come: Vec<_> =
            aborted.map(|aborted| (Offset(aborted.first_offset), ProducerId(aborted.producer_id))).collect();
        to_come.sort_by_key(|(first, _)| std::cmp::Reverse(*first));
        Aborted { to_come, open: BTreeSet::new() }
    }

    /// Whether the batch belongs to an aborted transaction.
    fn skips(&mut self, batch: &BatchView<'_>) -> bool {
        while let Some((_, producer)) = self.to_come.pop_if(|(first, _)| *first <= batch.last_offset()) {
            self.open.insert(producer);
        }
        let producer = batch.producer_id();
        if batch.is_control() {
            // Each marker ends one transaction of its producer. A commit finds nothing here.
            self.open.remove(&producer);
            return true;
        }
        batch.is_transactional() && self.open.contains(&producer)
    }
}

#[cfg(test)]
mod tests;
