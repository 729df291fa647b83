//! Durability: which files a sync must cover, and what is durable after it.

use std::sync::Arc;

use kernel::planted::{self, Bug};
use kernel::port::DiskFile;
use kernel::{Offset, Timestamp};

use super::{Log, Rest, millis};
use crate::error::{Result, StorageError};

/// A log without producers that is no larger than this needs no snapshot of them: it is read as fast, and Kafka makes an empty
/// one of its own.
const READ_AT_ONCE: u64 = 64 << 10;

/// A sync that is to be made: submit one for each file, and tell [`Log::flushed_to`] once all are done.
/// There is one at a time for a log.
pub struct FlushWork {
    pub files: Vec<Arc<dyn DiskFile>>,
    /// What is durable afterwards.
    pub upto: Offset,
}

impl Log {
    /// Whether a record at this offset waits for a sync that `flush.messages` asks for.
    pub(super) fn flush_due_at(&self, last_offset: i64) -> bool {
        let limit = self.config.flush_messages;
        last_offset >= self.recovery_point && self.end.saturating_sub(self.recovery_point) >= limit
    }

    /// Whether [`Log::begin_flush`] would wait for the disk: names of new files and what is said of them come first.
    pub fn flush_waits(&self) -> bool {
        self.recovery_point < self.end && (self.names_dirty || self.epochs.is_dirty())
    }

    /// What to sync so that all records so far are durable; nothing if they are.
    ///
    /// Names of new files are made durable here, which waits for the disk; that is needed once after each roll.
    pub fn begin_flush(&mut self) -> Result<Option<FlushWork>> {
        self.ensure_online()?;
        if self.recovery_point >= self.end {
            return Ok(None);
        }
        self.keep_epochs()?;
        if let Some(active) = self.segments.last_mut() {
            // What is aborted before the recovery point is told by the index alone.
            active.write_txns(&self.at)?;
        }
        self.sync_names()?;
        self.cut_since_flush = None;
        let active = self.segments.len().saturating_sub(1);
        let first = self.segment_of(self.recovery_point);
        let mut files = Vec::new();
        for (index, segment) in self.segments.iter_mut().enumerate().skip(first) {
            files.extend(segment.files_to_sync(&self.at, index == active)?);
        }
        Ok(Some(FlushWork { files, upto: self.end_offset() }))
    }

    /// The epochs are durable before the recovery point passes the first record that has them, so that none is missed after
    /// a crash.
    fn keep_epochs(&mut self) -> Result<()> {
        if self.epochs.is_dirty() {
            self.save_epochs().map_err(|error| self.fail_unless_it_passes(error))?;
            self.names_dirty = true;
        }
        Ok(())
    }

    /// Makes the names of new files durable, and with a new folder whose it is.
    pub(super) fn sync_names(&mut self) -> Result<()> {
        if !self.names_dirty || planted::on(Bug::ForgetDirectorySync) {
            return Ok(());
        }
        // The indexes of a new log have no files yet; made later, their names would be missing after a power cut.
        let indexes = self.segments.last_mut().map_or(Ok(()), |active| active.ensure_index_files(&self.at));
        indexes.map_err(|error| self.fail_unless_it_passes(error))?;
        let owner = if self.owner_dirty { crate::dir::partition_metadata::sync(&self.at) } else { Ok(()) };
        let synced = owner.and_then(|()| self.at.sync_dir()).and_then(|()| match self.at.dir.parent() {
            Some(parent) => {
                self.at.disk.sync_dir(parent).map_err(|error| StorageError::unsynced(parent, error))
            }
            None => Ok(()),
        });
        synced.map_err(|error| self.fail_unless_it_passes(error))?;
        self.names_dirty = false;
        self.owner_dirty = false;
        Ok(())
    }

    /// A sync begun by [`Self::begin_flush`] is done.
    pub fn flushed_to(&mut self, upto: Offset, now: Timestamp) {
        let upto = if planted::on(Bug::RecoveryPointTooFar) { self.end } else { upto.0 };
        let upto = upto.min(self.end).min(self.cut_since_flush.unwrap_or(i64::MAX));
        self.recovery_point = self.recovery_point.max(upto);
        self.last_flush_ms = millis(now);
        // Without it recovery reads more, and nothing else.
        let _ = self.snapshot_if_due(self.last_flush_ms);
    }

    /// A sync failed. What it should have covered may be lost though later syncs succeed, so the log goes offline.
    pub fn flush_failed(&mut self, error: std::io::Error) -> StorageError {
        let error = StorageError::unsynced(&self.at.dir, error);
        self.fail(error)
    }

    /// Syncs all records and waits for it.
    pub fn flush(&mut self, now: Timestamp) -> Result<()> {
        let Some(work) = self.begin_flush()? else { return Ok(()) };
        for file in &work.files {
            file.sync_data().map_err(|error| self.flush_failed(error))?;
        }
        self.flushed_to(work.upto, now);
        Ok(())
    }

    /// Writes all that a clean stop keeps, for a sync of the whole directory that follows. Returns what is to be remembered once
    /// that is done; until then the recovery point is where it was. Nothing is appended any more.
    ///
    /// What a crash before that sync leaves is what it would leave of any other moment: a file that replaces one that may be
    /// needed is synced here.
    pub fn close_unsynced(&mut self) -> Result<Rest> {
        self.ensure_online()?;
        if let Some(active) = self.segments.last_mut() {
            active.seal(&self.at)?;
        }
        if self.recovery_point <= self.segments.first().map_or(0, |first| first.base) {
            // Nothing of it counts as durable yet: all records are read after a crash, and tell their epochs.
            self.save_epochs_later()?;
        } else {
            self.save_epochs()?;
        }
        self.producers.set_end(self.end);
        if !self.snapshots.is_empty() {
            self.take_snapshot()?;
            self.remove_stray_snapshots()?;
        } else if self.producers.entries().len() > 0 || self.size() > READ_AT_ONCE {
            self.take_snapshot_later()?;
        }
        let mut rest = self.facts()?;
        self.release()?;
        rest.recovery_point = rest.end;
        rest.names_dirty = false;
        Ok(rest)
    }

    /// Makes everything durable for a clean stop: records, indexes, epochs, producers. Syncs.
    ///
    /// The log can be used afterwards as before. Returns the recovery point for the checkpoint.
    pub fn close(&mut self, now: Timestamp) -> Result<Offset> {
        self.ensure_online()?;
        self.flush(now)?;
        if let Some(active) = self.segments.last_mut() {
            active.seal(&self.at)?;
            for file in active.files_to_sync(&self.at, false)? {
                file.sync_data().map_err(|error| StorageError::unsynced(&active.path(&self.at), error))?;
            }
        }
        self.save_epochs()?;
        self.producers.set_end(self.end);
        self.take_snapshot()?;
        self.remove_stray_snapshots()?;
        self.names_dirty = true;
        self.sync_names()?;
        self.release()?;
        Ok(self.recovery_point())
    }
}
