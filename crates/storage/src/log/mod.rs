//! The log of one partition. Start at [`Log`].

mod append;
mod clean;
mod copy;
mod cursor;
mod flush;
mod offsets;
mod open;
mod producers;
mod read;
mod recover;
mod rest;
mod retain;
mod roll;
mod truncate;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::{LeaderEpoch, Offset, Timestamp, TopicPartition, Uuid};

pub use append::AppendInfo;
pub use copy::Next;
pub use flush::FlushWork;
pub use offsets::OffsetQuery;
pub use open::{OpenParams, RecoveryReport};
pub use read::{ReadInfo, Span, Unchecked};
pub use rest::Rest;
pub use retain::{Chores, Retained};
pub use truncate::take_away;

use crate::config::LogConfig;
use crate::epoch_cache::{EpochCache, EpochEnd, EpochStart};
use crate::error::{Result, StorageError};
use crate::place::Place;
use crate::producer::{ProducerInfo, ProducerState};
use crate::segment::Segment;
use cursor::Cursors;

/// The log of one partition: its segments, what is known of its producers and leaders, and the rules for changing it.
///
/// All calls are quick ones on buffered files, except where a comment says that they sync. The caller serialises them.
///
/// *Invariant:* there is at least one segment; the last one, the active segment, takes the next record, and records are
/// only ever added at [`Log::end_offset`].
///
/// *Invariant:* after a failure that leaves the files in an unsure state the log is offline: every call that uses them
/// fails until it is opened again.
pub struct Log {
    at: Place,
    partition: TopicPartition,
    topic_id: Option<Uuid>,
    config: Arc<LogConfig>,
    /// By base offset.
    segments: Vec<Segment>,
    start: i64,
    end: i64,
    /// All before this offset is durable.
    recovery_point: i64,
    /// All before this offset was compacted, so that none of it is superseded by anything else before it.
    cleaned_to: i64,
    /// How often records were taken back, so that a cleaning under way notices.
    cuts: u64,
    last_flush_ms: i64,
    /// Where the log was cut since the sync under way began, which does not cover what was written there since.
    cut_since_flush: Option<i64>,
    /// Whether files were made whose names are not durable yet.
    names_dirty: bool,
    /// Whether `partition.metadata` was written and not synced yet; the names are not durable then either.
    owner_dirty: bool,
    epochs: EpochCache,
    producers: ProducerState,
    /// A snapshot of producers holds the last batch of each, and not those before it that may come again as well.
    short_windows: bool,
    /// Offsets of the producer snapshots that exist.
    snapshots: Vec<i64>,
    /// The newest of them, if it was not synced.
    unsynced_snapshot: Option<i64>,
    /// Bytes appended since the newest snapshot.
    since_snapshot: u64,
    /// When the last one was taken because much had been appended.
    last_snapshot_ms: i64,
    cursors: Cursors,
    /// Files out of use, and when they are to be removed.
    doomed: Vec<(i64, PathBuf)>,
    usage: Usage,
    offline: Option<Arc<str>>,
}

impl Log {
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    pub fn topic_id(&self) -> Option<Uuid> {
        self.topic_id
    }

    /// The folder that has the files.
    pub fn dir(&self) -> &Path {
        &self.at.dir
    }

    /// The first offset that can be read.
    pub fn start_offset(&self) -> Offset {
        Offset(self.start)
    }

    /// The offset that the next record will get.
    pub fn end_offset(&self) -> Offset {
        Offset(self.end)
    }

    /// All before this offset is durable.
    pub fn recovery_point(&self) -> Offset {
        Offset(self.recovery_point)
    }

    /// Bytes in all segments.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Takes over changed topic configs; they count from the next call on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    /// The leader epoch of the last record, or the last one that was told by [`Log::begin_epoch`].
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// Where each leader epoch begins.
    pub fn epochs(&self) -> &[EpochStart] {
        self.epochs.entries()
    }

    /// Where the largest epoch up to `epoch` ends. Nothing if the log knows no epoch as new as that.
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        self.epochs.end_of(epoch, self.end_offset())
    }

    /// The leader epoch of the record at `offset`.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_at(offset)
    }

    /// Notes that this node leads from here on with `epoch`. Syncs a small file.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<()> {
        self.ensure_online()?;
        self.epochs.assign(epoch, self.end_offset());
        self.save_epochs()
    }

    /// The producers that the log knows, by id.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = ProducerInfo> {
        self.producers.entries().map(ProducerInfo::from)
    }

    /// Up to where a reader of committed records may read: the first record whose transaction is still open, or the
    /// high watermark.
    pub fn last_stable_offset(&mut self, high_watermark: Offset) -> Offset {
        let unstable = self.producers.first_unstable(high_watermark.0);
        Offset(unstable.map_or(high_watermark.0, |first| first.max(self.start).min(high_watermark.0)))
    }

    /// Why the log is offline, if it is.
    pub fn offline(&self) -> Option<&str> {
        self.offline.as_deref()
    }

    /// Takes the log offline, for instance because another log on its disk failed.
    pub fn take_offline(&mut self, why: &str) {
        if self.offline.is_none() {
            self.offline = Some(Arc::from(why));
        }
    }

    fn ensure_online(&self) -> Result<()> {
        match &self.offline {
            None => Ok(()),
            Some(why) => Err(StorageError::Offline { dir: self.at.dir.clone(), why: Arc::clone(why) }),
        }
    }

    /// Takes the log offline for an error that leaves its files unsure.
    fn fail(&mut self, error: StorageError) -> StorageError {
        self.take_offline(&error.to_string());
        error
    }

    /// The same, unless the reason passes and what was begun is as it was: then it is tried again with the next call.
    fn fail_unless_it_passes(&mut self, error: StorageError) -> StorageError {
        if error.passes() { error } else { self.fail(error) }
    }

    fn save_epochs(&mut self) -> Result<()> {
        self.put_epochs(true)
    }

    /// The same without a sync, for a log of which nothing was durable before.
    fn save_epochs_later(&mut self) -> Result<()> {
        self.put_epochs(false)
    }

    fn put_epochs(&mut self, synced: bool) -> Result<()> {
        // Most calls find nothing new, and make no path.
        if !self.epochs.is_dirty() {
            return Ok(());
        }
        self.epochs.save(self.at.disk.as_ref(), &self.at.path(crate::names::LEADER_EPOCHS), synced)
    }

    /// The number of the segment that has `offset`, or would have it.
    fn segment_of(&self, offset: i64) -> usize {
        self.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1)
    }

    /// Where the segment after number `index` begins, or the log ends.
    fn segment_end(&self, index: usize) -> i64 {
        self.segments.get(index + 1).map_or(self.end, |next| next.base)
    }

    fn active_base(&self) -> i64 {
        self.segments.last().map_or(self.end, |segment| segment.base)
    }

    /// Closes files and gives back memory that an idle partition does not need. [`Log::background`] does this for a log
    /// that nobody has used for a minute.
    pub fn release(&mut self) -> Result<()> {
        self.ensure_online()?;
        self.cursors.clear();
        for segment in &mut self.segments {
            if segment.has_open_files() {
                segment.release(&self.at)?;
            }
        }
        Ok(())
    }
}

/// Whether somebody uses a log, so that one who does not keeps no files open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    /// Since the last look.
    Used,
    /// Not since this time.
    IdleSince(i64),
    /// Not for long: everything is closed.
    Resting,
}

/// Milliseconds since 1970, for comparisons.
fn millis(now: Timestamp) -> i64 {
    now.millis()
}

#[cfg(test)]
mod tests;
