//! Forgetting old records: retention by time and size, DeleteRecords, and files that are out of use.

use std::path::PathBuf;

use kernel::{Offset, Timestamp};

use super::{Log, Usage, millis};
use crate::error::{ReadError, Result};
use crate::names;

/// How long nobody must have used a log until its files are closed.
const IDLE_MS: i64 = 60_000;

/// What retention took away.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    pub segments: usize,
    pub bytes: u64,
}

/// What is to be done for a log in the background.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Chores {
    /// Records wait for a sync because `flush.ms` is over or a segment was rolled: see [`Log::begin_flush`].
    pub flush: bool,
    /// Files to remove with [`kernel::port::Submission::Remove`].
    pub remove: Vec<PathBuf>,
}

impl Log {
    /// Deletes whole segments that `cleanup.policy=delete` or the log's start no longer asks to keep.
    ///
    /// Only records below the high watermark go. If all are to go, a new segment is begun first. Syncs the folder if
    /// anything was deleted.
    pub fn apply_retention(&mut self, now: Timestamp, high_watermark: Offset) -> Result<Retained> {
        self.ensure_online()?;
        let mut count = self.count_before_start(high_watermark.0);
        if self.config.cleanup.delete {
            count = count.max(self.count_beyond_size(high_watermark.0));
            count = count.max(self.count_too_old(millis(now), high_watermark.0)?);
        }
        self.delete_oldest(count, now)
    }

    fn count_before_start(&self, high_watermark: i64) -> usize {
        let passed = |index: usize| {
            index + 1 < self.segments.len()
                && self.segment_end(index) <= self.start
                && self.segment_end(index) <= high_watermark
        };
        (0..self.segments.len()).take_while(|index| passed(*index)).count()
    }

    fn count_beyond_size(&self, high_watermark: i64) -> usize {
        let Ok(limit) = u64::try_from(self.config.retention_bytes) else { return 0 };
        let mut surplus = self.size().saturating_sub(limit);
        let mut count = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            let empty = index + 1 == self.segments.len() && segment.size == 0;
            if empty || segment.size > surplus || surplus == 0 || self.segment_end(index) > high_watermark {
                break;
            }
            surplus -= segment.size;
            count += 1;
        }
        count
    }

    fn count_too_old(&mut self, now_ms: i64, high_watermark: i64) -> Result<usize> {
        if self.config.retention_ms < 0 {
            return Ok(0);
        }
        let (limit, ends) = (self.config.retention_ms, self.segment_ends());
        let last = self.segments.len().saturating_sub(1);
        let mut count = 0;
        for (index, (segment, end)) in self.segments.iter_mut().zip(ends).enumerate() {
            if (index == last && segment.size == 0) || end > high_watermark {
                break;
            }
            if now_ms.saturating_sub(segment.retention_timestamp(&self.at)?) <= limit {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    fn segment_ends(&self) -> Vec<i64> {
        (0..self.segments.len()).map(|index| self.segment_end(index)).collect()
    }

    fn delete_oldest(&mut self, count: usize, now: Timestamp) -> Result<Retained> {
        let mut retained = Retained::default();
        if count == 0 {
            return Ok(retained);
        }
        let before_active = self.segments.len().saturating_sub(1);
        self.drop_oldest(count.min(before_active), now, &mut retained)?;
        // Last, as on a full disk there may be no room for the segment that follows it.
        let rolled = if count > before_active { self.roll_at(self.end, millis(now)) } else { Ok(()) };
        if count > before_active && rolled.is_ok() && self.segments.len() > 1 {
            self.drop_oldest(1, now, &mut retained)?;
        }
        if let Some(first) = self.segments.first() {
            self.raise_start(first.base)?;
        }
        self.cursors.clear();
        self.at.sync_dir()?;
        rolled.map(|()| retained)
    }

    fn drop_oldest(&mut self, count: usize, now: Timestamp, retained: &mut Retained) -> Result<()> {
        for _ in 0..count {
            let Some(oldest) = self.segments.first_mut() else { break };
            let (base, size) = (oldest.base, oldest.size);
            let paths = oldest.mark_deleted(&self.at).map_err(|error| self.fail(error))?;
            self.segments.remove(0);
            self.doom(paths, millis(now));
            self.doom_snapshot(base, millis(now))?;
            retained.segments += 1;
            retained.bytes += size;
        }
        Ok(())
    }

    /// Raises the start of the log, so that records before `to` can no longer be read. Whole segments go with the next
    /// [`Self::apply_retention`]. Returns the new start.
    ///
    /// The start is kept by the log directory's checkpoint: write it before this is acknowledged.
    pub fn delete_records(&mut self, to: Offset, high_watermark: Offset) -> Result<Offset, ReadError> {
        self.ensure_online()?;
        if to.0 < 0 || to > high_watermark || to.0 > self.end {
            return Err(ReadError::OutOfRange {
                offset: to,
                start: self.start_offset(),
                end: high_watermark,
            });
        }
        self.raise_start(to.0)?;
        Ok(self.start_offset())
    }

    pub(super) fn raise_start(&mut self, to: i64) -> Result<()> {
        if to <= self.start {
            return Ok(());
        }
        self.start = to;
        self.epochs.truncate_from_start(Offset(to));
        if self.producers.end() < to {
            self.producers.set_end(to);
        }
        match self.save_epochs() {
            // Those before the start are passed over at the next start anyway, and the file follows with the next sync.
            Err(error) if error.passes() => Ok(()),
            saved => saved,
        }
    }

    /// The files out of use, whether or not it is time to remove them: for whoever needs their room now.
    pub fn take_doomed(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.doomed).into_iter().map(|(_, path)| path).collect()
    }

    /// Plans the removal of files that were renamed out of use.
    pub(super) fn doom(&mut self, paths: Vec<PathBuf>, now_ms: i64) {
        let due = now_ms.saturating_add(self.config.file_delete_delay_ms);
        // A cleaned segment that is replaced again takes the name of what it replaced.
        self.doomed.retain(|(_, path)| !paths.contains(path));
        self.doomed.extend(paths.into_iter().map(|path| (due, path)));
    }

    /// Takes the snapshot that belongs to a deleted segment out of use, unless it is the newest.
    pub(super) fn doom_snapshot(&mut self, base: i64, now_ms: i64) -> Result<()> {
        if self.snapshots.last() == Some(&base) {
            return Ok(());
        }
        self.snapshots.retain(|offset| *offset != base);
        let marked = self.at.mark_deleted(&self.at.segment_path(base, names::SNAPSHOT))?;
        self.doom(marked.into_iter().collect(), now_ms);
        Ok(())
    }

    /// What is due for this log now. Cheap when nothing is.
    pub fn background(&mut self, now: Timestamp) -> Chores {
        let now_ms = millis(now);
        self.rest_if_idle(now_ms);
        let unflushed = self.end > self.recovery_point;
        let rolled = self.recovery_point < self.active_base();
        let late = now_ms.saturating_sub(self.last_flush_ms) >= self.config.flush_ms;
        let mut remove = Vec::new();
        self.doomed.retain_mut(|(due, path)| {
            let keep = *due > now_ms;
            if !keep {
                remove.push(std::mem::take(path));
            }
            keep
        });
        Chores { flush: unflushed && (rolled || late) && self.offline.is_none(), remove }
    }

    fn rest_if_idle(&mut self, now_ms: i64) {
        match self.usage {
            Usage::Used => self.usage = Usage::IdleSince(now_ms),
            Usage::IdleSince(since) if now_ms.saturating_sub(since) >= IDLE_MS && self.offline.is_none() => {
                match self.release() {
                    Ok(()) => self.usage = Usage::Resting,
                    // Index entries that cannot be written for now stay in memory until they are.
                    Err(error) if error.passes() => self.usage = Usage::Used,
                    Err(error) => self.take_offline(&error.to_string()),
                }
            }
            Usage::IdleSince(_) | Usage::Resting => {}
        }
    }

    /// When [`Self::background`] has files to remove next.
    pub fn next_removal(&self) -> Option<Timestamp> {
        self.doomed.iter().map(|(due, _)| Timestamp(*due)).min()
    }
}
