//! What is known of the cluster: brokers, topics, and who leads which partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{ErrorCode, LeaderEpoch, NodeId, Uuid};
use wire::messages::metadata_response::{
    MetadataResponsePartitionView, MetadataResponseTopicView, MetadataResponseView,
};

/// A broker and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// `node.id`.
    pub id: NodeId,
    /// As the broker advertises it.
    pub host: String,
    /// As the broker advertises it.
    pub port: u16,
    /// `broker.rack`, if it has one.
    pub rack: Option<String>,
}

/// A topic as metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Unique in the cluster.
    pub name: String,
    /// Zero where the server is too old to have topic ids.
    pub id: Uuid,
    /// Whether the cluster made it for itself.
    pub internal: bool,
    /// By number.
    pub partitions: BTreeMap<i32, Partition>,
}

/// A partition as metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, counted from 0.
    pub partition: i32,
    /// Nobody while there is no leader.
    pub leader: Option<NodeId>,
    /// Grows with each election of its leader.
    pub leader_epoch: LeaderEpoch,
    /// The brokers that keep it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// In-sync replicas.
    pub isr: Vec<NodeId>,
    /// Replicas that are not there.
    pub offline: Vec<NodeId>,
}

/// The cluster as one answer, and those before it, described it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Nothing where the cluster is too old to tell.
    pub cluster_id: Option<String>,
    /// The broker that takes administrative requests.
    pub controller: Option<NodeId>,
    /// Those that are alive, by id.
    pub brokers: BTreeMap<NodeId, Broker>,
    topics: BTreeMap<String, Arc<Topic>>,
    /// Topics that the server said something is wrong with.
    errors: BTreeMap<String, ErrorCode>,
}

impl Metadata {
    /// A topic, if it is known.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name).map(|topic| &**topic)
    }

    /// The same for who keeps it.
    pub(crate) fn shared_topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.get(name).cloned()
    }

    /// Why a topic that was asked for is not there.
    pub fn error(&self, name: &str) -> Option<ErrorCode> {
        self.errors.get(name).copied()
    }

    /// All topics that are known, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values().map(|topic| &**topic)
    }

    /// A partition, if its topic is known and has it.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(&partition)
    }

    /// What is known after `answer` to a question for some topics, or for all of them.
    pub(crate) fn with(&self, answer: &MetadataResponseView<'_>, all_topics: bool) -> Metadata {
        let mut next = Metadata {
            cluster_id: answer.cluster_id.map(str::to_owned),
            controller: (answer.controller_id >= 0).then_some(NodeId(answer.controller_id)),
            brokers: answer
                .brokers
                .iter()
                .filter_map(|broker| {
                    let port = u16::try_from(broker.port).ok()?;
                    let id = NodeId(broker.node_id);
                    let rack = broker.rack.map(str::to_owned);
                    Some((id, Broker { id, host: broker.host.to_owned(), port, rack }))
                })
                .collect(),
            topics: if all_topics { BTreeMap::new() } else { self.topics.clone() },
            errors: if all_topics { BTreeMap::new() } else { self.errors.clone() },
        };
        for topic in answer.topics {
            next.put(&topic);
        }
        next
    }

    fn put(&mut self, answer: &MetadataResponseTopicView<'_>) {
        let Some(name) = answer.name else {
            return;
        };
        match ErrorCode::from_code(answer.error_code).unwrap_or(ErrorCode::UnknownServerError) {
            // Some partition has no leader: the rest of the answer is good.
            ErrorCode::None | ErrorCode::LeaderNotAvailable if !answer.partitions.is_empty() => {
                self.errors.remove(name);
                self.topics.insert(name.to_owned(), Arc::new(topic(name, answer)));
            }
            error => {
                self.topics.remove(name);
                let error = if error.is_none() { ErrorCode::LeaderNotAvailable } else { error };
                self.errors.insert(name.to_owned(), error);
            }
        }
    }
}

fn topic(name: &str, answer: &MetadataResponseTopicView<'_>) -> Topic {
    Topic {
        name: name.to_owned(),
        id: answer.topic_id,
        internal: answer.is_internal,
        partitions: answer.partitions.iter().map(|p| (p.partition_index, partition(&p))).collect(),
    }
}

fn partition(answer: &MetadataResponsePartitionView<'_>) -> Partition {
    Partition {
        partition: answer.partition_index,
        leader: (answer.leader_id >= 0).then_some(NodeId(answer.leader_id)),
        leader_epoch: LeaderEpoch(answer.leader_epoch),
        replicas: answer.replica_nodes.iter().map(NodeId).collect(),
        isr: answer.isr_nodes.iter().map(NodeId).collect(),
        offline: answer.offline_replicas.iter().map(NodeId).collect(),
    }
}
