//! Taking records back: to follow another leader, or to begin anew; and deleting the whole log.

use std::path::{Path, PathBuf};

use kernel::port::Disk;
use kernel::{Offset, Timestamp, TopicPartition};

use super::{Log, RecoveryReport, millis};
use crate::error::{Result, StorageError};
use crate::names;
use crate::segment::Segment;

impl Log {
    /// Removes all records from `to` on. Returns whether there were any.
    ///
    /// A batch that reaches beyond `to` goes whole.
    pub fn truncate_to(&mut self, to: Offset, now: Timestamp) -> Result<bool> {
        self.ensure_online()?;
        if to.0 < 0 {
            return Err(StorageError::refused(
                &self.at.dir,
                format!("a log cannot be truncated to offset {to}"),
            ));
        }
        if to.0 >= self.end {
            return Ok(false);
        }
        if self.segments.first().is_none_or(|first| to.0 < first.base) {
            self.truncate_all(to, now)?;
            return Ok(true);
        }
        self.cut(to.0, now).map_err(|error| self.fail(error))?;
        Ok(true)
    }

    fn cut(&mut self, to: i64, now: Timestamp) -> Result<()> {
        self.cursors.clear();
        self.cuts += 1;
        let keep = self.segment_of(to);
        self.drop_from(keep + 1, now)?;
        let Some(active) = self.segments.last_mut() else { return Ok(()) };
        active.truncate(&self.at, to, millis(now))?;
        // A batch that spanned `to` went whole.
        self.end = active.next_offset(&self.at)?.0.max(active.base);
        self.start = self.start.min(self.end);
        self.recovery_point = self.recovery_point.min(self.end);
        self.cleaned_to = self.cleaned_to.min(self.end);
        self.cut_since_flush = Some(self.cut_since_flush.map_or(self.end, |cut| cut.min(self.end)));
        self.epochs.truncate_from_end(Offset(self.end));
        self.save_epochs()?;
        self.load_producers(self.end, now, &mut RecoveryReport::default())
    }

    /// Takes segments from number `from` on out of use, the newest first, so that a crash leaves no gap.
    pub(super) fn drop_from(&mut self, from: usize, now: Timestamp) -> Result<usize> {
        let mut dropped = 0;
        while self.segments.len() > from {
            let Some(mut newest) = self.segments.pop() else { break };
            let paths = newest.mark_deleted(&self.at)?;
            self.doom(paths, millis(now));
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Forgets everything and begins at `start`.
    pub fn truncate_all(&mut self, start: Offset, now: Timestamp) -> Result<()> {
        self.ensure_online()?;
        self.begin_anew(start.0, now).map_err(|error| self.fail(error))
    }

    pub(super) fn begin_anew(&mut self, start: i64, now: Timestamp) -> Result<()> {
        self.cursors.clear();
        self.cuts += 1;
        self.drop_from(0, now)?;
        self.segments.push(Segment::create(&self.at, start, millis(now))?);
        self.names_dirty = true;
        (self.start, self.end) = (start, start);
        self.recovery_point = self.recovery_point.min(start);
        self.cleaned_to = self.cleaned_to.min(start);
        self.cut_since_flush = Some(self.cut_since_flush.map_or(start, |cut| cut.min(start)));
        self.epochs.clear();
        self.save_epochs()?;
        self.remove_snapshots(|_| true)?;
        self.producers = crate::producer::ProducerState::starting_at(start);
        Ok(())
    }

    /// Takes the whole log out of use: its folder is renamed to `topic-partition.id-delete`. Returns the new path, to be
    /// removed after `file.delete.delay.ms`.
    ///
    /// The log is offline from then on.
    pub fn delete(&mut self, id: [u8; 16]) -> Result<PathBuf> {
        let parent = self.at.dir.parent().map(Path::to_owned).unwrap_or_default();
        self.segments.clear();
        self.take_offline("it was deleted");
        take_away(&*self.at.disk, &parent, &self.partition, id)
    }
}

/// Takes the folder of a log out of use that is not open, as [`Log::delete`] does it.
pub fn take_away(
    disk: &dyn Disk,
    log_dir: &Path,
    partition: &TopicPartition,
    id: [u8; 16],
) -> Result<PathBuf> {
    let from = log_dir.join(partition.to_string());
    let to = log_dir.join(names::deleted_folder(partition, id));
    disk.rename(&from, &to).map_err(|error| StorageError::io("rename", &from, error))?;
    disk.sync_dir(log_dir).map_err(|error| StorageError::unsynced(log_dir, error))?;
    Ok(to)
}
