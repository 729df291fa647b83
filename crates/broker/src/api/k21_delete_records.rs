//! DeleteRecords (key 21), versions 0 to 2.
//!
//! 2 flexible

use std::sync::Arc;

use kernel::{ErrorCode, Offset};
use wire::messages::delete_records_request::DeleteRecordsRequestView;
use wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

use crate::hosted::HostedTopic;
use crate::node::Node;
use crate::request::{Handled, Request};

/// Stands for everything that is committed.
const HIGH_WATERMARK: i64 = -1;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DeleteRecordsRequestView::decode(request.body(), request.version)?;
    let mut topics = Vec::new();
    for topic in asked.topics {
        let hosted = node.hosted.by_name(topic.name);
        let partitions = topic.partitions.iter().map(|wanted| {
            let deleted = match &hosted {
                None => Err(ErrorCode::UnknownTopicOrPartition),
                Some(hosted) => delete(&node, hosted, wanted.partition_index, wanted.offset),
            };
            DeleteRecordsPartitionResult {
                partition_index: wanted.partition_index,
                low_watermark: deleted.map_or(-1, Offset::get),
                error_code: deleted.err().unwrap_or_default().code(),
            }
        });
        let partitions = partitions.collect();
        topics.push(DeleteRecordsTopicResult { name: topic.name.to_owned(), partitions });
    }
    keep_starts(&node, &mut topics);
    request.reply(&DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() })
}

fn delete(node: &Node, topic: &HostedTopic, index: i32, to: i64) -> Result<Offset, ErrorCode> {
    if node.is_internal(&topic.name) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let high_watermark = partition.high_watermark();
    let mut log = partition.log();
    if !log.config().cleanup.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let to = if to == HIGH_WATERMARK { high_watermark } else { Offset(to) };
    log.delete_records(to, high_watermark).map_err(|error| error.code())
}

/// A raised start must outlive a crash before it is acknowledged.
fn keep_starts(node: &Node, topics: &mut [DeleteRecordsTopicResult]) {
    let mut results = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    if !results.any(|result| result.error_code == 0) {
        return;
    }
    if let Err(problem) = node.dirs.write_checkpoints(&node.hosted.partitions()) {
        tracing::error!(%problem, "the start of a log could not be kept");
        for result in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            result.error_code = ErrorCode::KafkaStorageError.code();
            result.low_watermark = -1;
        }
    }
}
