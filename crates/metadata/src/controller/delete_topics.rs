//! DeleteTopics.

use std::collections::BTreeMap;

use kernel::{ErrorCode, Uuid};

use super::{Decision, RECORDS_PER_DECISION_MAX, Refusal};
use crate::image::Image;
use crate::record::RemoveTopicRecord;

/// Topics to delete, each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteTopics {
    pub topics: Vec<TopicRef>,
    /// Whether `delete.topic.enable` holds.
    pub enabled: bool,
}

/// How a request names a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicRef {
    Name(String),
    Id(Uuid),
}

/// What became of one topic; as much of its name and id as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTopic {
    pub name: Option<String>,
    pub id: Uuid,
    pub result: Result<(), Refusal>,
}

/// Deletes topics. A topic that is named more than once, in whatever way, is not deleted.
pub fn delete_topics(image: &Image, command: &DeleteTopics) -> Decision<Vec<DeletedTopic>> {
    let found: Vec<DeletedTopic> = command.topics.iter().map(|topic| find(image, topic)).collect();
    let mut named: BTreeMap<(&Option<String>, Uuid), usize> = BTreeMap::new();
    for topic in &found {
        *named.entry((&topic.name, topic.id)).or_default() += 1;
    }
    let mut records = Vec::new();
    let mut replies = Vec::new();
    for topic in &found {
        let mut reply = topic.clone();
        if !command.enabled {
            let message = "Topic deletion is disabled.";
            reply.result = Err(Refusal::new(ErrorCode::TopicDeletionDisabled, message));
        } else if named.get(&(&topic.name, topic.id)).is_some_and(|count| *count > 1) {
            reply.result = Err(Refusal::invalid_request("The topic is named more than once."));
        } else if reply.result.is_ok() {
            records.push(RemoveTopicRecord { topic_id: topic.id }.into());
        }
        replies.push(reply);
    }
    if records.len() > RECORDS_PER_DECISION_MAX {
        for reply in replies.iter_mut().filter(|reply| reply.result.is_ok()) {
            reply.result = Err(Refusal::too_large());
        }
        records.clear();
    }
    Decision::atomic(records, replies)
}

fn find(image: &Image, topic: &TopicRef) -> DeletedTopic {
    let found = match topic {
        TopicRef::Name(name) => image.topics.get(name),
        TopicRef::Id(id) => image.topics.by_id(*id),
    };
    if let Some(found) = found {
        return DeletedTopic { name: Some(found.name.to_string()), id: found.id, result: Ok(()) };
    }
    match topic {
        TopicRef::Name(name) => DeletedTopic {
            name: Some(name.clone()),
            id: Uuid::ZERO,
            result: Err(Refusal::new(
                ErrorCode::UnknownTopicOrPartition,
                "This server does not host this topic-partition.",
            )),
        },
        TopicRef::Id(id) => DeletedTopic {
            name: None,
            id: *id,
            result: Err(Refusal::new(ErrorCode::UnknownTopicId, "This server does not host this topic ID.")),
        },
    }
}
