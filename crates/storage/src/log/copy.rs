//! A copy of a log in another log directory, which takes the place of the log once it has all of it.
//!
//! The folder of the copy has the name `topic-partition.id-future` until then; a crash before leaves the log as it was, and a
//! folder to remove.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::{Offset, Timestamp};
use wire::batch::BatchView;

use super::{Log, OpenParams};
use crate::config::LogConfig;
use crate::error::{AppendError, ReadError, Result, StorageError};
use crate::names;
use crate::place::Place;

/// What a copy is to get next.
pub enum Next {
    /// These records, which somebody has to give to [`Log::append_copied`].
    Records(super::Span),
    /// It has all that the log has.
    Nothing,
}

impl Log {
    /// Begins a copy of this log in another log directory. `id` tells its folder from others. The folder is durable when this
    /// returns, and so is that of the log: a copy alone would hide what the journal has for the log. Syncs.
    pub fn begin_copy(&mut self, log_dir: &Path, id: [u8; 16], now: Timestamp) -> Result<Log> {
        self.ensure_online()?;
        self.sync_names()?;
        let dir = log_dir.join(names::future_folder(&self.partition, id));
        let at = Place { disk: Arc::clone(&self.at.disk), dir, ending: "" };
        let params = OpenParams { clean: true, ..OpenParams::default() };
        let config = Arc::clone(&self.config);
        let (mut copy, _) = Self::open_at(at, self.partition.clone(), self.topic_id, config, params, now)?;
        copy.sync_names()?;
        Ok(copy)
    }

    /// What a copy that ends at `end` lacks, at most so many bytes unless one batch alone has more.
    pub fn next_for_copy(&mut self, end: Offset, max_bytes: u32) -> Result<Next> {
        // What the log has forgotten since the copy needs no copy.
        let from = end.max(self.start_offset());
        if from >= self.end_offset() {
            return Ok(Next::Nothing);
        }
        let read = self.read(from, max_bytes, self.end_offset(), true).map_err(|error| match error {
            ReadError::Storage(problem) => problem,
            out_of_range @ ReadError::OutOfRange { .. } => {
                StorageError::refused(&self.at.dir, out_of_range.to_string())
            }
        })?;
        let missing =
            || StorageError::refused(&self.at.dir, format!("nothing is found from offset {from} on"));
        read.span.map(Next::Records).ok_or_else(missing)
    }

    /// Appends what [`Self::next_for_copy`] gave.
    pub fn append_copied(&mut self, records: &[u8], now: Timestamp) -> Result<()> {
        let (first, _) = BatchView::parse(records)
            .map_err(|error| StorageError::corrupt(&self.at.dir, 0, error.to_string()))?;
        let base = first.header().base_offset();
        if self.size() == 0 && base != self.end_offset() {
            self.begin_anew(base.0, now).map_err(|error| self.fail(error))?;
        }
        let whole = u32::try_from(records.len()).unwrap_or(u32::MAX);
        if whole > self.config.segment_bytes {
            // Segments were larger when this batch was appended.
            self.config = Arc::new(LogConfig { segment_bytes: whole, ..(*self.config).clone() });
        }
        match self.append_replicated(now, records) {
            Ok(_) => Ok(()),
            Err(AppendError::Storage(problem)) => Err(problem),
            Err(AppendError::Rejected { message, .. }) => Err(StorageError::refused(&self.at.dir, message)),
        }
    }

    /// Makes a copy that has all records of `of` the same in everything else, and durable. Syncs.
    pub fn finish_copy(&mut self, of: &Log, now: Timestamp) -> Result<()> {
        if of.start == of.end && self.end != of.end {
            self.begin_anew(of.end, now).map_err(|error| self.fail(error))?;
        }
        if self.end != of.end {
            let what = format!("the copy ends at offset {}, the log at {}", self.end, of.end);
            return Err(StorageError::refused(&self.at.dir, what));
        }
        self.config = Arc::clone(&of.config);
        self.start = self.start.max(of.start);
        self.epochs = of.epochs.copied();
        // Batches that went with old segments or a compaction have left more there than can be read.
        self.producers = of.producers.clone();
        self.short_windows = of.short_windows;
        self.remove_snapshots(|offset| offset >= of.end)?;
        self.note_cleaned(Offset(of.cleaned_to));
        self.close(now).map(drop)
    }

    /// Gives a finished copy the folder of the log that it replaces: both are there afterwards, and either is whole as long as
    /// nothing is appended. If this fails and says so with `false`, the names may be either. Syncs.
    pub fn take_place(&mut self) -> Result<(), (StorageError, bool)> {
        self.release().map_err(|problem| (problem, true))?;
        let parent = self.at.dir.parent().map(Path::to_owned).unwrap_or_default();
        let (from, to) = (self.at.dir.clone(), parent.join(self.partition.to_string()));
        let disk = Arc::clone(&self.at.disk);
        let renamed = disk.rename(&from, &to).map_err(|error| StorageError::io("rename", &from, error));
        renamed.map_err(|problem| (problem, true))?;
        if let Err(error) = disk.sync_dir(&parent) {
            let undone = disk.rename(&to, &from).and_then(|()| disk.sync_dir(&parent)).is_ok();
            return Err((StorageError::unsynced(&parent, error), undone));
        }
        for (_, doomed) in &mut self.doomed {
            if let Some(name) = doomed.file_name() {
                *doomed = to.join(name);
            }
        }
        self.at.dir = to;
        Ok(())
    }

    /// The folder of a copy that is not wanted any more, to be removed.
    pub fn abandon_copy(self) -> PathBuf {
        self.at.dir.clone()
    }
}
