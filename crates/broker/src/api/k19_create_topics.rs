//! CreateTopics (key 19), versions 2 to 7.
//!
//! 5 flexible; the answer tells the topic's configuration, partitions and replication factor · 6 may be throttled
//! (KIP-599) · 7 the new topic's id

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::option::NodeOptions;
use metadata::controller::{NewTopic, TopicReply};
use wire::messages::create_topics_request::{CreatableTopicView, CreateTopicsRequestView};
use wire::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::{told, undecided, within};
use crate::topic_creation;

/// The first version whose answer describes what was created.
const DESCRIBES: i16 = 5;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = CreateTopicsRequestView::decode(request.body(), request.version)?;
    let topics: Vec<NewTopic> = asked.topics.iter().map(new_topic).collect();
    let creation = topic_creation::create(&node, topics, asked.validate_only);
    let replies = within(asked.timeout_ms, creation).await.unwrap_or_else(|code| {
        let mut seen = BTreeSet::new();
        let names = asked.topics.iter().map(|topic| topic.name).filter(|name| seen.insert(*name));
        names.map(|name| TopicReply { name: name.to_owned(), result: Err(undecided(code)) }).collect()
    });
    let options = node.options();
    let describe = request.version >= DESCRIBES;
    let topics = replies.iter().map(|reply| result(&options, reply, describe)).collect();
    request.reply(&CreateTopicsResponse { topics, ..CreateTopicsResponse::default() })
}

fn new_topic(asked: CreatableTopicView<'_>) -> NewTopic {
    let assignments = asked.assignments.iter();
    let configs = asked.configs.iter();
    NewTopic {
        name: asked.name.to_owned(),
        partitions: asked.num_partitions,
        replication_factor: asked.replication_factor,
        assignments: assignments.map(|one| (one.partition_index, one.broker_ids.iter().collect())).collect(),
        configs: configs.map(|one| (one.name.to_owned(), one.value.map(str::to_owned))).collect(),
    }
}

fn result(options: &NodeOptions, reply: &TopicReply, describe: bool) -> CreatableTopicResult {
    let (error_code, error_message) = told(&reply.result);
    let mut result = CreatableTopicResult {
        name: reply.name.clone(),
        error_code,
        error_message,
        ..CreatableTopicResult::default()
    };
    let Ok(created) = &reply.result else { return result };
    result.topic_id = created.id;
    if describe {
        result.num_partitions = created.partitions;
        result.replication_factor = created.replication_factor;
        result.configs = Some(configs(options, created));
    }
    result
}

/// Every option of the new topic, whether the request set it or not.
fn configs(
    options: &NodeOptions,
    created: &metadata::controller::CreatedTopic,
) -> Vec<CreatableTopicConfigs> {
    let described = options.describe_topic(&created.configs).into_iter();
    let mut configs: Vec<_> = described
        .map(|option| CreatableTopicConfigs {
            config_source: option.source.code(),
            // What the request set is told as it was written.
            value: created.configs.get(&option.name).cloned().or(option.value),
            name: option.name,
            read_only: option.is_read_only,
            is_sensitive: option.is_sensitive,
        })
        .collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    configs
}
