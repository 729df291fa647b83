//! What the options of a topic mean to its logs and to what is produced to it.

use std::sync::Arc;

use coordinator::GroupConfig;
use kernel::option::log_settings::{Compression as Stored, TimestampType as Times};
use kernel::option::{BrokerConfig, LogSettings};
use metadata::Image;
use storage::{CleanupPolicy, LogConfig};
use wire::batch::TimestampType;
use wire::batch::validate::ProduceRules;
use wire::compress::{Codec, Compression, Limits};

use crate::node::Node;

/// The part that a log acts on.
pub fn log_config(settings: &LogSettings, broker: &BrokerConfig) -> Arc<LogConfig> {
    let bytes = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Arc::new(LogConfig {
        segment_bytes: bytes(settings.segment_bytes),
        segment_ms: settings.segment_ms,
        segment_jitter_ms: settings.segment_jitter_ms,
        segment_index_bytes: bytes(settings.index_bytes),
        index_interval_bytes: bytes(settings.index_interval_bytes),
        retention_ms: settings.retention_ms,
        retention_bytes: settings.retention_bytes,
        flush_messages: settings.flush_messages,
        flush_ms: settings.flush_ms,
        write_caching: settings.write_caching,
        file_delete_delay_ms: settings.file_delete_delay_ms,
        cleanup: CleanupPolicy { delete: settings.delete, compact: settings.compact },
        min_cleanable_ratio: settings.min_cleanable_dirty_ratio,
        delete_retention_ms: settings.delete_retention_ms,
        min_compaction_lag_ms: settings.min_compaction_lag_ms,
        max_compaction_lag_ms: settings.max_compaction_lag_ms,
        producer_id_expiration_ms: millis(broker.background.producer_id_expiration),
    })
}

/// The part that arriving batches are judged by.
pub fn produce_rules(settings: &LogSettings) -> Arc<ProduceRules> {
    Arc::new(ProduceRules {
        max_message_bytes: settings.max_message_bytes,
        timestamp_type: match settings.timestamp_type {
            Times::CreateTime => TimestampType::CreateTime,
            Times::LogAppendTime => TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: settings.timestamp_before_max_ms,
        timestamp_after_max_ms: settings.timestamp_after_max_ms,
        compression: compression(settings),
        compacted: settings.compact,
        zstd_allowed: true,
        limits: Limits { bytes_max: settings.max_decompressed_bytes },
    })
}

fn compression(settings: &LogSettings) -> Option<Compression> {
    let (codec, level) = match settings.compression {
        Stored::Producer => return None,
        Stored::None => (Codec::None, None),
        Stored::Gzip => (Codec::Gzip, Some(settings.gzip_level)),
        Stored::Snappy => (Codec::Snappy, None),
        Stored::Lz4 => (Codec::Lz4, Some(settings.lz4_level)),
        Stored::Zstd => (Codec::Zstd, Some(settings.zstd_level)),
    };
    let fallback = Compression::of(codec);
    Some(level.map_or(fallback, |level| Compression::with_level(codec, level)))
}

/// The settings of the topic that was asked for last. Partitions of one topic follow each other, and share them.
#[derive(Default)]
pub(crate) struct LastTopic(Option<(Arc<str>, Arc<LogConfig>, Arc<ProduceRules>)>);

impl LastTopic {
    pub fn of(
        &mut self,
        node: &Node,
        image: &Image,
        topic: &Arc<str>,
    ) -> (Arc<LogConfig>, Arc<ProduceRules>) {
        if self.0.as_ref().is_none_or(|(last, ..)| **last != **topic) {
            self.0 = None;
        }
        let (_, config, rules) = self.0.get_or_insert_with(|| {
            let settings = node.log_settings(image, topic);
            (Arc::clone(topic), log_config(&settings, &node.config()), produce_rules(&settings))
        });
        (Arc::clone(config), Arc::clone(rules))
    }
}

/// The options of the group coordinator.
pub fn group_config(broker: &BrokerConfig) -> GroupConfig {
    GroupConfig {
        session_timeout_min: broker.groups.min_session_timeout,
        session_timeout_max: broker.groups.max_session_timeout,
        initial_rebalance_delay: broker.groups.initial_rebalance_delay,
        group_size_max: broker.groups.max_size,
        foreign_session_timeout: broker.groups.consumer.session_timeout,
        offset_metadata_max: broker.offsets.max_metadata_bytes,
        offsets_retention: broker.offsets.retention,
        offsets_retention_check_interval: broker.offsets.retention_check_interval,
        ..GroupConfig::default()
    }
}
