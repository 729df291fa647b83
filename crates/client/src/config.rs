//! Settings, in Kafka's names with Kafka's defaults. Dots of Kafka's names are underscores here.
//!
//! What cannot work is refused with [`Error::Config`] by [`crate::Client::connect`], [`crate::Producer::new`] or
//! [`crate::Consumer::new`]. So is a time of more milliseconds than Kafka's type of the setting has: 2147483647 for most.

mod check;
mod properties;

use std::time::Duration;

pub use kernel::IsolationLevel;
pub use kernel::option::endpoint::SecurityProtocol;
use wire::compress::{Codec, Compression};

use crate::Error;

/// What all parts of a client share.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// `bootstrap.servers`: `host:port`, where the rest of the cluster is learnt from. None comes twice.
    pub bootstrap_servers: Vec<String>,
    /// `client.id`: the name that brokers log and account. Default `riverrun`.
    pub client_id: String,
    /// `security.protocol`: how connections are secured. This version has none but PLAINTEXT: with another one
    /// [`crate::Client::connect`] fails with [`Error::NotSupported`]. Default PLAINTEXT.
    pub security_protocol: SecurityProtocol,
    /// `request.timeout.ms`: how long an answer may take before the connection is given up. Default 30 s.
    pub request_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`: how long making a connection may take. Default 10 s.
    pub connection_setup_timeout: Duration,
    /// `default.api.timeout.ms`: how long a call may take with everything that is tried again. Default 60 s.
    pub default_api_timeout: Duration,
    /// `retry.backoff.ms`: the wait before the first retry, doubled with each. Default 100 ms.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`: the longest wait between retries, also for the first. Default 1 s.
    pub retry_backoff_max: Duration,
    /// `reconnect.backoff.ms`: how long a broker that could not be reached is left alone, doubled with each failure in a row.
    /// Default 50 ms.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`: the longest time that it is left alone, also after the first failure. Default 1 s.
    pub reconnect_backoff_max: Duration,
    /// `metadata.max.age.ms`: after how long metadata is asked for anew without a reason. Default 5 min.
    pub metadata_max_age: Duration,
    /// `receive.message.max.bytes` (librdkafka's name): the largest answer that is read, in bytes; a server that announces
    /// more is not believed. It must hold `fetch.max.bytes` and 512 bytes more, and should hold one batch more. From 1000 to
    /// 2147483647. Default 100 MB.
    pub receive_message_max_bytes: usize,
}

impl ClientConfig {
    /// Kafka's defaults, for a cluster that is found at `bootstrap` (`host:port`, several separated by commas).
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap_servers: bootstrap
                .split(',')
                .map(str::trim)
                .filter(|server| !server.is_empty())
                .map(str::to_owned)
                .collect(),
            client_id: "riverrun".to_owned(),
            security_protocol: SecurityProtocol::Plaintext,
            request_timeout: Duration::from_secs(30),
            connection_setup_timeout: Duration::from_secs(10),
            default_api_timeout: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            receive_message_max_bytes: 100_000_000,
        }
    }

    /// The wait after so many failures in a row: it doubles with each, up to a bound.
    pub(crate) fn backoff_after(&self, failures: u32) -> Duration {
        doubled(self.retry_backoff, self.retry_backoff_max, failures)
    }

    /// How long a broker that could not be reached so many times in a row is left alone.
    pub(crate) fn reconnect_after(&self, failures: u32) -> Duration {
        doubled(self.reconnect_backoff, self.reconnect_backoff_max, failures)
    }

    /// The bootstrap servers as host and port.
    pub(crate) fn servers(&self) -> Result<Vec<(String, u16)>, Error> {
        let servers: Result<Vec<_>, _> = self.bootstrap_servers.iter().map(|server| parse(server)).collect();
        match servers {
            Ok(servers) if servers.is_empty() => {
                Err(Error::Config { name: "bootstrap.servers", reason: "it names no server".to_owned() })
            }
            servers => servers,
        }
    }
}

/// A wait that doubles with each failure in a row, up to a bound.
fn doubled(first: Duration, max: Duration, failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).and_then(|factor| first.checked_mul(factor));
    doubled.unwrap_or(max).min(max)
}

/// Takes `host:port` or `[v6]:port` apart.
fn parse(server: &str) -> Result<(String, u16), Error> {
    let parts = server.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // A host has no slash: http://h:1 has more than a server.
        (!host.is_empty() && !host.contains('/')).then_some((host.to_owned(), port.parse().ok()?))
    });
    let reason = || format!("{server:?} is not HOST:PORT");
    parts.ok_or_else(|| Error::Config { name: "bootstrap.servers", reason: reason() })
}

/// Who must have a record before it counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// All replicas that are in sync.
    All,
    /// The leader alone.
    Leader,
    /// Nobody: the broker does not answer, and a lost record is not noticed.
    None,
}

impl Acks {
    pub(crate) fn code(self) -> i16 {
        match self {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        }
    }
}

/// How a producer works.
#[derive(Debug, Clone, PartialEq)]
pub struct ProducerConfig {
    /// `acks`. Default all.
    pub acks: Acks,
    /// `enable.idempotence`: whether what is sent again is written once and in order. Needs `acks=all`. Default true.
    pub enable_idempotence: bool,
    /// `batch.size`: up to how many bytes of records are gathered in a batch. Default 16384.
    pub batch_size: usize,
    /// `linger.ms`: how long a batch that is not full waits for more records. Default 5 ms.
    pub linger: Duration,
    /// `compression.type`. Default none.
    pub compression: Codec,
    /// `compression.gzip.level`: from 1, the fastest, to 9, or -1 for what the codec has by default (KIP-390). Default -1.
    pub compression_gzip_level: i32,
    /// `compression.lz4.level`. Kafka's are from 1 to 17, of which 9, its default, is the fast compression; the others need
    /// LZ4 HC, which this version does not have: with them [`crate::Producer::new`] fails with [`Error::NotSupported`].
    /// Default 9.
    pub compression_lz4_level: i32,
    /// `compression.zstd.level`: from -131072, the fastest, to 22. Default 3.
    pub compression_zstd_level: i32,
    /// `delivery.timeout.ms`: how long after `send` a record is given up. At least `linger.ms` and the client's
    /// `request.timeout.ms` together. Default none: 2 min, or as long as these two take if that is longer.
    pub delivery_timeout: Option<Duration>,
    /// `partitioner.adaptive.partitioning.enable`: whether records without a key go more often to partitions that have less
    /// waiting to be acknowledged. Default true.
    pub adaptive_partitioning: bool,
    /// `allow.auto.create.topics` (librdkafka's name): whether a topic that is not there is made by writing to it, where the
    /// cluster does so for whoever asks. Default true, as with Kafka's own producer.
    pub allow_auto_create_topics: bool,
    /// `max.block.ms`: how long `send` waits for metadata and for room in the buffer. Default 1 min.
    pub max_block: Duration,
    /// `buffer.memory`: how many bytes of records may wait to be acknowledged. Default 32 MiB.
    pub buffer_memory: usize,
    /// `max.request.size`: the largest record or request, in bytes before compression. Default 1 MiB.
    pub max_request_size: usize,
    /// `max.in.flight.requests.per.connection`: how many requests a broker may owe answers to. At least 1; at most 5 with
    /// idempotence, and 1024 without. Default 5.
    pub max_in_flight: usize,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            enable_idempotence: true,
            batch_size: 16_384,
            linger: Duration::from_millis(5),
            compression: Codec::None,
            compression_gzip_level: Compression::of(Codec::Gzip).level(),
            compression_lz4_level: Compression::of(Codec::Lz4).level(),
            compression_zstd_level: Compression::of(Codec::Zstd).level(),
            delivery_timeout: None,
            adaptive_partitioning: true,
            allow_auto_create_topics: true,
            max_block: Duration::from_secs(60),
            buffer_memory: 32 << 20,
            max_request_size: 1 << 20,
            max_in_flight: 5,
        }
    }
}

impl ProducerConfig {
    /// Sets the codec.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.compression = codec;
        self
    }

    /// The codec at the level that is set for it.
    pub(crate) fn compression_at_level(&self) -> Compression {
        let level = match self.compression {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip => self.compression_gzip_level,
            Codec::Lz4 => self.compression_lz4_level,
            Codec::Zstd => self.compression_zstd_level,
        };
        Compression::with_level(self.compression, level)
    }
}

/// Where a consumer begins in a partition for which it has no position, or one that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record that is kept.
    Earliest,
    /// After the last record that is there by then.
    Latest,
    /// At the first record that is no older than this, going by the clock of this machine; where there is none, as for
    /// [`OffsetReset::Latest`] (KIP-1106). Milliseconds count.
    ByDuration(Duration),
    /// The consumer reports an error instead.
    None,
}

/// How a group divides partitions among its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Each topic's partitions in runs of neighbours.
    Range,
    /// All partitions dealt out in turn.
    RoundRobin,
    /// As evenly as can be, with as little change as can be. Members keep what they have while a rebalance goes on, and
    /// stop reading only what another one gets (KIP-429). Every member of the group must offer it.
    CooperativeSticky,
}

impl Assignor {
    /// The name that members of a group agree on.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }
}

/// How a consumer works.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerConfig {
    /// `group.id`: the group whose offsets are read and committed. Default none.
    pub group_id: Option<String>,
    /// `group.instance.id`: a name that outlives restarts, so that these cause no rebalance. As a topic is named: up to 249
    /// ASCII letters, digits, `.`, `_` and `-`. Default none.
    pub group_instance_id: Option<String>,
    /// `auto.offset.reset`: `earliest`, `latest`, `none`, or `by_duration:` and a duration in ISO 8601, such as `PT1H30M` or
    /// `P7D`, that is not negative. Default latest.
    pub auto_offset_reset: OffsetReset,
    /// `enable.auto.commit`: whether positions are committed while polling and on close. Default true.
    pub enable_auto_commit: bool,
    /// `auto.commit.interval.ms`. Default 5 s.
    pub auto_commit_interval: Duration,
    /// `fetch.min.bytes`: how much a broker waits for before it answers. Default 1.
    pub fetch_min_bytes: i32,
    /// `fetch.max.wait.ms`: how long a broker waits for that much. Default 500 ms.
    pub fetch_max_wait: Duration,
    /// `fetch.max.bytes`: about how much one answer holds. At least 512 less than the client's `receive.message.max.bytes`.
    ///
    /// A broker sends one batch at least, also if that is larger. Default 50 MiB.
    pub fetch_max_bytes: i32,
    /// `max.partition.fetch.bytes`: about how much one answer holds of a partition. Default 1 MiB.
    pub max_partition_fetch_bytes: i32,
    /// `queued.max.messages.kbytes` (librdkafka's name; Kafka's own consumer has no such setting): how much the consumer
    /// holds in all of what it has not returned yet, in KiB. From 1 to 2097151. Default 327680, which is 320 MiB: three
    /// brokers send `fetch.max.bytes` each while as much of each is read. Where that is too much for all of them they are asked
    /// for less, in turn.
    ///
    /// Counted are answers, whole as long as any record of them is to be returned; what answers on their way may bring; and
    /// what the batch that is being read expands to, which is 256 MiB at most, as larger ones are [`Error::Records`]. A batch
    /// that is larger than `max.partition.fetch.bytes` can go beyond the bound when the first one comes, and one that is larger
    /// than the bound comes alone. Records of partitions that are paused are dropped where others need the room, and fetched
    /// again. Not counted is what the caller keeps: each record keeps its batch, and one that is not compressed its answer.
    pub queued_max_messages_kbytes: usize,
    /// `max.poll.records`: the most records that one poll returns. Default 500.
    pub max_poll_records: usize,
    /// `isolation.level`. Default read uncommitted.
    pub isolation_level: IsolationLevel,
    /// `check.crcs`: whether the checksum of each batch is verified. Default true.
    pub check_crcs: bool,
    /// `client.rack`: where the consumer runs, by the name that `broker.rack` has there. A leader may send it on to a
    /// replica of that rack (KIP-392), which it reads for `metadata.max.age.ms` at most. Default empty: nowhere.
    pub client_rack: String,
    /// `session.timeout.ms`: how long the group waits for a silent member. Default 45 s.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. Less than `session.timeout.ms`. Default 3 s.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long a member may go without polling before it leaves the group. Default 5 min.
    pub max_poll_interval: Duration,
    /// `partition.assignment.strategy`, the preferred one first. Default cooperative-sticky; Kafka's own consumer has
    /// range before it. A member is cooperative if every assignor that it offers is.
    pub assignors: Vec<Assignor>,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group_id: None,
            group_instance_id: None,
            auto_offset_reset: OffsetReset::Latest,
            enable_auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            fetch_max_bytes: 50 << 20,
            max_partition_fetch_bytes: 1 << 20,
            queued_max_messages_kbytes: 320 << 10,
            max_poll_records: 500,
            isolation_level: IsolationLevel::ReadUncommitted,
            check_crcs: true,
            client_rack: String::new(),
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            assignors: vec![Assignor::CooperativeSticky],
        }
    }
}

impl ConsumerConfig {
    /// The defaults, for a member of `group`.
    pub fn group(group: impl Into<String>) -> Self {
        Self { group_id: Some(group.into()), ..Self::default() }
    }

    /// Whether partitions are kept while the group rebalances.
    pub(crate) fn is_cooperative(&self) -> bool {
        self.assignors.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
    }
}

/// A duration as the protocol carries it.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_hosts_and_ports() {
        let servers = |text: &str| ClientConfig::new(text).servers();
        assert_eq!(
            servers("a:1, [::1]:2"),
            Ok(vec![("a".to_owned(), 1), ("::1".to_owned(), 2)]),
            "a list is separated by commas"
        );
        for wrong in ["", "a", "a:", ":1", "a:70000", "a:b", "http://a:1"] {
            assert!(
                matches!(servers(wrong), Err(Error::Config { name: "bootstrap.servers", .. })),
                "{wrong:?}"
            );
        }
    }
}
