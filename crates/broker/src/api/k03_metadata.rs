//! Metadata (key 3), versions 0 to 13.
//!
//! 1 racks, the controller, all topics by null · 2 the cluster's id · 4 whether topics may be created · 5 offline
//! replicas · 7 leader epochs · 8 authorised operations · 9 flexible · 10 topic ids · 12 topics by id · 13 an error for
//! the whole reply (KIP-1102)

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{ErrorCode, NodeId, Uuid};
use metadata::Image;
use metadata::controller::check_topic_name;
use metadata::image::{Partition, Topic};
use wire::messages::metadata_request::{MetadataRequestTopicView, MetadataRequestView};
use wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::topic_creation;

/// What stands where no authorised operations were asked for.
pub(crate) const NOT_ASKED: i32 = i32::MIN;

/// The first version that may ask for topics by id.
const TOPICS_BY_ID: i16 = 12;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = MetadataRequestView::decode(request.body(), request.version)?;
    let version = request.version;
    let meant = match Meant::read(&asked, version) {
        Ok(meant) => meant,
        Err(contradiction) => return request.reply(&contradiction),
    };
    let image = node.image();
    if let Meant::Names(names) = &meant
        && node.config().topics.auto_create
        && (version < 4 || asked.allow_auto_topic_creation)
    {
        let missing =
            names.iter().filter(|name| image.topic(name).is_none() && check_topic_name(name).is_ok());
        // What is begun now is still unknown to this answer: it is given from the facts as they were before.
        topic_creation::auto_create(&node, missing.copied());
    }
    let operations = Operations {
        cluster: version >= 8 && asked.include_cluster_authorized_operations,
        topic: version >= 8 && asked.include_topic_authorized_operations,
    };
    let view = View { node: &node, image: &image, listener: &request.peer.listener };
    let describe = |topic: &Topic| describe(&view, topic, version, &operations);
    let topics = match meant {
        Meant::All => image.topics.iter().map(|topic| describe(topic)).collect(),
        Meant::Names(names) => names
            .into_iter()
            .map(|name| {
                image
                    .topic(name)
                    .map_or_else(|| unknown_name(&node, name, &operations), |topic| describe(topic))
            })
            .collect(),
        Meant::Ids(ids) => ids
            .into_iter()
            .map(|id| image.topic_by_id(id).map_or_else(|| unknown_id(id), |topic| describe(topic)))
            .collect(),
    };
    request.reply(&MetadataResponse {
        brokers: brokers(&view),
        cluster_id: Some(node.cluster_id.to_string()),
        controller_id: node.id.0,
        topics,
        cluster_authorized_operations: if operations.cluster { ALL_CLUSTER_OPERATIONS } else { NOT_ASKED },
        ..MetadataResponse::default()
    })
}

/// Which topics a request means, each once.
enum Meant<'a> {
    All,
    Names(BTreeSet<&'a str>),
    Ids(BTreeSet<Uuid>),
}

impl<'a> Meant<'a> {
    fn read(asked: &MetadataRequestView<'a>, version: i16) -> Result<Self, MetadataResponse> {
        // Version 0 knows no null: an empty list stands for all topics there.
        let Some(topics) = asked.topics.filter(|topics| version > 0 || !topics.is_empty()) else {
            return Ok(Self::All);
        };
        let by_id = |topic: &MetadataRequestTopicView<'_>| !topic.topic_id.is_zero();
        if version < TOPICS_BY_ID && topics.iter().any(|topic| topic.name.is_none() || by_id(&topic)) {
            return Err(contradiction(asked));
        }
        let ids: BTreeSet<Uuid> = topics.iter().filter(by_id).map(|topic| topic.topic_id).collect();
        // Where one topic is asked for by id, all are.
        if ids.is_empty() {
            if topics.iter().any(|topic| topic.name.is_none()) {
                return Err(contradiction(asked));
            }
            Ok(Self::Names(topics.iter().filter_map(|topic| topic.name).collect()))
        } else {
            Ok(Self::Ids(ids))
        }
    }
}

fn contradiction(asked: &MetadataRequestView<'_>) -> MetadataResponse {
    let topics = asked.topics.into_iter().flatten().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name.unwrap_or_default().to_owned()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    });
    MetadataResponse {
        topics: topics.collect(),
        error_code: ErrorCode::InvalidRequest.code(),
        ..MetadataResponse::default()
    }
}

fn brokers(view: &View<'_>) -> Vec<MetadataResponseBroker> {
    let alive = view.image.brokers.iter().filter(|broker| !broker.fenced);
    let reachable = alive.filter_map(|broker| {
        let endpoint = broker.endpoint(view.listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
        })
    });
    reachable.collect()
}

struct Operations {
    cluster: bool,
    topic: bool,
}

/// Without an authorizer everybody may do everything: bit n stands for the ACL operation n.
pub(crate) const ALL_CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);
/// Create, delete, alter, describe, read, write, and both of configs.
pub(crate) const ALL_TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// Read, delete, describe, and both of configs.
pub(crate) const ALL_GROUP_OPERATIONS: i32 = bits(&[3, 6, 8, 10, 11]);

const fn bits(operations: &[u32]) -> i32 {
    let mut field = 0;
    let mut rest = operations;
    while let [operation, more @ ..] = rest {
        field |= 1 << *operation;
        rest = more;
    }
    field
}

/// What may be done with a name is asked for apart from whether there is such a topic.
fn unknown_name(node: &Node, name: &str, operations: &Operations) -> MetadataResponseTopic {
    let code = match check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(refusal) => refusal.code,
    };
    MetadataResponseTopic {
        error_code: code.code(),
        name: Some(name.to_owned()),
        is_internal: node.is_internal(name),
        topic_authorized_operations: if operations.topic { ALL_TOPIC_OPERATIONS } else { NOT_ASKED },
        ..MetadataResponseTopic::default()
    }
}

fn unknown_id(topic_id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::UnknownTopicId.code(),
        name: None,
        topic_id,
        topic_authorized_operations: NOT_ASKED,
        ..MetadataResponseTopic::default()
    }
}

fn describe(view: &View<'_>, topic: &Topic, version: i16, operations: &Operations) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|(index, partition)| {
        let state = view.state(topic, *index, partition);
        // The first clients were not to hear of replicas that they cannot reach.
        let shown = |replicas: &[NodeId]| {
            numbers(replicas.iter().filter(|id| version > 0 || !state.offline.contains(id)))
        };
        let error = match state.leader {
            Err(ErrorCode::ListenerNotFound) if version < 6 => ErrorCode::LeaderNotAvailable,
            Err(code) => code,
            Ok(_) if version == 0 && !state.offline.is_empty() => ErrorCode::ReplicaNotAvailable,
            Ok(_) => ErrorCode::None,
        };
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index: *index,
            leader_id: state.leader_id(),
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: shown(&partition.replicas),
            isr_nodes: shown(&partition.isr),
            offline_replicas: numbers(&state.offline),
        }
    });
    MetadataResponseTopic {
        error_code: 0,
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: view.node.is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: if operations.topic { ALL_TOPIC_OPERATIONS } else { NOT_ASKED },
    }
}

/// The cluster as a client sees it who came in through one listener.
pub(crate) struct View<'a> {
    pub node: &'a Node,
    pub image: &'a Image,
    pub listener: &'a str,
}

/// What of a partition can be reached.
pub(crate) struct State {
    /// Why there is no leader, if there is none.
    pub leader: Result<NodeId, ErrorCode>,
    /// The replicas that are not there.
    pub offline: Vec<NodeId>,
}

impl State {
    pub fn leader_id(&self) -> i32 {
        self.leader.map_or(-1, |leader| leader.0)
    }
}

impl View<'_> {
    pub fn state(&self, topic: &Topic, index: i32, partition: &Partition) -> State {
        let ours = self.node.hosted.by_id(topic.id).and_then(|topic| topic.partition(index));
        // A replica of ours whose log could not be opened is known to this node only. What is safe in a directory that has
        // failed since can still be read, so that it keeps its leader.
        let unopened = ours.is_none();
        let failed = ours.is_none_or(|partition| !partition.home().is_online());
        let offline = |id: &NodeId| {
            let there = self.image.broker(*id).filter(|broker| !broker.fenced);
            let reached = there.and_then(|broker| broker.endpoint(self.listener)).is_some();
            !reached || (*id == self.node.id && failed)
        };
        let leader = partition.leader.and_then(|leader| self.image.broker(leader));
        let leader = match leader {
            Some(leader) if unopened && leader.id == self.node.id => Err(ErrorCode::LeaderNotAvailable),
            Some(leader) if leader.endpoint(self.listener).is_none() => Err(ErrorCode::ListenerNotFound),
            Some(leader) => Ok(leader.id),
            None => Err(ErrorCode::LeaderNotAvailable),
        };
        State { leader, offline: partition.replicas.iter().copied().filter(offline).collect() }
    }
}

/// Nodes as the protocol writes them.
pub(crate) fn numbers<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> Vec<i32> {
    nodes.into_iter().map(|node| node.0).collect()
}
