//! `riverrun topic describe`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use client::admin::{ConfigEntry, ConfigSource, ListedOffset, OffsetSpec};
use client::config::IsolationLevel;
use client::metadata::{Partition, Topic};
use client::{Error, ErrorCode, TopicPartition};
use kernel::NodeId;
use serde_json::{Value, json};
use tokio::time::Instant;

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

/// How often it is looked whether leaders are still there, while their answer is waited for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long that may take.
const ANSWER_MAX: Duration = Duration::from_secs(3);

const DOING: &str = "cannot describe the topic";

pub async fn run(describe: &Describe, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = describe.topics.find(DOING, session).await?;
    let mut waited = false;
    for topic in topics {
        let name = topic.name.clone();
        let begun = Instant::now();
        let mut asked = Asked { topic, session, silent: BTreeMap::new() };
        if waited {
            asked.look_again().await;
        }
        let described = one(&mut asked).await;
        waited |= begun.elapsed() >= LOOK_AGAIN;
        let lacks = asked.lacks().filter(|_| described.is_ok());
        outcomes.push(&name, described);
        if let Some(lacks) = lacks {
            outcomes.lack(&name, lacks);
        }
    }
    outcomes.show(session)
}

async fn one(asked: &mut Asked<'_>) -> Result<Output, Failure> {
    let failed = |error| Failure::of(error, DOING);
    let session = asked.session;
    let name = &asked.topic.name;
    let configs = match session.ask(async |admin| admin.describe_topic_configs(name).await).await {
        Ok(configs) => configs,
        // What cannot be asked is not shown; the rest is worth as much.
        Err(Error::Unsupported { .. }) => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let set: Vec<ConfigEntry> =
        configs.into_iter().filter(|config| config.source == ConfigSource::Topic).collect();
    let all = IsolationLevel::ReadUncommitted;
    let starts = asked.offsets(OffsetSpec::Earliest, all).await;
    let ends = asked.offsets(OffsetSpec::Latest, all).await;
    let more = match session.format {
        Format::Table | Format::Name => More::default(),
        Format::Wide | Format::Json | Format::Yaml => asked.more().await,
    };
    Ok(Described { topic: &asked.topic, set, starts, ends, more }.output())
}

/// What takes further questions, and is seen in the wide form and by programs.
#[derive(Default)]
struct More {
    stable: Offsets,
    /// In bytes, of the log that the leader has.
    sizes: BTreeMap<TopicPartition, u64>,
}

/// A topic whose leaders are asked. Who did not answer once is not waited for again.
struct Asked<'a> {
    topic: Topic,
    session: &'a Session,
    /// Partitions of which nothing more is known, and why.
    silent: BTreeMap<TopicPartition, Error>,
}

impl Asked<'_> {
    /// The partitions that have a leader to ask.
    fn led(&self) -> impl Iterator<Item = (TopicPartition, NodeId)> {
        let led = self.topic.partitions.values();
        let led = led.filter_map(|partition| Some((name_of(&self.topic, partition), partition.leader?)));
        led.filter(|(name, _)| !self.silent.contains_key(name))
    }

    async fn offsets(&mut self, spec: OffsetSpec, isolation: IsolationLevel) -> Offsets {
        let begun = Instant::now();
        let wanted: Vec<_> = self.led().map(|(name, _)| (name, spec)).collect();
        let listed = self.session.asking().list_offsets_each(&wanted, isolation).await;
        let mut offsets = Offsets::new();
        for (name, listed) in listed {
            match listed {
                Ok(listed) => drop(offsets.insert(name, listed)),
                Err(error) => drop(self.silent.insert(name, error)),
            }
        }
        if self.led().count() < wanted.len() {
            self.session.waited_in_vain(begun);
        }
        if begun.elapsed() >= LOOK_AGAIN || self.others_lead() {
            self.look_again().await;
        }
        // Of what has no leader that says enough.
        let topic = &self.topic;
        let is_led = |name: &TopicPartition| topic.partitions.get(&name.partition)?.leader;
        self.silent.retain(|name, error| {
            error.code() != Some(ErrorCode::LeaderNotAvailable) || is_led(name).is_some()
        });
        offsets
    }

    /// Whether somebody else turned out to lead a part of it while the leaders were asked.
    fn others_lead(&self) -> bool {
        let known = self.session.client.metadata();
        let leader = |id| known.topic(&self.topic.name)?.partitions.get(&id)?.leader;
        self.led().any(|(name, led_by)| leader(name.partition).is_some_and(|leader| leader != led_by))
    }

    /// Describes the topic as it is after a wait, so that what is told of it goes with the offsets that were waited for.
    async fn look_again(&mut self) {
        let asked = self.session.admin.describe_topic(&self.topic.name);
        if let Ok(Ok(topic)) = tokio::time::timeout(ANSWER_MAX, asked).await {
            self.topic = topic;
        }
    }

    async fn more(&mut self) -> More {
        let stable = self.offsets(OffsetSpec::Latest, IsolationLevel::ReadCommitted).await;
        let mut led: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        for (name, leader) in self.led() {
            led.entry(leader).or_default().push(name);
        }
        let mut sizes = BTreeMap::new();
        for (leader, partitions) in led {
            let session = self.session;
            match session.ask(async |admin| admin.describe_log_dirs_of(leader, &partitions).await).await {
                Ok(dirs) => {
                    let replicas = dirs.into_iter().flat_map(|dir| dir.replicas);
                    let current = replicas.filter(|(_, replica)| !replica.future);
                    sizes.extend(current.map(|(name, replica)| (name, replica.size_bytes)));
                }
                // Who may not ask for them, or asks an old broker, sees the rest.
                Err(error) if error.code().is_some() || matches!(error, Error::Unsupported { .. }) => {}
                Err(error) => self.silent.extend(partitions.into_iter().map(|name| (name, error.clone()))),
            }
        }
        More { stable, sizes }
    }

    /// What it means that not all could be told.
    fn lacks(self) -> Option<Failure> {
        let (name, error) = self.silent.first_key_value()?;
        let others = self.silent.len() - 1;
        let more = if others > 0 { format!(", and {others} more") } else { String::new() };
        if error.code() == Some(ErrorCode::KafkaStorageError) {
            let leader = self.topic.partitions.get(&name.partition).and_then(|partition| partition.leader);
            let leader =
                leader.map_or_else(|| "its leader".to_owned(), |leader| format!("broker {}", leader.0));
            return Some(
                Failure::failed(format!(
                    "not all of {} is known: {leader} leads {name} and cannot use its log{more}",
                    self.topic.name
                ))
                .next("what the broker itself logs says why; `riverrun cluster log-dirs` shows full or failed directories"),
            );
        }
        Failure::of_a_part(&self.topic.name, &self.silent)
    }
}

fn name_of(topic: &Topic, partition: &Partition) -> TopicPartition {
    TopicPartition::new(topic.name.as_str(), partition.partition)
}

type Offsets = BTreeMap<TopicPartition, ListedOffset>;

struct Described<'a> {
    topic: &'a Topic,
    set: Vec<ConfigEntry>,
    starts: Offsets,
    ends: Offsets,
    more: More,
}

fn ids(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

impl Described<'_> {
    fn offset(&self, offsets: &Offsets, partition: &Partition) -> Option<i64> {
        offsets.get(&name_of(self.topic, partition))?.offset.map(|offset| offset.0)
    }

    fn size(&self, partition: &Partition) -> Option<u64> {
        self.more.sizes.get(&name_of(self.topic, partition)).copied()
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
