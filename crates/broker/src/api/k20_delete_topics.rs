//! DeleteTopics (key 20), versions 1 to 6.
//!
//! 3 says so if deletion is disabled · 4 flexible · 5 messages · 6 topics by id

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{ErrorCode, Uuid};
use metadata::controller::{DeleteTopics, DeletedTopic, Refusal, TopicRef, delete_topics};
use tracing::info;
use wire::messages::delete_topics_request::{DeleteTopicStateView, DeleteTopicsRequestView};
use wire::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::{told, undecided, within};

/// The first version whose clients know what a disabled deletion is.
const KNOWS_DISABLED: i16 = 3;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DeleteTopicsRequestView::decode(request.body(), request.version)?;
    let mut topics: Vec<TopicRef> =
        asked.topic_names.iter().map(|name| TopicRef::Name(name.to_owned())).collect();
    let mut replies = Vec::new();
    for topic in asked.topics {
        match topic_ref(topic) {
            Ok(topic) => topics.push(topic),
            Err(contradiction) => replies.push(contradiction),
        }
    }
    let mut contradictions = replies.len();
    let command = DeleteTopics { topics, enabled: node.config().topics.delete_enabled };
    let change = node.change(|image, _| delete_topics(image, &command));
    match within(asked.timeout_ms, change).await {
        Ok(deleted) => replies.extend(deleted),
        Err(code) => replies.extend(command.topics.iter().map(|topic| not_decided(topic, code))),
    }
    let mut seen = BTreeSet::new();
    // A topic that was named twice is answered for once, and every contradiction by itself.
    replies.retain(|reply| {
        let by_itself = contradictions > 0;
        contradictions -= usize::from(by_itself);
        by_itself || seen.insert((reply.name.clone(), reply.id))
    });
    for reply in replies.iter().filter(|reply| reply.result.is_ok()) {
        info!(topic = reply.name.as_deref().unwrap_or_default(), id = %reply.id, "topic deleted");
    }
    let responses = replies.iter().map(|reply| result(reply, request.version)).collect();
    request.reply(&DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() })
}

fn topic_ref(topic: DeleteTopicStateView<'_>) -> Result<TopicRef, DeletedTopic> {
    let refused = |message: &str| DeletedTopic {
        name: topic.name.map(str::to_owned),
        id: topic.topic_id,
        result: Err(Refusal::invalid_request(message)),
    };
    match topic.name {
        Some(name) if topic.topic_id.is_zero() => Ok(TopicRef::Name(name.to_owned())),
        Some(_) => Err(refused("You may not specify both topic name and topic id.")),
        None if topic.topic_id.is_zero() => Err(refused("Neither topic name nor id were specified.")),
        None => Ok(TopicRef::Id(topic.topic_id)),
    }
}

fn not_decided(topic: &TopicRef, code: ErrorCode) -> DeletedTopic {
    let (name, id) = match topic {
        TopicRef::Name(name) => (Some(name.clone()), Uuid::ZERO),
        TopicRef::Id(id) => (None, *id),
    };
    DeletedTopic { name, id, result: Err(undecided(code)) }
}

fn result(reply: &DeletedTopic, version: i16) -> DeletableTopicResult {
    let (mut error_code, error_message) = told(&reply.result);
    if error_code == ErrorCode::TopicDeletionDisabled.code() && version < KNOWS_DISABLED {
        error_code = ErrorCode::InvalidRequest.code();
    }
    DeletableTopicResult { name: reply.name.clone(), topic_id: reply.id, error_code, error_message }
}
