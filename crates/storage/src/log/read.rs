//! Reading: spans of segment files, never the records themselves.

use std::sync::Arc;

use kernel::Offset;
use kernel::port::DiskFile;

use super::{Log, Usage};
use crate::error::{ReadError, Result, StorageError};
use crate::index::txn::{self, AbortedTxn};

/// Bytes of a segment file that hold whole batches. They stay readable even if the segment is deleted meanwhile.
#[derive(Clone)]
pub struct Span {
    pub file: Arc<dyn DiskFile>,
    pub position: u64,
    pub len: u32,
}

impl Span {
    /// Reads the bytes into memory.
    pub fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len as usize];
        let read = self.file.read_at(self.position, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// What a read found.
#[derive(Clone)]
pub struct ReadInfo {
    /// Whole batches of one segment, the first of which has the offset that was asked for or the next after it.
    /// Nothing if there is none below the upper bound, or none that fits.
    pub span: Option<Span>,
    /// Offsets in the span are before this one: the bound for [`Log::aborted_txns`].
    pub upper: Offset,
    /// How many bytes there are to read from there on, below the upper bound, whether given or not. All the batches in
    /// segments after the first count as [`u64::MAX`]: that they are many is all that matters.
    pub available: u64,
}

impl ReadInfo {
    pub fn len(&self) -> u32 {
        self.span.as_ref().map_or(0, |span| span.len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Log {
    /// Finds the batches from the one that has `from` on, all below `upper`, of at most `max_bytes` together.
    ///
    /// With `min_one` the first batch is given even if it alone is larger. Batches of one segment are given at most.
    pub fn read(
        &mut self,
        from: Offset,
        max_bytes: u32,
        upper: Offset,
        min_one: bool,
    ) -> Result<ReadInfo, ReadError> {
        self.ensure_online()?;
        self.usage = Usage::Used;
        if from.0 < self.start || from.0 > self.end {
            let (start, end) = (self.start_offset(), self.end_offset());
            return Err(ReadError::OutOfRange { offset: from, start, end });
        }
        let upper = upper.0.min(self.end);
        let nothing = ReadInfo { span: None, upper: from, available: 0 };
        if from.0 >= upper {
            if from.0 == self.end
                && let Some(active) = self.segments.last()
            {
                // The reader will ask again once there is more; it then begins here.
                self.cursors.put(self.end, active.base, active.size);
            }
            return Ok(nothing);
        }
        let mut index = self.segment_of(from.0);
        while index < self.segments.len() {
            if let Some(start) = self.locate(index, from.0)? {
                return Ok(self.span(index, start, from.0, max_bytes, upper, min_one)?.unwrap_or(nothing));
            }
            // The rest of the segment was cleaned away.
            index += 1;
        }
        Ok(nothing)
    }

    /// Where the batch that has `offset`, or the first after it, begins in a segment.
    fn locate(&mut self, index: usize, offset: i64) -> Result<Option<u64>> {
        let Some(segment) = self.segments.get_mut(index) else { return Ok(None) };
        if offset <= segment.base {
            return Ok((segment.size > 0).then_some(0));
        }
        if let Some(position) = self.cursors.get(offset, segment.base)
            && position < segment.size
        {
            return Ok(Some(position));
        }
        Ok(segment.locate(&self.at, offset)?.map(|found| found.position))
    }

    fn span(
        &mut self,
        index: usize,
        start: u64,
        from: i64,
        max_bytes: u32,
        upper: i64,
        min_one: bool,
    ) -> Result<Option<ReadInfo>> {
        let segment_end = self.segment_end(index);
        let at = &self.at;
        let Some(segment) = self.segments.get_mut(index) else { return Ok(None) };
        let (mut limit, mut next) = (segment.size, Some(segment_end));
        if upper < segment_end {
            limit = match segment.locate(at, upper)? {
                Some(found) => found.position,
                None => segment.size,
            };
            next = Some(upper);
        }
        if limit <= start {
            return Ok(None);
        }
        let available = if segment_end < upper { u64::MAX } else { limit - start };
        let mut end = limit;
        if limit - start > u64::from(max_bytes) {
            let boundary = segment.boundary(at, start, start + u64::from(max_bytes))?;
            (end, next) = (boundary.position, boundary.next_offset);
            if end <= start {
                let first = if min_one { segment.batch_at(at, start)? } else { None };
                let Some(first) = first else {
                    return Ok(Some(ReadInfo { span: None, upper: Offset(from), available }));
                };
                (end, next) = (first.end(), Some(first.header.next_offset().0));
            }
        }
        let file = segment.file(at)?;
        if let Some(next) = next {
            self.cursors.put(next, segment.base, end);
        }
        let Ok(len) = u32::try_from(end - start) else {
            return Err(StorageError::corrupt(&segment.path(at), start, "a batch is larger than any can be"));
        };
        let upper = Offset(next.unwrap_or(upper).min(upper));
        Ok(Some(ReadInfo { span: Some(Span { file, position: start, len }), upper, available }))
    }

    /// Transactions that were aborted and overlap the offsets from `from` up to `upper`, by the offset of their marker.
    pub fn aborted_txns(&mut self, from: Offset, upper: Offset) -> Result<Vec<AbortedTxn>> {
        self.ensure_online()?;
        let mut found = Vec::new();
        let first = self.segment_of(from.0);
        for segment in self.segments.iter().skip(first).filter(|segment| segment.has_txn_index) {
            if txn::collect(&self.at, segment.base, from, upper, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}
