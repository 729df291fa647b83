//! Finding a batch in a segment: by offset, by position, by timestamp.

use kernel::planted::{self, Bug};
use kernel::{LeaderEpoch, Offset, Timestamp};
use wire::batch::BatchView;
use wire::compress::Limits;

use super::{Found, Scan, Segment};
use crate::config::LogConfig;
use crate::error::{Result, StorageError};
use crate::index::offset::OffsetEntry;
use crate::place::Place;

/// What a batch may decompress to when its records are searched.
const MAX_DECOMPRESSED: usize = 256 << 20;

/// A record that was found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRecord {
    pub timestamp: Timestamp,
    pub offset: Offset,
    /// Of the leader that wrote the record, if its batch says so.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// Where whole batches end that fit a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub position: u64,
    /// The offset that a reader asks for next, where it is known.
    pub next_offset: Option<i64>,
}

impl Segment {
    /// A position at or before the batch that has `offset`, from the offset index.
    pub(crate) fn index_floor(&mut self, at: &Place, offset: i64) -> Result<u64> {
        Ok(self.floor_entry(at, offset)?.map_or(0, |entry| u64::from(entry.position)).min(self.size))
    }

    fn floor_entry(&mut self, at: &Place, offset: i64) -> Result<Option<OffsetEntry>> {
        let base = self.base;
        if offset <= base {
            return Ok(None);
        }
        let floor = offset + i64::from(planted::on(Bug::SkipIndexedBatch));
        let found = self.offsets.last_where(at, base, |entry| base + i64::from(entry.relative) <= floor)?;
        Ok(found.map(|(_, entry)| entry))
    }

    /// An offset whose batch begins at `position` or before, as near as the index knows.
    pub(crate) fn offset_near(&mut self, at: &Place, position: u64) -> Result<i64> {
        self.ensure_indexes(at)?;
        let found = self.offsets.last_where(at, self.base, |entry| u64::from(entry.position) <= position)?;
        Ok(found.map_or(self.base, |(_, entry)| self.base + i64::from(entry.relative)))
    }

    /// The batch that has `offset`, or else the first after it; nothing if all records are before it.
    ///
    /// An index that leads to no batch, or to another one than it says, is made anew.
    pub(crate) fn locate(&mut self, at: &Place, offset: i64) -> Result<Option<Found>> {
        self.ensure_indexes(at)?;
        let entry = self.floor_entry(at, offset)?;
        let damage = match self.walk_to(at, offset, entry) {
            Err(damage @ StorageError::Corrupt { .. }) if entry.is_some() => damage,
            other => return other,
        };
        // If all batches follow each other, the index is at fault; if not, one of them is, and the index leads past it.
        if self.walk_to(at, i64::MAX, None).is_err() {
            return Err(damage);
        }
        self.rebuild(at, LogConfig::default().index_interval_bytes, false, |_, _| Ok(()))?;
        self.walk_to(at, offset, None)
    }

    /// Goes from batch to batch, from one that the index has on.
    fn walk_to(&mut self, at: &Place, offset: i64, entry: Option<OffsetEntry>) -> Result<Option<Found>> {
        let from = entry.map_or(0, |entry| u64::from(entry.position));
        let (file, path) = (self.file(at)?, self.path(at));
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        let (mut first, mut next) = (entry, self.base);
        while let Some(found) = scan.next()? {
            let known = first.is_some();
            self.check_entry(&path, &found, first.take())?;
            if found.header.last_offset().0 >= offset {
                let gap = !known && found.header.base_offset().0 > next;
                // Offsets may be missing here, or this one is wrong: then it is not below that of the next batch.
                if gap && scan.next().is_err() && scan.out_of_order {
                    let what = "the offset of a batch does not fit to those about it";
                    return Err(StorageError::corrupt(&path, found.position, what));
                }
                return Ok(Some(found));
            }
            next = found.header.next_offset().0;
        }
        match first {
            Some(_) => Err(StorageError::corrupt(&path, from, "its index points beyond its end")),
            None => Ok(None),
        }
    }

    /// Whether a batch is the one that an entry of the index says, and none that belongs before the segment.
    fn check_entry(&self, path: &std::path::Path, found: &Found, entry: Option<OffsetEntry>) -> Result<()> {
        let expected = entry.map(|entry| self.base + i64::from(entry.relative));
        let (base, last) = (found.header.base_offset().0, found.header.last_offset().0);
        if base < self.base || expected.is_some_and(|expected| expected != last) {
            let what = format!("a batch has offsets {base} to {last}, its index and name say otherwise");
            return Err(StorageError::corrupt(path, found.position, what));
        }
        Ok(())
    }

    /// The last batch of the segment.
    pub(crate) fn last_batch(&mut self, at: &Place) -> Result<Option<Found>> {
        self.ensure_indexes(at)?;
        self.offsets.load(at, self.base)?;
        let from = self.offsets.last().map_or(0, |entry| u64::from(entry.position));
        let file = self.file(at)?;
        let path = self.path(at);
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        let mut last = None;
        while let Some(found) = scan.next()? {
            last = Some(found);
        }
        Ok(last)
    }

    /// The end of the last batch, from the one that begins at `start` on, that lies wholly before `limit`.
    pub(crate) fn boundary(&mut self, at: &Place, start: u64, limit: u64) -> Result<Boundary> {
        self.ensure_indexes(at)?;
        let entry = self.offsets.last_where(at, self.base, |entry| u64::from(entry.position) <= limit)?;
        let entry = entry.map(|(_, entry)| entry).filter(|entry| u64::from(entry.position) > start);
        match self.walk_before(at, start, limit, entry) {
            Err(StorageError::Corrupt { .. }) if entry.is_some() => self.walk_before(at, start, limit, None),
            other => other,
        }
    }

    fn walk_before(
        &mut self,
        at: &Place,
        start: u64,
        limit: u64,
        entry: Option<OffsetEntry>,
    ) -> Result<Boundary> {
        let from = entry.map_or(start, |entry| u64::from(entry.position));
        let (file, path) = (self.file(at)?, self.path(at));
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        let mut boundary = Boundary { position: from, next_offset: None };
        let mut first = entry;
        loop {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                // What comes before a damaged batch can be read.
                Err(StorageError::Corrupt { .. }) if boundary.position > start && entry.is_none() => break,
                Ok(None) => break,
                Err(error) => return Err(error),
            };
            self.check_entry(&path, &found, first.take())?;
            if found.end() > limit {
                boundary.next_offset = Some(found.header.base_offset().0);
                break;
            }
            boundary = Boundary { position: found.end(), next_offset: Some(found.header.next_offset().0) };
        }
        Ok(boundary)
    }

    /// The batch that begins at `position`.
    pub(crate) fn batch_at(&mut self, at: &Place, position: u64) -> Result<Option<Found>> {
        let file = self.file(at)?;
        let path = self.path(at);
        Scan::headers(file.as_ref(), &path, position, self.size).next()
    }

    /// Reads a whole batch.
    pub(crate) fn read_batch(&mut self, at: &Place, found: &Found) -> Result<Vec<u8>> {
        let file = self.file(at)?;
        Scan::read_batch(file.as_ref(), &self.path(at), found)
    }

    /// The first record from `start` on whose timestamp is `timestamp` or later.
    pub(crate) fn find_timestamp(
        &mut self,
        at: &Place,
        timestamp: i64,
        start: i64,
    ) -> Result<Option<FoundRecord>> {
        self.ensure_indexes(at)?;
        let entry = self.times.last_where(at, self.base, |entry| entry.timestamp < timestamp)?;
        let after = entry.map_or(self.base, |(_, entry)| self.base + i64::from(entry.relative));
        let from = self.index_floor(at, after.max(start))?;
        let (file, path) = (self.file(at)?, self.path(at));
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        while let Some(found) = scan.next()? {
            let header = &found.header;
            if header.max_timestamp().0 < timestamp || header.last_offset().0 < start {
                continue;
            }
            let bytes = Scan::read_batch(file.as_ref(), &path, &found)?;
            let record = self.first_record(at, &found, &bytes, |record_timestamp, offset| {
                record_timestamp >= timestamp && offset >= start
            })?;
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp of the segment.
    pub(crate) fn find_max_timestamp(&mut self, at: &Place) -> Result<Option<FoundRecord>> {
        let max = self.max_timestamp(at)?;
        let Some(found) = self.locate(at, max.offset)? else { return Ok(None) };
        let bytes = self.read_batch(at, &found)?;
        self.first_record(at, &found, &bytes, |timestamp, _| timestamp == max.timestamp)
    }

    fn first_record(
        &self,
        at: &Place,
        found: &Found,
        bytes: &[u8],
        wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Option<FoundRecord>> {
        let corrupt = |what: String| StorageError::corrupt(&self.path(at), found.position, what);
        let (batch, _) = BatchView::parse(bytes).map_err(|error| corrupt(error.to_string()))?;
        let records =
            batch.records(Limits::trusting(MAX_DECOMPRESSED)).map_err(|error| corrupt(error.to_string()))?;
        for record in &records {
            let record = record.map_err(|error| corrupt(error.to_string()))?;
            if record.offset < batch.base_offset() || record.offset > batch.last_offset() {
                return Err(corrupt(format!("a record has offset {}, outside of its batch", record.offset)));
            }
            if wanted(record.timestamp.0, record.offset.0) {
                let epoch = batch.partition_leader_epoch();
                return Ok(Some(FoundRecord {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch: (epoch.0 >= 0).then_some(epoch),
                }));
            }
        }
        Ok(None)
    }
}
