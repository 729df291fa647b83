//! Checking the index files of a segment, and writing them anew from its batches.

use std::io::IoSlice;

use kernel::Offset;
use kernel::planted::{self, Bug};
use kernel::port::disk::OpenMode;

use super::{Found, MaxTimestamp, Scan, Segment};
use crate::config::LogConfig;
use crate::error::{Result, StorageError};
use crate::index::offset::OffsetEntry;
use crate::index::time::TimeEntry;
use crate::names;
use crate::place::Place;

/// How much of a damaged segment is copied in one step.
const COPIED_AT_ONCE: usize = 256 << 10;

/// What a walk over all batches of a segment found.
#[derive(Debug, Default)]
pub(crate) struct Rebuilt {
    /// Those that were verified.
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
        visit: impl FnMut(&mut Self, &Found) -> Result<()>,
    ) -> Result<Rebuilt> {
        self.offsets.reset(at, self.base)?;
        self.times.reset(at, self.base)?;
        self.max_timestamp = Some(MaxTimestamp { timestamp: -1, offset: self.base });
        self.first_timestamp = None;
        self.bytes_since_entry = 0;
        self.verified = true;
        self.walk(at, interval, (None, checked.then_some(i64::MIN)), visit)
    }

    /// Keeps what the indexes have of the batches before `offset`, as far as they can be relied on after a power cut.
    /// Returns the last batch that they lead to, from which [`Self::resume`] goes on; nothing if they lead to none.
    ///
    /// The index files of the active segment are not synced with its records, so that any part of them may be zeros, and each
    /// may be shorter than the other. What the time index does not cover is walked over again: a larger timestamp may be there.
    pub(crate) fn keep_indexes_before(&mut self, at: &Place, offset: i64) -> Result<Option<Found>> {
        let (base, size) = (self.base, self.size);
        let before = |relative: u32| base + i64::from(relative) < offset;
        let newest = self.times.keep_sound(at, base, |last, entry| {
            let follows =
                |last: &TimeEntry| last.timestamp < entry.timestamp && last.relative < entry.relative;
            before(entry.relative) && last.is_none_or(follows)
        })?;
        let Some(newest) = newest else { return Ok(None) };
        let last = self.offsets.keep_sound(at, base, |last, entry| {
            let follows =
                |last: &OffsetEntry| last.relative < entry.relative && last.position < entry.position;
            let inside = entry.position > 0 && u64::from(entry.position) < size;
            inside && entry.relative <= newest.relative && last.is_none_or(follows)
        })?;
        let Some(last) = last else { return Ok(None) };
        let found = match self.batch_at(at, u64::from(last.position)) {
            Err(StorageError::Corrupt { .. }) => None,
            other => other?,
        };
        let Some(found) =
            found.filter(|found| found.header.last_offset().0 == base + i64::from(last.relative))
        else {
            return Ok(None);
        };
        let kept = self.times.last_where(at, base, |entry| entry.relative <= last.relative)?;
        let Some((number, newest)) = kept else { return Ok(None) };
        self.times.truncate(at, base, number + 1)?;
        let offset = base + i64::from(newest.relative);
        self.max_timestamp = Some(MaxTimestamp { timestamp: newest.timestamp, offset });
        self.first_timestamp = None;
        self.bytes_since_entry = found.header.batch_len() as u64;
        self.verified = true;
        Ok(Some(found))
    }

    /// Walks over the batches after one that [`Self::keep_indexes_before`] found, and verifies those from `offset` on.
    pub(crate) fn resume(
        &mut self,
        at: &Place,
        interval: u32,
        (after, offset): (Found, i64),
        visit: impl FnMut(&mut Self, &Found) -> Result<()>,
    ) -> Result<Rebuilt> {
        self.walk(at, interval, (Some(after), Some(offset)), visit)
    }

    fn walk(
        &mut self,
        at: &Place,
        interval: u32,
        (after, checked_from): (Option<Found>, Option<i64>),
        mut visit: impl FnMut(&mut Self, &Found) -> Result<()>,
    ) -> Result<Rebuilt> {
        let (file, path, end) = (self.file(at)?, self.path(at), self.size);
        let start = after.map_or(0, |found| found.end());
        let scan = match checked_from.is_some() && !planted::on(Bug::SkipChecksum) {
            true => Scan::checked(file.as_ref(), &path, start, end),
            false => Scan::headers(file.as_ref(), &path, start, end),
        };
        let next_offset = after.map(|found| found.header.next_offset().0);
        let mut scan = scan.resumed(next_offset.unwrap_or(0), checked_from.unwrap_or(i64::MIN));
        let mut rebuilt = Rebuilt { valid: start, next_offset, ..Rebuilt::default() };
        let mut verified_from = None;
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
            if checked_from.is_some_and(|from| last >= from) {
                rebuilt.batches += 1;
                verified_from.get_or_insert(found.position);
            }
            rebuilt.valid = found.end();
            rebuilt.next_offset = Some(last.saturating_add(1));
            visit(self, &found)?;
        }
        if let Some(from) = verified_from {
            self.checked.add(from, rebuilt.valid);
        }
        self.seal(at)?;
        Ok(rebuilt)
    }

    /// Whether a sound batch is anywhere behind the damage that a rebuild found.
    pub(crate) fn goes_on_after(&mut self, at: &Place, rebuilt: &Rebuilt) -> Result<bool> {
        let (file, path, end) = (self.file(at)?, self.path(at), self.size);
        let damaged = rebuilt.next_offset.unwrap_or(self.base);
        Scan::headers(file.as_ref(), &path, rebuilt.valid, end).finds_later_than(damaged)
    }

    /// Copies what follows the sound batches into a file of its own, which nobody but an operator reads or removes. Syncs.
    pub(crate) fn copy_aside(&mut self, at: &Place, valid: u64) -> Result<()> {
        let (file, aside) = (self.file(at)?, at.path(&names::damaged_file(self.base, valid)));
        let copy = at.open(&aside, OpenMode::Create)?;
        let failed = |error| StorageError::io("write", &aside, error);
        copy.set_len(0).map_err(failed)?;
        let left = usize::try_from(self.size.saturating_sub(valid)).unwrap_or(usize::MAX);
        let mut piece = vec![0; left.clamp(1, COPIED_AT_ONCE)];
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
