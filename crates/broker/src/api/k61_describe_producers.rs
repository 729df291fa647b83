//! DescribeProducers (key 61), version 0 (KIP-664).

use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::check_topic_name;
use wire::messages::describe_producers_request::DescribeProducersRequestView;
use wire::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

use crate::hosted::Named;
use crate::node::Node;
use crate::partition::Partition;
use crate::request::{Handled, Request};
use crate::told::NOT_HOSTED;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeProducersRequestView::decode(request.body(), request.version)?;
    let topics = asked.topics.iter().map(|topic| {
        let illegal = check_topic_name(topic.name).err();
        let partitions = topic.partition_indexes.iter().map(|index| {
            if let Some(refusal) = &illegal {
                return failed(index, refusal.code, Some(refusal.message.clone()));
            }
            let found = node.find(Named::Name(topic.name), index);
            found.and_then(|partition| describe(&partition)).unwrap_or_else(|code| {
                let not_hosted = code == ErrorCode::UnknownTopicOrPartition;
                failed(index, code, not_hosted.then(|| NOT_HOSTED.to_owned()))
            })
        });
        TopicResponse { name: topic.name.to_owned(), partitions: partitions.collect() }
    });
    request.reply(&DescribeProducersResponse { topics: topics.collect(), ..Default::default() })
}

fn describe(partition: &Partition) -> Result<PartitionResponse, ErrorCode> {
    let log = partition.serving()?;
    let active_producers = log.producers().map(|producer| ProducerState {
        producer_id: producer.producer_id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.txn_start.map_or(-1, kernel::Offset::get),
    });
    Ok(PartitionResponse {
        partition_index: partition.index,
        error_code: 0,
        error_message: None,
        active_producers: active_producers.collect(),
    })
}

fn failed(partition_index: i32, code: ErrorCode, error_message: Option<String>) -> PartitionResponse {
    PartitionResponse {
        partition_index,
        error_code: code.code(),
        error_message,
        active_producers: Vec::new(),
    }
}
