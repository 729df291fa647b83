//! Runs the group coordinators of this node: one shard for each partition of `__consumer_offsets` that it leads.
//!
//! A shard decides; this appends what it decided to its partition, in order, tells it what became of it, and wakes the
//! requests that wait. One task serves the timers of all shards.

mod coordinator;
mod load;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use ::coordinator::{Effects, GroupConfig, GroupShard, Reply, Token, partition_for};
use kernel::port::Clock;
use kernel::{ErrorCode, Now};
use parking_lot::RwLock;
use tokio::sync::Notify;
use tracing::warn;
use wire::compress::Compression;

pub use coordinator::Coordinator;
use coordinator::NO_DEADLINE;

use crate::partition::Partition;
use crate::stop::StopSignal;

/// The topic that remembers groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

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

    /// How many partitions the offsets topic has; 0 while it does not exist. Another number than the first counts from the
    /// next start on, as with Kafka: the groups of this run are where the first one says.
    pub fn set_partitions(&self, partitions: i32) {
        let before = self.partitions.load(Ordering::Acquire);
        if before == 0 || partitions == 0 {
            return self.partitions.store(partitions, Ordering::Release);
        }
        if before != partitions {
            warn!(
                before,
                now = partitions,
                "the partitions of {OFFSETS_TOPIC} have changed: from the next start on, most groups are looked for where their offsets are not"
            );
        }
    }

    /// The partition of the offsets topic that keeps a group; nothing while the topic does not exist.
    pub fn partition_of(&self, group: &str) -> Option<i32> {
        let partitions = self.partitions.load(Ordering::Acquire);
        (partitions > 0).then(|| partition_for(group, partitions))
    }

    /// Other options count from now on.
    pub fn reconfigure(&self, config: GroupConfig) {
        for coordinator in self.all() {
            coordinator.look(|shard, _| shard.reconfigure(config.clone()));
        }
        *self.config.write() = config;
    }

    /// Begins to coordinate the groups of a partition, with what its log remembers of them.
    pub fn lead(&self, partition: &Arc<Partition>) {
        let mut shard = GroupShard::new(self.config.read().clone());
        if let Err(error) = load::load(&mut shard, partition) {
            // Serving half of what was committed would send consumers back to the beginning.
            warn!(partition = %partition.name(), %error, "groups cannot be loaded; they are not served");
            return;
        }
        let (timers, clock) = (Arc::clone(&self.timers), Arc::clone(&self.clock));
        let coordinator = Coordinator::new(partition, shard, *self.compression.read(), timers, clock);
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
