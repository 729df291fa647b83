//! What the cleaner does and did, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kernel::{Instant, Offset, Uuid};
use storage::CleanStats;

/// A partition of a topic that may have been deleted and created anew under the same name.
pub type Key = (Uuid, i32);

/// A cleaning that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct LastCleaning {
    pub partition: String,
    /// The part of the log that was compared with all before it.
    pub from: Offset,
    pub to: Offset,
    pub took: Duration,
    pub stats: CleanStats,
}

/// A log that could not be cleaned and is left alone until the node starts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncleanable {
    pub partition: String,
    pub why: String,
}

/// The state of the cleaner. Each field is what a metric of Kafka's cleaner shows.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct CleanerStatus {
    /// Logs that are being cleaned, and from which offset on.
    pub running: BTreeMap<Key, (String, Offset)>,
    /// Logs that are left alone for as long as they are moved to another directory.
    pub paused: BTreeSet<Key>,
    /// Logs that were due when a worker looked last: `cleanable-partitions-count`.
    pub cleanable: usize,
    /// The dirtiest log's share of records that were not compared yet, 0 to 1: `max-dirty-percent`.
    pub max_dirty_ratio: f64,
    /// By how much `max.compaction.lag.ms` is exceeded at worst: `max-compaction-delay-secs`.
    pub max_delay: Duration,
    /// When a worker looked last: `time-since-last-run-ms`.
    pub last_run: Option<Instant>,
    /// `uncleanable-partitions-count`
    pub uncleanable: BTreeMap<Key, Uncleanable>,
    /// How often a log was cleaned since the node started, and what was read and written for it.
    pub cleanings: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// `max-clean-time-secs`, `max-buffer-utilization-percent` and `cleaner-recopy-percent` come from it.
    pub last: Option<Arc<LastCleaning>>,
}

impl CleanerStatus {
    /// The share of what was read that had to be written again, by the last cleaning: `cleaner-recopy-percent`.
    pub fn recopy_ratio(&self) -> f64 {
        let Some(last) = &self.last else { return 0.0 };
        last.stats.bytes_written as f64 / last.stats.bytes_read.max(1) as f64
    }

    /// Whether a log may be cleaned now.
    pub(super) fn is_free(&self, key: &Key) -> bool {
        !self.running.contains_key(key) && !self.uncleanable.contains_key(key) && !self.paused.contains(key)
    }

    pub(super) fn done(&mut self, cleaning: LastCleaning) {
        self.cleanings += 1;
        self.bytes_read += cleaning.stats.map_bytes_read + cleaning.stats.bytes_read;
        self.bytes_written += cleaning.stats.bytes_written;
        self.last = Some(Arc::new(cleaning));
    }
}
