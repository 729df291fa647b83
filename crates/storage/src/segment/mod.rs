//! A segment: the records from one offset on, in a `.log` file with its sparse indexes.
//!
//! *Invariant:* `size` bytes of the `.log` file are whole, sound batches. What may be after them in the file is left
//! from a write that failed, and is overwritten.

mod checked;
mod rebuild;
mod scan;
mod search;

use std::path::PathBuf;
use std::sync::Arc;

use kernel::Offset;
use kernel::port::DiskFile;
use kernel::port::disk::OpenMode;
use wire::batch::BatchHeader;

use checked::Checked;
pub(crate) use rebuild::Rebuilt;
pub(crate) use scan::{Found, Scan};
pub use search::FoundRecord;

use crate::config::LogConfig;
use crate::error::{Result, StorageError};
use crate::index::offset::{OffsetEntry, OffsetIndex};
use crate::index::time::{TimeEntry, TimeIndex};
use crate::index::{Entry, txn};
use crate::names;
use crate::place::Place;

/// The largest timestamp in a segment and the last offset of the batch that has it; -1 and the base if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxTimestamp {
    pub timestamp: i64,
    pub offset: i64,
}

pub(crate) struct Segment {
    pub base: i64,
    pub size: u64,
    pub offsets: OffsetIndex,
    pub times: TimeIndex,
    /// Whether there is a `.txnindex` file, so that most segments never look for one.
    pub has_txn_index: bool,
    /// Aborted transactions that could not be written there yet.
    unwritten_txns: Vec<txn::AbortedTxn>,
    /// When the segment was last written, or its file where it was only read.
    pub modified_ms: i64,
    /// When this node made or opened the segment: what its age is measured from if its records have no timestamps.
    created_ms: i64,
    file: Option<Arc<dyn DiskFile>>,
    /// Known once needed.
    max_timestamp: Option<MaxTimestamp>,
    /// Maximum timestamp of the first batch, from which the time until a roll is measured. Known once needed.
    first_timestamp: Option<i64>,
    bytes_since_entry: u64,
    /// Whether the index files were found sound.
    verified: bool,
    /// What of the `.log` file can be served as it is.
    pub checked: Checked,
}

impl Segment {
    /// Makes the files of a new segment. What is left of an older one of the same name goes.
    pub fn create(at: &Place, base: i64, now_ms: i64) -> Result<Self> {
        for suffix in [names::LOG, names::INDEX, names::TIME_INDEX, names::TXN_INDEX] {
            let path = at.segment_path(base, suffix);
            if at.disk.exists(&path) {
                at.remove_if_there(&path)?;
            }
        }
        let mut segment = Self::create_first(at, base, now_ms)?;
        if let Err(error) = segment.ensure_index_files(at).and_then(|()| segment.release(at)) {
            // Nobody knows of the segment yet; half of one must not be found behind what the one before it takes meanwhile.
            let _ = segment.remove_files(at);
            return Err(error);
        }
        Ok(segment)
    }

    /// The same in a folder that has no files of this name. The `.log` stays open for what follows, and the indexes get their
    /// files later: whoever writes the first record has to wait for no more than that.
    pub fn create_first(at: &Place, base: i64, now_ms: i64) -> Result<Self> {
        let mut segment = Self {
            base,
            size: 0,
            offsets: OffsetIndex::empty(),
            times: TimeIndex::empty(),
            has_txn_index: false,
            unwritten_txns: Vec::new(),
            modified_ms: now_ms,
            created_ms: now_ms,
            file: None,
            max_timestamp: Some(MaxTimestamp { timestamp: -1, offset: base }),
            first_timestamp: None,
            bytes_since_entry: 0,
            verified: true,
            checked: Checked::default(),
        };
        segment.file = Some(at.open(&at.segment_path(base, names::LOG), OpenMode::CreateNew)?);
        Ok(segment)
    }

    /// A segment that exists, with `size` bytes in its file.
    pub fn existing(base: i64, size: u64, modified_ms: i64, now_ms: i64, has_txn_index: bool) -> Self {
        Self {
            base,
            size,
            offsets: OffsetIndex::unread(),
            times: TimeIndex::unread(),
            has_txn_index,
            unwritten_txns: Vec::new(),
            modified_ms,
            created_ms: now_ms,
            file: None,
            max_timestamp: None,
            first_timestamp: None,
            bytes_since_entry: 0,
            verified: false,
            checked: Checked::default(),
        }
    }

    pub fn path(&self, at: &Place) -> PathBuf {
        at.segment_path(self.base, names::LOG)
    }

    /// The `.log` file, opened if it is not.
    pub fn file(&mut self, at: &Place) -> Result<Arc<dyn DiskFile>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = at.open(&self.path(at), OpenMode::Write)?;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Whether an offset can be an entry of the indexes.
    pub fn takes_offset(&self, offset: i64) -> bool {
        offset.checked_sub(self.base).is_some_and(|relative| (0..=i64::from(i32::MAX)).contains(&relative))
    }

    fn relative(&self, offset: i64) -> Result<u32, StorageErrorOfOffset> {
        u32::try_from(offset - self.base).map_err(|_| StorageErrorOfOffset)
    }

    /// Whether an index has as many entries as `segment.index.bytes` allows.
    pub fn indexes_full(&self, config: &LogConfig) -> bool {
        let room = |size: usize| config.segment_index_bytes as usize / size;
        self.offsets.len() as usize >= room(OffsetEntry::SIZE).max(1)
            || self.times.len() as usize >= room(TimeEntry::SIZE).saturating_sub(1).max(1)
    }

    /// The maximum timestamp of the first batch, if there is one.
    fn first_timestamp(&mut self, at: &Place) -> Result<Option<i64>> {
        if self.first_timestamp.is_none() && self.size > 0 {
            let file = self.file(at)?;
            let path = self.path(at);
            let first = Scan::headers(file.as_ref(), &path, 0, self.size).next()?;
            self.first_timestamp = first.map(|found| found.header.max_timestamp().0);
        }
        Ok(self.first_timestamp)
    }

    /// The same. Leaves no file open that was not.
    pub fn known_first_timestamp(&mut self, at: &Place) -> Result<Option<i64>> {
        let in_use = self.has_open_files();
        let first = self.first_timestamp(at)?;
        if !in_use && self.has_open_files() {
            self.release(at)?;
        }
        Ok(first)
    }

    /// How long the segment has been taking records, by their timestamps where they have some.
    pub fn age_ms(&mut self, at: &Place, now_ms: i64, message_timestamp: i64) -> Result<i64> {
        Ok(match self.first_timestamp(at)? {
            Some(first) if first >= 0 => message_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(self.created_ms),
        })
    }

    /// Notes a batch that was written at `position`: index entries, timestamps.
    pub fn note_batch(
        &mut self,
        at: &Place,
        header: &BatchHeader,
        last_offset: i64,
        position: u64,
        interval: u32,
    ) -> Result<()> {
        let timestamp = header.max_timestamp().0;
        if self.max_timestamp(at)?.timestamp < timestamp {
            self.max_timestamp = Some(MaxTimestamp { timestamp, offset: last_offset });
        }
        if position == 0 {
            self.first_timestamp = Some(timestamp);
        }
        let due = self.bytes_since_entry > u64::from(interval);
        if due {
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += header.batch_len() as u64;
        if !due {
            return Ok(());
        }
        if let (Ok(relative), Ok(position)) = (self.relative(last_offset), u32::try_from(position)) {
            self.offsets.push(at, self.base, OffsetEntry { relative, position })?;
        }
        self.push_time_entry(at)
    }

    /// Adds the largest timestamp so far to the time index, unless it has it.
    fn push_time_entry(&mut self, at: &Place) -> Result<()> {
        let max = self.max_timestamp(at)?;
        self.times.load(at, self.base)?;
        let last = self.times.last().map_or(-1, |entry| entry.timestamp);
        if max.timestamp > last
            && let Ok(relative) = self.relative(max.offset)
        {
            self.times.push(at, self.base, TimeEntry { timestamp: max.timestamp, relative })?;
        }
        Ok(())
    }

    /// The largest timestamp in the segment.
    pub fn max_timestamp(&mut self, at: &Place) -> Result<MaxTimestamp> {
        if let Some(max) = self.max_timestamp {
            return Ok(max);
        }
        self.times.load(at, self.base)?;
        let max = match self.times.last() {
            Some(entry) => {
                MaxTimestamp { timestamp: entry.timestamp, offset: self.base + i64::from(entry.relative) }
            }
            None => MaxTimestamp { timestamp: -1, offset: self.base },
        };
        self.max_timestamp = Some(max);
        Ok(max)
    }

    /// The largest timestamp for retention: where records have none, when the file was last written.
    pub fn retention_timestamp(&mut self, at: &Place) -> Result<i64> {
        let max = self.known_max_timestamp(at)?.timestamp;
        Ok(if max >= 0 { max } else { self.modified_ms })
    }

    /// Completes the index files, as for a segment that takes no more records.
    pub fn seal(&mut self, at: &Place) -> Result<()> {
        self.push_time_entry(at)?;
        self.offsets.load(at, self.base)?;
        self.ensure_index_files(at)?;
        self.offsets.write_pending(at, self.base)?;
        self.times.write_pending(at, self.base)?;
        self.write_txns(at)
    }

    /// Makes the files of the indexes that have none yet.
    pub fn ensure_index_files(&mut self, at: &Place) -> Result<()> {
        self.offsets.ensure_file(at, self.base)?;
        self.times.ensure_file(at, self.base)
    }

    /// Closes all files and gives memory back. They are opened again when needed.
    pub fn release(&mut self, at: &Place) -> Result<()> {
        self.offsets.release(at, self.base)?;
        self.times.release(at, self.base)?;
        self.write_txns(at)?;
        self.file = None;
        Ok(())
    }

    /// Whether this is the file that somebody reads.
    pub fn is_file(&self, file: &Arc<dyn DiskFile>) -> bool {
        self.file.as_ref().is_some_and(|own| Arc::ptr_eq(own, file))
    }

    pub fn has_open_files(&self) -> bool {
        self.file.is_some() || self.offsets.is_open() || self.times.is_open()
    }

    /// The largest timestamp in the segment. Leaves no file open that was not.
    pub fn known_max_timestamp(&mut self, at: &Place) -> Result<MaxTimestamp> {
        if let Some(max) = self.max_timestamp {
            return Ok(max);
        }
        let in_use = self.has_open_files();
        self.ensure_indexes(at)?;
        let max = self.max_timestamp(at)?;
        if !in_use {
            self.release(at)?;
        }
        Ok(max)
    }

    /// Adds an aborted transaction whose marker is in this segment. It stays in memory if it cannot be written.
    pub fn push_aborted(&mut self, at: &Place, txn: &txn::AbortedTxn) -> Result<()> {
        self.has_txn_index = true;
        self.unwritten_txns.push(*txn);
        self.write_txns(at)
    }

    /// Writes the aborted transactions that wait in memory.
    pub fn write_txns(&mut self, at: &Place) -> Result<()> {
        while let Some(txn) = self.unwritten_txns.first() {
            txn::append(at, self.base, txn)?;
            self.unwritten_txns.remove(0);
        }
        self.unwritten_txns = Vec::new();
        Ok(())
    }

    /// Adds to `into` the aborted transactions that overlap the offsets from `from` up to `upper`.
    /// Returns whether that is all of them, so that no later segment needs to be asked.
    pub fn collect_aborted(
        &self,
        at: &Place,
        from: Offset,
        upper: Offset,
        into: &mut Vec<txn::AbortedTxn>,
    ) -> Result<bool> {
        if txn::collect(at, self.base, from, upper, into)? {
            return Ok(true);
        }
        into.extend(
            self.unwritten_txns.iter().filter(|txn| txn.last_offset >= from && txn.first_offset < upper),
        );
        Ok(self.unwritten_txns.iter().any(|txn| txn.last_stable_offset >= upper))
    }

    /// Opens and reads what taking a batch needs, so that little can go wrong once it is written.
    pub fn prepare(&mut self, at: &Place) -> Result<()> {
        self.file(at)?;
        self.offsets.load(at, self.base)?;
        self.times.load(at, self.base)?;
        self.max_timestamp(at)?;
        Ok(())
    }

    /// The files of a sealed segment that a sync must cover.
    pub fn files_to_sync(&mut self, at: &Place, active: bool) -> Result<Vec<Arc<dyn DiskFile>>> {
        let mut files = vec![self.file(at)?];
        // What the indexes of the active segment lack after a power cut is rebuilt.
        if !active {
            files.push(self.offsets.stored_file(at, self.base)?);
            files.push(self.times.stored_file(at, self.base)?);
            if self.has_txn_index {
                files.extend(txn::file(at, self.base)?);
            }
        }
        Ok(files)
    }

    pub fn remove_files(&mut self, at: &Place) -> Result<()> {
        self.file = None;
        for suffix in [names::LOG, names::INDEX, names::TIME_INDEX, names::TXN_INDEX] {
            at.remove_if_there(&at.segment_path(self.base, suffix))?;
        }
        Ok(())
    }

    /// Takes the files out of use by renaming them. Returns their new paths, to be removed later.
    ///
    /// The `.log` goes last: after a crash in between, a log without indexes is found, which can be mended.
    pub fn mark_deleted(&mut self, at: &Place) -> Result<Vec<PathBuf>> {
        self.file = None;
        let mut marked = Vec::new();
        for suffix in [names::TXN_INDEX, names::TIME_INDEX, names::INDEX, names::LOG] {
            if suffix != names::TXN_INDEX || self.has_txn_index {
                marked.extend(at.mark_deleted(&at.segment_path(self.base, suffix))?);
            }
        }
        Ok(marked)
    }

    /// Cuts off all batches that reach `offset` or beyond.
    pub fn truncate(&mut self, at: &Place, offset: i64, now_ms: i64) -> Result<()> {
        let Some(found) = self.locate(at, offset)? else { return Ok(()) };
        let relative = self.relative(offset).unwrap_or(0);
        let kept = self.offsets.last_where(at, self.base, |entry| entry.relative < relative)?;
        self.offsets.truncate(at, self.base, kept.map_or(0, |(number, _)| number + 1))?;
        let kept = self.times.last_where(at, self.base, |entry| entry.relative < relative)?;
        self.times.truncate(at, self.base, kept.map_or(0, |(number, _)| number + 1))?;
        if self.has_txn_index {
            self.unwritten_txns.retain(|txn| txn.last_offset.0 < offset);
            txn::truncate(at, self.base, Offset(offset))?;
        }
        let file = self.file(at)?;
        file.set_len(found.position).map_err(|error| StorageError::io("shorten", &self.path(at), error))?;
        self.size = found.position;
        self.checked.cut(self.size);
        self.bytes_since_entry = 0;
        self.max_timestamp = None;
        if self.size == 0 {
            self.created_ms = now_ms;
            self.first_timestamp = None;
        }
        self.read_max_timestamp(at)
    }

    /// Finds the largest timestamp from the last entry of the time index on.
    pub fn read_max_timestamp(&mut self, at: &Place) -> Result<()> {
        let mut max = self.max_timestamp(at)?;
        let from = self.index_floor(at, max.offset)?;
        let file = self.file(at)?;
        let path = self.path(at);
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        while let Some(found) = scan.next()? {
            let timestamp = found.header.max_timestamp().0;
            if timestamp > max.timestamp {
                max = MaxTimestamp { timestamp, offset: found.header.last_offset().0 };
            }
        }
        self.max_timestamp = Some(max);
        Ok(())
    }
}

/// The offset cannot be said relative to the base of the segment.
#[derive(Debug)]
struct StorageErrorOfOffset;
