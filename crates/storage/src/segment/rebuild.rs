//! Checking the index files of a segment, and writing them anew from its batches.

use std::io::IoSlice;

use kernel::Offset;
use kernel::planted::{self, Bug};
use kernel::port::disk::OpenMode;

use super::{Found, MaxTimestamp, Scan, Segment};
use crate::config::LogConfig;
use crate::error::{Result, StorageError};
use crate::names;
use crate::place::Place;

/// How much of a damaged segment is copied in one step.
const COPIED_AT_ONCE: usize = 256 << 10;

/// What a walk over all batches of a segment found.
#[derive(Debug, Default)]
pub(crate) struct Rebuilt {
    pub batches: u64,
    /// Bytes of whole, sound batches from the start of the file.
    pub valid: u64,
    /// Why the walk ended before the end of the file.
    pub damage: Option<StorageError>,
    /// Offset after the last sound batch.
    pub next_offset: Option<i64>,
}

impl Segment {
    /// Makes sure that the index files can be relied on; rebuilds them if not.
    pub(crate) fn ensure_indexes(&mut self, at: &Place) -> Result<()> {
        if self.verified {
            return Ok(());
        }
        match self.check_indexes(at) {
            Err(StorageError::Corrupt { .. }) => {
                self.rebuild(at, LogConfig::default().index_interval_bytes, false, |_, _| Ok(()))?;
            }
            other => other?,
        }
        self.verified = true;
        Ok(())
    }

    /// Whether the index files look as if they belong to this segment's batches.
    pub(crate) fn check_indexes(&mut self, at: &Place) -> Result<()> {
        self.offsets.load(at, self.base)?;
        self.times.load(at, self.base)?;
        if let Some(last) = self.offsets.last() {
            let position = u64::from(last.position);
            let path = self.path(at);
            let damaged = || StorageError::corrupt(&path, position, "its index points to no batch");
            let found = self.batch_at(at, position)?.ok_or_else(damaged)?;
            // Zeros at the end of a file that was not written to its end look like an entry for the first record.
            let zeros = last.relative == 0 && self.offsets.len() > 1;
            if zeros || found.header.last_offset().0 != self.base + i64::from(last.relative) {
                return Err(damaged());
            }
        }
        if let (Some(first), Some(last)) = (self.times.get(at, self.base, 0)?, self.times.last())
            && self.times.len() > 1
            && last.timestamp <= first.timestamp
        {
            return Err(StorageError::corrupt(&self.path(at), 0, "its time index is not in order"));
        }
        Ok(())
    }

    /// Walks over all batches and writes the indexes anew. `visit` sees each batch.
    ///
    /// Stops where no sound batch begins; `size` is then what comes before, and the caller decides about the rest.
    pub(crate) fn rebuild(
        &mut self,
        at: &Place,
        interval: u32,
        checked: bool,
        mut visit: impl FnMut(&mut Self, &Found) -> Result<()>,
    ) -> Result<Rebuilt> {
        self.offsets.reset(at, self.base)?;
        self.times.reset(at, self.base)?;
        self.max_timestamp = Some(MaxTimestamp { timestamp: -1, offset: self.base });
        self.first_timestamp = None;
        self.bytes_since_entry = 0;
        self.verified = true;
        let (file, path, end) = (self.file(at)?, self.path(at), self.size);
        let mut scan = match checked && !planted::on(Bug::SkipChecksum) {
            true => Scan::checked(file.as_ref(), &path, 0, end),
            false => Scan::headers(file.as_ref(), &path, 0, end),
        };
        let mut rebuilt = Rebuilt::default();
        loop {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(error @ StorageError::Corrupt { .. }) => {
                    rebuilt.damage = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            let (first, last) = (found.header.base_offset().0, found.header.last_offset().0);
            let expected = rebuilt.next_offset.unwrap_or(self.base);
            if first < expected || !self.takes_offset(last) {
                let what = format!("a batch with offsets {first} to {last}, {expected} was expected");
                rebuilt.damage = Some(StorageError::corrupt(&path, found.position, what));
                break;
            }
            self.note_batch(at, &found.header, last, found.position, interval)?;
            rebuilt.batches += 1;
            rebuilt.valid = found.end();
            rebuilt.next_offset = Some(last.saturating_add(1));
            visit(self, &found)?;
        }
        if checked {
            self.checked.add(0, rebuilt.valid);
        }
        self.seal(at)?;
        Ok(rebuilt)
    }

    /// Copies what follows the sound batches into a file of its own, which nobody but an operator reads or removes. Syncs.
    pub(crate) fn copy_aside(&mut self, at: &Place, valid: u64) -> Result<()> {
        let (file, aside) = (self.file(at)?, at.path(&names::damaged_file(self.base, valid)));
        let copy = at.open(&aside, OpenMode::Create)?;
        let failed = |error| StorageError::io("write", &aside, error);
        copy.set_len(0).map_err(failed)?;
        let mut piece = vec![0; COPIED_AT_ONCE];
        let mut done = 0;
        loop {
            let read = file.read_at(valid + done, &mut piece);
            let read = read.map_err(|error| StorageError::io("read", &self.path(at), error))?;
            if read == 0 {
                break;
            }
            copy.write_at(done, &[IoSlice::new(piece.get(..read).unwrap_or_default())]).map_err(failed)?;
            done += read as u64;
        }
        copy.sync_data().map_err(failed)?;
        at.sync_dir()
    }

    /// Cuts off what follows the sound batches that a rebuild found, for good: what is appended in its place must not be
    /// followed by the rest of it after a power cut. Syncs if there is anything.
    pub(crate) fn cut_to(&mut self, at: &Place, valid: u64) -> Result<()> {
        if valid < self.size {
            let file = self.file(at)?;
            let cut = file.set_len(valid).and_then(|()| file.sync_data());
            cut.map_err(|error| StorageError::io("shorten", &self.path(at), error))?;
            self.size = valid;
        }
        Ok(())
    }

    /// The offset after the last batch.
    pub(crate) fn next_offset(&mut self, at: &Place) -> Result<Offset> {
        Ok(self.last_batch(at)?.map_or(Offset(self.base), |found| found.header.next_offset()))
    }
}
