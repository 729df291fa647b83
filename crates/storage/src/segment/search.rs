//! Finding a batch in a segment: by offset, by position, by timestamp.

use kernel::planted::{self, Bug};
use kernel::{LeaderEpoch, Offset, Timestamp};
use wire::batch::BatchView;
use wire::compress::Limits;

use super::{Found, Scan, Segment};
use crate::error::{Result, StorageError};
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
        let base = self.base;
        if offset <= base {
            return Ok(0);
        }
        let floor = offset + i64::from(planted::on(Bug::SkipIndexedBatch));
        let found = self.offsets.last_where(at, base, |entry| base + i64::from(entry.relative) <= floor)?;
        Ok(found.map_or(0, |(_, entry)| u64::from(entry.position)).min(self.size))
    }

    /// An offset whose batch begins at `position` or before, as near as the index knows.
    pub(crate) fn offset_near(&mut self, at: &Place, position: u64) -> Result<i64> {
        self.ensure_indexes(at)?;
        let found = self.offsets.last_where(at, self.base, |entry| u64::from(entry.position) <= position)?;
        Ok(found.map_or(self.base, |(_, entry)| self.base + i64::from(entry.relative)))
    }

    /// The batch that has `offset`, or else the first after it; nothing if all records are before it.
    pub(crate) fn locate(&mut self, at: &Place, offset: i64) -> Result<Option<Found>> {
        self.ensure_indexes(at)?;
        let from = self.index_floor(at, offset)?;
        let file = self.file(at)?;
        let path = self.path(at);
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        while let Some(found) = scan.next()? {
            if found.header.last_offset().0 >= offset {
                return Ok(Some(found));
            }
        }
        Ok(None)
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
        let from = entry.map_or(start, |(_, entry)| u64::from(entry.position)).max(start);
        let file = self.file(at)?;
        let path = self.path(at);
        let mut scan = Scan::headers(file.as_ref(), &path, from, self.size);
        let mut boundary = Boundary { position: from, next_offset: None };
        while let Some(found) = scan.next()? {
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
