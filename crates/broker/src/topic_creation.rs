//! Creates topics: those that a client asks for, those that it merely names, and those that the node itself needs.

use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::{CreateTopics, NewTopic, Refusal, TopicDefaults, TopicReply, create_topics};
use tracing::{info, warn};

use crate::groups::OFFSETS_TOPIC;
use crate::node::Node;

/// Creates topics, or says why not.
pub async fn create(
    node: &Arc<Node>,
    topics: Vec<NewTopic>,
    validate_only: bool,
) -> Result<Vec<TopicReply>, ErrorCode> {
    let config = node.config();
    let defaults = TopicDefaults {
        partitions: config.topics.default_partitions,
        replication_factor: config.topics.default_replication_factor,
    };
    let command = CreateTopics { topics, defaults, validate_only };
    let mut ids = std::iter::repeat_with(|| node.random_uuid());
    let replies = node.change(|image, _| create_topics(image, &*node.options(), &mut ids, &command)).await?;
    if !validate_only {
        tell(&replies);
    }
    Ok(replies)
}

/// How many refusals of one request are logged one by one: a request can name very many topics.
const REFUSALS_TOLD_MAX: usize = 10;

fn tell(replies: &[TopicReply]) {
    let mut refused = 0;
    for reply in replies {
        match &reply.result {
            Ok(created) => info!(topic = %reply.name, partitions = created.partitions, "topic created"),
            Err(Refusal { code, message }) => {
                refused += 1;
                if refused <= REFUSALS_TOLD_MAX {
                    info!(topic = %reply.name, %code, %message, "topic not created");
                }
            }
        }
    }
    if refused > REFUSALS_TOLD_MAX {
        info!(topics = refused - REFUSALS_TOLD_MAX, "more topics not created");
    }
}

/// Creates topics that a client named and that do not exist, with the defaults that they deserve.
pub async fn auto_create(node: &Arc<Node>, names: &[String]) {
    let topics = names.iter().map(|name| default_topic(node, name)).collect();
    if let Err(code) = create(node, topics, false).await {
        warn!(%code, "topics could not be created by themselves");
    }
}

/// Creates the topic of committed offsets unless it exists.
pub async fn ensure_offsets_topic(node: &Arc<Node>) -> Result<(), ErrorCode> {
    if node.image().topic(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let replies = create(node, vec![default_topic(node, OFFSETS_TOPIC)], false).await?;
    match replies.into_iter().next().map(|reply| reply.result) {
        // Somebody else was faster.
        Some(Err(refusal)) if refusal.code != ErrorCode::TopicAlreadyExists => Err(refusal.code),
        _ => Ok(()),
    }
}

fn default_topic(node: &Node, name: &str) -> NewTopic {
    let config = node.config();
    let internal = match name {
        OFFSETS_TOPIC => &config.offsets.topic,
        // Nobody serves these yet, but who names them now gets what they will need.
        "__transaction_state" => &config.transactions.topic,
        "__share_group_state" => &config.share_state,
        _ => return NewTopic::new(name),
    };
    let brokers = node.image().brokers.len();
    let configs = internal.overrides(brokers).into_iter();
    NewTopic {
        partitions: internal.partitions,
        replication_factor: internal.replication.among(brokers),
        configs: configs.map(|(name, value)| (name, Some(value))).collect(),
        ..NewTopic::new(name)
    }
}
