//! Writes records: gathered into batches, spread over partitions, sent again in order until they are written once.

mod answers;
mod batch;
mod identity;
mod judge;
mod partition;
mod queue;
mod send;
#[cfg(test)]
mod tests;
mod unanswered;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kernel::{ErrorCode, Offset, Timestamp, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout, timeout_at};

pub use batch::{Delivered, Delivery};
pub use partition::{murmur2, partition_of_key};

use crate::metadata::{Partition, Topic};
use crate::retry::instant_after;
use crate::{BrokerError, Client, Error, ProducerConfig};
use batch::{Batch, ID_STEP, Outcome};
use partition::Sticky;
use queue::Queue;
use unanswered::Unanswered;

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProducerRecord {
    /// Where it goes.
    pub topic: Arc<str>,
    /// Nothing: the key decides, or without a key the partition that is being filled.
    pub partition: Option<i32>,
    /// When it happened; nothing for now.
    pub timestamp: Option<Timestamp>,
    /// Records of one key keep their order, as they go to one partition.
    pub key: Option<Bytes>,
    /// Nothing is a tombstone: it deletes the key from a compacted topic.
    pub value: Option<Bytes>,
    /// In order; a name may come several times.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl ProducerRecord {
    /// A record for `topic` with neither key nor value.
    pub fn new(topic: impl Into<Arc<str>>) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    /// Sends it to this partition, whatever its key.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets when it happened.
    pub fn timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Sets its key.
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets its value.
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds a header.
    pub fn header(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((key.into(), Some(value.into())));
        self
    }

    /// The most bytes that it takes in a batch before compression.
    fn size(&self) -> usize {
        const RECORD_OVERHEAD: usize = 21;
        const HEADER_OVERHEAD: usize = 10;
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize =
            self.headers.iter().map(|(key, value)| key.len() + len(value) + HEADER_OVERHEAD).sum();
        RECORD_OVERHEAD + len(&self.key) + len(&self.value) + headers
    }
}

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Where it is.
    pub partition: TopicPartition,
    /// Nothing if the broker does not tell: with `acks=0`, or after a retry that it recognised.
    pub offset: Option<Offset>,
    /// As it stands in the log: the record's own, or the broker's where the topic says so.
    pub timestamp: Timestamp,
}

/// Writes records. It can be shared among tasks.
///
/// Dropping it lets what was given to it be sent in the background; [`Producer::close`] waits for that.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

/// What the producer and its sender have in common.
#[derive(Debug)]
struct Shared {
    client: Client,
    config: ProducerConfig,
    /// `delivery.timeout.ms`, settled.
    delivery_timeout: Duration,
    unanswered: Mutex<Unanswered>,
    topics: Mutex<Topics>,
    /// Bytes that records may still take.
    memory: Semaphore,
    wake: Notify,
    closing: AtomicBool,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: BTreeMap<Arc<str>, TopicQueues>,
    next_id: u64,
    /// Batches up to this id are sent without lingering.
    flush_through: u64,
    /// When the sender looks again if nobody wakes it.
    looks_again: Option<Instant>,
    /// All that is not settled, by id.
    unsettled: BTreeMap<u64, Arc<Outcome>>,
}

#[derive(Debug, Default)]
struct TopicQueues {
    /// The topic, and the version of the metadata that it was found in.
    known: Option<(u64, Arc<Topic>)>,
    sticky: Sticky,
    partitions: BTreeMap<i32, Queue>,
}

impl Producer {
    /// A producer on a client's cluster. Nothing is sent yet; it must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Config`] if the settings cannot work, by themselves or with those of the client.
    pub fn new(client: &Client, config: ProducerConfig) -> Result<Producer, Error> {
        config.check(client.config())?;
        let shared = Arc::new(Shared {
            client: client.clone(),
            delivery_timeout: config.delivery_timeout_with(client.config()),
            unanswered: Mutex::default(),
            memory: Semaphore::new(config.buffer_memory.min(Semaphore::MAX_PERMITS)),
            config,
            topics: Mutex::default(),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
        });
        let sender = host::task::spawn(send::Sender::new(Arc::clone(&shared)).run());
        Ok(Producer { shared, sender: Mutex::new(Some(sender)) })
    }

    /// Hands a record over. Waits, up to `max.block.ms`, for metadata and for room in `buffer.memory`; the returned
    /// [`Delivery`] tells when and where it was written. Even where there is room, it lets other tasks of its thread run every
    /// now and then (tokio's cooperative budget), so that what is handed over is sent meanwhile.
    ///
    /// Records of one partition are written in the order in which their calls returned. A call that is dropped while it
    /// waits has handed nothing over.
    ///
    /// # Errors
    /// [`Error::Broker`] if the topic or the partition is not there, [`Error::RecordTooLarge`], [`Error::Timeout`] if there was
    /// no room, [`Error::Closed`]; where no broker could be asked for metadata, what the last attempt failed with.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery, Error> {
        self.check(&record)?;
        let size = record.size();
        // Before anything is handed over, as a call that is dropped here has not done so.
        consume_budget().await;
        match self.append(&record, size, None, &mut None)? {
            Appended::Done(delivery) => Ok(delivery),
            lacking => self.send_later(&record, size, lacking).await,
        }
    }

    /// Whether `send` would take the record, as far as that is known without a broker.
    ///
    /// # Errors
    /// [`Error::RecordTooLarge`].
    pub fn check(&self, record: &ProducerRecord) -> Result<(), Error> {
        let (size, limit) = (record.size(), self.shared.config.max_request_size);
        match size > limit {
            true => Err(Error::RecordTooLarge { size, setting: "max.request.size", limit }),
            false => Ok(()),
        }
    }

    /// Waits for what a record lacks, and for all of it no longer than `max.block.ms`.
    async fn send_later(
        &self,
        record: &ProducerRecord,
        size: usize,
        mut lacking: Appended,
    ) -> Result<Delivery, Error> {
        let client = &self.shared.client;
        let create = self.shared.config.allow_auto_create_topics;
        let deadline = instant_after(self.shared.config.max_block);
        let (mut fetched, mut room) = (None, None);
        loop {
            match lacking {
                Appended::Done(delivery) => return Ok(delivery),
                Appended::LacksTopic => {
                    fetched = Some(client.topic_as(&record.topic, create, deadline, |_| Ok(())).await?);
                }
                Appended::LacksPartition(partition) => {
                    let has = |topic: &Topic| has_partition(topic, partition);
                    fetched = Some(client.topic_as(&record.topic, create, deadline, has).await?);
                }
                Appended::LacksRoom => room = Some(self.reserve(size, deadline).await?),
            }
            lacking = self.append(record, size, fetched.as_ref(), &mut room)?;
        }
    }

    /// How long a record may take from `send` to its end: `delivery.timeout.ms`, or what the other settings make of it.
    pub fn delivery_timeout(&self) -> Duration {
        self.shared.delivery_timeout
    }

    /// With `acks=0`, how many connections a broker has ended within a minute after records were sent on them: so it does where
    /// it refuses one. What was on its way then is lost, though it counts as sent.
    pub fn cut_off(&self) -> u64 {
        self.shared.unanswered.lock().cut_off()
    }

    /// For how long the oldest record has waited of which it is not known what became of it; nothing if there is none.
    pub fn longest_wait(&self) -> Option<Duration> {
        let topics = self.shared.topics.lock();
        topics.unsettled.first_key_value().map(|(_, oldest)| oldest.waited())
    }

    /// The partitions that no broker leads, and for which records wait: until one leads them again, or `delivery.timeout.ms` is
    /// over.
    pub fn without_leader(&self) -> Vec<TopicPartition> {
        let metadata = self.shared.client.metadata();
        let topics = self.shared.topics.lock();
        let mut waiting = Vec::new();
        for (topic, queues) in &topics.by_name {
            let lost = queues
                .partitions
                .iter()
                .filter(|(partition, queue)| queue.len() > 0 && metadata.is_leaderless(topic, **partition));
            waiting.extend(lost.map(|(partition, _)| TopicPartition::new(Arc::clone(topic), *partition)));
        }
        waiting
    }

    /// Waits until everything that was handed over before is written or given up. Dropping the call only ends the wait.
    pub async fn flush(&self) {
        let outcomes: Vec<Arc<Outcome>> = {
            let mut topics = self.shared.topics.lock();
            topics.flush_through = topics.next_id;
            topics.unsettled.values().cloned().collect()
        };
        self.shared.wake.notify_one();
        for outcome in outcomes {
            outcome.all().await;
        }
    }

    /// Sends what is there, and ends. Records handed over are written or given up when it returns, and calls of
    /// [`Producer::send`] that wait for room fail. Dropping the call only ends the wait.
    ///
    /// # Errors
    /// None; what became of a record says its [`Delivery`].
    pub async fn close(&self) -> Result<(), Error> {
        self.shared.closing.store(true, Ordering::Release);
        // Whoever waits for room would get it only to be refused.
        self.shared.memory.close();
        self.flush().await;
        let sender = self.sender.lock().take();
        if let Some(sender) = sender {
            let _ = sender.await;
        }
        Ok(())
    }

    /// As [`Producer::close`], but gives up after `time` what is not written by then: the deliveries of these records end
    /// with [`Error::Timeout`]. What is on its way may still be written.
    ///
    /// # Errors
    /// [`Error::Timeout`] if anything was given up.
    pub async fn close_within(&self, time: Duration) -> Result<(), Error> {
        if let Ok(closed) = timeout(time, self.close()).await {
            return closed;
        }
        if let Some(sender) = self.sender.lock().take() {
            sender.abort();
        }
        let unsettled = std::mem::take(&mut self.shared.topics.lock().unsettled);
        match unsettled.is_empty() {
            true => Ok(()),
            false => {
                let what = "an acknowledgement before the producer was closed";
                for outcome in unsettled.values() {
                    outcome.settle(Err(Error::Timeout { what: what.into(), after: outcome.waited() }));
                }
                Err(Error::Timeout { what: "closing the producer".into(), after: time })
            }
        }
    }

    async fn reserve(&self, size: usize, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        // Whoever waits for room should not wait for a linger as well.
        {
            let mut topics = self.shared.topics.lock();
            topics.flush_through = topics.next_id;
        }
        self.shared.wake.notify_one();
        let max_block = self.shared.config.max_block;
        match timeout_at(deadline, self.shared.memory.acquire_many(permits(size))).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => {
                Err(Error::Timeout { what: "waiting for room in buffer.memory".into(), after: max_block })
            }
        }
    }

    /// Adds a record to the batch that is open for it, or says what has to be waited for first.
    fn append<'p>(
        &'p self,
        record: &ProducerRecord,
        size: usize,
        fetched: Option<&Arc<Topic>>,
        room: &mut Option<SemaphorePermit<'p>>,
    ) -> Result<Appended, Error> {
        let shared = &*self.shared;
        let timestamp = record.timestamp.unwrap_or_else(|| shared.client.world().now());
        let batch_size = shared.config.batch_size;
        let mut topics = shared.topics.lock();
        if shared.closing.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        let Topics { by_name, next_id, unsettled, looks_again, .. } = &mut *topics;
        let queues = queues_of(by_name, &record.topic, &shared.client, fetched);
        let Some(TopicQueues { sticky, partitions, known: Some((_, topic)) }) = queues else {
            return Ok(Appended::LacksTopic);
        };
        if let Some(partition) =
            record.partition.filter(|partition| !topic.partitions.contains_key(partition))
        {
            return Ok(Appended::LacksPartition(partition));
        }
        let reserved = match room.take() {
            Some(reserved) => reserved,
            None => match shared.memory.try_acquire_many(permits(size)) {
                Ok(reserved) => reserved,
                Err(_) => return Ok(Appended::LacksRoom),
            },
        };
        let partition = choose(record, topic, sticky, partitions, size, shared)?;
        let queue = partitions.entry(partition).or_default();
        if let Some(batch) = queue.last_waiting()
            && let Some(delivery) = batch.append(record, timestamp, size, batch_size)
        {
            reserved.forget();
            if batch.is_full(batch_size) {
                shared.wake.notify_one();
            }
            return Ok(Appended::Done(delivery));
        }
        *next_id += ID_STEP;
        let name = TopicPartition::new(Arc::clone(&record.topic), partition);
        let mut batch = Batch::new(*next_id, name, Instant::now(), queue.next_capacity(batch_size));
        let delivery = batch.append(record, timestamp, size, batch_size).ok_or(Error::Closed)?;
        reserved.forget();
        unsettled.insert(batch.id, Arc::clone(&batch.outcome));
        // The sender looks by itself when the batch has lingered, unless it rests longer than that.
        let rests = looks_again.is_none_or(|at| at > batch.created + shared.config.linger);
        if rests || batch.is_full(batch_size) || queue.is_completed_by_another(batch_size) {
            shared.wake.notify_one();
        }
        queue.push(batch);
        Ok(Appended::Done(delivery))
    }
}

/// What became of an attempt to add a record to a batch.
enum Appended {
    Done(Delivery),
    /// Nothing is known of its topic.
    LacksTopic,
    /// Nothing is known of the partition that it is for.
    LacksPartition(i32),
    /// There is no room for it in `buffer.memory`.
    LacksRoom,
}

fn permits(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// The queues of a topic of which something is known.
fn queues_of<'t>(
    by_name: &'t mut BTreeMap<Arc<str>, TopicQueues>,
    name: &Arc<str>,
    client: &Client,
    fetched: Option<&Arc<Topic>>,
) -> Option<&'t mut TopicQueues> {
    let version = client.metadata_version();
    let is_fresh = |queues: &TopicQueues| queues.known.as_ref().is_some_and(|(of, _)| *of == version);
    if !by_name.get(name).is_some_and(is_fresh) {
        let topic = client.metadata().shared_topic(name).or_else(|| fetched.cloned())?;
        by_name.entry(Arc::clone(name)).or_default().known = Some((version, topic));
    }
    by_name.get_mut(name)
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

/// The partition for a record.
fn choose(
    record: &ProducerRecord,
    topic: &Topic,
    sticky: &mut Sticky,
    queues: &BTreeMap<i32, Queue>,
    size: usize,
    shared: &Shared,
) -> Result<i32, Error> {
    if let Some(partition) = record.partition {
        return has_partition(topic, partition).map(|()| partition);
    }
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if let Some(key) = &record.key {
        return Ok(partition_of_key(key, count));
    }
    let batch_size = shared.config.batch_size;
    let has_leader = |partition: &Partition| partition.leader.is_some();
    let any_leader = topic.partitions.values().any(has_leader);
    // Where no partition has a leader, records wait for any.
    let fits = |partition: &Partition| !any_leader || has_leader(partition);
    let is_available = |number: i32| topic.partitions.get(&number).is_some_and(fits);
    let is_open = |number: i32| queues.get(&number).is_some_and(|queue| queue.has_room(size, batch_size));
    let waiting = |number: i32| match shared.config.adaptive_partitioning {
        true => queues.get(&number).map_or(0, Queue::len),
        false => 0,
    };
    let available = || {
        let available = topic.partitions.values().filter(|partition| fits(partition));
        available.map(|partition| (partition.partition, waiting(partition.partition))).collect()
    };
    let world = shared.client.world();
    let chosen = sticky.choose(size, batch_size, is_available, is_open, available, || world.random());
    chosen.ok_or_else(|| lacks(topic, ErrorCode::LeaderNotAvailable, 0))
}

fn has_partition(topic: &Topic, partition: i32) -> Result<(), Error> {
    let known = topic.partitions.contains_key(&partition);
    if known { Ok(()) } else { Err(lacks(topic, ErrorCode::UnknownTopicOrPartition, partition)) }
}

fn lacks(topic: &Topic, code: ErrorCode, partition: i32) -> Error {
    let words = format!("the topic has {} partitions", topic.partitions.len());
    BrokerError::new(code.code()).partition(topic.name.as_str(), partition).message(Some(words)).into()
}
