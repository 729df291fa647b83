//! The segment that a cleaning writes, under names that end with `.cleaned` until it is swapped in.

use std::io::IoSlice;

use kernel::Offset;
use wire::batch::BatchHeader;

use super::plan::Source;
use crate::error::{Result, StorageError};
use crate::index::txn::AbortedTxn;
use crate::names;
use crate::place::Place;
use crate::segment::Segment;

/// A position in a segment is written in 31 bits.
const MAX_BYTES: u64 = i32::MAX as u64;

/// A segment in the making.
pub(crate) struct Output {
    at: Place,
    segment: Segment,
    index_interval: u32,
    pending: Vec<u8>,
}

impl Output {
    /// Begins the segment that takes the place of those from `base` on. What an earlier attempt left is replaced.
    pub fn begin(at: &Place, base: i64, index_interval: u32, now_ms: i64) -> Result<Self> {
        let at = at.ending_with(names::CLEANED);
        let segment = Segment::create(&at, base, now_ms)?;
        Ok(Self { at, segment, index_interval, pending: Vec::new() })
    }

    /// Adds a batch; it is written by [`Self::write`].
    pub fn push(&mut self, batch: &[u8]) {
        self.pending.extend_from_slice(batch);
    }

    /// Adds an aborted transaction whose marker stays.
    pub fn push_aborted(&mut self, txn: &AbortedTxn) -> Result<()> {
        self.segment.push_aborted(&self.at, txn)
    }

    /// Bytes that it holds.
    pub fn memory(&self) -> usize {
        self.pending.capacity()
    }

    /// Writes what waits. Returns how many bytes that were.
    pub fn write(&mut self) -> Result<u64> {
        let bytes = self.pending.len() as u64;
        if bytes == 0 {
            return Ok(0);
        }
        let path = self.segment.path(&self.at);
        if self.segment.size + bytes > MAX_BYTES {
            return Err(StorageError::refused(
                &path,
                "compressed anew, the records do not fit into a segment",
            ));
        }
        let file = self.segment.file(&self.at)?;
        let written = file.write_at(self.segment.size, &[IoSlice::new(&self.pending)]);
        written.map_err(|error| StorageError::io("write", &path, error))?;
        let mut rest = self.pending.as_slice();
        while !rest.is_empty() {
            let header = BatchHeader::read(rest)
                .map_err(|error| StorageError::corrupt(&path, self.segment.size, error.to_string()))?;
            let (last, at) = (header.last_offset().0, self.segment.size);
            self.segment.note_batch(&self.at, &header, last, at, self.index_interval)?;
            self.segment.size += header.batch_len() as u64;
            rest = rest.get(header.batch_len()..).unwrap_or_default();
        }
        self.pending = Vec::new();
        Ok(bytes)
    }

    /// Ends the segment and makes it durable. Syncs.
    pub fn finish(mut self, sources: Vec<Source>, cuts: u64, decided_by: i64) -> Result<Cleaned> {
        let finished = self.settle();
        if let Err(error) = finished {
            self.remove();
            return Err(error);
        }
        let last = sources.last().map_or(self.segment.modified_ms, |last| last.modified_ms);
        self.segment.modified_ms = last;
        Ok(Cleaned { at: self.at, segment: self.segment, sources, cuts, decided_by })
    }

    fn settle(&mut self) -> Result<()> {
        self.write()?;
        self.segment.seal(&self.at)?;
        for file in self.segment.files_to_sync(&self.at, false)? {
            let synced = file.sync_data();
            synced.map_err(|error| StorageError::unsynced(&self.segment.path(&self.at), error))?;
        }
        self.segment.release(&self.at)
    }

    /// Takes back what was written.
    pub fn remove(mut self) {
        // What remains is removed when the log is opened the next time.
        let _ = self.segment.remove_files(&self.at);
    }
}

/// A durable segment that waits for [`crate::Log::swap_cleaned`].
pub struct Cleaned {
    /// Where its files are: in the log's folder, under names of their own.
    pub(crate) at: Place,
    pub(crate) segment: Segment,
    /// The segments that it replaces.
    pub(crate) sources: Vec<Source>,
    /// How often the log had been cut when they were read.
    pub(crate) cuts: u64,
    pub(crate) decided_by: i64,
}

impl Cleaned {
    /// What must be durable before the swap: the records and markers before this offset decided what goes.
    pub fn decided_by(&self) -> Offset {
        Offset(self.decided_by)
    }

    /// Gives it up.
    pub fn remove(mut self) {
        // What remains is removed when the log is opened the next time.
        let _ = self.segment.remove_files(&self.at);
    }
}
