//! Reading: spans of segment files, never the records themselves.

use std::path::PathBuf;
use std::sync::Arc;

use kernel::Offset;
use kernel::port::DiskFile;

use super::{Log, Usage};
use crate::error::{ReadError, Result, StorageError};
use crate::index::txn::AbortedTxn;
use crate::segment::Scan;

/// How far from the end of a log its readers are still with those who write it.
const RECENT_BYTES: u64 = 8 << 20;

/// How much of a span is in memory while it is probed.
const PROBE_BYTES: usize = 64 << 10;

/// Bytes of a segment file that hold whole batches. They stay readable even if the segment is deleted meanwhile.
#[derive(Clone)]
pub struct Span {
    pub file: Arc<dyn DiskFile>,
    pub position: u64,
    pub len: u32,
    /// It was written only just now, so that it is in memory.
    pub recent: bool,
    /// Set as long as nobody has compared the bytes with their checksums since this process began: see [`Span::verify`].
    pub unchecked: Option<Unchecked>,
}

/// What there is to compare the bytes of a span with.
#[derive(Debug, Clone)]
pub struct Unchecked {
    path: PathBuf,
    /// Where the segment begins and ends, in offsets, and its length.
    base: i64,
    end: i64,
    size: u64,
    /// The offset that was asked for.
    from: i64,
    /// The offset after the batches that were found sound.
    next: Option<i64>,
}

impl Span {
    /// Verifies the bytes, unless they are known to be sound: the checksum of each batch, and that their offsets, which no
    /// checksum covers, follow each other. Reads all of them, so that it is done without the lock of the log; tell
    /// [`Log::verified`] afterwards.
    ///
    /// Returns what is damaged after batches that are not; the span ends before it then.
    ///
    /// # Errors
    /// If the first batch is damaged, or the file cannot be read.
    pub fn verify(&mut self) -> Result<Option<StorageError>> {
        let Some(unchecked) = &mut self.unchecked else { return Ok(None) };
        let end = self.position + u64::from(self.len);
        let (sound, damage) = unchecked.sound_part(self.file.as_ref(), self.position, end)?;
        match (u32::try_from(sound - self.position), damage) {
            (Ok(0), Some(damage)) => Err(damage),
            (Ok(len), damage) => {
                self.len = len;
                Ok(damage)
            }
            (Err(_), damage) => Ok(damage),
        }
    }

    /// The same as [`Self::read`], with an error that names the folder of the log.
    pub fn read_in(&self, folder: &std::path::Path) -> Result<Vec<u8>> {
        self.read().map_err(|error| StorageError::io("read", folder, error))
    }

    /// Reads the bytes into memory.
    /// Reads the bytes and forgets them: whether the disk still gives them.
    pub fn probe(&self) -> std::io::Result<()> {
        let (mut piece, mut at) = (vec![0; PROBE_BYTES.min(self.len as usize)], 0);
        while at < u64::from(self.len) {
            match self.file.read_at(self.position + at, &mut piece)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => at += read as u64,
            }
        }
        Ok(())
    }

    pub fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len as usize];
        let read = self.file.read_at(self.position, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

impl Unchecked {
    /// Where the sound batches from `start` on end, and why before `end` if they do.
    fn sound_part(
        &mut self,
        file: &dyn DiskFile,
        start: u64,
        end: u64,
    ) -> Result<(u64, Option<StorageError>)> {
        let mut scan = Scan::checked(file, &self.path, start, end);
        // Where the last batch begins, and whether offsets are missing before it: after a compaction, or because its offset
        // is wrong. Which of the two shows at the batch after it.
        let (mut last, mut gap, mut next) = (start, false, self.from);
        let told = |position: u64, damage: StorageError| Ok((position, Some(damage)));
        let wrong = |position: u64, offset: i64| {
            let what = format!("the offset of a batch does not fit to those about it, near {offset}");
            StorageError::corrupt(&self.path, position, what)
        };
        loop {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(damage @ StorageError::Corrupt { .. }) if scan.out_of_order && gap => {
                    return told(last, damage);
                }
                Err(StorageError::Corrupt { position, what, path }) => {
                    let position = position.min(scan.position());
                    return told(scan.position(), StorageError::Corrupt { path, position, what });
                }
                Err(other) => return Err(other),
            };
            let (base, after) = (found.header.base_offset().0, found.header.next_offset().0);
            if base < self.base || after > self.end || (found.position == start && after <= self.from) {
                return told(found.position, wrong(found.position, base));
            }
            (gap, last, next) = (base > next, found.position, after);
        }
        let follower = Scan::headers(file, &self.path, end, self.size).next();
        if gap && matches!(follower, Ok(Some(found)) if found.header.base_offset().0 < next) {
            return told(last, wrong(last, next));
        }
        self.next = Some(next);
        Ok((end, None))
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
    /// How much of what the reader may have is used up: with the bytes of a batch at the end that does not fit as a whole,
    /// which count as given.
    pub spent: u64,
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
        let nothing = ReadInfo { span: None, upper: from, available: 0, spent: 0 };
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
                    return Ok(Some(ReadInfo { span: None, upper: Offset(from), available, spent: 0 }));
                };
                (end, next) = (first.end(), Some(first.header.next_offset().0));
            }
        }
        let file = segment.file(at)?;
        let sound = segment.checked.has(start, end);
        // What a damaged header says would lead the next reader astray.
        let known = sound && (end == segment.size || segment.checked.has(start, end + 1));
        if let Some(next) = next.filter(|_| known) {
            self.cursors.put(next, segment.base, end);
        }
        let unchecked = (!sound).then(|| Unchecked {
            path: segment.path(at),
            base: segment.base,
            end: segment_end,
            size: segment.size,
            from,
            next: None,
        });
        let Ok(len) = u32::try_from(end - start) else {
            return Err(StorageError::corrupt(&segment.path(at), start, "a batch is larger than any can be"));
        };
        let upper = Offset(next.unwrap_or(upper).min(upper));
        let recent = sound && segment_end == self.end && segment.size - start <= RECENT_BYTES;
        let spent = (limit - start).min(max_bytes.max(len).into());
        let span = Span { file, position: start, len, recent, unchecked };
        Ok(Some(ReadInfo { span: Some(span), upper, available, spent }))
    }

    /// A span was verified: who reads it again need not do so, as long as this process lives.
    pub fn verified(&mut self, span: &Span) {
        let Some(unchecked) = &span.unchecked else { return };
        let found = self.segments.binary_search_by_key(&unchecked.base, |segment| segment.base);
        let segment = found.ok().and_then(|index| self.segments.get_mut(index));
        let end = span.position + u64::from(span.len);
        // It may have been replaced or cut meanwhile.
        if let Some(segment) = segment.filter(|segment| segment.is_file(&span.file) && segment.size >= end) {
            segment.checked.add(span.position, end);
            if let Some(next) = unchecked.next {
                self.cursors.put(next, unchecked.base, end);
            }
        }
    }

    /// Transactions that were aborted and overlap the offsets from `from` up to `upper`, by the offset of their marker.
    pub fn aborted_txns(&mut self, from: Offset, upper: Offset) -> Result<Vec<AbortedTxn>> {
        self.ensure_online()?;
        let mut found = Vec::new();
        let first = self.segment_of(from.0);
        for segment in self.segments.iter().skip(first).filter(|segment| segment.has_txn_index) {
            if segment.collect_aborted(&self.at, from, upper, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}
