//! `riverrun cluster`: info, health, log-dirs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::{Args, Subcommand};
use client::Error;
use client::admin::{Features, LogDir, Quorum};
use client::metadata::{Broker, Partition};
use kernel::NodeId;
use serde_json::{Map, Value, json};

use super::waiting::waiting;
use super::{Failure, Session, units};
use crate::print::{Output, table::Table};

#[derive(Debug, Subcommand)]
pub enum Cluster {
    Info(Info),
    Health(Health),
    LogDirs(LogDirs),
}

/// Say what the cluster is made of: its brokers, its controllers, what they have agreed on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun cluster info
  riverrun cluster info --format json | jq -r .cluster_id")]
pub struct Info {}

/// Say whether every partition has a leader and all its replicas; it ends with 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun cluster health
  riverrun cluster health --wait 60s && ./deploy.sh")]
pub struct Health {
    /// Wait so long for the cluster to be healthy (s, m, h).
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    wait: Option<Duration>,
}

/// Show the directories of brokers, and how much is in them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun cluster log-dirs
  riverrun cluster log-dirs --topic orders
  riverrun cluster log-dirs --broker 1 --format json")]
pub struct LogDirs {
    /// Only of this broker.
    #[arg(long, value_name = "BROKER")]
    broker: Option<i32>,
    /// Only this topic, partition by partition.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

impl Cluster {
    /// How long it waits for what is not as it should be.
    pub fn patience(&self) -> Duration {
        match self {
            Cluster::Health(health) => health.wait.unwrap_or_default(),
            Cluster::Info(_) | Cluster::LogDirs(_) => Duration::ZERO,
        }
    }
}

pub async fn run(cluster: Cluster, session: &Session) -> Result<(), Failure> {
    match cluster {
        Cluster::Info(_) => info(session).await,
        Cluster::Health(health) => self::health(&health, session).await,
        Cluster::LogDirs(dirs) => log_dirs(&dirs, session).await,
    }
}

/// What cannot be asked is not shown; the rest is worth as much.
fn if_served<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn info(session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot describe the cluster");
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let quorum = if_served(session.admin.describe_quorum().await).map_err(failed)?;
    let features = if_served(session.admin.describe_features().await).map_err(failed)?;
    let topics = session.admin.list_topics().await.map_err(failed)?;
    let partitions: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    let count = |wanted: &dyn Fn(&Partition) -> bool| {
        topics
            .iter()
            .flat_map(|topic| topic.partitions.values())
            .filter(|partition| wanted(partition))
            .count()
    };
    let leads = |id: NodeId| count(&|partition| partition.leader == Some(id));
    let replicas = |id: NodeId| count(&|partition| partition.replicas.contains(&id));
    let in_sync = |id: NodeId| count(&|partition| partition.isr.contains(&id));
    let mut table =
        Table::new(&[">BROKER", "HOST", ">PORT", "RACK", ">LEADS", "+>REPLICAS", "+>IN-SYNC", "CONTROLLER"]);
    for broker in &cluster.brokers {
        table.row([
            broker.id.0.to_string(),
            broker.host.clone(),
            broker.port.to_string(),
            broker.rack.clone().unwrap_or_default(),
            leads(broker.id).to_string(),
            replicas(broker.id).to_string(),
            in_sync(broker.id).to_string(),
            if cluster.controller == Some(broker.id) { "yes".to_owned() } else { String::new() },
        ]);
    }
    let broker = |broker: &Broker| {
        json!({
            "id": broker.id.0,
            "host": broker.host,
            "port": broker.port,
            "rack": broker.rack,
            "leads": leads(broker.id),
            "replicas": replicas(broker.id),
            "in_sync": in_sync(broker.id),
        })
    };
    let value = json!({
        "cluster_id": cluster.cluster_id,
        "controller": cluster.controller.map(|id| id.0),
        "brokers": cluster.brokers.iter().map(broker).collect::<Vec<_>>(),
        "topics": topics.len(),
        "partitions": partitions,
        "quorum": quorum.as_ref().map(quorum_json),
        "features": features.as_ref().map(features_json),
    });
    let mut output = Output::new(value)
        .fact("cluster", cluster.cluster_id.unwrap_or_default())
        .fact("brokers", cluster.brokers.len().to_string())
        .fact("topics", format!("{} with {partitions} partitions", topics.len()));
    if let Some(quorum) = &quorum {
        let voters: Vec<String> = quorum.voters.iter().map(|voter| voter.id.0.to_string()).collect();
        let leader =
            format!("{} of voters {}, epoch {}", quorum.leader.0, voters.join(","), quorum.leader_epoch);
        output = output.fact("quorum", leader);
    }
    if let Some(features) = &features {
        for (name, level) in features.by_name.keys().filter_map(|name| Some((name, features.level(name)?))) {
            output = output.fact("feature", format!("{name}={level}"));
        }
    }
    session.show(&output.table(table).names(cluster.brokers.iter().map(|broker| broker.id.0.to_string())))
}

fn quorum_json(quorum: &Quorum) -> Value {
    json!({
        "leader": quorum.leader.0,
        "leader_epoch": quorum.leader_epoch,
        "high_watermark": quorum.high_watermark.0,
        "voters": quorum.voters.iter().map(|voter| voter.id.0).collect::<Vec<_>>(),
        "observers": quorum.observers.iter().map(|observer| observer.id.0).collect::<Vec<_>>(),
    })
}

fn features_json(features: &Features) -> Value {
    let feature = |(name, feature): (&String, &client::admin::Feature)| {
        let mut value = json!({
            "supported_min": feature.supported.map(|(min, _)| min),
            "supported_max": feature.supported.map(|(_, max)| max),
        });
        // A cluster that does not tell may have it at any level.
        if let (Some(level), Some(members)) = (features.level(name), value.as_object_mut()) {
            members.insert("level".to_owned(), level.into());
        }
        (name.clone(), value)
    };
    features.by_name.iter().map(feature).collect::<Map<_, _>>().into()
}

/// What is wrong with a cluster.
#[derive(Debug, Default)]
struct Ills {
    no_controller: bool,
    /// Brokers that should have replicas, and are not there.
    down: BTreeSet<i32>,
    leaderless: Vec<String>,
    under_replicated: Vec<String>,
    offline_dirs: Vec<String>,
}

impl Ills {
    fn is_healthy(&self) -> bool {
        !self.no_controller
            && self.down.is_empty()
            && self.leaderless.is_empty()
            && self.under_replicated.is_empty()
            && self.offline_dirs.is_empty()
    }

    async fn find(session: &Session) -> Result<Ills, Error> {
        let cluster = session.admin.describe_cluster().await?;
        let alive: BTreeSet<NodeId> = cluster.brokers.iter().map(|broker| broker.id).collect();
        let mut ills = Ills { no_controller: cluster.controller.is_none(), ..Ills::default() };
        for topic in session.admin.list_topics().await? {
            for partition in topic.partitions.values() {
                let name = || format!("{}-{}", topic.name, partition.partition);
                ills.down.extend(partition.replicas.iter().filter(|id| !alive.contains(id)).map(|id| id.0));
                if partition.leader.is_none() {
                    ills.leaderless.push(name());
                } else if partition.isr.len() < partition.replicas.len() {
                    ills.under_replicated.push(name());
                }
            }
        }
        for id in alive {
            let dirs = if_served(session.admin.describe_log_dirs(id).await)?.unwrap_or_default();
            let broken = dirs.iter().filter_map(|dir| Some((dir, dir.error.as_ref()?)));
            ills.offline_dirs.extend(broken.map(|(dir, error)| format!("{}:{} {error}", id.0, dir.path)));
        }
        Ok(ills)
    }

    fn output(&self) -> Output {
        let value = json!({
            "healthy": self.is_healthy(),
            "controller": !self.no_controller,
            "brokers_down": self.down,
            "leaderless": self.leaderless,
            "under_replicated": self.under_replicated,
            "offline_log_dirs": self.offline_dirs,
        });
        let state = if self.is_healthy() { "healthy" } else { "not healthy" };
        let mut output = Output::new(value).fact("cluster", state).names([state]);
        if self.no_controller {
            output = output.fact("controller", "none");
        }
        let down: Vec<String> = self.down.iter().map(ToString::to_string).collect();
        for (word, names) in [
            ("brokers down", &down),
            ("without leader", &self.leaderless),
            ("under-replicated", &self.under_replicated),
            ("offline dirs", &self.offline_dirs),
        ] {
            if !names.is_empty() {
                output = output.fact(word, format!("{}: {}", names.len(), names.join(" ")));
            }
        }
        output
    }
}

async fn health(health: &Health, session: &Session) -> Result<(), Failure> {
    const PAUSE: Duration = Duration::from_millis(500);
    let deadline = session.begun + health.wait.unwrap_or_default();
    let looking = async {
        loop {
            let ills = Ills::find(session).await;
            let late = tokio::time::Instant::now() + PAUSE >= deadline;
            match ills {
                Ok(ills) if ills.is_healthy() || late => return Ok(ills),
                Err(error) if late => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    let said = |waited: Duration| {
        format!("waiting for {} to be healthy, {}", session.place, units::span(waited.as_secs_f64()))
    };
    let bounded = async {
        match health.wait {
            None => looking.await,
            Some(after) => tokio::time::timeout_at(deadline, looking)
                .await
                .unwrap_or(Err(Error::Timeout { what: "an answer", after })),
        }
    };
    let ills =
        waiting(said, bounded).await.map_err(|error| Failure::of(error, "cannot look at the cluster"))?;
    session.show(&ills.output())?;
    match ills.is_healthy() {
        true => Ok(()),
        false => Err(Failure::failed("the cluster is not healthy")),
    }
}

async fn log_dirs(asked: &LogDirs, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot look at the directories");
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let wanted = |broker: &&Broker| asked.broker.is_none_or(|id| broker.id.0 == id);
    let brokers: Vec<NodeId> = cluster.brokers.iter().filter(wanted).map(|broker| broker.id).collect();
    if brokers.is_empty() {
        let id = asked.broker.unwrap_or_default();
        return Err(Failure::not_there(format!("there is no broker {id}"))
            .next("`riverrun cluster info` shows those that are there"));
    }
    let mut dirs: BTreeMap<i32, Vec<LogDir>> = BTreeMap::new();
    for id in brokers {
        dirs.insert(id.0, session.admin.describe_log_dirs(id).await.map_err(failed)?);
    }
    let value: Vec<Value> = dirs
        .iter()
        .flat_map(|(id, dirs)| dirs.iter().map(|dir| dir_json(*id, dir, asked.topic.as_deref())))
        .collect();
    let paths: Vec<String> =
        dirs.iter().flat_map(|(id, dirs)| dirs.iter().map(move |dir| format!("{id}:{}", dir.path))).collect();
    let table = match &asked.topic {
        Some(topic) => by_partition(&dirs, topic),
        None => by_dir(&dirs),
    };
    if let Some(topic) = asked.topic.as_ref().filter(|_| table.is_empty()) {
        return Err(Failure::not_there(format!("no directory has anything of {topic}"))
            .next("`riverrun topic list` shows the topics that are there"));
    }
    session.show(&Output::new(Value::from(value)).table(table).names(paths))
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
