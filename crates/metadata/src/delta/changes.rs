//! What a delta changed, for a broker to act on.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{NodeId, Uuid};

use super::Delta;
use crate::image::{Broker, ConfigResource, Partition, Topic};

/// What became of one topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicChange {
    pub id: Uuid,
    pub name: Arc<str>,
    /// Nothing if the topic was created.
    pub before: Option<Arc<Topic>>,
    /// Nothing if the topic was deleted.
    pub after: Option<Arc<Topic>>,
    /// The partitions that were created, changed or deleted, by index.
    pub partitions: Vec<PartitionChange>,
}

/// What became of one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionChange {
    pub index: i32,
    /// Nothing if the partition was created.
    pub before: Option<Arc<Partition>>,
    /// Nothing if the partition was deleted.
    pub after: Option<Arc<Partition>>,
}

impl TopicChange {
    pub fn created(&self) -> bool {
        self.before.is_none()
    }

    pub fn deleted(&self) -> bool {
        self.after.is_none()
    }
}

/// What one broker has to do about its own replicas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocalChanges {
    /// Replicas to give up. Do these first: a topic may have been deleted and created again under its name.
    pub removed: Vec<LocalReplica>,
    /// Replicas to lead from now on, or to lead with another epoch or in-sync set.
    pub led: Vec<LocalReplica>,
    /// Replicas to follow from now on, or to follow with another leader or epoch.
    pub followed: Vec<LocalReplica>,
}

/// One replica of one broker.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalReplica {
    pub topic: Arc<str>,
    pub topic_id: Uuid,
    pub index: i32,
    /// The partition's state after the delta; for a removed replica of a deleted topic, the last it had.
    pub partition: Arc<Partition>,
    /// The state before the delta, if the partition existed.
    pub before: Option<Arc<Partition>>,
}

impl LocalReplica {
    /// Whether the leader's epoch rose, or began.
    pub fn new_leader_epoch(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.leader_epoch != self.partition.leader_epoch)
    }
}

impl Delta {
    /// The topics that changed: the deleted ones first, then the others by id.
    pub fn topics(&self) -> Vec<TopicChange> {
        let changes =
            self.touched.topics.iter().filter_map(|(id, partitions)| self.topic_change(*id, partitions));
        let (deleted, other): (Vec<_>, Vec<_>) = changes.partition(TopicChange::deleted);
        deleted.into_iter().chain(other).collect()
    }

    fn topic_change(&self, id: Uuid, touched: &BTreeSet<i32>) -> Option<TopicChange> {
        let before = self.base.topics.by_id(id).cloned();
        let after = self.visible().topics.by_id(id).cloned();
        let name = after.as_ref().or(before.as_ref())?.name.clone();
        let indexes: BTreeSet<i32> = match (&before, &after) {
            (Some(_), Some(_)) => touched.clone(),
            (Some(only), None) | (None, Some(only)) => only.partitions.keys().copied().collect(),
            (None, None) => return None,
        };
        let partitions = indexes.into_iter().filter_map(|index| {
            let state = |topic: &Option<Arc<Topic>>| topic.as_ref()?.partition(index).cloned();
            let change = PartitionChange { index, before: state(&before), after: state(&after) };
            (change.before != change.after).then_some(change)
        });
        let change = TopicChange { id, name, partitions: partitions.collect(), before, after };
        (change.created() || change.deleted() || !change.partitions.is_empty()).then_some(change)
    }

    /// What a broker has to do about its own replicas.
    pub fn local_changes(&self, node: NodeId) -> LocalChanges {
        let mut changes = LocalChanges::default();
        for topic in self.topics() {
            for PartitionChange { index, before, after } in topic.partitions {
                let held = before.as_ref().is_some_and(|partition| partition.has_replica(node));
                let replica = |partition: &Arc<Partition>| LocalReplica {
                    topic: topic.name.clone(),
                    topic_id: topic.id,
                    index,
                    partition: partition.clone(),
                    before: before.clone(),
                };
                match (&before, &after) {
                    (_, Some(now)) if now.leader == Some(node) && now.has_replica(node) => {
                        changes.led.push(replica(now));
                    }
                    (_, Some(now)) if now.has_replica(node) => changes.followed.push(replica(now)),
                    (_, Some(now)) if held => changes.removed.push(replica(now)),
                    (Some(last), None) if held => changes.removed.push(replica(last)),
                    _ => {}
                }
            }
        }
        changes
    }

    /// The resources whose configuration was written, even where a value stayed the same: writing it again asks a
    /// broker to load it again, for instance a key store whose file changed.
    pub fn configs(&self) -> impl Iterator<Item = &ConfigResource> {
        self.touched.configs.iter()
    }

    /// The brokers whose registration changed: its state before and after.
    pub fn brokers(&self) -> impl Iterator<Item = (NodeId, Option<&Arc<Broker>>, Option<&Arc<Broker>>)> {
        self.touched
            .brokers
            .iter()
            .map(|id| (*id, self.base.brokers.get(*id), self.visible().brokers.get(*id)))
            .filter(|(_, before, after)| before != after)
    }

    /// Whether a finalized feature changed.
    pub fn features_changed(&self) -> bool {
        self.base.features != self.visible().features
    }

    /// Whether a client quota changed.
    pub fn quotas_changed(&self) -> bool {
        self.base.quotas != self.visible().quotas
    }

    /// Whether an access control entry changed.
    pub fn acls_changed(&self) -> bool {
        self.base.acls != self.visible().acls
    }

    /// Whether a SCRAM credential changed.
    pub fn scram_changed(&self) -> bool {
        self.base.scram != self.visible().scram
    }

    /// Whether anything at all changed but the position in the log.
    pub fn is_empty(&self) -> bool {
        let mut next = self.visible().clone();
        next.provenance = self.base.provenance;
        next == *self.base
    }
}
