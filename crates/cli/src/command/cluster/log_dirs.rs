//! `riverrun cluster log-dirs`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use client::admin::LogDir;
use client::metadata::Topic;
use kernel::NodeId;
use serde_json::{Value, json};

use crate::command::brokers;
use crate::command::{Failure, Session, units};
use crate::print::{Output, table::Table};

/// Show the directories of brokers, and how much is in them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun cluster log-dirs
  riverrun cluster log-dirs --topic orders
  riverrun cluster log-dirs --broker 1 --format json

It ends with 1 if a broker is down or does not answer: what the others have is shown.")]
pub struct LogDirs {
    /// Only of this broker.
    #[arg(long, value_name = "BROKER", value_parser = units::broker)]
    broker: Option<i32>,
    /// Only this topic, partition by partition.
    #[arg(long, value_name = "TOPIC", value_parser = NonEmptyStringValueParser::new())]
    topic: Option<String>,
}

pub async fn log_dirs(asked: &LogDirs, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot look at the directories");
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let alive: BTreeSet<NodeId> = cluster.brokers.iter().map(|broker| broker.id).collect();
    let named = asked.broker.map(NodeId);
    if let Some(id) = named.filter(|id| !alive.contains(id)) {
        return Err(brokers::no_broker(id, session).await);
    }
    let mut dirs: BTreeMap<i32, Vec<LogDir>> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let of = alive.iter().copied().filter(|id| named.is_none_or(|named| named == *id));
    let ask = |id| {
        let admin = session.asking();
        async move { admin.describe_log_dirs(id).await }
    };
    for (id, found) in super::each_broker(of, ask).await {
        match found {
            Ok(found) => {
                failures.extend(untold(id, &found, asked.topic.as_deref()));
                values.extend(found.iter().map(|dir| dir_json(id.0, dir, asked.topic.as_deref())));
                dirs.insert(id.0, found);
            }
            Err(error) => {
                let doing = format!("cannot look at the directories of broker {}", id.0);
                let failure = Failure::of(error, &doing);
                values.push(json!({ "broker": id.0, "path": null, "error": failure.message(), "logs": [] }));
                failures.push(failure);
            }
        }
    }
    if named.is_none() {
        let topics = session.admin.list_topics().await.map_err(failed)?;
        let of_interest: Vec<Topic> = topics
            .into_iter()
            .filter(|topic| asked.topic.as_ref().is_none_or(|name| topic.name == *name))
            .collect();
        let mut down = brokers::down(&alive, &of_interest, session).await;
        if asked.topic.is_some() {
            let missing = brokers::missing(&alive, &of_interest);
            down.retain(|id, _| missing.contains(id));
        }
        let down: Vec<_> = down.iter().map(|(id, known)| (*id, known.as_ref())).collect();
        if !down.is_empty() {
            values.extend(down.iter().map(
                |(id, _)| json!({ "broker": id.0, "path": null, "error": "the broker is down", "logs": [] }),
            ));
            failures.push(brokers::is_down(&down));
        }
    }
    let paths: Vec<String> =
        dirs.iter().flat_map(|(id, dirs)| dirs.iter().map(move |dir| format!("{id}:{}", dir.path))).collect();
    let table = match &asked.topic {
        Some(topic) => by_partition(&dirs, topic),
        None => by_dir(&dirs),
    };
    if let Some(topic) = asked.topic.as_ref().filter(|_| table.is_empty() && failures.is_empty()) {
        return Err(Failure::not_there(format!("no directory has anything of {topic}"))
            .next("`riverrun topic list` shows the topics that are there"));
    }
    session.show(&Output::new(Value::from(values)).table(table).names(paths))?;
    Failure::all(failures).map_or(Ok(()), Err)
}

/// What it means for who asks for one topic that a directory cannot be read: nobody tells what is in it.
fn untold(broker: NodeId, dirs: &[LogDir], topic: Option<&str>) -> Vec<Failure> {
    let Some(topic) = topic else { return Vec::new() };
    let failed = dirs.iter().filter_map(|dir| Some((&dir.path, dir.error.as_ref()?)));
    let untold = |(path, error): (&String, &client::BrokerError)| {
        let broker = broker.0;
        Failure::failed(format!("what of {topic} is in {path} of broker {broker} is not known: {error}"))
            .next("what the broker itself logs says why; `riverrun cluster health` shows which partitions miss it")
    };
    failed.map(untold).collect()
}

fn by_dir(dirs: &BTreeMap<i32, Vec<LogDir>>) -> Table {
    let mut table =
        Table::new(&[">BROKER", "DIRECTORY", "STATE", ">LOGS", ">SIZE", ">FREE", ">OF", "+>BYTES"]);
    for (id, dir) in dirs.iter().flat_map(|(id, dirs)| dirs.iter().map(move |dir| (id, dir))) {
        let size: u64 = dir.replicas.values().map(|replica| replica.size_bytes).sum();
        let state = match (&dir.error, dir.cordoned) {
            (Some(error), _) => error.code.to_string(),
            (None, true) => "cordoned".to_owned(),
            (None, false) => "online".to_owned(),
        };
        table.row([
            id.to_string(),
            dir.path.clone(),
            state,
            dir.replicas.len().to_string(),
            units::bytes(size),
            dir.usable_bytes.map(units::bytes).unwrap_or_default(),
            dir.total_bytes.map(units::bytes).unwrap_or_default(),
            size.to_string(),
        ]);
    }
    table
}

fn by_partition(dirs: &BTreeMap<i32, Vec<LogDir>>, topic: &str) -> Table {
    let mut table = Table::new(&[">PARTITION", ">BROKER", "DIRECTORY", ">SIZE", ">BEHIND", "+>BYTES"]);
    let mut rows = Vec::new();
    for (id, dir) in dirs.iter().flat_map(|(id, dirs)| dirs.iter().map(move |dir| (id, dir))) {
        let of_topic = dir.replicas.iter().filter(|(name, _)| *name.topic == *topic);
        rows.extend(of_topic.map(|(name, replica)| (name.partition, *id, dir.path.clone(), *replica)));
    }
    rows.sort_by_key(|(partition, id, ..)| (*partition, *id));
    for (partition, id, path, replica) in rows {
        table.row([
            partition.to_string(),
            id.to_string(),
            path,
            units::bytes(replica.size_bytes),
            replica.offset_lag.to_string(),
            replica.size_bytes.to_string(),
        ]);
    }
    table
}

fn dir_json(id: i32, dir: &LogDir, topic: Option<&str>) -> Value {
    let of_topic = dir.replicas.iter().filter(|(name, _)| topic.is_none_or(|topic| *name.topic == *topic));
    let replica = |(name, replica): (&client::TopicPartition, &client::admin::LogDirReplica)| {
        json!({
            "topic": name.topic.as_ref(),
            "partition": name.partition,
            "bytes": replica.size_bytes,
            "offset_lag": replica.offset_lag,
            "future": replica.future,
        })
    };
    json!({
        "broker": id,
        "path": dir.path,
        "error": dir.error.as_ref().map(ToString::to_string),
        "cordoned": dir.cordoned,
        "total_bytes": dir.total_bytes,
        "usable_bytes": dir.usable_bytes,
        "logs": of_topic.map(replica).collect::<Vec<_>>(),
    })
}
