//! Keeps random requests from what would end a run or make it depend on the time: nothing outside the scratch topics is
//! deleted, nobody waits long, and no broker leaves its cluster.

use super::pools::{self, SCRATCH};
use super::records;
use super::value::{Value, int, text};

/// The longest poll.
const WAIT_MAX_MS: i64 = 5;

/// What a scratch topic may grow to.
const PARTITIONS_MAX: i64 = 4;

/// Where Kafka merges what a request names twice, or never answers; ours answers each, and two logs would part.
const ONCE: &[&str] = &[
    "Produce",
    "Fetch",
    "ListOffsets",
    "DeleteRecords",
    "OffsetCommit",
    "OffsetDelete",
    "ElectLeaders",
    "DescribeGroups",
    "FindCoordinator",
    "AlterConfigs",
    "DeleteGroups",
];

/// Changes what may not be sent as it is. What is tame already stays the same.
pub fn tame(api: &str, version: i16, tree: &mut Value) {
    match api {
        "Metadata" => metadata(version, tree),
        "Fetch" => fetch(tree),
        "ListOffsets" => tree.set("TimeoutMs", int(1_000)),
        "Produce" => produce(tree),
        "CreateTopics" => create_topics(tree),
        "DeleteTopics" => delete_topics(tree),
        "CreatePartitions" => create_partitions(tree),
        "DeleteRecords" => delete_records(tree),
        "DeleteGroups" => each(tree, "GroupsNames", &|name| {
            if is_lasting(name) {
                *name = text("absent-group");
            }
        }),
        "OffsetDelete" => offset_delete(tree),
        "UnregisterBroker" if tree.int("BrokerId") == Some(1) => tree.set("BrokerId", int(2)),
        "UpdateFeatures" => update_features(version, tree),
        "AlterConfigs" | "IncrementalAlterConfigs" => alter_configs(tree),
        "JoinGroup" => {
            // A member that nobody keeps alive would be removed sooner or later.
            tree.set("GroupId", text(if version == 0 { "" } else { "bad group\u{0}" }));
            if tree.int("SessionTimeoutMs").is_some_and(|timeout| timeout > 0) {
                tree.set("SessionTimeoutMs", int(1));
            }
        }
        "LeaveGroup" | "SyncGroup" | "Heartbeat" | "OffsetCommit" => members(api, tree),
        "DescribeConfigs" => describe_configs(tree),
        "DescribeTopicPartitions" => describe_topic_partitions(tree),
        "InitProducerId" => tree.set("TransactionalId", Value::Null),
        _ => {}
    }
    if ONCE.contains(&api) {
        tree.each_field(&mut |_, value| {
            if let Value::Array(items) = value {
                once(items);
            }
        });
    }
    if api == "Fetch" {
        fetch_session(tree);
    }
    for field in ["TimeoutMs", "timeoutMs"] {
        if tree.int(field).is_some() && api != "ListOffsets" {
            tree.set(field, int(30_000));
        }
    }
}

/// Keeps the first of the elements with the same name.
fn once(items: &mut Vec<Value>) {
    const NAMES: &[&str] =
        &["Name", "Topic", "TopicId", "PartitionIndex", "Partition", "Index", "ResourceType", "ResourceName"];
    let mut seen = Vec::new();
    items.retain(|item| {
        let names: Vec<&Value> = NAMES.iter().filter_map(|name| item.at(name)).collect();
        let name = if names.is_empty() { item.to_string() } else { format!("{names:?}") };
        let new = !seen.contains(&name);
        seen.push(name);
        new
    });
}

fn each(tree: &mut Value, path: &str, change: &dyn Fn(&mut Value)) {
    tree.items_mut(path).iter_mut().for_each(change);
}

fn at_most(tree: &mut Value, path: &str, most: i64) {
    if tree.int(path).is_some_and(|value| value > most) {
        tree.set(path, int(most));
    }
}

fn is_lasting(name: &Value) -> bool {
    matches!(name, Value::Text(name) if pools::GROUPS.contains(&name.as_str()))
}

fn is_scratch(name: Option<&str>) -> bool {
    name.is_some_and(|name| SCRATCH.contains(&name) || !pools::is_creatable(name))
}

/// Topics that are created by asking for them appear some time later.
fn metadata(version: i16, tree: &mut Value) {
    for topic in tree.items_mut("Topics") {
        // With neither of both Kafka lets an exception through.
        if topic.at("Name") == Some(&Value::Null) && topic.at("TopicId") == Some(&Value::Uuid([0; 16])) {
            topic.set("Name", text("codecs"));
        }
    }
    let wants = version < 4 || tree.at("AllowAutoTopicCreation") != Some(&Value::Bool(false));
    let appears = |topic: &Value| {
        topic.text("Name").is_some_and(|name| pools::is_creatable(name) && !pools::is_prepared(name))
    };
    if !wants || !tree.items("Topics").iter().any(appears) {
        return;
    }
    if version >= 4 {
        tree.set("AllowAutoTopicCreation", Value::Bool(false));
        return;
    }
    for topic in tree.items_mut("Topics") {
        if appears(topic) {
            topic.set("Name", text("codecs"));
        }
    }
}

/// Only one of the prepared groups may lose offsets.
fn offset_delete(tree: &mut Value) {
    if tree.at("GroupId").is_some_and(is_lasting) && tree.text("GroupId") != Some("stable-group") {
        tree.set("GroupId", text("absent-group"));
    }
}

/// What the coordinator's topic holds was written by each side in its own time.
fn fetch(tree: &mut Value) {
    at_most(tree, "MaxWaitMs", WAIT_MAX_MS);
    // The place of a session in Kafka's cache is computed from its id, which for one below zero ends in an exception.
    if tree.int("SessionId").is_some_and(|id| id < 0) {
        tree.set("SessionId", int(77_777));
    }
    for topic in tree.items_mut("Topics") {
        if topic.text("Topic") == Some(pools::INTERNAL) {
            topic.set("Topic", text("absent"));
        }
        let internal = Value::Slot(format!("topic:{}", pools::INTERNAL));
        // Without an id Kafka lets an exception through.
        if topic.at("TopicId").is_some_and(|id| *id == internal || *id == Value::Uuid([0; 16])) {
            topic.set("TopicId", Value::Uuid([0x77; 16]));
        }
    }
}

/// Kafka keeps a session about nothing; ours does not, and both say so.
fn fetch_session(tree: &mut Value) {
    if tree.int("SessionEpoch") == Some(0)
        && tree.items("Topics").iter().all(|topic| topic.items("Partitions").is_empty())
    {
        tree.set("SessionEpoch", int(-1));
    }
}

/// Kafka lets an exception through for a topic without a name.
fn describe_topic_partitions(tree: &mut Value) {
    for topic in tree.items_mut("Topics") {
        if topic.text("Name") == Some("") {
            topic.set("Name", text("absent"));
        }
    }
    // Nor does it guard the sum of both.
    at_most(tree, "Cursor.PartitionIndex", 1_000);
    if tree.text("Cursor.TopicName") == Some("") {
        tree.set("Cursor.TopicName", text("absent"));
    }
}

/// The loggers of a program are named after its parts.
fn describe_configs(tree: &mut Value) {
    const BROKER_LOGGER: i64 = 8;
    alone(tree, &|resource| !matches!(resource.int("ResourceType"), Some(2 | 4 | 8 | 16 | 32)));
    for resource in tree.items_mut("Resources") {
        if resource.int("ResourceType") == Some(BROKER_LOGGER) && resource.text("ResourceName") == Some("1") {
            resource.set("ResourceName", text("2"));
        }
    }
}

/// Kafka lets one resource of an odd kind fail all the others: it is sent alone.
fn alone(tree: &mut Value, odd: &dyn Fn(&Value) -> bool) {
    if let Some(Value::Array(resources)) = tree.at_mut("Resources")
        && let Some(at) = resources.iter().position(odd)
    {
        let one = resources.swap_remove(at);
        *resources = vec![one];
    }
}

fn produce(tree: &mut Value) {
    if tree.int("Acks") == Some(0) {
        tree.set("Acks", int(1));
    }
    tree.set("TransactionalId", Value::Null);
    spoiled_alone(tree);
    for topic in tree.items_mut("TopicData") {
        // What the coordinator keeps is its own.
        if topic.text("Name") == Some(pools::INTERNAL) {
            topic.set("Name", text("absent"));
        }
        if topic.at("TopicId") == Some(&Value::Slot(format!("topic:{}", pools::INTERNAL))) {
            topic.set("TopicId", Value::Uuid([0x77; 16]));
        }
    }
}

/// Kafka reads every batch before it looks at the first, and one that cannot be read fails all partitions; ours judges
/// each by itself. So such a batch is sent alone, to a partition that is there.
fn spoiled_alone(tree: &mut Value) {
    let sound = |partition: &Value| match partition.at("Records") {
        Some(Value::Bytes(bytes)) => records::is_sound(bytes),
        _ => false,
    };
    let topics = tree.items("TopicData");
    let bad = topics
        .iter()
        .flat_map(|topic| topic.items("PartitionData"))
        .find(|partition| !sound(partition))
        .cloned();
    let Some(mut bad) = bad else { return };
    bad.set("Index", int(0));
    if let Some(Value::Array(topics)) = tree.at_mut("TopicData") {
        topics.truncate(1);
        for topic in topics {
            topic.set("Name", text("codecs"));
            topic.set("TopicId", Value::Slot("topic:codecs".to_owned()));
            topic.set("PartitionData", Value::Array(vec![bad.clone()]));
        }
    }
}

fn create_topics(tree: &mut Value) {
    for topic in tree.items_mut("Topics") {
        let name = topic.text("Name").unwrap_or_default();
        if pools::is_creatable(name) && !SCRATCH.contains(&name) && !pools::is_prepared(name) {
            topic.set("Name", text("scratch-0"));
        }
        at_most(topic, "NumPartitions", PARTITIONS_MAX);
    }
}

fn delete_topics(tree: &mut Value) {
    for topic in tree.items_mut("Topics") {
        if !is_scratch(topic.text("Name")) && topic.at("Name") != Some(&Value::Null) {
            topic.set("Name", text("scratch-1"));
        }
        if !matches!(topic.at("TopicId"), Some(Value::Uuid(_)))
            && !matches!(topic.at("TopicId"), Some(Value::Slot(key)) if key.starts_with("topic:scratch"))
        {
            topic.set("TopicId", Value::Slot("topic:scratch-2".to_owned()));
        }
    }
    each(tree, "TopicNames", &|name| {
        if !matches!(name, Value::Text(name) if is_scratch(Some(name))) {
            *name = text("scratch-1");
        }
    });
}

fn create_partitions(tree: &mut Value) {
    for topic in tree.items_mut("Topics") {
        at_most(topic, "Count", PARTITIONS_MAX);
        if !is_scratch(topic.text("Name")) {
            // Every prepared topic has a partition, so that this is refused.
            at_most(topic, "Count", 1);
        }
    }
}

fn delete_records(tree: &mut Value) {
    for topic in tree.items_mut("Topics") {
        if topic.text("Name").is_some_and(|name| pools::is_prepared(name) && name != "trimmed") {
            topic.set("Name", text("trimmed"));
        }
    }
}

/// Features are looked at and not changed.
fn update_features(version: i16, tree: &mut Value) {
    tree.set("ValidateOnly", Value::Bool(true));
    if version == 0 {
        for update in tree.items_mut("FeatureUpdates") {
            update.set("Feature", text("none"));
        }
    }
}

/// Brokers keep what other cases rely on; topics outside the scratch ones keep their options.
fn alter_configs(tree: &mut Value) {
    alone(tree, &|resource| !matches!(resource.int("ResourceType"), Some(2 | 4 | 8 | 16 | 32)));
    alone(tree, &|resource| {
        let odd = |config: &Value| {
            config.int("ConfigOperation").is_some_and(|operation| !(0..=3).contains(&operation))
        };
        resource.items("Configs").iter().any(odd)
    });
    const BROKERS: [Option<i64>; 2] = [Some(4), Some(8)];
    let touches = |resource: &Value| {
        let topic = resource.int("ResourceType") == Some(2)
            && resource
                .text("ResourceName")
                .is_some_and(|name| pools::is_prepared(name) && name != "settings");
        topic || BROKERS.contains(&resource.int("ResourceType"))
    };
    if tree.items("Resources").iter().any(touches) {
        tree.set("ValidateOnly", Value::Bool(true));
    }
}

/// The members of the prepared groups stay where they are.
fn members(api: &str, tree: &mut Value) {
    if tree.at("GroupId").is_some_and(is_lasting) && matches!(api, "LeaveGroup" | "SyncGroup") {
        tree.set("GroupId", text("absent-group"));
    }
}
