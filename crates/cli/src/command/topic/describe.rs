//! `riverrun topic describe`.

use std::collections::BTreeMap;

use clap::Args;
use client::admin::{ConfigEntry, ConfigSource, ListedOffset, OffsetSpec};
use client::config::IsolationLevel;
use client::metadata::{Partition, Topic};
use client::{Error, TopicPartition};
use serde_json::{Value, json};

use crate::command::several::Topics;
use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

/// Describe topics: their settings, and each partition with leader, replicas and offsets.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic describe orders
  riverrun topic describe orders payments --format json
  riverrun topic describe --regex '^orders-'")]
pub struct Describe {
    #[command(flatten)]
    topics: Topics,
}

const DOING: &str = "cannot describe the topic";

pub async fn run(describe: &Describe, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = describe.topics.find(DOING, session).await?;
    for topic in topics {
        let name = topic.name.clone();
        outcomes.push(&name, one(topic, session).await);
    }
    outcomes.show(session)
}

async fn one(topic: Topic, session: &Session) -> Result<Output, Failure> {
    let failed = |error| Failure::of(error, DOING);
    let configs = match session.admin.describe_topic_configs(&topic.name).await {
        Ok(configs) => configs,
        // What cannot be asked is not shown; the rest is worth as much.
        Err(Error::Unsupported { .. }) => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let set: Vec<ConfigEntry> =
        configs.into_iter().filter(|config| config.source == ConfigSource::Topic).collect();
    let starts = offsets(&topic, OffsetSpec::Earliest, session).await.map_err(failed)?;
    let ends = offsets(&topic, OffsetSpec::Latest, session).await.map_err(failed)?;
    Ok(Described { topic, set, starts, ends }.output())
}

type Offsets = BTreeMap<TopicPartition, ListedOffset>;

/// The offsets of all partitions that have a leader to ask.
async fn offsets(topic: &Topic, spec: OffsetSpec, session: &Session) -> Result<Offsets, Error> {
    let led = topic.partitions.values().filter(|partition| partition.leader.is_some());
    let wanted: Vec<_> =
        led.map(|partition| (TopicPartition::new(topic.name.as_str(), partition.partition), spec)).collect();
    session.admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await
}

struct Described {
    topic: Topic,
    set: Vec<ConfigEntry>,
    starts: Offsets,
    ends: Offsets,
}

impl Described {
    fn offset(&self, offsets: &Offsets, partition: &Partition) -> Option<i64> {
        let name = TopicPartition::new(self.topic.name.as_str(), partition.partition);
        offsets.get(&name)?.offset.map(|offset| offset.0)
    }

    fn json(&self) -> Value {
        let partition = |partition: &Partition| {
            let ids = |nodes: &[_]| nodes.iter().map(|node: &kernel::NodeId| node.0).collect::<Vec<_>>();
            json!({
                "partition": partition.partition,
                "leader": partition.leader.map(|leader| leader.0),
                "leader_epoch": partition.leader_epoch.0,
                "replicas": ids(&partition.replicas),
                "isr": ids(&partition.isr),
                "start_offset": self.offset(&self.starts, partition),
                "end_offset": self.offset(&self.ends, partition),
            })
        };
        let configs = self.set.iter().map(|config| (config.name.clone(), json!(config.value)));
        json!({
            "name": self.topic.name,
            "id": self.topic.id.to_string(),
            "internal": self.topic.internal,
            "configs": configs.collect::<serde_json::Map<_, _>>(),
            "partitions": self.topic.partitions.values().map(partition).collect::<Vec<_>>(),
        })
    }

    fn output(&self) -> Output {
        let mut output =
            Output::new(self.json()).fact("name", &self.topic.name).fact("id", self.topic.id.to_string());
        for config in &self.set {
            let value = config.value.as_deref().unwrap_or("(hidden)");
            output = output.fact("config", format!("{}={value}", config.name));
        }
        let of = |partition: &i32| format!("{}-{partition}", self.topic.name);
        output.names(self.topic.partitions.keys().map(of)).table(self.table())
    }

    fn table(&self) -> Table {
        let titles = [">PARTITION", ">LEADER", ">EPOCH", "REPLICAS", "IN-SYNC", ">START", ">END", ">RECORDS"];
        let mut table = Table::new(&titles);
        for partition in self.topic.partitions.values() {
            let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
            let ids = |nodes: &[_]| {
                nodes.iter().map(|node: &kernel::NodeId| node.0.to_string()).collect::<Vec<_>>().join(",")
            };
            let (start, end) = (self.offset(&self.starts, partition), self.offset(&self.ends, partition));
            table.row([
                partition.partition.to_string(),
                partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.0.to_string()),
                partition.leader_epoch.to_string(),
                ids(&partition.replicas),
                ids(&partition.isr),
                number(start),
                number(end),
                number(start.zip(end).map(|(start, end)| end.saturating_sub(start))),
            ]);
        }
        table
    }
}
