//! Creates topics: those that a client asks for, those that it merely names, and those that the node itself needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::ErrorCode;
use kernel::limits::MAX_TOPICS_IN_CREATION;
use metadata::controller::{CreateTopics, NewTopic, Refusal, TopicDefaults, TopicReply, create_topics};
use parking_lot::Mutex;
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

/// Topics that are being created because clients named them.
#[derive(Debug, Default)]
pub struct InCreation {
    names: Mutex<BTreeSet<String>>,
}

impl InCreation {
    /// Those of the names that nobody is creating yet; from now on somebody is, until they are [`done`](Self::done).
    fn begin<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut creating = self.names.lock();
        let mut begun = Vec::new();
        for name in names {
            if creating.len() >= MAX_TOPICS_IN_CREATION {
                break;
            }
            if creating.insert(name.to_owned()) {
                begun.push(name.to_owned());
            }
        }
        begun
    }

    fn done(&self, names: &[String]) {
        let mut creating = self.names.lock();
        for name in names {
            creating.remove(name);
        }
    }
}

/// Begins to create topics that a client named and that do not exist, with the defaults that they deserve. The client
/// hears that they are unknown, and asks again.
pub fn auto_create<'a>(node: &Arc<Node>, names: impl Iterator<Item = &'a str>) {
    let begun = Begun { names: node.in_creation.begin(names), node: Arc::clone(node) };
    if begun.names.is_empty() {
        return;
    }
    host::task::spawn(async move {
        let topics = begun.names.iter().map(|name| default_topic(&begun.node, name)).collect();
        if let Err(code) = create(&begun.node, topics, false).await {
            warn!(%code, "topics could not be created by themselves");
        }
    });
}

/// Creations that end with this value, however they end: nobody could ask for the topics again otherwise.
struct Begun {
    names: Vec<String>,
    node: Arc<Node>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.node.in_creation.done(&self.names);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_created_once_however_many_ask_for_it_meanwhile() {
        let creating = InCreation::default();
        assert_eq!(creating.begin(["a", "b"].into_iter()), ["a", "b"]);
        assert_eq!(creating.begin(["b", "c"].into_iter()), ["c"]);
        creating.done(&["b".to_owned()]);
        assert_eq!(creating.begin(["a", "b"].into_iter()), ["b"]);
    }

    #[test]
    fn topics_that_are_named_beyond_the_bound_are_left_for_later() {
        let creating = InCreation::default();
        let names: Vec<String> = (0..MAX_TOPICS_IN_CREATION + 5).map(|number| number.to_string()).collect();
        let begun = creating.begin(names.iter().map(String::as_str));
        assert_eq!(begun.len(), MAX_TOPICS_IN_CREATION);
        creating.done(&begun);
        assert_eq!(creating.begin(["late"].into_iter()), ["late"]);
    }
}
