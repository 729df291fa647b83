//! The journal of a log directory: one file that makes what arrives for many partitions durable with one write.
//!
//! Records are in the page cache of their segments already when they come here; the journal is read only after a crash.
//!
//! - [`Sealed`] and [`Blocks`]: what lies in the file. Entries are gathered in blocks, and a block is written at once.
//! - [`Ring`]: where the next block goes, and what may be overwritten.
//! - [`Journal::open`]: makes the file ready for writing. [`Found`]: what an earlier life of the node left in it.
//!
//! *Invariant:* an entry stays in the file until the records it has are durable in their segment.

mod block;
mod replay;
mod ring;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::port::disk::OpenMode;
use kernel::port::{Block, Disk, DiskFile};

pub use block::{Blocks, Entry, Sealed};
pub use replay::{Found, Replayed};
pub use ring::{Place, Ring};

use crate::error::{Result, StorageError};

/// The file's name in its log directory. Folders are partitions there, so that Kafka's tools pass over a file.
const FILE: &str = "riverrun.journal";

/// The largest block; larger ones gain nothing, and their entries would wait for each other.
pub const BLOCK_MAX: usize = 1 << 20;

/// The largest batch that fits into a block.
pub const BATCH_MAX: usize = BLOCK_MAX - block::BLOCK_HEADER - block::ENTRY_HEADER;

/// The smallest journal: each of its zones must hold the largest block.
pub const BYTES_MIN: u64 = ring::ZONES * BLOCK_MAX as u64;

const PAGE: u64 = Block::ALIGN as u64;

/// A journal that is ready for writing.
pub struct Journal {
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    pub ring: Ring,
}

impl Journal {
    /// Keeps a journal under another name, for partitions that could not be opened. `age` tells it from others: the
    /// later, the larger. Syncs.
    pub fn keep(disk: &dyn Disk, path: &Path, age: u64) -> Result<PathBuf> {
        let dir = path.parent().unwrap_or(path);
        let kept = dir.join(format!("{FILE}.kept-{age:020}"));
        let in_use = path.file_name().is_some_and(|name| name == FILE);
        if !in_use {
            return Ok(path.to_owned());
        }
        disk.rename(path, &kept).map_err(|error| StorageError::io("rename", path, error))?;
        disk.sync_dir(dir).map_err(|error| StorageError::unsynced(dir, error))?;
        Ok(kept)
    }

    /// Removes a journal that was kept, once its records are durable in their logs.
    pub fn forget(disk: &dyn Disk, path: &Path) -> Result<()> {
        match path.file_name().is_some_and(|name| name == FILE) {
            true => Ok(()),
            false => disk.remove_file(path).map_err(|error| StorageError::io("remove", path, error)),
        }
    }

    /// Makes the file ready and takes the room for it. What it had is void from then on, so that comes after a replay whose
    /// records are durable. `life` must be new and hard to guess: it tells blocks from what earlier lives left. Syncs.
    pub fn open(disk: &dyn Disk, dir: &Path, bytes: u64, life: u64) -> Result<Self> {
        let path = dir.join(FILE);
        let failed = |error| StorageError::io("write", &path, error);
        let synced = || disk.sync_dir(dir).map_err(|error| StorageError::unsynced(dir, error));
        let open =
            || disk.open(&path, OpenMode::Direct).map_err(|error| StorageError::io("open", &path, error));
        let mut file = open()?;
        let ring = Ring::new(bytes, life);
        let whole = PAGE + ring.capacity();
        let len = file.len().map_err(failed)?;
        if len != whole && len != 0 {
            // Its header must never be found in a file of another length.
            disk.remove_file(&path).map_err(|error| StorageError::io("remove", &path, error))?;
            synced()?;
            file = open()?;
        }
        if len != whole {
            // And not before the room for what it announces.
            file.allocate(whole).map_err(|error| no_room(disk, &path, whole, error))?;
            file.sync_data().map_err(failed)?;
        }
        let mut header = Block::with_capacity(Block::ALIGN);
        header.extend(&block::FileHeader { life, capacity: ring.capacity() }.encode());
        header.pad();
        file.write_at(0, &[io::IoSlice::new(header.bytes())]).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        synced()?;
        Ok(Self { file, path, ring })
    }
}

/// Says how much room the journal takes, where that is what it cannot have.
fn no_room(disk: &dyn Disk, path: &Path, needed: u64, error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            let usable = path.parent().and_then(|dir| disk.space(dir).ok()).map(|space| space.usable);
            StorageError::JournalTooLarge { path: path.to_owned(), needed, usable }
        }
        _ => StorageError::io("write", path, error),
    }
}

#[cfg(test)]
mod tests;
