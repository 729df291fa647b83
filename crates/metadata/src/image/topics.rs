//! Topics and their partitions, by name and by id.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use kernel::{NodeId, Uuid};

use super::{Partition, Unknown};
use crate::record::{
    ClearElrRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
use crate::version::MetadataVersion;

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: Arc<str>,
    pub id: Uuid,
    /// The partitions by index. The indexes run from 0 without a gap in every log that a controller wrote.
    pub partitions: BTreeMap<i32, Arc<Partition>>,
}

impl Topic {
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(&index)
    }

    /// The number of replicas of the first partition, which is that of all while no reassignment changes it.
    pub fn replication_factor(&self) -> usize {
        self.partitions.values().next().map_or(0, |partition| partition.replicas.len())
    }
}

/// All topics of the cluster.
///
/// A topic that is changed is copied, every other is shared with the image before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics {
    by_id: BTreeMap<Uuid, Arc<Topic>>,
    /// Shared by images between which no topic came or went.
    by_name: Arc<BTreeMap<Arc<str>, Uuid>>,
}

impl Topics {
    pub fn get(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    pub fn id_of(&self, name: &str) -> Option<Uuid> {
        self.by_name.get(name).copied()
    }

    pub fn partition(&self, name: &str, index: i32) -> Option<&Arc<Partition>> {
        self.get(name)?.partition(index)
    }

    /// All topics, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// The topics from a name on, in the order of their names.
    pub fn iter_from<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Arc<Topic>> + use<'a> {
        let from = (Bound::Included(name), Bound::Unbounded);
        self.by_name.range::<str, _>(from).filter_map(|(_, id)| self.by_id.get(id))
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn create(&mut self, record: &TopicRecord) -> Result<(), Unknown> {
        let name: Arc<str> = record.name.as_str().into();
        let topic = Topic { name: name.clone(), id: record.topic_id, partitions: BTreeMap::new() };
        // A name has one topic and a topic one name: should a log create either twice, the later wins as it would in Kafka.
        let before = Arc::make_mut(&mut self.by_name).insert(name, record.topic_id);
        if let Some(id) = before.filter(|id| *id != record.topic_id) {
            self.by_id.remove(&id);
        }
        let replaced = self.by_id.insert(record.topic_id, Arc::new(topic));
        let renamed = replaced.filter(|topic| *topic.name != *record.name);
        if let Some(topic) = &renamed
            && self.id_of(&topic.name) == Some(topic.id)
        {
            Arc::make_mut(&mut self.by_name).remove(&topic.name);
        }
        match (before, renamed) {
            (Some(id), _) => Err(Unknown::new("free topic name", format_args!("{} ({id})", record.name))),
            (None, Some(topic)) => {
                Err(Unknown::new("free topic id", format_args!("{} ({})", topic.id, topic.name)))
            }
            (None, None) => Ok(()),
        }
    }

    pub(crate) fn remove(&mut self, record: &RemoveTopicRecord) -> Result<Arc<Topic>, Unknown> {
        let removed = self.by_id.remove(&record.topic_id);
        let topic = removed.ok_or_else(|| Unknown::new("topic", record.topic_id))?;
        if self.id_of(&topic.name) == Some(topic.id) {
            Arc::make_mut(&mut self.by_name).remove(&topic.name);
        }
        Ok(topic)
    }

    pub(crate) fn set_partition(&mut self, record: &PartitionRecord) -> Result<(), Unknown> {
        let partition = Arc::new(Partition::from_record(record));
        self.change(record.topic_id)?.partitions.insert(record.partition_id, partition);
        Ok(())
    }

    pub(crate) fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), Unknown> {
        let topic = self.change(record.topic_id)?;
        let partition = topic.partitions.get_mut(&record.partition_id).ok_or_else(|| {
            Unknown::new("partition", format_args!("{} of topic {}", record.partition_id, record.topic_id))
        })?;
        Arc::make_mut(partition).apply(record);
        Ok(())
    }

    /// Forgets the eligible leader replicas of one topic, or of all if none is named; tells whose partitions changed.
    pub(crate) fn clear_elr(&mut self, record: &ClearElrRecord) -> Result<Vec<(Uuid, i32)>, Unknown> {
        let meant: Vec<Uuid> = if record.topic_name.is_empty() {
            self.by_id.keys().copied().collect()
        } else {
            vec![self.id_of(&record.topic_name).ok_or_else(|| Unknown::new("topic", &record.topic_name))?]
        };
        let mut cleared = Vec::new();
        for id in meant {
            let Some(topic) = self.by_id.get_mut(&id) else { continue };
            let remembers =
                |partition: &Partition| !partition.elr.is_empty() || !partition.last_known_elr.is_empty();
            let held: Vec<i32> =
                topic.partitions.iter().filter(|(_, p)| remembers(p)).map(|(index, _)| *index).collect();
            for index in held {
                if let Some(partition) = Arc::make_mut(topic).partitions.get_mut(&index) {
                    Arc::make_mut(partition).apply(&PartitionChangeRecord {
                        partition_id: index,
                        topic_id: id,
                        eligible_leader_replicas: Some(Vec::new()),
                        last_known_elr: Some(Vec::new()),
                        ..Default::default()
                    });
                    cleared.push((id, index));
                }
            }
        }
        Ok(cleared)
    }

    fn change(&mut self, id: Uuid) -> Result<&mut Topic, Unknown> {
        self.by_id.get_mut(&id).map(Arc::make_mut).ok_or_else(|| Unknown::new("topic", id))
    }

    pub(crate) fn records(&self, level: MetadataVersion) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.iter().flat_map(move |topic| {
            let created = TopicRecord { name: topic.name.to_string(), topic_id: topic.id };
            let partitions = topic
                .partitions
                .iter()
                .map(move |(index, partition)| partition.to_record(topic.id, *index, level).into());
            std::iter::once(created.into()).chain(partitions)
        })
    }

    /// Every partition of which a node holds a replica.
    pub fn replicas_of(&self, node: NodeId) -> impl Iterator<Item = (&Arc<Topic>, i32, &Arc<Partition>)> {
        self.iter().flat_map(move |topic| {
            topic
                .partitions
                .iter()
                .filter(move |(_, partition)| partition.has_replica(node))
                .map(move |(index, partition)| (topic, *index, partition))
        })
    }
}
