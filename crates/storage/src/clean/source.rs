//! Reading whole batches from a segment, a piece at a time and with bounded memory.

use std::path::PathBuf;
use std::sync::Arc;

use kernel::port::DiskFile;
use kernel::port::disk::OpenMode;
use wire::batch::{BatchHeader, BatchView, HEADER_LEN};

use super::plan::Source;
use crate::error::{Result, StorageError};
use crate::names;
use crate::place::Place;

/// Largest batch that is read; no request brings a larger one.
const MAX_BATCH: usize = 128 << 20;

/// The batches of a segment that is no longer written.
pub(crate) struct Reader {
    file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    position: u64,
    end: u64,
    offsets: Offsets,
    buffer: Vec<u8>,
}

/// Which offsets the next batch may have: no checksum covers where a batch says it is.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    next: i64,
    end: i64,
}

impl Reader {
    pub fn open(at: &Place, source: &Source) -> Result<Self> {
        let path = at.segment_path(source.base, names::LOG);
        let file = at.open(&path, OpenMode::Read)?;
        let offsets = Offsets { next: source.base, end: source.end };
        Ok(Self { file, path, position: 0, end: source.size, offsets, buffer: Vec::new() })
    }

    /// Reads on: whole batches of about `bytes` together, or one that is larger. Nothing at the end.
    pub fn next(&mut self, bytes: usize) -> Result<Option<Chunk<'_>>> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        self.fill(bytes.max(HEADER_LEN).min(left))?;
        let corrupt = |what: String| StorageError::corrupt(&self.path, self.position, what);
        let first = BatchHeader::read(&self.buffer).map_err(|error| corrupt(error.to_string()))?.batch_len();
        if first > self.buffer.len() {
            if first > left || first > MAX_BATCH {
                return Err(corrupt(format!("a batch of {first} bytes goes beyond the end")));
            }
            self.fill(first)?;
        }
        let (mut whole, offsets) = (0, self.offsets);
        while let Some(batch) = self.buffer.get(whole..).and_then(|rest| BatchHeader::read(rest).ok()) {
            if batch.batch_len() > self.buffer.len() - whole {
                break;
            }
            whole += batch.batch_len();
            self.offsets.next = batch.next_offset().0;
        }
        let position = self.position;
        self.position += whole as u64;
        let bytes = self.buffer.get(..whole).unwrap_or_default();
        Ok(Some(Chunk { bytes, position, offsets }))
    }

    /// Bytes that it holds.
    pub fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    fn fill(&mut self, bytes: usize) -> Result<()> {
        // One large batch does not make all that follow cost its memory.
        if self.buffer.capacity() > bytes.saturating_mul(2) {
            self.buffer = Vec::new();
        }
        self.buffer.resize(bytes, 0);
        let read = self
            .file
            .read_at(self.position, &mut self.buffer)
            .map_err(|error| StorageError::io("read", &self.path, error))?;
        if read < bytes {
            return Err(StorageError::corrupt(&self.path, self.position, "the file is shorter than it was"));
        }
        Ok(())
    }
}

/// Whole batches of a segment.
pub(crate) struct Chunk<'a> {
    bytes: &'a [u8],
    /// Where they begin.
    position: u64,
    offsets: Offsets,
}

impl<'a> Chunk<'a> {
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The batches, each found sound, with where it begins. What is damaged must not get a fresh checksum.
    pub fn batches(&self) -> impl Iterator<Item = std::result::Result<(u64, BatchView<'a>), (u64, String)>> {
        let (mut position, mut offsets) = (self.position, self.offsets);
        BatchView::iter(self.bytes).map(move |batch| {
            let at = position;
            let batch = batch.map_err(|error| (at, error.to_string()))?;
            batch.verify_crc().map_err(|error| (at, error.to_string()))?;
            let (first, last) = (batch.base_offset().0, batch.last_offset().0);
            if first < offsets.next || last < first || last >= offsets.end || batch.record_count() < 0 {
                let Offsets { next, end } = offsets;
                return Err((
                    at,
                    format!("a batch with offsets {first} to {last}, {next} to {end} was expected"),
                ));
            }
            (position, offsets.next) = (position + batch.bytes().len() as u64, last + 1);
            Ok((at, batch))
        })
    }
}
