//! OffsetFetch (key 9), versions 1 to 10.
//!
//! 2 everything that a group has, and an error for the whole group · 3 throttle time · 5 leader epochs (KIP-320) ·
//! 6 flexible · 7 stable offsets only (KIP-447) · 8 several groups (KIP-709) · 9 the consumer protocol (KIP-848) ·
//! 10 topics by id

use std::sync::Arc;

use coordinator::offset_fetch_response;
use coordinator::reply::{FetchedTopic, OffsetFetchReply};
use coordinator::request::OffsetFetchRequest;
use kernel::ErrorCode;
use metadata::Image;
use wire::messages::offset_fetch_request::OffsetFetchRequestView;

use crate::node::Node;
use crate::request::{Handled, Request};

/// From this version on, topics are named by their ids.
const TOPIC_IDS_FROM: i16 = 10;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let version = request.version;
    let asked = OffsetFetchRequestView::decode(request.body(), version)?;
    let image = node.image();
    let groups = OffsetFetchRequest::all_from_view(version, &asked).into_iter().map(|question| {
        let group = question.group_id.to_owned();
        (group, fetch(&node, &image, version, question))
    });
    let groups = groups.collect();
    request.reply(&offset_fetch_response(version, groups))
}

fn fetch<'a>(
    node: &Node,
    image: &'a Image,
    version: i16,
    mut question: OffsetFetchRequest<'a>,
) -> OffsetFetchReply {
    let coordinator = match node.groups.find(question.group_id) {
        Ok(coordinator) => coordinator,
        Err(code) => return question.failed(version, code),
    };
    let by_id = version >= TOPIC_IDS_FROM;
    let unknown = if by_id { name_topics(image, &mut question) } else { Vec::new() };
    let mut reply = coordinator.look(|shard, _| shard.fetch_offsets(&question));
    if !reply.error.is_none() {
        return reply;
    }
    if by_id && question.topics.is_none() {
        add_ids(image, &mut reply.topics);
    }
    reply.topics.extend(unknown);
    reply
}

/// Puts the names to the ids, as offsets are kept by name. Takes out what has no name any more.
fn name_topics<'a>(image: &'a Image, question: &mut OffsetFetchRequest<'a>) -> Vec<FetchedTopic> {
    let mut unknown = Vec::new();
    if let Some(topics) = &mut question.topics {
        topics.retain_mut(|topic| match image.topic_by_id(topic.topic_id) {
            Some(known) => {
                topic.name = &known.name;
                true
            }
            None => {
                unknown.push(topic.failed(ErrorCode::UnknownTopicId));
                false
            }
        });
    }
    unknown
}

/// Puts the ids to the names; what has none cannot be named to this client.
fn add_ids(image: &Image, topics: &mut Vec<FetchedTopic>) {
    topics.retain_mut(|topic| {
        if topic.topic_id.is_zero()
            && let Some(known) = image.topic(&topic.name)
        {
            topic.topic_id = known.id;
        }
        !topic.topic_id.is_zero()
    });
}
