//! The sender: one task that takes batches out of the queues, sends them to the leaders, and puts back what failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use kernel::{ErrorCode, NodeId, TopicPartition, Uuid};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::produce_response::ProduceResponse;

use super::batch::Batch;
use super::identity::{Identity, identify};
use super::judge::{queue_of, settle};
use super::queue::{Queue, Readiness};
use super::{Shared, TopicQueues, Topics};
use crate::cluster::asking::gone;
use crate::cluster::{Lane, Wanted};
use crate::config::{Acks, millis};
use crate::conn::{Connection, Leaving, Pending};
use crate::{BrokerError, Client, Error};

/// The version from which a topic goes by its id alone.
const TOPIC_IDS_FROM: i16 = 13;

/// How long the sender rests at most, so that what expires is found.
const REST_MAX: Duration = Duration::from_millis(500);

pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    /// Who this producer is, once a broker has said.
    identity: Option<Identity>,
    identifying: bool,
    /// Why nobody has told it who it is, since it last knew.
    nameless: Option<Box<Error>>,
    /// Whether the identity that it had before has no epochs left.
    spent: bool,
    refreshing: bool,
    refreshed_at: Instant,
    /// Whether it is to be asked who leads what.
    pub(super) stale: bool,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    running: JoinSet<Done>,
}

/// The way to one broker.
#[derive(Default)]
pub(super) struct Node {
    connection: Option<Arc<Connection>>,
    connecting: bool,
    in_flight: usize,
    not_before: Option<Instant>,
    /// How often in a row the way to it has failed.
    pub(super) failures: u32,
    /// Why no connection could be made, as long as there is none.
    unreachable: Option<Box<Error>>,
    /// Where the next request begins, if the last one could not take all: otherwise the first partitions would leave the
    /// others no room for as long as they are full.
    resume_at: Option<TopicPartition>,
}

impl Node {
    /// The way to it failed: it is left alone for a while.
    pub(super) fn failed(&mut self, client: &Client) {
        self.connection = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(Instant::now() + client.backoff_after(self.failures));
    }
}

/// A request on its way.
enum Begun {
    Answered(Pending),
    Unanswered(Leaving),
}

/// Something that was waited for.
enum Done {
    Identified(Result<Identity, Error>),
    Refreshed(Result<(), Error>),
    Connected(NodeId, Result<Arc<Connection>, Error>),
    Produced(NodeId, Vec<Sent>, Result<ProduceResponse, Error>),
    /// The socket has a request that nobody answers.
    Left(NodeId, Vec<Sent>, Result<(), Error>),
}

/// A batch that is on its way.
pub(super) struct Sent {
    pub(super) partition: TopicPartition,
    pub(super) topic_id: Uuid,
    pub(super) batch: Batch,
}

impl Sender {
    pub fn new(shared: Arc<Shared>) -> Sender {
        Sender {
            shared,
            identity: None,
            identifying: false,
            nameless: None,
            spent: false,
            refreshing: false,
            refreshed_at: Instant::now(),
            stale: false,
            nodes: BTreeMap::new(),
            running: JoinSet::new(),
        }
    }

    pub async fn run(mut self) {
        loop {
            let rest_until = self.turn();
            let closing = self.shared.closing.load(Ordering::Acquire);
            if closing && self.shared.topics.lock().unsettled.is_empty() {
                return;
            }
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                biased;
                // First, as whoever writes without a rest could keep the other way busy.
                Some(done) = self.running.join_next() => {
                    if let Ok(done) = done {
                        self.finish(done);
                    }
                }
                _ = shared.wake.notified() => {}
                _ = sleep_until(rest_until) => {}
            }
        }
    }

    /// Sends all that can be sent now. Returns when to look again.
    fn turn(&mut self) -> Instant {
        let now = Instant::now();
        let readiness = self.readiness(now);
        let (ready, rest_until) = self.survey(&readiness);
        if self.stale || self.refreshed_at + self.shared.client.config().metadata_max_age < now {
            self.refresh();
        }
        if ready.is_empty() || (self.shared.config.enable_idempotence && !self.identify()) {
            return rest_until;
        }
        for (leader, mut partitions) in ready {
            let resume_at = self.nodes.get_mut(&leader).and_then(|node| node.resume_at.take());
            if let Some(first) = resume_at {
                let place = partitions.partition_point(|name| *name < first);
                partitions.rotate_left(place);
            }
            while !partitions.is_empty() {
                if !self.can_send(leader, now) {
                    break;
                }
                self.send(leader, &readiness, &mut partitions);
            }
        }
        rest_until
    }

    fn readiness(&self, now: Instant) -> Readiness {
        let config = &self.shared.config;
        let closing = self.shared.closing.load(Ordering::Acquire);
        Readiness {
            now,
            batch_size: config.batch_size,
            linger: config.linger,
            flush_through: if closing { u64::MAX } else { self.shared.topics.lock().flush_through },
            in_flight_max: config.max_in_flight,
        }
    }

    /// Gives up what is too old, and finds the partitions with something to send, by leader. Returns when to look again.
    fn survey(&mut self, readiness: &Readiness) -> (BTreeMap<NodeId, Vec<TopicPartition>>, Instant) {
        let metadata = self.shared.client.metadata();
        let oldest = readiness.now.checked_sub(self.shared.delivery_timeout);
        let identity = self.identity;
        let mut ready: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        let mut rest_until = readiness.now + REST_MAX;
        let mut ended = Vec::new();
        let mut topics = self.shared.topics.lock();
        for (topic, queues) in &mut topics.by_name {
            for (partition, queue) in &mut queues.partitions {
                if let Some(oldest) = oldest {
                    let expired = queue.expire(oldest).into_iter();
                    ended.extend(expired.map(|batch| {
                        let leader = metadata.partition(topic, *partition).and_then(|known| known.leader);
                        let node = leader.and_then(|leader| self.nodes.get(&leader));
                        let unreachable = node.and_then(|node| node.unreachable.clone());
                        let unreachable = unreachable.or_else(|| self.nameless.clone());
                        let mut late = batch.late(self.shared.delivery_timeout, unreachable);
                        // What went wrong before is not what it waits for.
                        if let Error::DeliveryTimeout { last, .. } = &mut late
                            && metadata.is_leaderless(topic, *partition)
                        {
                            *last = Some(Box::new(no_leader(topic, *partition)));
                        }
                        (batch, late)
                    }));
                }
                let mended = queue.mend(identity).into_iter();
                ended.extend(mended.map(|batch| (batch, uncertain(topic, *partition))));
                if identity.is_some_and(|identity| queue.is_spent(identity)) {
                    (self.identity, self.spent) = (None, true);
                }
                match queue.ready_at(readiness) {
                    Some(at) if at > readiness.now => rest_until = rest_until.min(at),
                    Some(_) => match metadata.partition(topic, *partition).and_then(|known| known.leader) {
                        Some(leader) => ready
                            .entry(leader)
                            .or_default()
                            .push(TopicPartition::new(Arc::clone(topic), *partition)),
                        None => self.stale = true,
                    },
                    None => {}
                }
            }
        }
        for (batch, error) in ended {
            settle(&self.shared, &mut topics, &batch, Err(error));
        }
        if let Some(oldest) = oldest {
            self.tell_late(&mut topics, oldest);
        }
        topics.looks_again = Some(rest_until);
        (ready, rest_until)
    }

    /// Tells of what is on its way for too long. Its queue learns what became of it from the answer, which may still come.
    fn tell_late(&self, topics: &mut Topics, oldest: Instant) {
        while let Some(first) = topics.unsettled.first_entry()
            && first.get().begun < oldest
        {
            let outcome = first.remove();
            outcome.settle(Err(outcome.late(self.shared.delivery_timeout, true, None)));
        }
    }

    /// Whether the producer knows who it is; asks if not.
    fn identify(&mut self) -> bool {
        if self.identity.is_none() && !self.identifying {
            self.identifying = true;
            let shared = Arc::clone(&self.shared);
            // A server that names one that is spent is not asked without a rest.
            let spent = self.spent;
            self.running.spawn(async move {
                if spent {
                    tokio::time::sleep(shared.client.backoff()).await;
                }
                let identified = identify(&shared.client).await;
                if identified.is_err() {
                    tokio::time::sleep(shared.client.backoff()).await;
                }
                Done::Identified(identified)
            });
        }
        self.identity.is_some()
    }

    fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        self.stale = false;
        let shared = Arc::clone(&self.shared);
        let wait = shared.client.backoff();
        self.running.spawn(async move {
            // Leaders take a moment to be elected; asking faster only loads the brokers.
            tokio::time::sleep(wait).await;
            let mut refreshed = Ok(());
            // A topic that was deleted is made again for records that wait for it, not because it was written to once: those
            // that waited before may have been written since.
            let (idle, awaited) = topics_by_need(&shared);
            let create = shared.config.allow_auto_create_topics;
            for (names, create, needed) in [(idle, false, false), (awaited, create, true)] {
                // Without names only the brokers are asked for, which is done once.
                if refreshed.is_ok() && (needed || !names.is_empty()) {
                    refreshed =
                        shared.client.refresh(Wanted::Topics { names: &names, create }).await.map(drop);
                }
            }
            Done::Refreshed(refreshed)
        });
    }

    /// Whether a request may go to the node now; connects if there is no connection.
    fn can_send(&mut self, id: NodeId, now: Instant) -> bool {
        let node = self.nodes.entry(id).or_default();
        if node.connection.as_ref().is_some_and(|connection| connection.is_open()) {
            return node.in_flight < self.shared.config.max_in_flight;
        }
        node.connection = None;
        if !node.connecting && node.in_flight == 0 && node.not_before.is_none_or(|at| at <= now) {
            node.connecting = true;
            let client = self.shared.client.clone();
            self.running.spawn(async move { Done::Connected(id, client.broker(id, Lane::Produce).await) });
        }
        false
    }

    /// Sends one request with at most a batch of each of the partitions; removes those that were considered.
    fn send(&mut self, leader: NodeId, readiness: &Readiness, partitions: &mut Vec<TopicPartition>) {
        let Some(connection) = self.nodes.get(&leader).and_then(|node| node.connection.clone()) else {
            return partitions.clear();
        };
        let metadata = self.shared.client.metadata();
        let mut sent: Vec<Sent> = Vec::new();
        let mut bytes = 0;
        let mut full_at = None;
        let mut topics = self.shared.topics.lock();
        partitions.retain(|name| {
            if full_at.is_some() {
                return true;
            }
            let Some(queue) = queue_of(&mut topics, name) else {
                return false;
            };
            // A batch that is alone too large is for the broker to judge: what it holds compressed may be small.
            if !sent.is_empty() && bytes + queue.next_bytes() > self.shared.config.max_request_size {
                full_at = Some(name.clone());
                return true;
            }
            let Some(batch) = queue.take(readiness, self.identity) else {
                return false;
            };
            bytes += batch.charged;
            let topic_id = metadata.topic(&name.topic).map_or(Uuid::ZERO, |topic| topic.id);
            sent.push(Sent { partition: name.clone(), topic_id, batch });
            // Another batch of the same partition may go with the next request.
            true
        });
        drop(topics);
        if sent.is_empty() {
            return partitions.clear();
        }
        if let Some(first) = full_at {
            let place = partitions.iter().position(|name| *name == first).unwrap_or(0);
            partitions.rotate_left(place);
            self.nodes.entry(leader).or_default().resume_at = Some(first);
        }
        self.dispatch(leader, &connection, sent);
    }

    fn dispatch(&mut self, leader: NodeId, connection: &Arc<Connection>, sent: Vec<Sent>) {
        let sealed = self.seal(sent);
        if sealed.is_empty() {
            return;
        }
        let time = connection.request_timeout();
        let shared_connection = Arc::clone(connection);
        let (sent, begun) = self.begin(connection, sealed);
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => return self.unsent(leader, sent, &error),
        };
        self.nodes.entry(leader).or_default().in_flight += 1;
        if matches!(begun, Begun::Unanswered(_)) {
            self.shared.unanswered.lock().sent(leader, connection);
        }
        let client = self.shared.client.clone();
        self.running.spawn(async move {
            // Kept as long as it is needed: nobody else may have it.
            let _connection = shared_connection;
            match begun {
                Begun::Unanswered(leaving) => Done::Left(leader, sent, leaving.wait(time).await),
                Begun::Answered(pending) => {
                    let result = tokio::select! {
                        biased;
                        result = pending.wait(time) => result,
                        () = client.gone(leader) => Err(gone(leader)),
                    };
                    Done::Produced(leader, sent, result.and_then(|answer| answer.decode()))
                }
            }
        });
    }

    /// Compresses the batches; one for which that fails is given up, and the others go, each with its records.
    fn seal(&self, sent: Vec<Sent>) -> Vec<(Sent, Bytes)> {
        let compression = self.shared.config.compression_at_level();
        let mut sealed = Vec::with_capacity(sent.len());
        let mut failed = Vec::new();
        for mut one in sent {
            match one.batch.seal(compression) {
                Ok(records) => sealed.push((one, records)),
                Err(error) => failed.push((one, Error::Config { name: "record", reason: error.to_string() })),
            }
        }
        if !failed.is_empty() {
            self.given_up(failed);
        }
        sealed
    }

    /// Begins to send them, and gives back what is on its way, or what is not and why.
    fn begin(
        &self,
        connection: &Connection,
        sealed: Vec<(Sent, Bytes)>,
    ) -> (Vec<Sent>, Result<Begun, Error>) {
        let has_ids = sealed.iter().all(|(sent, _)| !sent.topic_id.is_zero());
        let max_version = if has_ids { i16::MAX } else { TOPIC_IDS_FROM - 1 };
        let version = match connection.version_up_to::<ProduceRequest>(max_version) {
            Ok(version) => version,
            Err(error) => return (sealed.into_iter().map(|(sent, _)| sent).collect(), Err(error)),
        };
        let acks = self.shared.config.acks;
        let (sent, topic_data) = by_topic(sealed, version >= TOPIC_IDS_FROM);
        let request = ProduceRequest {
            transactional_id: None,
            acks: acks.code(),
            timeout_ms: millis(connection.request_timeout()),
            topic_data,
        };
        let begun = match acks {
            Acks::None => connection.send_unanswered(&request, version).map(Begun::Unanswered),
            Acks::All | Acks::Leader => connection.start(&request, version).map(Begun::Answered),
        };
        (sent, begun)
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Identified(identified) => {
                self.identifying = false;
                match identified {
                    Ok(identity) => (self.identity, self.nameless) = (Some(identity), None),
                    Err(error) => {
                        self.fail_waiting(&error);
                        self.nameless = Some(Box::new(error));
                    }
                }
            }
            Done::Refreshed(refreshed) => {
                self.refreshing = false;
                match refreshed {
                    Ok(()) => self.refreshed_at = Instant::now(),
                    Err(_) => self.stale = true,
                }
            }
            Done::Connected(id, connected) => {
                let node = self.nodes.entry(id).or_default();
                node.connecting = false;
                match connected {
                    Ok(connection) => {
                        node.connection = Some(connection);
                        node.unreachable = None;
                    }
                    Err(error) => {
                        node.unreachable = Some(Box::new(error));
                        node.failed(&self.shared.client);
                        self.stale = true;
                    }
                }
            }
            Done::Produced(leader, sent, result) => {
                let node = self.nodes.entry(leader).or_default();
                node.in_flight = node.in_flight.saturating_sub(1);
                self.produced(leader, sent, result);
            }
            Done::Left(leader, sent, result) => {
                let node = self.nodes.entry(leader).or_default();
                node.in_flight = node.in_flight.saturating_sub(1);
                match result {
                    Ok(()) => self.unanswered(sent),
                    Err(error) => self.produced(leader, sent, Err(error)),
                }
            }
        }
    }

    /// The producer cannot learn who it is: nothing that waits can be sent.
    fn fail_waiting(&mut self, error: &Error) {
        if error.retriable() {
            return;
        }
        let mut topics = self.shared.topics.lock();
        let all: Vec<Batch> = topics
            .by_name
            .values_mut()
            .flat_map(|queues| queues.partitions.values_mut())
            .flat_map(|queue| queue.expire(Instant::now() + REST_MAX))
            .collect();
        for batch in all {
            settle(&self.shared, &mut topics, &batch, Err(error.clone()));
        }
    }
}

/// Batches as a request carries them, by topic, and those that it carries.
fn by_topic(sealed: Vec<(Sent, Bytes)>, by_id: bool) -> (Vec<Sent>, Vec<TopicProduceData>) {
    let mut topic_data: Vec<TopicProduceData> = Vec::new();
    let mut all = Vec::with_capacity(sealed.len());
    for (sent, records) in sealed {
        let data = PartitionProduceData { index: sent.partition.partition, records: records.into() };
        let topic = &sent.partition.topic;
        let (name, topic_id) =
            if by_id { (String::new(), sent.topic_id) } else { (topic.to_string(), Uuid::ZERO) };
        match topic_data.iter_mut().find(|topic| topic.name == name && topic.topic_id == topic_id) {
            Some(topic) => topic.partition_data.push(data),
            None => topic_data.push(TopicProduceData { name, topic_id, partition_data: vec![data] }),
        }
        all.push(sent);
    }
    (all, topic_data)
}

/// The topics for which nothing is left to be done, and those that records wait for.
fn topics_by_need(shared: &Shared) -> (Vec<String>, Vec<String>) {
    let topics = shared.topics.lock();
    let idle = |queues: &TopicQueues| queues.partitions.values().all(Queue::is_idle);
    let (idle, awaited): (Vec<_>, Vec<_>) = topics.by_name.iter().partition(|(_, queues)| idle(queues));
    let names = |topics: Vec<(&Arc<str>, _)>| topics.into_iter().map(|(name, _)| name.to_string()).collect();
    (names(idle), names(awaited))
}

fn no_leader(topic: &str, partition: i32) -> Error {
    BrokerError::new(ErrorCode::LeaderNotAvailable.code()).partition(topic, partition).into()
}

fn uncertain(topic: &str, partition: i32) -> Error {
    let reason = "one before it was given up, and the connection was lost when this one was sent".to_owned();
    Error::Uncertain { topic: topic.to_owned(), partition, reason }
}
