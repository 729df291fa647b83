//! DescribeTopicPartitions (key 75), version 0 (KIP-966).
//!
//! Topics come in the order of their names and in pages: `NextCursor` says where the next one begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::check_topic_name;
use metadata::image::{Partition, Topic};
use wire::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequestView;
use wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};

use super::k03_metadata::{ALL_TOPIC_OPERATIONS, NOT_ASKED, View, numbers};
use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeTopicPartitionsRequestView::decode(request.body(), request.version)?;
    let from = asked.cursor.map_or("", |cursor| cursor.topic_name);
    let names: BTreeSet<&str> =
        asked.topics.iter().map(|topic| topic.name).filter(|name| *name >= from).collect();
    let cursor_missing = !asked.topics.is_empty() && !from.is_empty() && !names.contains(from);
    let first = asked.cursor.map_or(0, |cursor| cursor.partition_index);
    if cursor_missing || first < 0 {
        // A request that is refused as a whole says nothing of what may be done.
        let refused = asked.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
            topic_authorized_operations: NOT_ASKED,
            ..failed(topic.name, ErrorCode::InvalidRequest)
        });
        return request.reply(&DescribeTopicPartitionsResponse {
            topics: refused.collect(),
            ..DescribeTopicPartitionsResponse::default()
        });
    }
    let image = node.image();
    let limit = usize::try_from(asked.response_partition_limit).unwrap_or(0);
    let limit = limit.clamp(1, node.config().topics.max_partitions_per_description.max(1));
    let view = View { node: &node, image: &image, listener: &request.peer.listener };
    let mut page = Page { view, room: limit, from, first, topics: Vec::new(), next_cursor: None };
    if asked.topics.is_empty() {
        for topic in image.topics.iter_from(from) {
            if !page.add(&topic.name, Some(topic)) {
                break;
            }
        }
    } else {
        for name in names {
            if !page.add(name, image.topic(name)) {
                break;
            }
        }
    }
    let Page { topics, next_cursor, .. } = page;
    request.reply(&DescribeTopicPartitionsResponse {
        topics,
        next_cursor,
        ..DescribeTopicPartitionsResponse::default()
    })
}

/// One answer as it is put together.
struct Page<'a> {
    view: View<'a>,
    /// How many partitions still fit.
    room: usize,
    /// The topic at which the page begins, and the partition there.
    from: &'a str,
    first: i32,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next_cursor: Option<Cursor>,
}

impl Page<'_> {
    /// Adds a topic, as much as fits; false if the page is full.
    fn add(&mut self, name: &str, topic: Option<&Arc<Topic>>) -> bool {
        let first = if name == self.from { self.first } else { 0 };
        if self.room == 0 {
            // Where the page before ended exactly with a topic, the next one begins with this.
            self.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index: 0 });
            return false;
        }
        let Some(topic) = topic else {
            let code = match check_topic_name(name) {
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err(refusal) => refusal.code,
            };
            self.topics.push(failed(name, code));
            return true;
        };
        let mut rest = topic.partitions.range(first..);
        let partitions: Vec<_> = rest
            .by_ref()
            .take(self.room)
            .map(|(index, partition)| describe(&self.view, topic, *index, partition))
            .collect();
        self.room -= partitions.len();
        self.next_cursor =
            rest.next().map(|(index, _)| Cursor { topic_name: name.to_owned(), partition_index: *index });
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: 0,
            name: Some(name.to_owned()),
            topic_id: topic.id,
            is_internal: self.view.node.is_internal(name),
            partitions,
            topic_authorized_operations: ALL_TOPIC_OPERATIONS,
        });
        self.next_cursor.is_none()
    }
}

fn describe(
    view: &View<'_>,
    topic: &Topic,
    index: i32,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let state = view.state(topic, index, partition);
    DescribeTopicPartitionsResponsePartition {
        error_code: 0,
        partition_index: index,
        leader_id: state.leader_id(),
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: numbers(&partition.replicas),
        isr_nodes: numbers(&partition.isr),
        eligible_leader_replicas: Some(numbers(&partition.elr)),
        last_known_elr: Some(numbers(&partition.last_known_elr)),
        offline_replicas: numbers(&state.offline),
    }
}

fn failed(name: &str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(name.to_owned()),
        topic_authorized_operations: ALL_TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}
