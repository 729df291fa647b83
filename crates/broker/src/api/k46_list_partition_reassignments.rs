//! ListPartitionReassignments (key 46), version 0 (KIP-455).

use std::sync::Arc;

use metadata::image::Topic;
use wire::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequestView;
use wire::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};

use super::k03_metadata::numbers;
use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = ListPartitionReassignmentsRequestView::decode(request.body(), request.version)?;
    let image = node.image();
    let topics = match asked.topics {
        None => {
            image.topics.iter().filter_map(|topic| ongoing(topic, topic.partitions.keys().copied())).collect()
        }
        Some(topics) => topics
            .iter()
            .filter_map(|asked| ongoing(image.topic(asked.name)?, asked.partition_indexes.iter()))
            .collect(),
    };
    request.reply(&ListPartitionReassignmentsResponse {
        error_message: None,
        topics,
        ..ListPartitionReassignmentsResponse::default()
    })
}

fn ongoing(topic: &Topic, indexes: impl Iterator<Item = i32>) -> Option<OngoingTopicReassignment> {
    let partitions: Vec<_> = indexes
        .filter_map(|index| {
            let partition = topic.partition(index).filter(|partition| partition.reassigning())?;
            Some(OngoingPartitionReassignment {
                partition_index: index,
                replicas: numbers(&partition.replicas),
                adding_replicas: numbers(&partition.adding),
                removing_replicas: numbers(&partition.removing),
            })
        })
        .collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name: topic.name.to_string(), partitions })
}
