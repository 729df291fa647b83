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
    /// Grows with each election of its leader; -1 where the server is too old to tell.
    pub leader_epoch: LeaderEpoch,
    /// The brokers that keep it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// In-sync replicas.
    pub isr: Vec<NodeId>,
    /// Replicas that are not there.
    pub offline: Vec<NodeId>,
}

/// The version of the answer from which leader epochs can be relied on; in older ones they may be late.
const LEADER_EPOCHS_FROM: i16 = 9;

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

    /// Whether a partition is known, and led by nobody.
    pub fn is_leaderless(&self, topic: &str, partition: i32) -> bool {
        self.partition(topic, partition).is_some_and(|partition| partition.leader.is_none())
    }

    /// What is known after `answer` to a question for some topics, or for all of them.
    pub(crate) fn with(&self, answer: &MetadataResponseView<'_>, version: i16, all_topics: bool) -> Metadata {
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
            next.put(&topic, version, self);
        }
        next
    }

    fn put(&mut self, answer: &MetadataResponseTopicView<'_>, version: i16, before: &Metadata) {
        let Some(name) = answer.name else {
            return;
        };
        match ErrorCode::from_code(answer.error_code).unwrap_or(ErrorCode::UnknownServerError) {
            // Some partition has no leader: the rest of the answer is good.
            ErrorCode::None | ErrorCode::LeaderNotAvailable if !answer.partitions.is_empty() => {
                self.errors.remove(name);
                let mut topic = topic(name, answer, version);
                if let Some(known) = before.topic(name) {
                    topic.keep_newer(known);
                }
                self.topics.insert(name.to_owned(), Arc::new(topic));
            }
            error => {
                self.topics.remove(name);
                let error = if error.is_none() { ErrorCode::LeaderNotAvailable } else { error };
                self.errors.insert(name.to_owned(), error);
            }
        }
    }
}

impl Topic {
    /// Keeps what is known of partitions of which this answer is older: brokers learn of elections at different times,
    /// and who went back to an earlier leader would read what the later one never had (KIP-320).
    fn keep_newer(&mut self, known: &Topic) {
        if !self.id.is_zero() && self.id != known.id {
            // The topic was made anew, and its leaders are counted anew.
            return;
        }
        for (number, partition) in &mut self.partitions {
            let newer =
                known.partitions.get(number).filter(|known| known.leader_epoch > partition.leader_epoch);
            if let Some(newer) = newer
                && partition.leader_epoch != LeaderEpoch::NONE
            {
                *partition = newer.clone();
            }
        }
    }
}

fn topic(name: &str, answer: &MetadataResponseTopicView<'_>, version: i16) -> Topic {
    let partitions = answer.partitions.iter().map(|p| (p.partition_index, partition(&p, version)));
    Topic {
        name: name.to_owned(),
        id: answer.topic_id,
        internal: answer.is_internal,
        partitions: partitions.collect(),
    }
}

fn partition(answer: &MetadataResponsePartitionView<'_>, version: i16) -> Partition {
    let reliable = version >= LEADER_EPOCHS_FROM && answer.leader_epoch >= 0;
    Partition {
        partition: answer.partition_index,
        leader: (answer.leader_id >= 0).then_some(NodeId(answer.leader_id)),
        leader_epoch: if reliable { LeaderEpoch(answer.leader_epoch) } else { LeaderEpoch::NONE },
        replicas: answer.replica_nodes.iter().map(NodeId).collect(),
        isr: answer.isr_nodes.iter().map(NodeId).collect(),
        offline: answer.offline_replicas.iter().map(NodeId).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Writer;
    use wire::messages::metadata_response::{
        MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
    };

    const OLD: Uuid = Uuid::from_bytes([1; 16]);
    const NEW: Uuid = Uuid::from_bytes([2; 16]);

    /// What is known after another answer, in which the one partition of `t` is led by `leader` since `epoch`.
    fn after(known: &Metadata, version: i16, topic_id: Uuid, leader: i32, epoch: i32) -> Metadata {
        let partition = MetadataResponsePartition {
            leader_id: leader,
            leader_epoch: if version >= 7 { epoch } else { -1 },
            ..Default::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t".to_owned()),
            topic_id: if version >= 10 { topic_id } else { Uuid::ZERO },
            partitions: vec![partition],
            ..Default::default()
        };
        let answer = MetadataResponse { topics: vec![topic], ..Default::default() };
        let mut out = Writer::new();
        answer.encode(&mut out, version).expect("it is an answer");
        let bytes = out.into_bytes().expect("nothing lies in a file");
        let view = MetadataResponseView::decode(&bytes, version).expect("it was just encoded");
        known.with(&view, version, true)
    }

    #[track_caller]
    fn check(metadata: &Metadata, leader: i32, epoch: i32) {
        let partition = metadata.partition("t", 0).expect("it is known");
        assert_eq!((partition.leader, partition.leader_epoch), (Some(NodeId(leader)), LeaderEpoch(epoch)));
    }

    #[test]
    fn a_broker_that_is_behind_brings_no_earlier_leader_back() {
        let known = after(&Metadata::default(), 12, OLD, 2, 5);
        check(&after(&known, 12, OLD, 1, 4), 2, 5);
        // Without ids as well, as nothing says that it is another topic.
        check(&after(&known, 9, OLD, 1, 4), 2, 5);
        check(&after(&known, 12, OLD, 3, 6), 3, 6);
        check(&after(&known, 12, OLD, 3, 5), 3, 5);
    }

    #[test]
    fn a_topic_that_was_made_anew_has_the_leaders_of_its_own() {
        let known = after(&Metadata::default(), 12, OLD, 2, 5);
        check(&after(&known, 12, NEW, 1, 0), 1, 0);
    }

    #[test]
    fn epochs_of_servers_that_send_them_late_are_not_relied_on() {
        let known = after(&Metadata::default(), 12, OLD, 2, 5);
        check(&after(&known, 8, OLD, 1, 7), 1, -1);
        check(&after(&known, 1, OLD, 1, 7), 1, -1);
    }
}
