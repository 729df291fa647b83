//! `riverrun cluster health`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use client::admin::{ClusterDescription, LogDir, OffsetSpec};
use client::config::IsolationLevel;
use client::metadata::{Partition, Topic};
use client::{Admin, Client, Error, ErrorCode, TopicPartition};
use kernel::NodeId;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ANSWER_MAX, if_served, within};
use crate::command::brokers;
use crate::command::waiting::waiting;
use crate::command::{Failure, Session, units};
use crate::print::{Output, table::Table};

/// Say whether every partition has a leader, a log and all its replicas, and disks have room; it ends with 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun cluster health
  riverrun cluster health --wait 60s && ./deploy.sh
  riverrun cluster health --format wide

--format wide has a row for each partition that is not whole, and why.")]
pub struct Health {
    /// Wait so long for the cluster to be healthy (s, m, h); with 0s it is looked at once, as without.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    wait: Option<Duration>,
}

/// A directory with less than this, and than a hundredth of its disk, counts as full.
const ROOM_MIN: u64 = 1 << 30;

/// What is wrong with a cluster.
#[derive(Debug, Default)]
struct Ills {
    no_controller: bool,
    /// Brokers that should have replicas, and are not there.
    down: BTreeSet<NodeId>,
    /// Those that are there, and did not say what is in their directories.
    silent: BTreeMap<NodeId, Error>,
    leaderless: Vec<String>,
    under_replicated: Vec<String>,
    /// Those whose leader cannot use their log.
    offline: Vec<String>,
    offline_dirs: Vec<String>,
    full_dirs: Vec<String>,
    partitions: Vec<IllPartition>,
}

/// A partition that is not whole.
#[derive(Debug)]
struct IllPartition {
    topic: String,
    partition: Partition,
    why: String,
}

/// Why a partition is not whole, if it is not.
fn why(partition: &Partition, alive: &BTreeSet<NodeId>, offline: bool) -> Option<String> {
    let list = |ids: &[NodeId]| ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",");
    let (down, behind): (Vec<NodeId>, Vec<NodeId>) = partition
        .replicas
        .iter()
        .filter(|id| !partition.isr.contains(id) || !alive.contains(id))
        .partition(|id| !alive.contains(id) || partition.offline.contains(id));
    let mut whys = Vec::new();
    if partition.leader.is_none() {
        whys.push("no leader".to_owned());
    }
    if offline {
        whys.push("its leader cannot use its log".to_owned());
    }
    if !down.is_empty() {
        whys.push(format!("down or without its directory: {}", list(&down)));
    }
    if !behind.is_empty() {
        whys.push(format!("not in sync: {}", list(&behind)));
    }
    (!whys.is_empty()).then(|| whys.join("; "))
}

/// What is left in a directory that will soon take no more records, if it is so little.
fn hardly_any_room(dir: &LogDir) -> Option<u64> {
    dir.usable_bytes.zip(dir.total_bytes).and_then(|(usable, total)| {
        let little = usable < ROOM_MIN && usable < total / 100;
        little.then_some(usable)
    })
}

/// How long parts of a look may take.
#[derive(Debug, Clone, Copy)]
struct Shares {
    /// What every broker says of itself, and the controllers.
    each: Duration,
    /// What became of the cluster meanwhile.
    afterwards: Duration,
}

impl Shares {
    /// With so much patience, a look takes no more than half of it: one broker that is silent must leave time to say so.
    fn of(patience: Option<Duration>) -> Shares {
        let share = |part: u32| patience.map_or(ANSWER_MAX, |patience| ANSWER_MAX.min(patience / part));
        Shares { each: share(3), afterwards: share(6) }
    }
}

/// The cluster as any broker knows it.
struct View {
    cluster: ClusterDescription,
    topics: Vec<Topic>,
}

impl View {
    async fn of(session: &Session) -> Result<View, Error> {
        let (cluster, topics) =
            tokio::try_join!(session.admin.describe_cluster(), session.admin.list_topics())?;
        Ok(View { cluster, topics })
    }

    fn alive(&self) -> BTreeSet<NodeId> {
        self.cluster.brokers.iter().map(|broker| broker.id).collect()
    }

    /// The partitions that each broker leads.
    fn led(&self) -> BTreeMap<NodeId, Vec<TopicPartition>> {
        let mut led: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        for topic in &self.topics {
            for partition in topic.partitions.values() {
                if let Some(leader) = partition.leader {
                    let name = TopicPartition::new(topic.name.as_str(), partition.partition);
                    led.entry(leader).or_default().push(name);
                }
            }
        }
        led
    }
}

/// What the controllers say, by connections of its own: a broker that waits for them answers nothing else meanwhile. Where
/// no connection can be made in `time` nothing is known of them.
async fn quorum_apart(session: &Session, time: Duration) -> Result<(), Error> {
    let connecting = Client::connect(session.client.config().clone());
    match tokio::time::timeout(time, connecting).await {
        Ok(Ok(client)) => super::quorum(&Admin::new(&client), time).await.map(drop),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// What a broker says of itself.
struct OfBroker {
    dirs: Vec<LogDir>,
    /// Of the partitions that it leads, those whose log it cannot use, which only the leader knows where it is alone.
    offline: BTreeSet<TopicPartition>,
}

impl OfBroker {
    async fn ask(admin: Admin, id: NodeId, led: Vec<TopicPartition>) -> Result<OfBroker, Error> {
        let wanted: Vec<_> = led.into_iter().map(|name| (name, OffsetSpec::Latest)).collect();
        // No broker has to open a log to tell where it ends.
        let ends = async { Ok(admin.list_offsets_each(&wanted, IsolationLevel::ReadUncommitted).await) };
        let dirs = async { if_served(admin.describe_log_dirs(id).await) };
        // Who does not tell of directories is not waited for any longer.
        let (dirs, ends) = tokio::try_join!(dirs, ends)?;
        let offline = ends.into_iter().filter(|(_, listed)| {
            listed.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::KafkaStorageError))
        });
        Ok(OfBroker { dirs: dirs.unwrap_or_default(), offline: offline.map(|(name, _)| name).collect() })
    }
}

impl Ills {
    fn is_healthy(&self) -> bool {
        !self.no_controller
            && self.down.is_empty()
            && self.silent.is_empty()
            && self.leaderless.is_empty()
            && self.under_replicated.is_empty()
            && self.offline.is_empty()
            && self.offline_dirs.is_empty()
            && self.full_dirs.is_empty()
    }

    async fn find(session: &Session, shares: Shares) -> Result<Ills, Error> {
        let mut ills = Ills::default();
        let known = View::of(session).await?;
        let mut led = known.led();
        let ask = |id| {
            let led = led.remove(&id).unwrap_or_default();
            OfBroker::ask(session.admin.within(shares.each), id, led)
        };
        let (said, quorum) =
            tokio::join!(super::each_broker(known.alive(), ask), quorum_apart(session, shares.each));
        let offline = ills.take_in(said);
        // Afterwards, as one that has just died is waited for until the others know of it.
        let View { cluster, topics } = within(shares.afterwards, View::of(session)).await.unwrap_or(known);
        let alive: BTreeSet<NodeId> = cluster.brokers.iter().map(|broker| broker.id).collect();
        // Brokers name any of them as the controller, also where the quorum has no leader.
        ills.no_controller = cluster.controller.is_none() || quorum.is_err();
        ills.down = brokers::missing(&alive, &topics);
        ills.silent.retain(|id, _| !ills.down.contains(id));
        for topic in topics {
            for partition in topic.partitions.values() {
                let name = TopicPartition::new(topic.name.as_str(), partition.partition);
                let is_offline = offline.contains(&name);
                if let Some(why) = why(partition, &alive, is_offline) {
                    let topic = topic.name.clone();
                    ills.partitions.push(IllPartition { topic, partition: partition.clone(), why });
                }
                if is_offline {
                    ills.offline.push(name.to_string());
                } else if partition.leader.is_none() {
                    ills.leaderless.push(name.to_string());
                } else if partition.isr.len() < partition.replicas.len() {
                    ills.under_replicated.push(name.to_string());
                }
            }
        }
        Ok(ills)
    }

    /// Returns the partitions whose leader cannot use their log.
    fn take_in(&mut self, said: BTreeMap<NodeId, Result<OfBroker, Error>>) -> BTreeSet<TopicPartition> {
        let mut all_offline = BTreeSet::new();
        for (id, said) in said {
            let OfBroker { dirs, offline } = match said {
                Ok(said) => said,
                Err(error) => {
                    self.silent.insert(id, error);
                    continue;
                }
            };
            all_offline.extend(offline);
            for dir in &dirs {
                let name = || format!("{}:{}", id.0, dir.path);
                if let Some(error) = &dir.error {
                    self.offline_dirs.push(format!("{} {error}", name()));
                } else if let Some(usable) = hardly_any_room(dir) {
                    self.full_dirs.push(format!("{} ({} left)", name(), units::bytes(usable)));
                }
            }
        }
        all_offline
    }

    fn output(&self) -> Output {
        let silent: Vec<String> =
            self.silent.iter().map(|(id, error)| format!("{} ({error})", id.0)).collect();
        let value = json!({
            "healthy": self.is_healthy(),
            "controller": !self.no_controller,
            "brokers_down": self.down.iter().map(|id| id.0).collect::<Vec<_>>(),
            "brokers_silent": silent,
            "leaderless": self.leaderless,
            "under_replicated": self.under_replicated,
            "offline": self.offline,
            "offline_log_dirs": self.offline_dirs,
            "full_log_dirs": self.full_dirs,
            "partitions": self.partitions.iter().map(IllPartition::json).collect::<Vec<_>>(),
        });
        let state = if self.is_healthy() { "healthy" } else { "not healthy" };
        let mut output = Output::new(value).fact("cluster", state).names([state]);
        if self.no_controller {
            output = output.fact("controller", "none");
        }
        let down: Vec<String> = self.down.iter().map(|id| id.0.to_string()).collect();
        for (word, names) in [
            ("brokers down", &down),
            ("no answer from", &silent),
            ("without leader", &self.leaderless),
            ("under-replicated", &self.under_replicated),
            ("without a usable log", &self.offline),
            ("offline dirs", &self.offline_dirs),
            ("full dirs", &self.full_dirs),
        ] {
            if !names.is_empty() {
                output = output.fact(word, format!("{}: {}", names.len(), names.join(" ")));
            }
        }
        output.table(self.table())
    }

    /// Only for who asks for more: there may be many.
    fn table(&self) -> Table {
        let mut table = Table::new(&["+TOPIC", "+>PARTITION", "+>LEADER", "+REPLICAS", "+IN-SYNC", "+WHY"]);
        for IllPartition { topic, partition, why } in &self.partitions {
            let list = |ids: &[NodeId]| ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",");
            table.row([
                topic.clone(),
                partition.partition.to_string(),
                partition.leader.map(|id| id.0.to_string()).unwrap_or_default(),
                list(&partition.replicas),
                list(&partition.isr),
                why.clone(),
            ]);
        }
        table
    }
}

impl IllPartition {
    fn json(&self) -> Value {
        let ids = |ids: &[NodeId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
        json!({
            "topic": self.topic,
            "partition": self.partition.partition,
            "leader": self.partition.leader.map(|id| id.0),
            "replicas": ids(&self.partition.replicas),
            "isr": ids(&self.partition.isr),
            "why": self.why,
        })
    }
}

impl Health {
    /// How long it waits for what is not as it should be.
    pub fn patience(&self) -> Duration {
        self.wait.unwrap_or_default()
    }

    /// The same, where somebody has patience.
    fn wait(&self) -> Option<Duration> {
        self.wait.filter(|wait| !wait.is_zero())
    }
}

pub async fn health(health: &Health, session: &Session) -> Result<(), Failure> {
    let found = match health.wait() {
        None => Ills::find(session, Shares::of(None)).await,
        Some(patience) => {
            let said = |waited: Duration| {
                format!("waiting for {} to be healthy, {}", session.place, units::span(waited.as_secs_f64()))
            };
            waiting(said, until_healthy(patience, session)).await
        }
    };
    let ills = found.map_err(|error| Failure::of(error, "cannot look at the cluster"))?;
    session.show(&ills.output())?;
    match ills.is_healthy() {
        true => Ok(()),
        false => Err(Failure::failed("the cluster is not healthy").next(
            "start the brokers that are down; `riverrun cluster log-dirs` shows full or failed directories, and what a \
             broker logs says why it cannot use one",
        )),
    }
}

/// Looks again until nothing is wrong or patience is at its end. Returns what was seen last.
async fn until_healthy(patience: Duration, session: &Session) -> Result<Ills, Error> {
    const PAUSE: Duration = Duration::from_millis(500);
    let deadline = session.begun + patience;
    // Each look has the same, as hurried answers would say little of the brokers.
    let shares = Shares::of(Some(deadline.saturating_duration_since(Instant::now())));
    let mut last = Err(Error::Timeout { what: "an answer".into(), after: patience });
    loop {
        match tokio::time::timeout_at(deadline, Ills::find(session, shares)).await {
            Ok(Ok(ills)) if ills.is_healthy() => return Ok(ills),
            // What a look has found is worth more than that the next one was not possible.
            Ok(found) if found.is_ok() || last.is_err() => last = found,
            Ok(_) => {}
            Err(_) => return last,
        }
        if Instant::now() + PAUSE >= deadline {
            return last;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::LeaderEpoch;

    #[test]
    fn each_partition_that_is_not_whole_says_why() {
        let alive = BTreeSet::from([1, 2].map(NodeId));
        let why = |leader: Option<i32>, isr: &[i32], offline: &[i32]| {
            let ids = |ids: &[i32]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
            let partition = Partition {
                partition: 0,
                leader: leader.map(NodeId),
                leader_epoch: LeaderEpoch(0),
                replicas: ids(&[1, 2]),
                isr: ids(isr),
                offline: ids(offline),
            };
            why(&partition, &alive, false)
        };
        assert_eq!(why(Some(1), &[1, 2], &[]), None);
        assert_eq!(why(Some(1), &[1], &[]).as_deref(), Some("not in sync: 2"));
        assert_eq!(why(Some(1), &[1], &[2]).as_deref(), Some("down or without its directory: 2"));
        assert_eq!(why(None, &[1], &[]).as_deref(), Some("no leader; not in sync: 2"));
    }

    #[test]
    fn a_look_takes_no_more_than_half_of_the_patience() {
        for patience in [1, 5, 8, 60].map(Duration::from_secs) {
            let Shares { each, afterwards } = Shares::of(Some(patience));
            assert!(each + afterwards <= patience / 2 && each <= ANSWER_MAX, "{patience:?}");
        }
        assert_eq!(Shares::of(None).each, ANSWER_MAX);
    }

    #[test]
    fn a_directory_is_full_where_little_is_left_both_of_its_disk_and_at_all() {
        const GIB: u64 = 1 << 30;
        let room = |usable: u64, total: u64| {
            hardly_any_room(&LogDir {
                path: "/data".to_owned(),
                error: None,
                replicas: Default::default(),
                total_bytes: Some(total),
                usable_bytes: Some(usable),
                cordoned: false,
            })
        };
        assert_eq!(room(GIB / 2, 100 * GIB), Some(GIB / 2));
        assert_eq!(room(0, 4096), Some(0));
        assert_eq!(room(2 * GIB, 1000 * GIB), None, "there is time");
        assert_eq!(room(GIB / 2, GIB), None, "the disk is small");
    }
}
