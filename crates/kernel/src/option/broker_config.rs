//! What a broker takes from its settings, typed and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::endpoint::{HostPort, Voter, parse_counts, parse_host_port, parse_voter};
pub use super::listeners::{ListenerLimits, Listeners};
use super::{OptionError, Overrides, Resolved, listeners};
use crate::NodeId;
use crate::limits::REQUEST_MEMORY_BYTES;

/// A node's settings at one moment. Made anew whenever one of them changes.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    pub node_id: NodeId,
    pub is_broker: bool,
    pub is_controller: bool,
    /// Whether the node knows of no other controller than itself.
    pub is_lone: bool,
    pub rack: Option<String>,
    pub listeners: Listeners,
    /// Where monitors read metrics, if anywhere.
    pub metrics_listener: Option<HostPort>,
    pub quorum: Quorum,
    /// Where partitions live; at least one.
    pub log_dirs: Vec<String>,
    pub metadata_log_dir: String,
    /// Directories that get no new partitions.
    pub cordoned_log_dirs: Vec<String>,
    pub network: Network,
    pub topics: Topics,
    pub fetch: Fetch,
    pub background: Background,
    pub groups: Groups,
    pub offsets: Offsets,
    pub transactions: Transactions,
    /// The topic that holds the state of share groups.
    pub share_state: InternalTopic,
    pub request_timeout: Duration,
    pub controlled_shutdown: bool,
}

/// The controllers, as far as they are configured.
#[derive(Clone, Debug)]
pub struct Quorum {
    pub voters: Vec<Voter>,
    pub bootstrap_servers: Vec<HostPort>,
    pub heartbeat_interval: Duration,
    pub session_timeout: Duration,
    pub registration_timeout: Duration,
    pub election_timeout: Duration,
    pub fetch_timeout: Duration,
    pub append_linger: Duration,
    pub snapshot_after_bytes: u64,
    /// `None` when only the bytes decide.
    pub snapshot_after: Option<Duration>,
}

/// Bounds on connections and requests.
#[derive(Clone, Debug)]
pub struct Network {
    pub max_request_bytes: usize,
    /// Memory for received requests, over all connections. Always holds one of the largest.
    pub request_memory_bytes: usize,
    pub queued_max_requests: usize,
    pub max_connections: usize,
    pub max_connections_per_ip: usize,
    pub max_connections_per_ip_overrides: BTreeMap<String, usize>,
    /// New connections a second.
    pub max_connection_rate: u32,
    /// Bounds that listeners have of their own, by the listener's name in capitals.
    pub of_listeners: BTreeMap<String, ListenerLimits>,
    /// `None` keeps idle connections.
    pub max_idle: Option<Duration>,
    pub backlog: u32,
    /// `None` leaves the choice to the system.
    pub send_buffer_bytes: Option<usize>,
    pub receive_buffer_bytes: Option<usize>,
    pub failed_authentication_delay: Duration,
    pub sasl_max_receive_bytes: usize,
    pub max_reauthentication: Option<Duration>,
}

/// How topics come to be.
#[derive(Clone, Debug)]
pub struct Topics {
    pub default_partitions: i32,
    pub default_replication_factor: i16,
    pub auto_create: bool,
    pub delete_enabled: bool,
    pub max_partitions_per_description: usize,
}

/// Bounds on reading.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub max_bytes: usize,
    pub max_sessions: usize,
}

/// How often the node looks after its logs.
#[derive(Clone, Debug)]
pub struct Background {
    pub initial_delay: Duration,
    pub retention_interval: Duration,
    /// `None` never looks for logs that are due for a flush.
    pub flush_interval: Option<Duration>,
    pub recovery_checkpoint_interval: Duration,
    pub start_offset_checkpoint_interval: Duration,
    pub high_watermark_checkpoint_interval: Duration,
    pub recovery_threads_per_dir: usize,
    pub journal_bytes: u64,
    pub journal_batch_bytes_max: usize,
    /// In each log directory.
    pub single_syncs_max: usize,
    pub cleaner_enabled: bool,
    pub cleaner_threads: usize,
    pub cleaner_backoff: Duration,
    pub cleaner_dedupe_bytes: usize,
    pub cleaner_dedupe_load: f64,
    pub cleaner_io_bytes: usize,
    pub cleaner_max_bytes_per_second: f64,
    pub producer_id_expiration: Duration,
    pub producer_id_check_interval: Duration,
}

/// Bounds on groups of the classic and the consumer protocol.
#[derive(Clone, Debug)]
pub struct Groups {
    pub min_session_timeout: Duration,
    pub max_session_timeout: Duration,
    pub initial_rebalance_delay: Duration,
    pub max_size: usize,
    /// `None` adapts to the load.
    pub append_linger: Option<Duration>,
    pub consumer: ConsumerGroups,
}

/// Consumer groups of the newer protocol, where a group has no settings of its own.
#[derive(Clone, Debug)]
pub struct ConsumerGroups {
    pub session_timeout: Duration,
    pub heartbeat_interval: Duration,
    pub max_size: usize,
    pub assignors: Vec<String>,
    pub migration_policy: String,
    pub assignment_interval: Duration,
}

/// Committed offsets and the topic that holds them.
#[derive(Clone, Debug)]
pub struct Offsets {
    pub topic: InternalTopic,
    pub compression_codec: i32,
    pub retention: Duration,
    pub retention_check_interval: Duration,
    pub commit_timeout: Duration,
    pub max_metadata_bytes: usize,
    pub load_buffer_bytes: usize,
}

/// Transactions and the topic that holds their state.
#[derive(Clone, Debug)]
pub struct Transactions {
    pub topic: InternalTopic,
    pub max_timeout: Duration,
    pub transactional_id_expiration: Duration,
    pub abort_check_interval: Duration,
    pub expiration_check_interval: Duration,
    pub load_buffer_bytes: usize,
    pub verify_partitions: bool,
    pub two_phase_commit: bool,
}

/// How a topic for the broker's own use is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    pub partitions: i32,
    pub segment_bytes: i32,
    pub replication: Replicas,
    /// `None` leaves it to the brokers' `min.insync.replicas`.
    pub min_in_sync: Option<Replicas>,
    /// What else its topic options are, as texts.
    rest: &'static [(&'static str, &'static str)],
}

/// A number of replicas of an internal topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// So many; creation waits for that many brokers.
    Exactly(i16),
    /// So many, or fewer while there are fewer brokers: nobody chose a number, and the node began alone.
    UpTo(i16),
}

impl Replicas {
    fn new(all: &Resolved, name: &str) -> Self {
        let to_i16 = |value: i64| i16::try_from(value).unwrap_or(i16::MAX);
        let kafkas = super::find_broker(name).and_then(|def| super::default_value(def).as_i64());
        match kafkas {
            Some(kafkas) if all.is_lone() && !all.is_set(name) => Self::UpTo(to_i16(kafkas)),
            _ => Self::Exactly(to_i16(all.number(name))),
        }
    }

    /// The number to create the topic with, given the brokers that are there.
    pub fn among(self, live_brokers: usize) -> i16 {
        match self {
            Self::Exactly(factor) => factor,
            Self::UpTo(factor) => i16::try_from(live_brokers).unwrap_or(i16::MAX).clamp(1, factor.max(1)),
        }
    }
}

impl BrokerConfig {
    /// Fails when the settings contradict each other. The values by themselves have been checked before.
    pub fn new(all: &Resolved) -> Result<Self, OptionError> {
        let roles = all.list("process.roles");
        let has = |role: &str| roles.iter().any(|one| one == role);
        let (is_broker, is_controller) = (has("broker"), has("controller"));
        let node_id = NodeId(int(all, "node.id"));
        let log_dirs = log_dirs(all);
        let first_dir = log_dirs.first().cloned().unwrap_or_default();
        let cordoned = all.list("cordoned.log.dirs");
        let all_cordoned = cordoned.iter().any(|dir| dir == "*");
        Ok(Self {
            node_id,
            is_broker,
            is_controller,
            is_lone: all.is_lone(),
            rack: all.text("broker.rack"),
            listeners: listeners::read(all, is_broker, is_controller)?,
            metrics_listener: all.text("metrics.listener").and_then(|text| parse_host_port(&text)),
            quorum: Quorum::new(all, node_id, is_broker, is_controller)?,
            metadata_log_dir: all.text("metadata.log.dir").unwrap_or(first_dir),
            cordoned_log_dirs: if all_cordoned { log_dirs.clone() } else { cordoned },
            log_dirs,
            network: Network::new(all),
            topics: Topics {
                default_partitions: int(all, "num.partitions"),
                default_replication_factor: i16::try_from(int(all, "default.replication.factor"))
                    .unwrap_or(i16::MAX),
                auto_create: all.boolean("auto.create.topics.enable"),
                delete_enabled: all.boolean("delete.topic.enable"),
                max_partitions_per_description: size(all, "max.request.partition.size.limit"),
            },
            fetch: Fetch {
                max_bytes: size(all, "fetch.max.bytes"),
                max_sessions: size(all, "max.incremental.fetch.session.cache.slots"),
            },
            background: Background::new(all),
            groups: Groups::new(all),
            offsets: Offsets::new(all),
            transactions: Transactions::new(all),
            share_state: InternalTopic::new(all, "share.coordinator.state.topic", PRUNED),
            request_timeout: millis(all, "request.timeout.ms"),
            controlled_shutdown: all.boolean("controlled.shutdown.enable"),
        })
    }
}

impl Quorum {
    fn new(all: &Resolved, node: NodeId, is_broker: bool, is_controller: bool) -> Result<Self, OptionError> {
        let voters: Vec<Voter> =
            all.list("controller.quorum.voters").iter().filter_map(|entry| parse_voter(entry)).collect();
        let bootstrap_servers: Vec<HostPort> = all
            .list("controller.quorum.bootstrap.servers")
            .iter()
            .filter_map(|entry| parse_host_port(entry))
            .collect();
        let listed = voters.iter().any(|voter| voter.id == node.0);
        let fail = |reason: String| Err(OptionError::conflict("controller.quorum.voters", reason));
        if is_controller && !voters.is_empty() && !listed {
            return fail(format!(
                "controller.quorum.voters must contain this controller, node.id {}",
                node.0
            ));
        }
        if is_broker && !is_controller && listed {
            return fail(format!(
                "controller.quorum.voters has node.id {}, but this node is no controller",
                node.0
            ));
        }
        if !is_controller && voters.is_empty() && bootstrap_servers.is_empty() {
            return fail(
                "a node that is no controller needs controller.quorum.bootstrap.servers or controller.quorum.voters"
                    .to_owned(),
            );
        }
        Ok(Self {
            voters,
            bootstrap_servers,
            heartbeat_interval: millis(all, "broker.heartbeat.interval.ms"),
            session_timeout: millis(all, "broker.session.timeout.ms"),
            registration_timeout: millis(all, "initial.broker.registration.timeout.ms"),
            election_timeout: millis(all, "controller.quorum.election.timeout.ms"),
            fetch_timeout: millis(all, "controller.quorum.fetch.timeout.ms"),
            append_linger: millis(all, "controller.quorum.append.linger.ms"),
            snapshot_after_bytes: u64::try_from(
                all.number("metadata.log.max.record.bytes.between.snapshots"),
            )
            .unwrap_or_default(),
            snapshot_after: Some(millis(all, "metadata.log.max.snapshot.interval.ms"))
                .filter(|wait| !wait.is_zero()),
        })
    }
}

impl Network {
    fn new(all: &Resolved) -> Self {
        let max_request_bytes = size(all, "socket.request.max.bytes");
        let memory = usize::try_from(all.number("queued.max.request.bytes")).unwrap_or(0);
        let buffer = |name: &str| usize::try_from(all.number(name)).ok();
        let overrides = all.text("max.connections.per.ip.overrides").unwrap_or_default();
        Self {
            max_request_bytes,
            request_memory_bytes: if memory == 0 { REQUEST_MEMORY_BYTES } else { memory }
                .max(max_request_bytes),
            queued_max_requests: size(all, "queued.max.requests"),
            max_connections: size(all, "max.connections"),
            max_connections_per_ip: size(all, "max.connections.per.ip"),
            max_connections_per_ip_overrides: parse_counts(&overrides)
                .unwrap_or_default()
                .into_iter()
                .map(|(host, count)| (host, usize::try_from(count).unwrap_or_default()))
                .collect(),
            max_connection_rate: u32::try_from(all.number("max.connection.creation.rate"))
                .unwrap_or(u32::MAX),
            of_listeners: listeners::limits(all),
            max_idle: non_negative(all, "connections.max.idle.ms"),
            backlog: u32::try_from(all.number("socket.listen.backlog.size")).unwrap_or(u32::MAX),
            send_buffer_bytes: buffer("socket.send.buffer.bytes"),
            receive_buffer_bytes: buffer("socket.receive.buffer.bytes"),
            failed_authentication_delay: millis(all, "connection.failed.authentication.delay.ms"),
            sasl_max_receive_bytes: size(all, "sasl.server.max.receive.size"),
            max_reauthentication: non_negative(all, "connections.max.reauth.ms")
                .filter(|time| !time.is_zero()),
        }
    }
}

impl Background {
    fn new(all: &Resolved) -> Self {
        // Nobody waits 292 million years: the default of the flush scheduler means never.
        let a_century = Duration::from_secs(100 * 365 * 86_400);
        Self {
            initial_delay: millis(all, "log.initial.task.delay.ms"),
            retention_interval: millis(all, "log.retention.check.interval.ms"),
            flush_interval: non_negative(all, "log.flush.scheduler.interval.ms")
                .filter(|time| *time < a_century),
            recovery_checkpoint_interval: millis(all, "log.flush.offset.checkpoint.interval.ms"),
            start_offset_checkpoint_interval: millis(all, "log.flush.start.offset.checkpoint.interval.ms"),
            high_watermark_checkpoint_interval: millis(all, "replica.high.watermark.checkpoint.interval.ms"),
            recovery_threads_per_dir: size(all, "num.recovery.threads.per.data.dir"),
            journal_bytes: size(all, "log.journal.bytes") as u64,
            journal_batch_bytes_max: size(all, "log.journal.batch.max.bytes"),
            single_syncs_max: size(all, "log.shutdown.single.syncs.max"),
            cleaner_enabled: all.boolean("log.cleaner.enable"),
            cleaner_threads: size(all, "log.cleaner.threads"),
            cleaner_backoff: millis(all, "log.cleaner.backoff.ms"),
            cleaner_dedupe_bytes: size(all, "log.cleaner.dedupe.buffer.size"),
            cleaner_dedupe_load: all.fraction("log.cleaner.io.buffer.load.factor"),
            cleaner_io_bytes: size(all, "log.cleaner.io.buffer.size"),
            cleaner_max_bytes_per_second: all.fraction("log.cleaner.io.max.bytes.per.second"),
            producer_id_expiration: millis(all, "producer.id.expiration.ms"),
            producer_id_check_interval: millis(all, "producer.id.expiration.check.interval.ms"),
        }
    }
}

impl Groups {
    fn new(all: &Resolved) -> Self {
        Self {
            min_session_timeout: millis(all, "group.min.session.timeout.ms"),
            max_session_timeout: millis(all, "group.max.session.timeout.ms"),
            initial_rebalance_delay: millis(all, "group.initial.rebalance.delay.ms"),
            max_size: size(all, "group.max.size"),
            append_linger: non_negative(all, "group.coordinator.append.linger.ms"),
            consumer: ConsumerGroups {
                session_timeout: millis(all, "group.consumer.session.timeout.ms"),
                heartbeat_interval: millis(all, "group.consumer.heartbeat.interval.ms"),
                max_size: size(all, "group.consumer.max.size"),
                assignors: all.list("group.consumer.assignors"),
                migration_policy: all
                    .text("group.consumer.migration.policy")
                    .unwrap_or_default()
                    .to_lowercase(),
                assignment_interval: millis(all, "group.consumer.assignment.interval.ms"),
            },
        }
    }
}

impl Offsets {
    fn new(all: &Resolved) -> Self {
        let minutes = u64::try_from(all.number("offsets.retention.minutes")).unwrap_or_default();
        Self {
            topic: InternalTopic::new(all, "offsets.topic", COMPACTED),
            compression_codec: int(all, "offsets.topic.compression.codec"),
            retention: Duration::from_secs(minutes * 60),
            retention_check_interval: millis(all, "offsets.retention.check.interval.ms"),
            commit_timeout: millis(all, "offsets.commit.timeout.ms"),
            max_metadata_bytes: size(all, "offset.metadata.max.bytes"),
            load_buffer_bytes: size(all, "offsets.load.buffer.size"),
        }
    }
}

impl Transactions {
    fn new(all: &Resolved) -> Self {
        Self {
            topic: InternalTopic::new(all, "transaction.state.log", TRANSACTIONAL),
            max_timeout: millis(all, "transaction.max.timeout.ms"),
            transactional_id_expiration: millis(all, "transactional.id.expiration.ms"),
            abort_check_interval: millis(all, "transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            expiration_check_interval: millis(
                all,
                "transaction.remove.expired.transaction.cleanup.interval.ms",
            ),
            load_buffer_bytes: size(all, "transaction.state.log.load.buffer.size"),
            verify_partitions: all.boolean("transaction.partition.verification.enable"),
            two_phase_commit: all.boolean("transaction.two.phase.commit.enable"),
        }
    }
}

impl InternalTopic {
    /// The options of the topic begin with `prefix`.
    fn new(all: &Resolved, prefix: &str, rest: &'static [(&'static str, &'static str)]) -> Self {
        let min_isr = format!("{prefix}.min.isr");
        Self {
            partitions: int(all, &format!("{prefix}.num.partitions")),
            segment_bytes: int(all, &format!("{prefix}.segment.bytes")),
            replication: Replicas::new(all, &format!("{prefix}.replication.factor")),
            min_in_sync: super::find_broker(&min_isr).map(|_| Replicas::new(all, &min_isr)),
            rest,
        }
    }

    /// The topic options to create the topic with, given the brokers that are there.
    pub fn overrides(&self, live_brokers: usize) -> Overrides {
        let rest = self.rest.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let own = [("segment.bytes".to_owned(), self.segment_bytes.to_string())];
        let min_in_sync = self.min_in_sync.map(|count| count.among(live_brokers).to_string());
        rest.chain(own).chain(min_in_sync.map(|count| ("min.insync.replicas".to_owned(), count))).collect()
    }
}

/// Offsets: the last commit counts, and the coordinator chooses the codec of its batches.
const COMPACTED: &[(&str, &str)] = &[("cleanup.policy", "compact"), ("compression.type", "producer")];

/// Transactions: no replica that misses a decision may lead.
const TRANSACTIONAL: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("compression.type", "uncompressed"),
    ("unclean.leader.election.enable", "false"),
];

/// State of share groups: the coordinator itself deletes what it no longer needs.
const PRUNED: &[(&str, &str)] =
    &[("cleanup.policy", "delete"), ("compression.type", "producer"), ("retention.ms", "-1")];

/// `log.dirs`, or else `log.dir`.
pub(super) fn log_dirs(all: &Resolved) -> Vec<String> {
    let name = if all.is_set("log.dirs") { "log.dirs" } else { "log.dir" };
    all.list(name)
}

fn int(all: &Resolved, name: &str) -> i32 {
    i32::try_from(all.number(name)).unwrap_or_default()
}

fn size(all: &Resolved, name: &str) -> usize {
    usize::try_from(all.number(name)).unwrap_or_default()
}

fn millis(all: &Resolved, name: &str) -> Duration {
    non_negative(all, name).unwrap_or_default()
}

fn non_negative(all: &Resolved, name: &str) -> Option<Duration> {
    u64::try_from(all.number(name)).ok().map(Duration::from_millis)
}
