//! The offsets of all groups of a shard, and those that wait for their transaction to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::{Offset, ProducerId};

use crate::limits;
use crate::record::CommittedOffset;

type Partitions<T> = BTreeMap<i32, T>;
pub(crate) type Topics<T> = BTreeMap<Arc<str>, Partitions<T>>;
type Groups<T> = BTreeMap<Arc<str>, Topics<T>>;

/// An offset, and where in the log it was committed: of two commits the later one counts, even if its transaction ended first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub at: Offset,
    pub offset: CommittedOffset,
}

#[derive(Debug, Default)]
pub(crate) struct OffsetStore {
    committed: Groups<Stored>,
    /// Committed in transactions that are still open.
    pending: BTreeMap<ProducerId, Groups<Stored>>,
    /// The open transactions of each partition.
    open: Groups<BTreeSet<ProducerId>>,
}

impl OffsetStore {
    pub fn group(&self, group: &str) -> Option<&Topics<Stored>> {
        self.committed.get(group)
    }

    /// What all groups have for a topic, committed or about to be.
    pub fn all_in<'a>(
        &'a self,
        topic: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>, i32, &'a Stored)> {
        let groups = std::iter::once(&self.committed).chain(self.pending.values()).flatten();
        groups.flat_map(move |(group, topics)| {
            let partitions = topics.get_key_value(topic).into_iter();
            partitions.flat_map(move |(topic, partitions)| {
                partitions.iter().map(move |(partition, stored)| (group, topic, *partition, stored))
            })
        })
    }

    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Stored> {
        self.committed.get(group)?.get(topic)?.get(&partition)
    }

    /// Whether the group has any offset, committed or about to be.
    pub fn has_group(&self, group: &str) -> bool {
        self.committed.contains_key(group) || self.open.contains_key(group)
    }

    pub fn has_open_transaction(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.open
            .get(group)
            .and_then(|topics| topics.get(topic))
            .is_some_and(|partitions| partitions.contains_key(&partition))
    }

    pub fn has_open_transactions(&self, group: &str) -> bool {
        self.open.contains_key(group)
    }

    /// The partitions of a group that open transactions are about to commit.
    pub fn open_partitions(&self, group: &str) -> impl Iterator<Item = (&Arc<str>, i32)> {
        let topics = self.open.get(group).into_iter().flatten();
        topics.flat_map(|(topic, partitions)| partitions.keys().map(move |partition| (topic, *partition)))
    }

    /// Whether the group may have one more offset.
    pub fn has_room(&self, group: &str) -> bool {
        let count: usize =
            self.committed.get(group).into_iter().flatten().map(|(_, partitions)| partitions.len()).sum();
        count < limits::GROUP_OFFSETS_MAX
    }

    pub fn put(&mut self, group: &Arc<str>, topic: &Arc<str>, partition: i32, stored: Stored) {
        let topics = self.committed.entry(Arc::clone(group)).or_default();
        topics.entry(Arc::clone(topic)).or_default().insert(partition, stored);
    }

    /// Forgets an offset; a transaction that was about to commit it will not.
    pub fn remove(&mut self, group: &str, topic: &str, partition: i32) {
        take(&mut self.committed, group, topic, partition);
        for producer in take(&mut self.open, group, topic, partition).into_iter().flatten() {
            if let Some(groups) = self.pending.get_mut(&producer) {
                take(groups, group, topic, partition);
            }
        }
    }

    pub fn put_pending(
        &mut self,
        producer: ProducerId,
        group: &Arc<str>,
        topic: &Arc<str>,
        partition: i32,
        stored: Stored,
    ) {
        let topics = self.pending.entry(producer).or_default().entry(Arc::clone(group)).or_default();
        topics.entry(Arc::clone(topic)).or_default().insert(partition, stored);
        let topics = self.open.entry(Arc::clone(group)).or_default();
        topics.entry(Arc::clone(topic)).or_default().entry(partition).or_default().insert(producer);
    }

    pub fn open_transactions(&self) -> usize {
        self.pending.len()
    }

    pub fn has_transaction(&self, producer: ProducerId) -> bool {
        self.pending.contains_key(&producer)
    }

    /// Ends a transaction. Its commits come to count, unless a later commit has overtaken them.
    pub fn end_transaction(&mut self, producer: ProducerId, commit: bool) {
        for (group, topics) in self.pending.remove(&producer).unwrap_or_default() {
            for (topic, partitions) in topics {
                for (partition, stored) in partitions {
                    self.close(producer, &group, &topic, partition);
                    let overtaken =
                        self.get(&group, &topic, partition).is_some_and(|newer| newer.at > stored.at);
                    if commit && !overtaken {
                        self.put(&group, &topic, partition, stored);
                    }
                }
            }
        }
    }

    fn close(&mut self, producer: ProducerId, group: &str, topic: &str, partition: i32) {
        let partitions = self.open.get_mut(group).and_then(|topics| topics.get_mut(topic));
        if let Some(open) = partitions.and_then(|partitions| partitions.get_mut(&partition)) {
            open.remove(&producer);
            if open.is_empty() {
                take(&mut self.open, group, topic, partition);
            }
        }
    }
}

/// Removes an entry, and the maps it leaves empty.
fn take<T>(groups: &mut Groups<T>, group: &str, topic: &str, partition: i32) -> Option<T> {
    let topics = groups.get_mut(group)?;
    let partitions = topics.get_mut(topic)?;
    let taken = partitions.remove(&partition);
    if partitions.is_empty() {
        topics.remove(topic);
    }
    if topics.is_empty() {
        groups.remove(group);
    }
    taken
}
