//! Beginning a new segment.

use kernel::planted::{self, Bug};

use super::Log;
use crate::error::{Result, StorageError};
use crate::index::txn;
use crate::segment::Segment;

/// What is about to be appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upcoming {
    pub bytes: u64,
    pub max_timestamp: i64,
    pub first_offset: i64,
    pub last_offset: i64,
}

impl Log {
    /// Begins a new segment at the end of the log, unless the active one is empty.
    pub fn roll(&mut self, now: kernel::Timestamp) -> Result<()> {
        self.ensure_online()?;
        self.roll_at(self.end, now.millis())
    }

    /// Begins a new segment if the active one cannot or must not take what is coming. Returns whether it did.
    pub(super) fn roll_if_due(&mut self, upcoming: &Upcoming, now_ms: i64) -> Result<bool> {
        let config = &self.config;
        let Some(active) = self.segments.last_mut() else { return Ok(false) };
        let full = active.size + upcoming.bytes > u64::from(config.segment_bytes) && active.size > 0;
        let mut due = full || !active.takes_offset(upcoming.last_offset) || active.indexes_full(config);
        if !due && active.size > 0 {
            let age_ms = active.age_ms(&self.at, now_ms, upcoming.max_timestamp)?;
            let limit_ms = config.max_segment_ms();
            // Jitter only shortens the limit; most appends are far from it and need not work it out.
            due = age_ms > limit_ms.saturating_sub(config.segment_jitter_ms)
                && age_ms
                    > limit_ms.saturating_sub(config.jitter_ms(&self.at.dir.to_string_lossy(), active.base));
        }
        if due {
            self.roll_at(upcoming.first_offset, now_ms)?;
        }
        Ok(due)
    }

    /// If this fails, the active segment goes on as it was.
    pub(super) fn roll_at(&mut self, base: i64, now_ms: i64) -> Result<()> {
        let Some(active) = self.segments.last_mut() else { return Ok(()) };
        if active.size == 0 && active.base == base {
            return Ok(());
        }
        active.seal(&self.at)?;
        let synced = !self.config.write_caching || self.config.flush_messages < i64::MAX;
        if synced && !planted::on(Bug::RollBeforeSync) {
            // Before another segment can outlive a power cut that this one's end does not: a hole in the middle of a log
            // would look like what compaction leaves, and keep producers from sending again what it took. The journal, or
            // whoever asked for syncs, bounds how much there is to sync.
            self.flush(kernel::Timestamp(now_ms))?;
        }
        self.keep_aborted_txns()?;
        if let Some(old) = self.segments.last_mut() {
            // Now, so that the next finds as many files as this one gives back.
            old.release(&self.at)?;
        }
        let segment = self.begin_segment(base, now_ms)?;
        let abandoned = self.segments.pop_if(|active| active.size == 0);
        self.segments.push(segment);
        if let Some(mut empty) = abandoned {
            // No offset of the empty segment can be used any more.
            let paths = empty.mark_deleted(&self.at)?;
            self.doom(paths, now_ms);
        }
        Ok(())
    }

    /// Makes the files of the next segment, and the snapshot of the producers before it.
    fn begin_segment(&mut self, base: i64, now_ms: i64) -> Result<Segment> {
        self.names_dirty = true;
        let known_to = self.producers.end();
        self.producers.set_end(base);
        let begun = self.take_snapshot().and_then(|()| Segment::create(&self.at, base, now_ms));
        begun.map_err(|error| {
            self.producers.set_end(known_to);
            // Other records may come before `base` now, which that snapshot lacks.
            let end = self.end;
            let undone = self.remove_snapshots(|offset| offset > end);
            match self.at.disk.exists(&self.at.segment_path(base, crate::names::LOG)) || undone.is_err() {
                // It would hide what is appended before it from the next start.
                true => self.fail(error),
                false => error,
            }
        })
    }

    /// Makes the index of aborted transactions durable before another segment follows. Where all records are durable
    /// already, no later sync covers it, and no recovery would look at this segment again.
    fn keep_aborted_txns(&mut self) -> Result<()> {
        let Some(active) = self.segments.last().filter(|active| active.has_txn_index) else { return Ok(()) };
        if let Some(file) = txn::file(&self.at, active.base)? {
            let path = self.at.segment_path(active.base, crate::names::TXN_INDEX);
            file.sync_data().map_err(|error| self.fail(StorageError::unsynced(&path, error)))?;
        }
        self.at.sync_dir().map_err(|error| self.fail_unless_it_passes(error))
    }
}
