//! The settings of one topic's logs, typed.

use super::Value;

/// Who sets the time of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// How a topic's batches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As the producer sent them.
    Producer,
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// What counts for a topic after its own settings, those of the brokers and the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub index_bytes: u64,
    pub index_interval_bytes: u64,
    pub preallocate: bool,
    pub delete: bool,
    pub compact: bool,
    /// -1 keeps records for ever.
    pub retention_ms: i64,
    /// -1 sets no bound.
    pub retention_bytes: i64,
    pub file_delete_delay_ms: i64,
    /// `i64::MAX` never flushes for this reason, like `flush_ms`.
    pub flush_messages: i64,
    pub flush_ms: i64,
    /// Acknowledges what is written and not yet durable.
    pub write_caching: bool,
    pub max_message_bytes: usize,
    pub max_decompressed_bytes: usize,
    pub compression: Compression,
    pub gzip_level: i32,
    pub lz4_level: i32,
    pub zstd_level: i32,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub min_in_sync_replicas: i32,
    pub unclean_leader_election: bool,
    pub min_cleanable_dirty_ratio: f64,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub leader_throttled_replicas: Vec<String>,
    pub follower_throttled_replicas: Vec<String>,
    pub remote_storage: bool,
    /// Already resolved: -1 is no bound, never -2.
    pub local_retention_ms: i64,
    pub local_retention_bytes: i64,
}

impl LogSettings {
    /// The age at which a segment is closed; compaction that must come in time closes it earlier.
    pub fn max_segment_ms(&self) -> i64 {
        if self.compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }

    /// Reads every setting through `value`, which answers for each topic option.
    pub(super) fn read(value: impl Fn(&str) -> Value) -> Self {
        let number = |name: &str| value(name).as_i64().unwrap_or_default();
        let int = |name: &str| i32::try_from(number(name)).unwrap_or_default();
        let size = |name: &str| u64::try_from(number(name)).unwrap_or_default();
        let memory = |name: &str| usize::try_from(number(name)).unwrap_or_default();
        let flag = |name: &str| value(name).as_bool().unwrap_or_default();
        let list = |name: &str| value(name).as_list().map(<[String]>::to_vec).unwrap_or_default();
        let has_policy = |policy: &str| list("cleanup.policy").iter().any(|one| one == policy);
        let derived = |name: &str, from: &str| if number(name) == -2 { number(from) } else { number(name) };
        let segment = value("internal.segment.bytes").as_i64().and_then(|bytes| u64::try_from(bytes).ok());
        Self {
            segment_bytes: segment.unwrap_or_else(|| size("segment.bytes")),
            segment_ms: number("segment.ms"),
            segment_jitter_ms: number("segment.jitter.ms"),
            index_bytes: size("segment.index.bytes"),
            index_interval_bytes: size("index.interval.bytes"),
            preallocate: flag("preallocate"),
            delete: has_policy("delete"),
            compact: has_policy("compact"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            file_delete_delay_ms: number("file.delete.delay.ms"),
            flush_messages: number("flush.messages"),
            flush_ms: number("flush.ms"),
            write_caching: flag("write.caching"),
            max_message_bytes: memory("max.message.bytes"),
            max_decompressed_bytes: memory("max.decompressed.message.bytes"),
            compression: compression(&value("compression.type")),
            gzip_level: int("compression.gzip.level"),
            lz4_level: int("compression.lz4.level"),
            zstd_level: int("compression.zstd.level"),
            timestamp_type: match value("message.timestamp.type").as_str() {
                Some("LogAppendTime") => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_in_sync_replicas: int("min.insync.replicas"),
            unclean_leader_election: flag("unclean.leader.election.enable"),
            min_cleanable_dirty_ratio: value("min.cleanable.dirty.ratio").as_f64().unwrap_or_default(),
            delete_retention_ms: number("delete.retention.ms"),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            leader_throttled_replicas: list("leader.replication.throttled.replicas"),
            follower_throttled_replicas: list("follower.replication.throttled.replicas"),
            remote_storage: flag("remote.storage.enable"),
            local_retention_ms: derived("local.retention.ms", "retention.ms"),
            local_retention_bytes: derived("local.retention.bytes", "retention.bytes"),
        }
    }
}

fn compression(value: &Value) -> Compression {
    match value.as_str() {
        Some("uncompressed") => Compression::None,
        Some("gzip") => Compression::Gzip,
        Some("snappy") => Compression::Snappy,
        Some("lz4") => Compression::Lz4,
        Some("zstd") => Compression::Zstd,
        _ => Compression::Producer,
    }
}
