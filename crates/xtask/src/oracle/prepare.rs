//! The state that every case finds: topics, records, groups and offsets, made by requests that are compared as well.

use wire::compress::Codec;

use super::duel::Duel;
use super::pools::{self, THEN, TOPICS};
use super::records::{self, Plan};
use super::value::{Value, int, list, record, slot, text};

/// Makes the state on both sides.
pub fn run(duel: &mut Duel) -> Result<(), String> {
    let versions = duel.call(
        0,
        "ApiVersions",
        3,
        &record([("ClientSoftwareName", text("oracle")), ("ClientSoftwareVersion", text("1"))]),
    )?;
    if versions.tree().is_none() {
        return Err(format!("ApiVersions: ours {}, Kafka {}", versions.ours, versions.kafka));
    }
    let cluster = duel.call(0, "DescribeCluster", 0, &record([]))?;
    duel.keep("cluster", &cluster, "ClusterId");
    topics(duel)?;
    records(duel)?;
    trim(duel)?;
    directory(duel)?;
    groups(duel)
}

fn topics(duel: &mut Duel) -> Result<(), String> {
    let configs = |topic: &pools::Topic| {
        let one = |(name, value): &(&str, &str)| record([("Name", text(*name)), ("Value", text(*value))]);
        Value::Array(topic.configs.iter().map(one).collect())
    };
    let topics = TOPICS.iter().map(|topic| {
        record([
            ("Name", text(topic.name)),
            ("NumPartitions", int(topic.partitions)),
            ("ReplicationFactor", int(1)),
            ("Configs", configs(topic)),
        ])
    });
    duel.call(
        0,
        "CreateTopics",
        7,
        &record([("Topics", Value::Array(topics.collect())), ("timeoutMs", int(30_000))]),
    )?;
    duel.settle()?;
    let everything = record([("Topics", Value::Null), ("AllowAutoTopicCreation", Value::Bool(false))]);
    let all_led = |tree: &Value| {
        let led = |topic: &Value| topic.items("Partitions").iter().all(|one| one.int("LeaderId") == Some(1));
        tree.items("Topics").len() >= TOPICS.len() && tree.items("Topics").iter().all(led)
    };
    duel.until("a leader for every partition", "Metadata", 12, &everything, &all_led)?;
    // Kafka names a leader a moment before it has made the log, and refuses what is written in between.
    duel.until("a log for every partition", "ListOffsets", 7, &ends(), &all_answer)?;
    duel.call(0, "Metadata", 12, &everything)?;
    Ok(())
}

/// Asks for the end of every partition.
fn ends() -> Value {
    let partition = |index| {
        record([("PartitionIndex", int(index)), ("CurrentLeaderEpoch", int(-1)), ("Timestamp", int(-1))])
    };
    let topic = |topic: &pools::Topic| {
        let partitions = (0..topic.partitions).map(partition);
        record([("Name", text(topic.name)), ("Partitions", Value::Array(partitions.collect()))])
    };
    record([
        ("ReplicaId", int(-1)),
        ("IsolationLevel", int(0)),
        ("Topics", Value::Array(TOPICS.iter().map(topic).collect())),
    ])
}

fn all_answer(tree: &Value) -> bool {
    let answers = |topic: &Value| topic.items("Partitions").iter().all(|one| one.int("ErrorCode") == Some(0));
    tree.items("Topics").iter().all(answers)
}

/// Batches in all codecs, of idempotent producers and of others, with old and with equal timestamps.
fn records(duel: &mut Duel) -> Result<(), String> {
    let init = record([("TransactionalId", Value::Null), ("TransactionTimeoutMs", int(60_000))]);
    duel.until("a producer id", "InitProducerId", 4, &init, &|tree| tree.int("ErrorCode") == Some(0))?;
    let producer = duel.call(0, "InitProducerId", 4, &init)?;
    duel.keep("producer", &producer, "ProducerId");
    let pairs = |count: usize, from: usize| -> Vec<records::Pair> {
        (from..from + count)
            .map(|at| {
                (
                    Some(format!("key-{}", at % 3).into_bytes()),
                    Some(format!("value {at} {}", "v".repeat(40)).into_bytes()),
                )
            })
            .collect()
    };
    for (at, codec) in (0..).zip(Codec::ALL) {
        for topic in TOPICS.iter().filter(|topic| !matches!(topic.name, "empty" | "settings")) {
            for partition in 0..topic.partitions {
                let plan = Plan {
                    codec,
                    first_timestamp: THEN + i64::from(at) * 1_000,
                    records: pairs(if topic.name == "small" { 1 } else { 3 }, at as usize * 3),
                    producer: None,
                };
                produce(duel, topic.name, partition, &plan)?;
            }
        }
    }
    // The same time twice, and one that is earlier than what stands before it.
    for first_timestamp in [THEN + 2_000, THEN + 500] {
        let plan = Plan { codec: Codec::None, first_timestamp, records: pairs(2, 30), producer: None };
        produce(duel, "codecs", 1, &plan)?;
    }
    Ok(())
}

/// Sends one batch to one partition.
pub fn produce(duel: &mut Duel, topic: &str, partition: i32, plan: &Plan) -> Result<(), String> {
    let batch = Value::Bytes(records::build(plan)?.to_vec());
    let tree = record([
        ("Acks", int(-1)),
        ("TimeoutMs", int(30_000)),
        (
            "TopicData",
            list([record([
                ("Name", text(topic)),
                ("TopicId", slot(format!("topic:{topic}"))),
                ("PartitionData", list([record([("Index", int(partition)), ("Records", batch)])])),
            ])]),
        ),
    ]);
    duel.call(0, "Produce", 13, &tree)?;
    Ok(())
}

/// Records deleted from the front: one partition in the middle of a batch, one to its end.
fn trim(duel: &mut Duel) -> Result<(), String> {
    let partitions = [(0, 4), (1, -1)]
        .map(|(index, offset)| record([("PartitionIndex", int(index)), ("Offset", int(offset))]));
    let topics = list([record([("Name", text("trimmed")), ("Partitions", list(partitions))])]);
    duel.call(0, "DeleteRecords", 2, &record([("Topics", topics), ("TimeoutMs", int(30_000))]))?;
    Ok(())
}

/// Keeps what each side calls the directory of its logs, also with a slash behind it.
fn directory(duel: &mut Duel) -> Result<(), String> {
    let dirs = duel.call(0, "DescribeLogDirs", 4, &record([("Topics", list([]))]))?;
    duel.keep("directory", &dirs, "Results.0.LogDir");
    let spelt = duel.slots().each_ref().map(|slots| match slots.get("directory") {
        Some(Value::Text(path)) => text(format!("{path}/")),
        _ => Value::Null,
    });
    duel.put_slots("directory/", spelt);
    Ok(())
}

/// Long enough that no member is removed during a run.
const TIMEOUT_MS: i64 = 1_800_000;

/// A group of commits only, one with a member, one with a static member, and one that all have left.
fn groups(duel: &mut Duel) -> Result<(), String> {
    let key = record([("Key", text("simple-group")), ("KeyType", int(0))]);
    duel.until("the coordinator", "FindCoordinator", 3, &key, &|tree| tree.int("ErrorCode") == Some(0))?;
    let loaded = record([(
        "Groups",
        list([text("simple-group"), text("stable-group"), text("static-group"), text("empty-group")]),
    )]);
    let answers = |tree: &Value| {
        tree.items("Groups").iter().all(|group| !matches!(group.int("ErrorCode"), Some(14..=16)))
    };
    duel.until("the coordinator", "DescribeGroups", 5, &loaded, &answers)?;
    for (group, instance) in
        [("stable-group", Value::Null), ("static-group", text("instance-1")), ("empty-group", Value::Null)]
    {
        enter(duel, group, instance)?;
    }
    commit(duel, "simple-group", -1, text(""), Value::Null)?;
    commit(duel, "stable-group", 1, slot("member:stable-group"), Value::Null)?;
    commit(duel, "empty-group", 1, slot("member:empty-group"), Value::Null)?;
    let leave = record([
        ("GroupId", text("empty-group")),
        ("Members", list([record([("MemberId", slot("member:empty-group"))])])),
    ]);
    duel.call(0, "LeaveGroup", 5, &leave)?;
    Ok(())
}

/// One member joins a group and assigns itself something.
fn enter(duel: &mut Duel, group: &str, instance: Value) -> Result<(), String> {
    let join = |member: Value| {
        record([
            ("GroupId", text(group)),
            ("SessionTimeoutMs", int(TIMEOUT_MS)),
            ("RebalanceTimeoutMs", int(TIMEOUT_MS)),
            ("MemberId", member),
            ("GroupInstanceId", instance.clone()),
            ("ProtocolType", text("consumer")),
            (
                "Protocols",
                list([record([
                    ("Name", text("range")),
                    ("Metadata", Value::Bytes(vec![0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])),
                ])]),
            ),
        ])
    };
    let key = format!("member:{group}");
    let first = duel.call(0, "JoinGroup", 9, &join(text("")))?;
    duel.keep(&key, &first, "MemberId");
    if instance == Value::Null {
        let joined = duel.call(0, "JoinGroup", 9, &join(slot(key.clone())))?;
        duel.keep(&key, &joined, "MemberId");
    }
    let assignment = record([("MemberId", slot(key.clone())), ("Assignment", Value::Bytes(vec![1, 2, 3]))]);
    let sync = record([
        ("GroupId", text(group)),
        ("GenerationId", int(1)),
        ("MemberId", slot(key)),
        ("GroupInstanceId", instance),
        ("ProtocolType", text("consumer")),
        ("ProtocolName", text("range")),
        ("Assignments", list([assignment])),
    ]);
    duel.call(0, "SyncGroup", 5, &sync)?;
    Ok(())
}

fn commit(
    duel: &mut Duel,
    group: &str,
    generation: i64,
    member: Value,
    instance: Value,
) -> Result<(), String> {
    let partition = |index: i64| {
        record([
            ("PartitionIndex", int(index)),
            ("CommittedOffset", int(index + 5)),
            ("CommittedLeaderEpoch", int(if index == 0 { 0 } else { -1 })),
            ("CommittedMetadata", if index == 1 { Value::Null } else { text("metadata-1") }),
        ])
    };
    let topic = |name: &str, count: i64| {
        record([("Name", text(name)), ("Partitions", Value::Array((0..count).map(partition).collect()))])
    };
    let tree = record([
        ("GroupId", text(group)),
        ("GenerationIdOrMemberEpoch", int(generation)),
        ("MemberId", member),
        ("GroupInstanceId", instance),
        ("Topics", list([topic("codecs", 3), topic("compacted", 1)])),
    ]);
    duel.call(0, "OffsetCommit", 9, &tree)?;
    Ok(())
}
