//! `riverrun topic describe`.

use std::collections::BTreeMap;

use clap::Args;
use client::admin::{ConfigEntry, ConfigSource, ListedOffset, OffsetSpec};
use client::config::IsolationLevel;
use client::metadata::{Partition, Topic};
use client::{Error, TopicPartition};
use kernel::NodeId;
use serde_json::{Value, json};

use crate::command::several::Topics;
use crate::command::{Failure, Format, Session, units};
use crate::print::{Output, table::Table};

/// Describe topics: their settings, and each partition with leader, replicas and offsets.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic describe orders
  riverrun topic describe orders payments --format json
  riverrun topic describe orders --format wide
  riverrun topic describe --regex '^orders-'

OFFSETS is how many there are from START to END. Where a topic is compacted or written in transactions there are fewer
records than that. STABLE is where transactions are open that began there: who reads only what is committed stops there.
SIZE is that of the leader's log.")]
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
    let all = IsolationLevel::ReadUncommitted;
    let starts = offsets(&topic, OffsetSpec::Earliest, all, session).await.map_err(failed)?;
    let ends = offsets(&topic, OffsetSpec::Latest, all, session).await.map_err(failed)?;
    let more = match session.format {
        Format::Table | Format::Name => More::default(),
        Format::Wide | Format::Json | Format::Yaml => More::of(&topic, session).await.map_err(failed)?,
    };
    Ok(Described { topic, set, starts, ends, more }.output())
}

/// What takes further questions, and is seen in the wide form and by programs.
#[derive(Default)]
struct More {
    stable: Offsets,
    /// In bytes, of the log that the leader has.
    sizes: BTreeMap<TopicPartition, u64>,
}

impl More {
    async fn of(topic: &Topic, session: &Session) -> Result<More, Error> {
        let stable = offsets(topic, OffsetSpec::Latest, IsolationLevel::ReadCommitted, session).await?;
        let mut led: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        for partition in topic.partitions.values() {
            if let Some(leader) = partition.leader {
                led.entry(leader).or_default().push(name_of(topic, partition));
            }
        }
        let mut sizes = BTreeMap::new();
        for (leader, partitions) in led {
            let dirs = match session.admin.describe_log_dirs_of(leader, &partitions).await {
                // Who may not ask for them, or asks an old broker, sees the rest.
                Err(error) if error.code().is_some() || matches!(error, Error::Unsupported { .. }) => {
                    continue;
                }
                dirs => dirs?,
            };
            let replicas = dirs.into_iter().flat_map(|dir| dir.replicas);
            let current = replicas.filter(|(_, replica)| !replica.future);
            sizes.extend(current.map(|(name, replica)| (name, replica.size_bytes)));
        }
        Ok(More { stable, sizes })
    }
}

fn name_of(topic: &Topic, partition: &Partition) -> TopicPartition {
    TopicPartition::new(topic.name.as_str(), partition.partition)
}

type Offsets = BTreeMap<TopicPartition, ListedOffset>;

/// The offsets of all partitions that have a leader to ask.
async fn offsets(
    topic: &Topic,
    spec: OffsetSpec,
    isolation: IsolationLevel,
    session: &Session,
) -> Result<Offsets, Error> {
    let led = topic.partitions.values().filter(|partition| partition.leader.is_some());
    let wanted: Vec<_> = led.map(|partition| (name_of(topic, partition), spec)).collect();
    session.admin.list_offsets(&wanted, isolation).await
}

struct Described {
    topic: Topic,
    set: Vec<ConfigEntry>,
    starts: Offsets,
    ends: Offsets,
    more: More,
}

fn ids(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

impl Described {
    fn offset(&self, offsets: &Offsets, partition: &Partition) -> Option<i64> {
        offsets.get(&name_of(&self.topic, partition))?.offset.map(|offset| offset.0)
    }

    fn size(&self, partition: &Partition) -> Option<u64> {
        self.more.sizes.get(&name_of(&self.topic, partition)).copied()
    }

    fn json(&self) -> Value {
        let partition = |partition: &Partition| {
            json!({
                "partition": partition.partition,
                "leader": partition.leader.map(|leader| leader.0),
                "leader_epoch": partition.leader_epoch.0,
                "replicas": ids(&partition.replicas),
                "isr": ids(&partition.isr),
                "start_offset": self.offset(&self.starts, partition),
                "end_offset": self.offset(&self.ends, partition),
                "offline_replicas": ids(&partition.offline),
                "last_stable_offset": self.offset(&self.more.stable, partition),
                "size_bytes": self.size(partition),
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
        output.names([self.topic.name.as_str()]).table(self.table())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ">PARTITION",
            ">LEADER",
            ">EPOCH",
            "REPLICAS",
            "IN-SYNC",
            "+OFFLINE",
            ">START",
            "+>STABLE",
            ">END",
            ">OFFSETS",
            "+>SIZE",
        ]);
        for partition in self.topic.partitions.values() {
            let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
            let listed =
                |nodes: &[NodeId]| ids(nodes).iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let (start, end) = (self.offset(&self.starts, partition), self.offset(&self.ends, partition));
            table.row([
                partition.partition.to_string(),
                partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.0.to_string()),
                partition.leader_epoch.to_string(),
                listed(&partition.replicas),
                listed(&partition.isr),
                listed(&partition.offline),
                number(start),
                number(self.offset(&self.more.stable, partition)),
                number(end),
                number(start.zip(end).map(|(start, end)| end.saturating_sub(start))),
                self.size(partition).map(units::bytes).unwrap_or_default(),
            ]);
        }
        table
    }
}
