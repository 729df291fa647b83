//! Metadata (key 3), versions 0 to 13.
//!
//! 1 racks, the controller, all topics by null · 2 the cluster's id · 4 whether topics may be created · 5 offline
//! replicas · 7 leader epochs · 8 authorised operations · 9 flexible · 10 topic ids · 12 topics by id · 13 an error for
//! the whole reply (KIP-1102)

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{ErrorCode, Uuid};
use metadata::Image;
use metadata::controller::check_topic_name;
use metadata::image::Topic;
use wire::messages::metadata_request::MetadataRequestView;
use wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::topic_creation;

/// What stands where no authorised operations were asked for.
const NOT_ASKED: i32 = i32::MIN;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = MetadataRequestView::decode(request.body(), request.version)?;
    let by_id = |id: Uuid| !id.is_zero();
    let mut names: Vec<String> = Vec::new();
    let mut ids = Vec::new();
    // Version 0 knows no null: an empty list stands for all topics there.
    let all = asked.topics.is_none_or(|topics| request.version == 0 && topics.is_empty());
    for topic in asked.topics.unwrap_or_default() {
        match topic.name {
            Some(name) if !by_id(topic.topic_id) => names.push(name.to_owned()),
            _ => ids.push(topic.topic_id),
        }
    }
    let missing = missing(&node.image(), &names);
    if !missing.is_empty()
        && node.config().topics.auto_create
        && (request.version < 4 || asked.allow_auto_topic_creation)
    {
        topic_creation::auto_create(&node, &missing).await;
    }
    let image = node.image();
    let operations = Operations {
        cluster: request.version >= 8 && asked.include_cluster_authorized_operations,
        topic: request.version >= 8 && asked.include_topic_authorized_operations,
    };
    let mut topics = Vec::new();
    if all {
        topics.extend(image.topics.iter().map(|topic| describe(&node, topic, &operations)));
    }
    for name in distinct(&names) {
        topics.push(by_name(&node, &image, name, &missing, request.version, &operations));
    }
    for id in ids {
        topics.push(match image.topic_by_id(id) {
            Some(topic) => describe(&node, topic, &operations),
            None => unknown(None, id, ErrorCode::UnknownTopicId),
        });
    }
    let listener = &request.peer.listener;
    let brokers = image.brokers.iter().filter(|broker| !broker.fenced).filter_map(|broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
        })
    });
    request.reply(&MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(node.cluster_id.to_string()),
        controller_id: node.id.0,
        topics,
        cluster_authorized_operations: if operations.cluster { ALL_CLUSTER_OPERATIONS } else { NOT_ASKED },
        ..MetadataResponse::default()
    })
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

fn distinct(names: &[String]) -> impl Iterator<Item = &String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(move |name| seen.insert(name.as_str()))
}

fn missing(image: &Image, names: &[String]) -> Vec<String> {
    let missing = names.iter().filter(|name| image.topic(name).is_none());
    let mut missing: Vec<_> = missing.cloned().collect();
    missing.sort();
    missing.dedup();
    missing
}

fn by_name(
    node: &Node,
    image: &Image,
    name: &str,
    missing: &[String],
    version: i16,
    operations: &Operations,
) -> MetadataResponseTopic {
    if let Some(topic) = image.topic(name) {
        // A topic that this very request created may have no leader yet where the cluster has several nodes.
        let _ = (missing, version);
        return describe(node, topic, operations);
    }
    let code = match check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    unknown(Some(name.to_owned()), Uuid::ZERO, code)
}

fn unknown(name: Option<String>, topic_id: Uuid, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: code.code(),
        // Null names came with version 12; before that every topic is asked for by name.
        name: name.or_else(|| Some(String::new()).filter(|_| topic_id.is_zero())),
        topic_id,
        topic_authorized_operations: NOT_ASKED,
        ..MetadataResponseTopic::default()
    }
}

fn describe(node: &Node, topic: &Topic, operations: &Operations) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|(index, partition)| {
        let ids = |nodes: &[kernel::NodeId]| nodes.iter().map(|node| node.0).collect::<Vec<_>>();
        let held = partition.leader != Some(node.id)
            || node.hosted.by_id(topic.id).is_some_and(|t| t.partition(*index).is_some());
        let leader = partition.leader.filter(|_| held);
        MetadataResponsePartition {
            error_code: leader.map_or(ErrorCode::LeaderNotAvailable, |_| ErrorCode::None).code(),
            partition_index: *index,
            leader_id: leader.map_or(-1, |leader| leader.0),
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: ids(&partition.replicas),
            isr_nodes: ids(&partition.isr),
            offline_replicas: if held { Vec::new() } else { vec![node.id.0] },
        }
    });
    MetadataResponseTopic {
        error_code: 0,
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: node.is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: if operations.topic { ALL_TOPIC_OPERATIONS } else { NOT_ASKED },
    }
}
