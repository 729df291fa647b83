//! AssignReplicasToDirs (key 73), version 0.
//!
//! Brokers tell the controller in which of their log directories replicas are (KIP-858). The one in this process is heard
//! without it.

use std::sync::Arc;

use kernel::{ErrorCode, NodeId};
use metadata::controller::{Decision, DirectoryAssignment, assign_replicas_to_dirs};
use wire::messages::assign_replicas_to_dirs_request::AssignReplicasToDirsRequestView;
use wire::messages::assign_replicas_to_dirs_response::{
    AssignReplicasToDirsResponse, DirectoryData, PartitionData, TopicData,
};

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = AssignReplicasToDirsRequestView::decode(request.body(), request.version)?;
    let (id, epoch) = (NodeId(asked.broker_id), asked.broker_epoch);
    let assignments = assignments(&asked);
    let decided = node
        .change(|image, _| match assign_replicas_to_dirs(image, id, epoch, &assignments) {
            Ok(decision) => decision.map(Ok),
            Err(refusal) => Decision::reply(Err(refusal.code)),
        })
        .await;
    match decided.and_then(|decided| decided) {
        Ok(results) => request.reply(&response(&asked, results)),
        Err(code) => request.reply(&AssignReplicasToDirsResponse {
            error_code: code.code(),
            ..AssignReplicasToDirsResponse::default()
        }),
    }
}

/// What is asked, in the order of the request.
fn assignments(asked: &AssignReplicasToDirsRequestView<'_>) -> Vec<DirectoryAssignment> {
    let mut assignments = Vec::new();
    for directory in asked.directories {
        for topic in directory.topics {
            assignments.extend(topic.partitions.iter().map(|partition| DirectoryAssignment {
                topic: topic.topic_id,
                partition: partition.partition_index,
                directory: directory.id,
            }));
        }
    }
    assignments
}

/// The results, which come in the order of the request, under what they answer.
fn response(
    asked: &AssignReplicasToDirsRequestView<'_>,
    results: Vec<Result<(), ErrorCode>>,
) -> AssignReplicasToDirsResponse {
    let mut results = results.into_iter();
    let mut next = || results.next().and_then(Result::err).map_or(0, ErrorCode::code);
    let mut directories = Vec::new();
    for directory in asked.directories {
        let mut topics = Vec::new();
        for topic in directory.topics {
            let partitions = topic.partitions.iter().map(|partition| PartitionData {
                partition_index: partition.partition_index,
                error_code: next(),
            });
            topics.push(TopicData { topic_id: topic.topic_id, partitions: partitions.collect() });
        }
        directories.push(DirectoryData { id: directory.id, topics });
    }
    AssignReplicasToDirsResponse { directories, ..AssignReplicasToDirsResponse::default() }
}
