//! What the cleaner does and did, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kernel::{Instant, Offset, Timestamp, Uuid};
use storage::{CleanProgress, CleanStats};

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

/// A cleaning under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub topic: Arc<str>,
    pub index: i32,
    /// From where on records were not compared yet.
    pub from: Offset,
    /// The log directory, which a log does not leave while it is cleaned.
    pub dir: Uuid,
    pub progress: CleanProgress,
}

/// What concerns the logs of one directory.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct OfDir {
    /// Logs that were due when a worker looked last: `cleanable-partitions-count`.
    pub cleanable: usize,
    /// The dirtiest log's share of records that were not compared yet, 0 to 1: `max-dirty-percent`.
    pub max_dirty_ratio: f64,
    /// How often a log was cleaned since the node started.
    pub cleanings: u64,
    /// What was read and written for that, also by those that are under way or were given up.
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// When a cleaning was done last.
    pub last_end: Option<Timestamp>,
}

/// The state of the cleaner. Each field is what a metric of Kafka's cleaner shows.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct CleanerStatus {
    /// Logs that are being cleaned.
    pub running: BTreeMap<Key, Running>,
    /// Logs that are left alone for as long as they are moved to another directory.
    pub paused: BTreeSet<Key>,
    /// By log directory, of those in which there was something to do.
    pub dirs: BTreeMap<Uuid, OfDir>,
    /// By how much `max.compaction.lag.ms` is exceeded at worst: `max-compaction-delay-secs`.
    pub max_delay: Duration,
    /// When a worker looked last: `time-since-last-run-ms`.
    pub last_run: Option<Instant>,
    /// `uncleanable-partitions-count`
    pub uncleanable: BTreeMap<Key, Uncleanable>,
    /// `max-clean-time-secs`, `max-buffer-utilization-percent` and `cleaner-recopy-percent` come from it.
    pub last: Option<Arc<LastCleaning>>,
}

impl CleanerStatus {
    /// The share of what was read that had to be written again, by the last cleaning: `cleaner-recopy-percent`.
    pub fn recopy_ratio(&self) -> f64 {
        let Some(last) = &self.last else { return 0.0 };
        last.stats.bytes_written as f64 / last.stats.bytes_read.max(1) as f64
    }

    /// Logs of all directories that were due when a worker looked last.
    pub fn cleanable(&self) -> usize {
        self.dirs.values().map(|dir| dir.cleanable).sum()
    }

    /// How often a log of any directory was cleaned.
    pub fn cleanings(&self) -> u64 {
        self.dirs.values().map(|dir| dir.cleanings).sum()
    }

    /// The memory that cleanings hold.
    pub fn memory(&self) -> usize {
        self.running.values().map(|one| one.progress.memory).sum()
    }

    /// Whether a log may be cleaned now.
    pub(super) fn is_free(&self, key: &Key) -> bool {
        !self.running.contains_key(key) && !self.uncleanable.contains_key(key) && !self.paused.contains(key)
    }

    /// Takes down what a worker saw who looked at all logs.
    pub(super) fn looked(&mut self, now: Instant, seen: &BTreeMap<Uuid, (usize, f64)>, max_delay: Duration) {
        (self.last_run, self.max_delay) = (Some(now), max_delay);
        self.dirs.values_mut().for_each(|dir| (dir.cleanable, dir.max_dirty_ratio) = (0, 0.0));
        for (id, (due, ratio)) in seen {
            let dir = self.dirs.entry(*id).or_default();
            (dir.cleanable, dir.max_dirty_ratio) = (*due, *ratio);
        }
    }

    /// A cleaning got on.
    pub(super) fn goes_on(&mut self, key: &Key, progress: CleanProgress) {
        let Some(running) = self.running.get_mut(key) else { return };
        let dir = self.dirs.entry(running.dir).or_default();
        dir.bytes_read += progress.done.saturating_sub(running.progress.done);
        dir.bytes_written += progress.written.saturating_sub(running.progress.written);
        running.progress = progress;
    }

    /// A cleaning is over; `cleaned` if it came to its end.
    pub(super) fn ended(&mut self, key: &Key, cleaned: Option<(LastCleaning, Timestamp)>) {
        let Some(running) = self.running.remove(key) else { return };
        if let Some((cleaning, at)) = cleaned {
            let dir = self.dirs.entry(running.dir).or_default();
            (dir.cleanings, dir.last_end) = (dir.cleanings + 1, Some(at));
            self.last = Some(Arc::new(cleaning));
        }
    }
}
