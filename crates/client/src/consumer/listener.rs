//! What a member of a group is told about its partitions, and what it can do about it.

use std::collections::BTreeMap;
use std::fmt;

use kernel::{Offset, TopicPartition, Uuid};

use super::commit::{Commit, Offsets};
use super::position::{At, Position, Start};
use crate::admin::CommittedOffset;

/// Is told when the group gives partitions to this member, or takes them.
///
/// It is called from within [`crate::Consumer::poll`], `close` and `unsubscribe`, on their task, so it should not block: the
/// consumer beats on by itself, but fetches nothing meanwhile, and counts against `max.poll.interval.ms`.
pub trait RebalanceListener: Send + 'static {
    /// These partitions are new to this member. Called after every rebalance, also when nothing is new.
    fn assigned(&mut self, rebalance: &mut Rebalance<'_>) {
        let _ = rebalance;
    }

    /// These partitions go to other members, who get them after this returned and what it commits is committed.
    fn revoked(&mut self, rebalance: &mut Rebalance<'_>) {
        let _ = rebalance;
    }

    /// These partitions are gone already, because the group has given this member up: others may read them by now, and
    /// nothing can be committed.
    fn lost(&mut self, rebalance: &mut Rebalance<'_>) {
        let _ = rebalance;
    }
}

/// Partitions that come or go.
#[derive(Debug)]
pub struct Rebalance<'c> {
    partitions: &'c [TopicPartition],
    positions: &'c BTreeMap<TopicPartition, Position>,
    pub(super) seeks: Vec<(TopicPartition, Start)>,
    pub(super) commits: Offsets,
}

impl<'c> Rebalance<'c> {
    pub(super) fn new(
        partitions: &'c [TopicPartition],
        positions: &'c BTreeMap<TopicPartition, Position>,
    ) -> Self {
        Self { partitions, positions, seeks: Vec::new(), commits: Offsets::new() }
    }

    /// Those that come or go, in order.
    pub fn partitions(&self) -> &'c [TopicPartition] {
        self.partitions
    }

    /// The offset after the last record of the partition that was returned; nothing if none was, or it is not read.
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        match self.positions.get(partition)?.at {
            At::Known(offset, _) => Some(offset),
            At::Unknown(_) => None,
        }
    }

    /// Begins there in a partition that was assigned, whatever the group has committed. In others it does nothing.
    pub fn seek(&mut self, partition: &TopicPartition, start: Start) {
        self.seeks.push((partition.clone(), start));
    }

    /// Commits this for a partition that is revoked, before anybody else gets it. It has no effect while partitions are
    /// assigned or lost.
    pub fn commit(&mut self, partition: &TopicPartition, offset: impl Into<CommittedOffset>) {
        let topic_id = self.positions.get(partition).map_or(Uuid::ZERO, Position::topic_id);
        self.commits.insert(partition.clone(), Commit { committed: offset.into(), topic_id });
    }
}

/// The listener of a consumer, if there is one.
#[derive(Default)]
pub(super) struct Listener(pub Option<Box<dyn RebalanceListener>>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}
