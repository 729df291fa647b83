//! OffsetCommit (key 8), versions 2 to 10.
//!
//! 3 throttle time · 5 no retention of the client's own · 6 leader epochs (KIP-320) · 7 static members (KIP-345) ·
//! 8 flexible · 9 the consumer protocol (KIP-848) · 10 topics by id

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::Reply;
use coordinator::request::{CommitTopic, OffsetCommitRequest};
use kernel::{ErrorCode, Uuid};
use metadata::Image;
use wire::messages::offset_commit_request::{OffsetCommitRequestTopicView, OffsetCommitRequestView};
use wire::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use crate::node::Node;
use crate::request::{Handled, Request};

/// From this version on, topics are named by their ids.
const TOPIC_IDS_FROM: i16 = 10;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let version = request.version;
    let asked = OffsetCommitRequestView::decode(request.body(), version)?;
    let image = node.image();
    let mut refused = Vec::new();
    let mut topics = Vec::new();
    for topic in asked.topics {
        match resolve(&image, &topic, version) {
            Ok((commit, unknown)) => {
                refused.extend(unknown);
                topics.extend(Some(commit).filter(|commit| !commit.partitions.is_empty()));
            }
            Err(unknown) => refused.push(unknown),
        }
    }
    if topics.is_empty() {
        return request.reply(&OffsetCommitResponse { topics: refused, ..OffsetCommitResponse::default() });
    }
    let commit = OffsetCommitRequest::from_view(version, &asked, topics);
    let told = node
        .groups
        .ask(commit.group_id, |shard, now, token| shard.on_offset_commit(now, &commit, token))
        .await;
    let answered = match told {
        Ok(Reply::OffsetCommit(reply)) => reply.into_response().topics,
        Ok(_) => all_failed(&commit.topics, ErrorCode::UnknownServerError),
        Err(code) => all_failed(&commit.topics, code),
    };
    let topics = merge(refused, answered);
    request.reply(&OffsetCommitResponse { topics, ..OffsetCommitResponse::default() })
}

type Resolved<'a> = (CommitTopic<'a>, Option<OffsetCommitResponseTopic>);

/// What of a topic can be committed, and what cannot because it does not exist.
fn resolve<'a>(
    image: &'a Image,
    topic: &OffsetCommitRequestTopicView<'a>,
    version: i16,
) -> Result<Resolved<'a>, OffsetCommitResponseTopic> {
    let by_id = version >= TOPIC_IDS_FROM;
    let known = if by_id { image.topic_by_id(topic.topic_id) } else { image.topic(topic.name) };
    let refuse = |topic_id: Uuid, code: ErrorCode, unknown: &dyn Fn(i32) -> bool| {
        let partitions = topic.partitions.iter().map(|one| one.partition_index).filter(|one| unknown(*one));
        OffsetCommitResponseTopic {
            name: topic.name.to_owned(),
            topic_id,
            partitions: partitions.map(|index| partition(index, code)).collect(),
        }
    };
    let Some(known) = known else {
        let code = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        return Err(refuse(topic.topic_id, code, &|_| true));
    };
    let exists = |index: i32| known.partition(index).is_some();
    let commit = CommitTopic::from_view(topic, &known.name, known.id, exists);
    let unknown = refuse(known.id, ErrorCode::UnknownTopicOrPartition, &|index| !exists(index));
    Ok((commit, Some(unknown).filter(|unknown| !unknown.partitions.is_empty())))
}

fn partition(partition_index: i32, code: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index, error_code: code.code() }
}

fn all_failed(topics: &[CommitTopic<'_>], code: ErrorCode) -> Vec<OffsetCommitResponseTopic> {
    let failed = topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.to_owned(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|one| partition(one.partition, code)).collect(),
    });
    failed.collect()
}

/// One entry for each topic, of which some partitions may be refused and others answered.
fn merge(
    mut topics: Vec<OffsetCommitResponseTopic>,
    answered: Vec<OffsetCommitResponseTopic>,
) -> Vec<OffsetCommitResponseTopic> {
    let places: BTreeMap<Uuid, usize> =
        topics.iter().enumerate().map(|(place, topic)| (topic.topic_id, place)).collect();
    for answer in answered {
        match places.get(&answer.topic_id).and_then(|place| topics.get_mut(*place)) {
            Some(topic) => topic.partitions.extend(answer.partitions),
            None => topics.push(answer),
        }
    }
    topics
}
