//! OffsetDelete (key 47), version 0 (KIP-496).

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::Reply;
use coordinator::request::OffsetDeleteRequest;
use kernel::ErrorCode;
use metadata::Image;
use wire::messages::offset_delete_request::OffsetDeleteRequestView;
use wire::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = OffsetDeleteRequestView::decode(request.body(), request.version)?;
    let image = node.image();
    let delete =
        OffsetDeleteRequest::from_view(&asked, |topic, partition| exists(&image, topic.name, partition));
    let told = if delete.group_id.is_empty() {
        Err(ErrorCode::InvalidGroupId)
    } else {
        node.groups
            .ask(delete.group_id, |shard, now, token| shard.on_offset_delete(now, &delete, token))
            .await
    };
    let code = match told {
        Ok(Reply::OffsetDelete(reply)) if reply.error.is_none() => {
            let topics = merge(unknown(&image, &asked), reply.into_response().topics);
            return request.reply(&OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() });
        }
        Ok(Reply::OffsetDelete(reply)) => reply.error,
        Ok(_) => ErrorCode::UnknownServerError,
        Err(code) => code,
    };
    // What concerns the group stands for everything.
    request.reply(&OffsetDeleteResponse { error_code: code.code(), ..OffsetDeleteResponse::default() })
}

fn exists(image: &Image, topic: &str, partition: i32) -> bool {
    image.topics.partition(topic, partition).is_some()
}

/// Those partitions that do not exist.
fn unknown(image: &Image, asked: &OffsetDeleteRequestView<'_>) -> Vec<OffsetDeleteResponseTopic> {
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|one| one.partition_index);
        let unknown = partitions.filter(|index| !exists(image, topic.name, *index));
        let partitions = unknown.map(|partition_index| OffsetDeleteResponsePartition {
            partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
        });
        OffsetDeleteResponseTopic { name: topic.name.to_owned(), partitions: partitions.collect() }
    });
    topics.filter(|topic| !topic.partitions.is_empty()).collect()
}

/// One entry for each topic, of which some partitions may be unknown and others answered.
fn merge(
    mut topics: Vec<OffsetDeleteResponseTopic>,
    answered: Vec<OffsetDeleteResponseTopic>,
) -> Vec<OffsetDeleteResponseTopic> {
    let places: BTreeMap<String, usize> =
        topics.iter().enumerate().map(|(place, topic)| (topic.name.clone(), place)).collect();
    for answer in answered {
        match places.get(&answer.name).and_then(|place| topics.get_mut(*place)) {
            Some(topic) => topic.partitions.extend(answer.partitions),
            None => topics.push(answer),
        }
    }
    topics
}
