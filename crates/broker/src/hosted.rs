//! The partitions that this node holds, by topic name and by topic id.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kernel::Uuid;
use parking_lot::RwLock;

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
    by_name: HashMap<Arc<str>, Arc<HostedTopic>>,
    by_id: HashMap<Uuid, Arc<HostedTopic>>,
}

impl Hosted {
    pub fn by_name(&self, name: &str) -> Option<Arc<HostedTopic>> {
        self.topics.read().by_name.get(name).cloned()
    }

    pub fn by_id(&self, id: Uuid) -> Option<Arc<HostedTopic>> {
        self.topics.read().by_id.get(&id).cloned()
    }

    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.by_name(topic)?.partition(index)
    }

    /// Every partition, ordered by topic and index.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        let mut topics: Vec<_> = self.topics.read().by_name.values().cloned().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics.iter().flat_map(|topic| topic.partitions()).collect()
    }

    pub fn add(&self, partition: Arc<Partition>) {
        let mut topics = self.topics.write();
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

    /// Takes a partition out, and its topic with the last one.
    pub fn remove(&self, topic_id: Uuid, index: i32) -> Option<Arc<Partition>> {
        let mut topics = self.topics.write();
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
