//! Runs the group coordinators of this node: one shard for each partition of `__consumer_offsets` that it leads.
//!
//! A shard decides; this appends what it decided to its partition, in order, tells it what became of it, and wakes the
//! requests that wait. One task serves the timers of all shards.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use coordinator::{Append, AppendId, Effects, Event, GroupConfig, GroupShard, Reply, Token, partition_for};
use kernel::port::Clock;
use kernel::{ErrorCode, Now, Offset};
use parking_lot::{Mutex, RwLock};
use storage::Origin;
use tokio::sync::{Notify, oneshot};
use tracing::{debug, info, warn};
use wire::batch::validate::Validated;
use wire::batch::{BatchBuilder, BatchView, EndTxnMarker};
use wire::compress::{Compression, Limits};

use crate::partition::{Appended, Partition};
use crate::stop::StopSignal;

/// The topic that remembers groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// What is read of the log at a time when a shard is loaded.
const LOAD_BYTES: u32 = 5 << 20;

/// What one batch of group records may decompress to.
const LOAD_DECOMPRESSED_MAX: usize = 64 << 20;

/// Without a deadline the timer task looks again after this long.
const NO_DEADLINE: Duration = Duration::from_secs(3600);

/// All coordinators of a node.
pub struct Groups {
    shards: RwLock<BTreeMap<i32, Arc<Coordinator>>>,
    /// Partitions of the offsets topic; 0 while it does not exist.
    partitions: AtomicI32,
    config: RwLock<GroupConfig>,
    compression: RwLock<Compression>,
    next_token: AtomicU64,
    timers: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

/// One shard with its partition and those who wait.
pub struct Coordinator {
    partition: Arc<Partition>,
    state: Mutex<State>,
    compression: Compression,
    timers: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

struct State {
    shard: GroupShard,
    waiting: BTreeMap<Token, oneshot::Sender<Reply>>,
}

/// An append whose acknowledgement waits for a sync.
struct Unsettled {
    id: AppendId,
    base: Offset,
    end: Offset,
}

impl Groups {
    pub fn new(config: GroupConfig, compression: Compression, clock: Arc<dyn Clock>) -> Self {
        Self {
            shards: RwLock::default(),
            partitions: AtomicI32::new(0),
            config: RwLock::new(config),
            compression: RwLock::new(compression),
            next_token: AtomicU64::new(1),
            timers: Arc::new(Notify::new()),
            clock,
        }
    }

    /// How many partitions the offsets topic has; 0 while it does not exist.
    pub fn set_partitions(&self, partitions: i32) {
        self.partitions.store(partitions, Ordering::Release);
    }

    /// The partition of the offsets topic that keeps a group; nothing while the topic does not exist.
    pub fn partition_of(&self, group: &str) -> Option<i32> {
        let partitions = self.partitions.load(Ordering::Acquire);
        (partitions > 0).then(|| partition_for(group, partitions))
    }

    /// Other options count from now on.
    pub fn reconfigure(&self, config: GroupConfig) {
        for coordinator in self.all() {
            coordinator.state.lock().shard.reconfigure(config.clone());
        }
        *self.config.write() = config;
    }

    /// Begins to coordinate the groups of a partition, with what its log remembers of them.
    pub fn lead(&self, partition: &Arc<Partition>) {
        let mut shard = GroupShard::new(self.config.read().clone());
        if let Err(error) = load(&mut shard, partition) {
            // Serving half of what was committed would send consumers back to the beginning.
            warn!(partition = %partition.name(), %error, "groups cannot be loaded; they are not served");
            return;
        }
        let coordinator = Arc::new(Coordinator {
            partition: Arc::clone(partition),
            state: Mutex::new(State { shard, waiting: BTreeMap::new() }),
            compression: *self.compression.read(),
            timers: Arc::clone(&self.timers),
            clock: Arc::clone(&self.clock),
        });
        coordinator.decide(|shard, now| shard.loaded(now));
        self.shards.write().insert(partition.index, coordinator);
    }

    /// Ends the coordination of a partition's groups; whoever waits is told to look elsewhere.
    pub fn resign(&self, partition: i32) {
        let removed = self.shards.write().remove(&partition);
        if let Some(coordinator) = removed {
            coordinator.decide(|shard, now| shard.unload(now));
        }
    }

    /// The coordinator of a group.
    pub fn find(&self, group: &str) -> Result<Arc<Coordinator>, ErrorCode> {
        let partition = self.partition_of(group).ok_or(ErrorCode::NotCoordinator)?;
        self.shards.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)
    }

    /// All coordinators, by partition.
    pub fn all(&self) -> Vec<Arc<Coordinator>> {
        self.shards.read().values().cloned().collect()
    }

    /// Asks a group's coordinator and waits for the answer.
    pub async fn ask(
        &self,
        group: &str,
        decide: impl FnOnce(&mut GroupShard, Now, Token) -> Effects,
    ) -> Result<Reply, ErrorCode> {
        let coordinator = self.find(group)?;
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        coordinator.ask(token, decide).await
    }

    /// Offsets of deleted topics are forgotten.
    pub fn topics_deleted(&self, topics: &[(&str, kernel::Uuid)]) {
        for coordinator in self.all() {
            coordinator.decide(|shard, now| shard.topics_deleted(now, topics));
        }
    }

    /// Serves the timers of all shards until the node stops.
    pub async fn run_timers(self: Arc<Self>, mut stopping: StopSignal) {
        loop {
            let changed = self.timers.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.clock.now();
            let mut next = NO_DEADLINE;
            for coordinator in self.all() {
                next = next.min(coordinator.run_timers(now));
            }
            tokio::select! {
                biased;
                () = stopping.wait() => return,
                () = changed => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }
}

impl Coordinator {
    /// Looks something up that needs no record and no wait.
    pub fn look<R>(&self, look: impl FnOnce(&mut GroupShard, Now) -> R) -> R {
        look(&mut self.state.lock().shard, self.clock.now())
    }

    /// Whether this coordinator's partition is the one given.
    pub fn partition(&self) -> i32 {
        self.partition.index
    }

    async fn ask(
        self: &Arc<Self>,
        token: Token,
        decide: impl FnOnce(&mut GroupShard, Now, Token) -> Effects,
    ) -> Result<Reply, ErrorCode> {
        let (tell, told) = oneshot::channel();
        self.change(|state, now| {
            state.waiting.insert(token, tell);
            decide(&mut state.shard, now, token)
        });
        told.await.map_err(|_| ErrorCode::CoordinatorNotAvailable)
    }

    fn decide(self: &Arc<Self>, decide: impl FnOnce(&mut GroupShard, Now) -> Effects) {
        self.change(|state, now| decide(&mut state.shard, now));
    }

    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State, Now) -> Effects) {
        let now = self.clock.now();
        let mut unsettled = Vec::new();
        {
            let mut state = self.state.lock();
            let effects = change(&mut state, now);
            self.drive(&mut state, effects, now, &mut unsettled);
        }
        self.await_durable(unsettled);
    }

    /// Lets due timers fire; returns how long until the next.
    fn run_timers(self: &Arc<Self>, now: Now) -> Duration {
        let mut unsettled = Vec::new();
        let next = {
            let mut state = self.state.lock();
            while state.shard.next_deadline().is_some_and(|deadline| deadline <= now.mono) {
                let effects = state.shard.on_timer(now);
                self.drive(&mut state, effects, now, &mut unsettled);
            }
            state.shard.next_deadline().map_or(NO_DEADLINE, |deadline| deadline.since(now.mono))
        };
        self.await_durable(unsettled);
        next
    }

    /// Does what a decision asks for, and what follows from it. Appends that wait for a sync go to `unsettled`.
    fn drive(&self, state: &mut State, effects: Effects, now: Now, unsettled: &mut Vec<Unsettled>) {
        let before = state.shard.next_deadline();
        let mut todo = VecDeque::from([effects]);
        while let Some(effects) = todo.pop_front() {
            for event in &effects.events {
                report(event);
            }
            for (token, reply) in effects.replies {
                if let Some(waiting) = state.waiting.remove(&token) {
                    // The client may have gone.
                    let _ = waiting.send(reply);
                }
            }
            for append in effects.appends {
                let outcome = match self.write(&append, now) {
                    Ok(Appended { info, wait_for: Some(end) }) => {
                        unsettled.push(Unsettled { id: append.id, base: info.base_offset, end });
                        continue;
                    }
                    Ok(Appended { info, wait_for: None }) => Ok(info.base_offset),
                    Err(code) => Err(code),
                };
                todo.push_back(state.shard.on_appended(now, append.id, outcome));
            }
        }
        if state.shard.next_deadline() != before {
            self.timers.notify_one();
        }
    }

    /// Settles appends once they are durable. Called without the lock, as a disk may answer at once.
    fn await_durable(self: &Arc<Self>, unsettled: Vec<Unsettled>) {
        for Unsettled { id, base, end } in unsettled {
            let coordinator = Arc::clone(self);
            let settle = move |result: Result<(), ErrorCode>| {
                coordinator.decide(|shard, now| shard.on_appended(now, id, result.map(|()| base)));
            };
            self.partition.when_durable(end, Box::new(settle));
        }
    }

    fn write(&self, append: &Append, now: Now) -> Result<Appended, ErrorCode> {
        let records = append.encode()?;
        let mut batch = BatchBuilder::new().compression(self.compression);
        for record in &records {
            batch.append(now.wall, Some(&record.key), record.value.as_deref());
        }
        let batch = batch.build().map_err(|_| ErrorCode::InvalidRecord)?;
        if batch.len() > self.partition.rules().max_message_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
        let batch = Validated::trusted(&batch).map_err(|_| ErrorCode::InvalidRecord)?;
        self.partition
            .append(now, batch, Origin::Coordinator { transaction_version: 0 })
            .map_err(|error| error.code())
    }
}

fn report(event: &Event) {
    match event {
        Event::Rebalancing { group, generation, reason } => {
            info!(%group, generation, %reason, "group rebalances");
        }
        Event::Completed { group, generation, members } => {
            info!(%group, generation, members, "group has a new generation");
        }
        Event::Stable { group, generation } => debug!(%group, generation, "group is stable"),
        Event::Emptied { group, generation } => info!(%group, generation, "group is empty"),
        Event::MemberExpired { group, member } => {
            info!(%group, %member, "member was not heard of and is removed");
        }
        Event::Removed { group } => info!(%group, "group is removed"),
        Event::StoreFailed { group, error } => warn!(%group, %error, "group cannot be stored"),
    }
}

/// Replays what the log remembers.
fn load(shard: &mut GroupShard, partition: &Partition) -> Result<(), String> {
    let mut at = partition.log().start_offset();
    let end = partition.high_watermark();
    while at < end {
        let read = partition.log().read(at, LOAD_BYTES, end, true).map_err(|error| error.to_string())?;
        let Some(span) = read.span else { break };
        let bytes = Bytes::from(span.read().map_err(|error| error.to_string())?);
        let before = at;
        let mut rest: &[u8] = &bytes;
        while !rest.is_empty() {
            let (batch, after) = BatchView::parse(rest).map_err(|error| error.to_string())?;
            replay(shard, &batch, at)?;
            at = batch.header().next_offset();
            rest = after;
        }
        if at == before {
            return Err(format!("the log has no batch at offset {at}"));
        }
    }
    Ok(())
}

fn replay(shard: &mut GroupShard, batch: &BatchView<'_>, from: Offset) -> Result<(), String> {
    let limits = Limits::trusting(LOAD_DECOMPRESSED_MAX);
    let header = *batch.header();
    for record in batch.records(limits).map_err(|error| error.to_string())?.iter() {
        let record = record.map_err(|error| error.to_string())?;
        if record.offset < from {
            continue;
        }
        let Some(key) = record.key else { continue };
        if header.is_control() {
            // Offsets that were committed in a transaction count from its marker on, or never.
            if let Some(marker) = record.value.and_then(|value| EndTxnMarker::parse(key, value)) {
                shard.transaction_ended(header.producer_id(), marker.committed);
            }
            continue;
        }
        if let Err(error) = shard.replay(record.offset, header.producer_id(), key, record.value) {
            warn!(offset = %record.offset, %error, "a record of the offsets topic is not understood and skipped");
        }
    }
    Ok(())
}
