//! The partitions that this node holds, by topic name and by topic id.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{ErrorCode, Uuid};
use parking_lot::RwLock;

use crate::lookup::Lookup;
use crate::node::Node;
use crate::partition::Partition;

/// One topic's partitions on this node.
pub struct HostedTopic {
    pub name: Arc<str>,
    pub id: Uuid,
    partitions: RwLock<BTreeMap<i32, Arc<Partition>>>,
}

impl HostedTopic {
    pub fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        self.partitions.read().get(&index).cloned()
    }

    /// All partitions, by index.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().values().cloned().collect()
    }
}

/// Everything that this node holds.
#[derive(Default)]
pub struct Hosted {
    topics: RwLock<Topics>,
}

#[derive(Default)]
struct Topics {
    /// Partitions whose log could not be opened, and the log directory that has its files, if one has.
    offline: BTreeMap<(Uuid, i32), Option<Uuid>>,
    by_name: BTreeMap<Arc<str>, Arc<HostedTopic>>,
    by_id: Lookup<Uuid, Arc<HostedTopic>>,
}

impl Hosted {
    pub fn by_name(&self, name: &str) -> Option<Arc<HostedTopic>> {
        self.topics.read().by_name.get(name).cloned()
    }

    pub fn by_id(&self, id: Uuid) -> Option<Arc<HostedTopic>> {
        self.topics.read().by_id.get(&id).cloned()
    }

    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.find(Named::Name(topic), index)
    }

    /// A partition that is here.
    fn find(&self, topic: Named<'_>, index: i32) -> Option<Arc<Partition>> {
        let topics = self.topics.read();
        let hosted = match topic {
            Named::Name(name) => topics.by_name.get(name),
            Named::Id(id) => topics.by_id.get(&id),
        };
        hosted?.partition(index)
    }

    /// Every partition, ordered by topic and index.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        let topics: Vec<_> = self.topics.read().by_name.values().cloned().collect();
        topics.iter().flat_map(|topic| topic.partitions()).collect()
    }

    /// How many partitions there are.
    pub fn count(&self) -> usize {
        self.topics.read().by_name.values().map(|topic| topic.partitions.read().len()).sum()
    }

    pub fn add(&self, partition: Arc<Partition>) {
        let mut topics = self.topics.write();
        topics.offline.remove(&(partition.topic_id, partition.index));
        let topic = match topics.by_id.get(&partition.topic_id) {
            Some(topic) => Arc::clone(topic),
            None => {
                let topic = Arc::new(HostedTopic {
                    name: Arc::clone(&partition.topic),
                    id: partition.topic_id,
                    partitions: RwLock::default(),
                });
                topics.by_id.insert(topic.id, Arc::clone(&topic));
                topics.by_name.insert(Arc::clone(&topic.name), Arc::clone(&topic));
                topic
            }
        };
        topic.partitions.write().insert(partition.index, partition);
    }

    /// Notes that the log of a partition could not be opened, and in which log directory its files are, if they are in one.
    pub fn add_offline(&self, topic_id: Uuid, index: i32, dir: Option<Uuid>) {
        self.topics.write().offline.insert((topic_id, index), dir);
    }

    /// Whether the log of a partition could not be opened.
    pub fn is_offline(&self, topic_id: Uuid, index: i32) -> bool {
        self.topics.read().offline.contains_key(&(topic_id, index))
    }

    /// Whether a log of this directory could not be opened.
    pub fn any_offline_in(&self, dir: Uuid) -> bool {
        self.topics.read().offline.values().any(|one| *one == Some(dir))
    }

    /// Takes a partition out, and its topic with the last one.
    pub fn remove(&self, topic_id: Uuid, index: i32) -> Option<Arc<Partition>> {
        let mut topics = self.topics.write();
        topics.offline.remove(&(topic_id, index));
        let topic = topics.by_id.get(&topic_id).cloned()?;
        let removed = topic.partitions.write().remove(&index);
        if topic.partitions.read().is_empty() {
            topics.by_id.remove(&topic_id);
            // A topic of the same name may have been created anew meanwhile.
            if topics.by_name.get(&topic.name).is_some_and(|named| named.id == topic_id) {
                topics.by_name.remove(&topic.name);
            }
        }
        removed
    }
}

/// How a client names a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    Name(&'a str),
    Id(Uuid),
}

impl Node {
    /// The partition that a client asks for, or what to tell the client.
    pub fn find(&self, topic: Named<'_>, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        self.hosted.find(topic, index).ok_or_else(|| self.why_missing(topic, index))
    }

    fn why_missing(&self, topic: Named<'_>, index: i32) -> ErrorCode {
        let image = self.image();
        let (known, unknown) = match topic {
            Named::Name(name) => (image.topic(name), ErrorCode::UnknownTopicOrPartition),
            Named::Id(id) => (image.topic_by_id(id), ErrorCode::UnknownTopicId),
        };
        match known {
            None => unknown,
            Some(topic) if topic.partition(index).is_none() => ErrorCode::UnknownTopicOrPartition,
            Some(topic) if self.hosted.is_offline(topic.id, index) => ErrorCode::KafkaStorageError,
            // It is led elsewhere, or not yet opened here.
            Some(_) => ErrorCode::NotLeaderOrFollower,
        }
    }
}
