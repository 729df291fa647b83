//! A topic from its creation to its end: described, changed, filled, grown, deleted, each time looked at.

use wire::compress::Codec;

use crate::oracle::duel::Duel;
use crate::oracle::pools::{self, THEN};
use crate::oracle::prepare;
use crate::oracle::random::Random;
use crate::oracle::records::Plan;
use crate::oracle::value::{Value, int, list, record, text};

pub const APIS: &[&str] =
    &["CreateTopics", "DeleteTopics", "CreatePartitions", "IncrementalAlterConfigs", "DescribeConfigs"];

const TOPIC: i64 = 2;

pub fn run(duel: &mut Duel, random: &mut Random, case: u64) -> Result<(), String> {
    let name = format!("walk-{case}");
    let configs = (0..random.below(3)).map(|_| {
        let (name, value) = pools::config(random, pools::TOPIC_CONFIGS);
        record([("Name", text(name)), ("Value", text(value))])
    });
    let configs = Value::Array(configs.collect());
    let partitions = random.int(&[1, 2, 3, -1]);
    let one = record([
        ("Name", text(name.clone())),
        ("NumPartitions", int(partitions)),
        ("ReplicationFactor", int(random.int(&[1, -1]))),
        ("Configs", configs),
    ]);
    let tree = record([("Topics", list([one])), ("timeoutMs", int(30_000))]);
    let created = duel.call(0, "CreateTopics", 5 + i16::try_from(random.below(3)).unwrap_or(0), &tree)?;
    if created.int("Topics.0.ErrorCode") != Some(0) {
        return duel.settle();
    }
    duel.settle()?;
    let metadata = record([
        ("Topics", list([record([("Name", text(name.clone()))])])),
        ("AllowAutoTopicCreation", Value::Bool(false)),
    ]);
    let led = |tree: &Value| tree.int("Topics.0.ErrorCode") == Some(0);
    duel.until("the topic", "Metadata", 12, &metadata, &led)?;
    duel.call(0, "Metadata", 12, &metadata)?;
    let first = record([("PartitionIndex", int(0)), ("CurrentLeaderEpoch", int(-1)), ("Timestamp", int(-1))]);
    let first = record([("Name", text(name.clone())), ("Partitions", list([first]))]);
    let ends = record([("ReplicaId", int(-1)), ("Topics", list([first]))]);
    let leads = |tree: &Value| tree.int("Topics.0.Partitions.0.ErrorCode") == Some(0);
    duel.until("the leader", "ListOffsets", 5, &ends, &leads)?;
    let plan = Plan {
        codec: Codec::Gzip,
        first_timestamp: THEN,
        records: vec![(Some(b"key".to_vec()), Some(b"value".to_vec()))],
        producer: None,
    };
    prepare::produce(duel, &name, 0, &plan)?;
    change(duel, random, &name)?;
    let grown = record([
        ("Name", text(name.clone())),
        ("Count", int(random.int(&[1, 2, 3, 4]))),
        ("Assignments", Value::Null),
    ]);
    let grow = record([("Topics", list([grown])), ("TimeoutMs", int(30_000))]);
    duel.call(0, "CreatePartitions", i16::try_from(random.below(4)).unwrap_or(0), &grow)?;
    duel.settle()?;
    duel.call(0, "Metadata", 12, &metadata)?;
    let delete = record([
        ("Topics", list([record([("Name", text(name.clone()))])])),
        ("TopicNames", list([text(name)])),
        ("TimeoutMs", int(30_000)),
    ]);
    duel.call(0, "DeleteTopics", 1 + i16::try_from(random.below(6)).unwrap_or(0), &delete)?;
    duel.settle()?;
    duel.call(0, "Metadata", 12, &metadata)?;
    Ok(())
}

/// Changes an option, and looks at it.
fn change(duel: &mut Duel, random: &mut Random, topic: &str) -> Result<(), String> {
    let (name, value) = pools::config(random, pools::TOPIC_CONFIGS);
    let config = record([
        ("Name", text(name)),
        ("ConfigOperation", int(random.int(&[0, 0, 0, 1, 2, 3]))),
        ("Value", text(value)),
    ]);
    let resource =
        record([("ResourceType", int(TOPIC)), ("ResourceName", text(topic)), ("Configs", list([config]))]);
    duel.call(0, "IncrementalAlterConfigs", 1, &record([("Resources", list([resource]))]))?;
    duel.settle()?;
    let described = record([
        ("ResourceType", int(TOPIC)),
        ("ResourceName", text(topic)),
        ("ConfigurationKeys", Value::Null),
    ]);
    let tree = record([
        ("Resources", list([described])),
        ("IncludeSynonyms", Value::Bool(random.percent(50))),
        ("IncludeDocumentation", Value::Bool(false)),
    ]);
    duel.call(0, "DescribeConfigs", 1 + i16::try_from(random.below(4)).unwrap_or(0), &tree)?;
    Ok(())
}
