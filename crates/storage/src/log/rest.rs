//! What is remembered of a log that nobody uses, so that a node can have very many.
//!
//! A [`Rest`] takes the place of a [`Log`] in memory: it holds no file, no path and no index. It says what is asked of idle
//! partitions (offsets, size, whether retention is due), and [`Log::wake`] makes the log of it again.

use std::path::Path;
use std::sync::Arc;

use kernel::port::Disk;
use kernel::{LeaderEpoch, Offset, Timestamp, TopicPartition, Uuid};

use super::{Log, OpenParams, RecoveryReport, Usage, millis};
use crate::config::LogConfig;
use crate::error::Result;

/// The facts of a log that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub start: Offset,
    pub end: Offset,
    pub recovery_point: Offset,
    pub cleaned_to: Offset,
    pub size: u64,
    /// The leader epoch of the last record.
    pub latest_epoch: Option<LeaderEpoch>,
    /// The first segment: its size, the offset after it, and the largest timestamp in it.
    pub first_size: u64,
    pub first_end: Offset,
    pub first_timestamp: Timestamp,
    /// Whether there is a folder with files. A log that was never written to needs none.
    pub on_disk: bool,
    /// Whether no producer is known, so that all before the end is stable.
    pub plain: bool,
    /// Whether files were made whose names are not durable yet.
    pub names_dirty: bool,
    /// Whether nobody has looked at the files since a stop that was not clean. The offsets are then those of checkpoints, and
    /// the rest is unknown until the log wakes.
    pub unverified: bool,
}

impl Rest {
    /// A log that was never written to, and has no files yet.
    pub fn unwritten(start: Offset) -> Self {
        Self {
            start,
            end: start,
            recovery_point: start,
            cleaned_to: Offset::ZERO,
            size: 0,
            latest_epoch: None,
            first_size: 0,
            first_end: start,
            first_timestamp: Timestamp(-1),
            on_disk: false,
            plain: true,
            names_dirty: false,
            unverified: false,
        }
    }

    /// A log of which only checkpoints tell something after a crash.
    pub fn unverified(start: Offset, recovery_point: Offset, cleaned_to: Offset) -> Self {
        let end = recovery_point.max(start);
        Self {
            end,
            recovery_point,
            cleaned_to,
            on_disk: true,
            plain: false,
            names_dirty: true,
            unverified: true,
            ..Self::unwritten(start)
        }
    }

    /// Whether retention would delete anything, which takes the log itself.
    pub fn retention_due(&self, config: &LogConfig, now: Timestamp) -> bool {
        let passed = self.first_end <= self.start && self.first_end < self.end;
        let old = || {
            config.retention_ms >= 0
                && now.millis().saturating_sub(self.first_timestamp.millis()) > config.retention_ms
        };
        let large = || {
            let limit = u64::try_from(config.retention_bytes).unwrap_or(u64::MAX);
            let surplus = self.size.saturating_sub(limit);
            surplus > 0 && surplus >= self.first_size
        };
        // What is not known has to be looked at.
        self.unverified || self.size > 0 && (passed || (config.cleanup.delete && (old() || large())))
    }
}

impl Log {
    /// Makes the log of its rest. If the files say otherwise than the rest, the files are right. One that is not verified is
    /// recovered.
    pub fn wake(
        disk: Arc<dyn Disk>,
        log_dir: &Path,
        partition: TopicPartition,
        topic_id: Uuid,
        config: Arc<LogConfig>,
        rest: &Rest,
        now: Timestamp,
    ) -> Result<(Log, RecoveryReport)> {
        let clean = !rest.unverified;
        let params = OpenParams {
            clean,
            recovery_point: rest.recovery_point,
            log_start: rest.start,
            ..OpenParams::default()
        };
        let (mut log, report) = Self::open(disk, log_dir, partition, Some(topic_id), config, params, now)?;
        log.recovery_point = log.recovery_point.min(rest.recovery_point.0);
        log.names_dirty |= rest.names_dirty;
        log.owner_dirty |= rest.names_dirty;
        if rest.latest_epoch > log.latest_epoch() {
            // Its file is written with the next sync.
            log.read_epochs(rest.recovery_point)?;
        }
        log.note_cleaned(rest.cleaned_to);
        Ok((log, report))
    }

    /// A log that could not be made of its rest: it is offline, and says what was known.
    pub fn not_woken(
        disk: Arc<dyn Disk>,
        log_dir: &Path,
        partition: TopicPartition,
        topic_id: Uuid,
        config: Arc<LogConfig>,
        rest: &Rest,
        why: &str,
    ) -> Log {
        let at = crate::place::Place { disk, dir: log_dir.join(partition.to_string()), ending: "" };
        let params = OpenParams {
            clean: true,
            recovery_point: rest.recovery_point,
            log_start: rest.start,
            ..OpenParams::default()
        };
        let mut log = Self::unloaded(at, partition, Some(topic_id), config, params, Timestamp(0));
        log.end = rest.end.0;
        log.cleaned_to = rest.cleaned_to.0;
        log.take_offline(why);
        log
    }

    /// The facts of the log now, whether it may rest or not.
    pub fn facts(&mut self) -> Result<Rest> {
        self.ensure_online()?;
        let first_end = Offset(self.segment_end(0));
        let (mut first_size, mut first_timestamp) = (0, Timestamp(-1));
        if let Some(first) = self.segments.first_mut() {
            first_size = first.size;
            if first.size > 0 {
                first_timestamp = Timestamp(first.retention_timestamp(&self.at)?);
            }
        }
        Ok(Rest {
            start: self.start_offset(),
            end: self.end_offset(),
            recovery_point: self.recovery_point(),
            cleaned_to: Offset(self.cleaned_to),
            size: self.size(),
            latest_epoch: self.latest_epoch(),
            first_size,
            first_end,
            first_timestamp,
            on_disk: true,
            plain: self.producers.entries().len() == 0,
            names_dirty: self.names_dirty,
            unverified: false,
        })
    }

    /// What is to be remembered of the log if it rests from now on; nothing if something is still to be done for it, or
    /// if more is known than files tell.
    pub fn rest(&mut self) -> Result<Option<Rest>> {
        let active = self.active_base();
        let unflushed = self.end > self.recovery_point;
        let awaits_sync = unflushed && (self.recovery_point < active || self.config.flush_ms != i64::MAX);
        let knows_producers = self.producers.entries().len() > 0;
        if self.offline.is_some()
            || !self.doomed.is_empty()
            || self.cut_since_flush.is_some()
            || awaits_sync
            || self.awaits_cleaning()
            || knows_producers
        {
            return Ok(None);
        }
        if !unflushed {
            self.save_epochs()?;
        }
        if let Some(active) = self.segments.last_mut() {
            // As at a clean stop: whoever wakes the log finds its largest timestamp in the time index and nowhere else.
            active.seal(&self.at)?;
        }
        let facts = self.facts()?;
        self.release()?;
        Ok(Some(facts))
    }

    /// Whether the cleaner has something to look at here, now or in time.
    pub fn awaits_cleaning(&self) -> bool {
        let lag = self.config.max_compaction_lag_ms != i64::MAX;
        let dirty = self.segments.len() > 1 && self.cleaned_to < self.active_base();
        self.config.cleanup.compact && (lag || dirty)
    }

    /// Whether nobody has used the log for so long that it keeps nothing open.
    pub fn is_idle(&self) -> bool {
        self.usage == Usage::Resting
    }

    pub(super) fn unloaded(
        at: crate::place::Place,
        partition: TopicPartition,
        topic_id: Option<Uuid>,
        config: Arc<LogConfig>,
        params: OpenParams,
        now: Timestamp,
    ) -> Log {
        Log {
            at,
            partition,
            topic_id,
            config,
            segments: Vec::new(),
            start: params.log_start.0,
            end: 0,
            recovery_point: params.recovery_point.0,
            cleaned_to: 0,
            cuts: 0,
            last_flush_ms: millis(now),
            cut_since_flush: None,
            names_dirty: false,
            owner_dirty: false,
            epochs: Default::default(),
            producers: Default::default(),
            short_windows: false,
            snapshots: Vec::new(),
            unsynced_snapshot: None,
            since_snapshot: 0,
            last_snapshot_ms: i64::MIN,
            cursors: Default::default(),
            doomed: Vec::new(),
            usage: Usage::Resting,
            offline: None,
        }
    }
}
