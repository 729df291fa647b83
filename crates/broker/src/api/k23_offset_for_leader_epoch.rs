//! OffsetForLeaderEpoch (key 23), versions 2 to 4.
//!
//! 3 followers and consumers are told apart · 4 flexible

use std::sync::Arc;

use kernel::{ErrorCode, LeaderEpoch};
use wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequestView, OffsetForLeaderPartition,
};
use wire::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use crate::hosted::Named;
use crate::node::Node;
use crate::partition::Partition;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = OffsetForLeaderEpochRequestView::decode(request.body(), request.version)?;
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let partition = node.find(Named::Name(topic.topic), wanted.partition);
            let found = partition.and_then(|partition| end_of(&partition, &wanted));
            let (leader_epoch, end_offset) = found.unwrap_or((-1, -1));
            EpochEndOffset {
                error_code: found.err().unwrap_or_default().code(),
                partition: wanted.partition,
                leader_epoch,
                end_offset,
            }
        });
        OffsetForLeaderTopicResult { topic: topic.topic.to_owned(), partitions: partitions.collect() }
    });
    request.reply(&OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() })
}

/// The largest epoch up to the one asked for, and where it ends; -1 for both if there is none.
fn end_of(partition: &Partition, wanted: &OffsetForLeaderPartition) -> Result<(i32, i64), ErrorCode> {
    partition.check_epoch(wanted.current_leader_epoch)?;
    let log = partition.serving()?;
    let end = partition.epoch_end(&log, LeaderEpoch(wanted.leader_epoch));
    Ok(end.map_or((-1, -1), |end| (end.epoch.0, end.end.get())))
}
