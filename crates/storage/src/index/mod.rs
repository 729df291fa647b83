//! The sparse indexes of a segment, in Kafka's files, read by `pread` and never mapped into memory.
//!
//! An [`IndexFile`] is a sorted array of entries of one size. The newest entries of the active segment wait in memory
//! and are written in groups, because an index is rebuilt after a crash anyway; what is idle keeps nothing in memory
//! but the number of entries and the last one.

pub(crate) mod offset;
pub(crate) mod time;
pub(crate) mod txn;

use std::io::IoSlice;
use std::marker::PhantomData;
use std::sync::Arc;

use kernel::port::DiskFile;
use kernel::port::disk::OpenMode;

use crate::error::{Result, StorageError};
use crate::place::Place;

/// How many entries wait in memory before they are written together.
const MAX_PENDING: usize = 64;
/// A binary search reads the rest at once when it is this small.
const BLOCK_BYTES: usize = 2048;

/// How many entries are looked at together after a crash.
const SOUND_ENTRIES: usize = 512;

/// One entry of an index file.
pub(crate) trait Entry: Copy {
    const SIZE: usize;
    /// What the file's name ends with.
    const SUFFIX: &'static str;
    fn put(&self, out: &mut Vec<u8>);
    /// Reads an entry from exactly [`Self::SIZE`] bytes.
    fn get(bytes: &[u8]) -> Option<Self>;
}

/// A sorted array of entries in a file, with a tail in memory.
pub(crate) struct IndexFile<E> {
    stored: u32,
    pending: Vec<E>,
    last: Option<E>,
    /// Whether `stored` and `last` were read from the file yet.
    loaded: bool,
    /// Whether the file was made by now; the index of a new log gets one with the first sync, or the first entries.
    exists: bool,
    file: Option<Arc<dyn DiskFile>>,
    _entry: PhantomData<E>,
}

impl<E: Entry> IndexFile<E> {
    /// The index of a segment that was just made, which has no file yet.
    pub fn empty() -> Self {
        Self {
            stored: 0,
            pending: Vec::new(),
            last: None,
            loaded: true,
            exists: false,
            file: None,
            _entry: PhantomData,
        }
    }

    /// The index of a segment that exists; read when it is first needed.
    pub fn unread() -> Self {
        Self { loaded: false, exists: true, ..Self::empty() }
    }

    /// Makes the file if there is none yet.
    pub fn ensure_file(&mut self, at: &Place, base: i64) -> Result<()> {
        if !self.exists {
            self.file(at, base)?;
        }
        Ok(())
    }

    fn file(&mut self, at: &Place, base: i64) -> Result<Arc<dyn DiskFile>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = at.open(&at.segment_path(base, E::SUFFIX), OpenMode::Create)?;
        self.exists = true;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    fn io_error(&self, at: &Place, base: i64, what: &'static str, error: std::io::Error) -> StorageError {
        StorageError::io(what, &at.segment_path(base, E::SUFFIX), error)
    }

    /// Reads the length and the last entry, once.
    pub fn load(&mut self, at: &Place, base: i64) -> Result<()> {
        if self.loaded {
            return Ok(());
        }
        let file = self.file(at, base)?;
        let len = file.len().map_err(|error| self.io_error(at, base, "read", error))?;
        let size = E::SIZE as u64;
        if !len.is_multiple_of(size) {
            let path = at.segment_path(base, E::SUFFIX);
            return Err(StorageError::corrupt(&path, len, format!("its length is no multiple of {size}")));
        }
        let Ok(stored) = u32::try_from(len / size) else {
            return Err(StorageError::corrupt(
                &at.segment_path(base, E::SUFFIX),
                len,
                "it is too long for an index",
            ));
        };
        self.stored = stored;
        self.last = match stored.checked_sub(1) {
            Some(last) => Some(self.read_stored(at, base, last)?),
            None => None,
        };
        self.loaded = true;
        Ok(())
    }

    fn read_stored(&mut self, at: &Place, base: i64, index: u32) -> Result<E> {
        let mut bytes = [0_u8; 16];
        let file = self.file(at, base)?;
        let position = u64::from(index) * E::SIZE as u64;
        let into = bytes.get_mut(..E::SIZE).unwrap_or_default();
        let read = file.read_at(position, into).map_err(|error| self.io_error(at, base, "read", error))?;
        bytes.get(..read).and_then(E::get).ok_or_else(|| {
            StorageError::corrupt(&at.segment_path(base, E::SUFFIX), position, "it ends within an entry")
        })
    }

    /// Number of entries. Only after [`Self::load`].
    pub fn len(&self) -> u32 {
        self.stored.saturating_add(u32::try_from(self.pending.len()).unwrap_or(u32::MAX))
    }

    /// The last entry. Only after [`Self::load`].
    pub fn last(&self) -> Option<E> {
        self.last
    }

    /// The entry at `index`.
    pub fn get(&mut self, at: &Place, base: i64, index: u32) -> Result<Option<E>> {
        self.load(at, base)?;
        if index < self.stored {
            return self.read_stored(at, base, index).map(Some);
        }
        Ok(self.pending.get((index - self.stored) as usize).copied())
    }

    /// Adds an entry; writes the waiting ones when they are many.
    ///
    /// An entry is in the index even if the write fails: it stays in memory and is tried again with the next one.
    pub fn push(&mut self, at: &Place, base: i64, entry: E) -> Result<()> {
        self.load(at, base)?;
        self.pending.push(entry);
        self.last = Some(entry);
        if self.pending.len() >= MAX_PENDING && self.pending.len().is_multiple_of(MAX_PENDING) {
            self.write_pending(at, base)?;
        }
        Ok(())
    }

    /// Writes what waits in memory.
    pub fn write_pending(&mut self, at: &Place, base: i64) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(self.pending.len() * E::SIZE);
        for entry in &self.pending {
            entry.put(&mut bytes);
        }
        let file = self.file(at, base)?;
        let position = u64::from(self.stored) * E::SIZE as u64;
        file.write_at(position, &[IoSlice::new(&bytes)])
            .map_err(|error| self.io_error(at, base, "write", error))?;
        self.stored = self.len();
        self.pending.clear();
        Ok(())
    }

    /// Writes what waits and gives the file back for a sync.
    pub fn stored_file(&mut self, at: &Place, base: i64) -> Result<Arc<dyn DiskFile>> {
        self.load(at, base)?;
        self.write_pending(at, base)?;
        self.file(at, base)
    }

    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Closes the file and gives memory back.
    pub fn release(&mut self, at: &Place, base: i64) -> Result<()> {
        self.write_pending(at, base)?;
        self.pending = Vec::new();
        self.file = None;
        Ok(())
    }

    /// Keeps the first `kept` entries.
    pub fn truncate(&mut self, at: &Place, base: i64, kept: u32) -> Result<()> {
        self.load(at, base)?;
        if kept >= self.len() {
            return Ok(());
        }
        if kept >= self.stored {
            self.pending.truncate((kept - self.stored) as usize);
        } else {
            self.pending.clear();
            let file = self.file(at, base)?;
            file.set_len(u64::from(kept) * E::SIZE as u64)
                .map_err(|error| self.io_error(at, base, "shorten", error))?;
            self.stored = kept;
        }
        self.last = match kept.checked_sub(1) {
            Some(index) => self.get(at, base, index)?,
            None => None,
        };
        Ok(())
    }

    /// Forgets all entries, also those in a damaged file.
    pub fn reset(&mut self, at: &Place, base: i64) -> Result<()> {
        let file = self.file(at, base)?;
        file.set_len(0).map_err(|error| self.io_error(at, base, "shorten", error))?;
        self.stored = 0;
        self.pending.clear();
        self.last = None;
        self.loaded = true;
        Ok(())
    }

    /// Keeps the entries from the first on that follow each other as `follows` says, whatever else is in the file. Returns
    /// the last of them.
    pub fn keep_sound(
        &mut self,
        at: &Place,
        base: i64,
        follows: impl Fn(Option<&E>, &E) -> bool,
    ) -> Result<Option<E>> {
        let file = self.file(at, base)?;
        let (mut stored, mut last) = (0_u32, None);
        let mut bytes = vec![0; SOUND_ENTRIES * E::SIZE];
        'all: loop {
            let position = u64::from(stored) * E::SIZE as u64;
            let read = file.read_at(position, &mut bytes);
            let read = read.map_err(|error| self.io_error(at, base, "read", error))?;
            for entry in bytes.get(..read).unwrap_or_default().chunks_exact(E::SIZE) {
                match E::get(entry).filter(|entry| follows(last.as_ref(), entry)) {
                    Some(entry) => (stored, last) = (stored.saturating_add(1), Some(entry)),
                    None => break 'all,
                }
            }
            if read < bytes.len() {
                break;
            }
        }
        let kept = u64::from(stored) * E::SIZE as u64;
        if file.len().map_err(|error| self.io_error(at, base, "read", error))? != kept {
            file.set_len(kept).map_err(|error| self.io_error(at, base, "shorten", error))?;
        }
        self.pending.clear();
        (self.stored, self.last, self.loaded) = (stored, last, true);
        Ok(last)
    }

    /// The last entry for which `holds`, which must hold for a prefix of the entries only, and its number.
    pub fn last_where(
        &mut self,
        at: &Place,
        base: i64,
        holds: impl Fn(&E) -> bool,
    ) -> Result<Option<(u32, E)>> {
        self.load(at, base)?;
        if self.pending.first().is_some_and(&holds) {
            let count = self.pending.partition_point(&holds);
            let found = count.checked_sub(1).and_then(|index| self.pending.get(index));
            let number =
                self.stored.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)).saturating_sub(1);
            return Ok(found.map(|entry| (number, *entry)));
        }
        self.last_stored_where(at, base, holds)
    }

    fn last_stored_where(
        &mut self,
        at: &Place,
        base: i64,
        holds: impl Fn(&E) -> bool,
    ) -> Result<Option<(u32, E)>> {
        // Entries before `low` hold, those from `high` on do not.
        let (mut low, mut high) = (0, self.stored);
        let block = u32::try_from(BLOCK_BYTES / E::SIZE).unwrap_or(1);
        while high - low > block {
            let middle = low + (high - low) / 2;
            if holds(&self.read_stored(at, base, middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // The block is read from one before `low`, which may be the answer.
        let first = low.saturating_sub(1);
        let mut bytes = vec![0; (high - first) as usize * E::SIZE];
        if bytes.is_empty() {
            return Ok(None);
        }
        let file = self.file(at, base)?;
        let read = file
            .read_at(u64::from(first) * E::SIZE as u64, &mut bytes)
            .map_err(|error| self.io_error(at, base, "read", error))?;
        let mut found = None;
        for (number, entry) in (first..).zip(bytes.get(..read).unwrap_or_default().chunks_exact(E::SIZE)) {
            match E::get(entry) {
                Some(entry) if holds(&entry) => found = Some((number, entry)),
                _ => break,
            }
        }
        Ok(found)
    }
}
