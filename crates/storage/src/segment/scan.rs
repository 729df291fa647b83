//! Walking over the batches of a segment file with bounded memory.

use std::path::Path;

use kernel::port::DiskFile;
use wire::batch::{BatchHeader, CHECKED_FROM, HEADER_LEN};

use crate::error::{Result, StorageError};

/// What a walk over headers reads at once.
const HEADER_WINDOW: usize = 8 << 10;
/// What it reads at once after a batch that was larger than a window: little more than the next header.
const SPARSE_WINDOW: usize = 512;
/// What a walk over whole batches reads at once.
const CHECKED_WINDOW: usize = 256 << 10;
/// Largest batch that is read into memory as a whole; no request brings a larger one.
const MAX_BATCH: usize = 128 << 20;

/// A batch in a segment file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Where it begins.
    pub position: u64,
    pub header: BatchHeader,
}

impl Found {
    /// Where the next batch begins.
    pub fn end(&self) -> u64 {
        self.position.saturating_add(self.header.batch_len() as u64)
    }
}

/// The batches of a segment file from a position on.
pub(crate) struct Scan<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    position: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    refill: usize,
    /// Whether the bytes of each batch are compared with its checksum.
    checked: bool,
    /// Those that end before this offset are not.
    checked_from: i64,
    /// Where the batch before ended. No checksum covers the offset of a batch, so damage to it shows only in the order.
    next_offset: i64,
    /// Whether the last error was about that order.
    pub out_of_order: bool,
}

impl<'a> Scan<'a> {
    /// The headers of the batches between `position`, where one must begin, and `end`.
    pub fn headers(file: &'a dyn DiskFile, path: &'a Path, position: u64, end: u64) -> Self {
        let (window, window_at, refill) = (Vec::new(), position, HEADER_WINDOW);
        Self {
            file,
            path,
            position,
            end,
            window,
            window_at,
            refill,
            checked: false,
            checked_from: i64::MIN,
            next_offset: 0,
            out_of_order: false,
        }
    }

    /// The batches between `position`, where one must begin, and `end`, each with its checksum verified.
    pub fn checked(file: &'a dyn DiskFile, path: &'a Path, position: u64, end: u64) -> Self {
        Self { refill: CHECKED_WINDOW, checked: true, ..Self::headers(file, path, position, end) }
    }

    /// The same from a batch on that follows offset `next_offset`; those that end before `checked_from` are known to be sound.
    pub fn resumed(self, next_offset: i64, checked_from: i64) -> Self {
        Self { next_offset, checked_from, ..self }
    }

    /// The next batch; nothing at the end. [`StorageError::Corrupt`] where no whole, sound batch begins.
    pub fn next(&mut self) -> Result<Option<Found>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let bytes = self.bytes_at(position, HEADER_LEN)?;
        let header = match BatchHeader::read(bytes) {
            Ok(header) => header,
            Err(error) => return Err(StorageError::corrupt(self.path, position, error.to_string())),
        };
        let found = Found { position, header };
        if found.end() > self.end {
            let what = format!("a batch of {} bytes goes beyond the end", header.batch_len());
            return Err(StorageError::corrupt(self.path, position, what));
        }
        if header.last_offset_delta() < 0 {
            return Err(StorageError::corrupt(self.path, position, "a batch ends before it begins"));
        }
        let base = header.base_offset().0;
        if base < self.next_offset {
            self.out_of_order = true;
            let what =
                format!("a batch has offset {base}, {} is the least that can follow", self.next_offset);
            return Err(StorageError::corrupt(self.path, position, what));
        }
        if self.checked && header.last_offset().0 >= self.checked_from {
            self.refill = CHECKED_WINDOW;
            self.verify(&found)?;
        } else if header.batch_len() > HEADER_WINDOW {
            self.refill = SPARSE_WINDOW;
        } else {
            self.refill = HEADER_WINDOW;
        }
        self.position = found.end();
        self.next_offset = header.next_offset().0;
        Ok(Some(found))
    }

    /// Where the next batch begins, or the one that is damaged.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether a sound batch begins at any byte behind the position of the walk, whose records come after offset `damaged`. It
    /// is looked for everywhere, as the length of the batch before it may be what is damaged.
    pub fn finds_later_than(mut self, damaged: i64) -> Result<bool> {
        let from = self.position;
        self.refill = CHECKED_WINDOW;
        for position in from.saturating_add(1)..self.end {
            let Ok(header) = BatchHeader::read(self.bytes_at(position, HEADER_LEN)?) else { continue };
            let found = Found { position, header };
            let base = header.base_offset().0;
            // Each record between takes a byte at least.
            let most = damaged.saturating_add(i64::try_from(position - from).unwrap_or(i64::MAX));
            let plausible = base > damaged && base <= most && header.last_offset_delta() >= 0;
            if plausible && found.end() <= self.end && whole(self.verify(&found))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn verify(&mut self, found: &Found) -> Result<()> {
        let mut position = found.position + CHECKED_FROM as u64;
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        while position < found.end() {
            let left = usize::try_from(found.end() - position).unwrap_or(usize::MAX);
            let bytes = self.bytes_at(position, 1)?;
            let bytes = bytes.get(..left).unwrap_or(bytes);
            if bytes.is_empty() {
                return Err(StorageError::corrupt(self.path, position, "the file ends within a batch"));
            }
            digest.update(bytes);
            position += bytes.len() as u64;
        }
        if digest.finalize() != u64::from(found.header.crc()) {
            return Err(StorageError::corrupt(
                self.path,
                found.position,
                "the checksum of a batch does not match",
            ));
        }
        Ok(())
    }

    /// What is in the file from `position` on: at least `want` bytes, unless the file ends.
    fn bytes_at(&mut self, position: u64, want: usize) -> Result<&[u8]> {
        let offset = position.checked_sub(self.window_at).and_then(|offset| usize::try_from(offset).ok());
        let there = offset.map_or(0, |offset| self.window.len().saturating_sub(offset));
        if there < want {
            let left = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
            self.window.resize(self.refill.max(want).min(left), 0);
            let read = self
                .file
                .read_at(position, &mut self.window)
                .map_err(|error| StorageError::io("read", self.path, error))?;
            self.window.truncate(read);
            self.window_at = position;
        }
        let offset = usize::try_from(position - self.window_at).unwrap_or(usize::MAX);
        Ok(self.window.get(offset..).unwrap_or_default())
    }

    /// Reads a whole batch into memory.
    pub fn read_batch(file: &dyn DiskFile, path: &Path, found: &Found) -> Result<Vec<u8>> {
        let len = found.header.batch_len();
        if len > MAX_BATCH {
            return Err(StorageError::corrupt(path, found.position, format!("a batch of {len} bytes")));
        }
        let mut bytes = vec![0; len];
        let read = file
            .read_at(found.position, &mut bytes)
            .map_err(|error| StorageError::io("read", path, error))?;
        if read < len {
            return Err(StorageError::corrupt(path, found.position, "the file ends within a batch"));
        }
        Ok(bytes)
    }
}

/// Whether a check found nothing wrong; what kept it from being made is no answer.
fn whole(checked: Result<()>) -> Result<bool> {
    match checked {
        Ok(()) => Ok(true),
        Err(StorageError::Corrupt { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
