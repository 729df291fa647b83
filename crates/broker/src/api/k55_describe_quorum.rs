//! DescribeQuorum (key 55), versions 0 to 2.
//!
//! 1 when a replica fetched and had caught up last (KIP-836) · 2 directory ids, nodes and messages (KIP-853)
//!
//! A lone node is its quorum's only voter, and what it has written is committed.

use std::sync::Arc;

use kernel::ErrorCode;
use wire::messages::describe_quorum_request::DescribeQuorumRequestView;
use wire::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node as QuorumNode, PartitionData, ReplicaState, TopicData,
};

use crate::controller::METADATA_TOPIC;
use crate::node::Node;
use crate::quorum::metadata_directory;
use crate::request::{Handled, Request};
use crate::told::NOT_HOSTED;

/// The first version that can say which node and directory a replica is.
const NAMES_NODES: i16 = 2;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeQuorumRequestView::decode(request.body(), request.version)?;
    let mut asked_for = asked.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| (topic.topic_name, partition.partition_index))
    });
    let only_metadata = asked_for.next() == Some((METADATA_TOPIC, 0)) && asked_for.next().is_none();
    let only_metadata = only_metadata && asked.topics.len() == 1;
    if !only_metadata {
        let topics = asked.topics.iter().map(|topic| TopicData {
            topic_name: topic.topic_name.to_owned(),
            partitions: topic.partitions.iter().map(|partition| unknown(partition.partition_index)).collect(),
        });
        return request.reply(&DescribeQuorumResponse {
            topics: topics.collect(),
            ..DescribeQuorumResponse::default()
        });
    }
    let partition = describe(&node, request.version).await;
    let listeners = node.controller_advertised.iter().map(|one| Listener {
        name: one.listener.clone(),
        host: one.host.clone(),
        port: one.port,
    });
    let itself = QuorumNode { node_id: node.id.0, listeners: listeners.collect() };
    request.reply(&DescribeQuorumResponse {
        topics: vec![TopicData { topic_name: METADATA_TOPIC.to_owned(), partitions: vec![partition] }],
        nodes: if request.version >= NAMES_NODES { vec![itself] } else { Vec::new() },
        ..DescribeQuorumResponse::default()
    })
}

async fn describe(node: &Node, version: i16) -> PartitionData {
    let (epoch, end) = node.controller.position().await;
    let now = node.now().wall.0;
    let voter = ReplicaState {
        replica_id: node.id.0,
        replica_directory_id: metadata_directory(node).filter(|_| version >= NAMES_NODES).unwrap_or_default(),
        log_end_offset: end.get(),
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    PartitionData {
        leader_id: node.id.0,
        leader_epoch: epoch.0,
        high_watermark: end.get(),
        current_voters: vec![voter],
        ..PartitionData::default()
    }
}

fn unknown(partition_index: i32) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
        error_message: Some(NOT_HOSTED.to_owned()),
        ..PartitionData::default()
    }
}
