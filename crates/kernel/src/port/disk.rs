//! The disk of a node.
//!
//! Buffered writes and warm reads are plain calls, because they take microseconds. What can take long is a
//! [`Submission`] with a completion, so that no request waits behind another's disk, and a simulator can complete,
//! delay, tear or fail each one.
//!
//! What a crash leaves: after `kill -9`, all that was written. After a power cut only what a completed
//! [`DiskFile::sync_data`] covers; and a file's name (created, renamed, removed) only once [`Disk::sync_dir`] of its
//! folder has completed.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Block;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading only.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A file for reading and writing, made if it is missing.
    Create,
    /// A new file; one of that name must not exist.
    CreateNew,
    /// A file whose writes are durable once they are done, made if it is missing. Positions and lengths of its writes are
    /// multiples of [`Block::ALIGN`](super::Block::ALIGN), and so are the addresses of what is written.
    Direct,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name within its folder.
    pub name: String,
    pub is_dir: bool,
    /// Size in bytes; 0 for a folder.
    pub len: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// How much a file system holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub usable: u64,
}

/// Work that can take long.
pub enum Submission {
    /// Makes all that was written to the file before this durable.
    Sync(Arc<dyn DiskFile>),
    /// Removes a file, or a folder with all that is in it.
    Remove(PathBuf),
    /// Brings a part of a file into memory, as [`DiskFile::warm`] does. It does not wait for syncs.
    Warm { file: Arc<dyn DiskFile>, position: u64, len: usize },
    /// Several steps of which each waits for the disk and for the one before.
    Task(Box<dyn FnOnce() + Send>),
}

/// Called once, with the result of a [`Submission`].
pub type Completion = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A disk. All paths are as the caller built them from a configured log directory.
pub trait Disk: Send + Sync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Entries of a folder, sorted by name, so that no decision depends on the order of a file system.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Names of the folders in a folder, sorted. A disk may know them without looking at each.
    fn folders(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = self.list(dir)?.into_iter().filter(|entry| entry.is_dir);
        Ok(entries.map(|entry| entry.name).collect())
    }

    fn exists(&self, path: &Path) -> bool;

    /// Makes a folder and those above it that are missing.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Moves a file or folder; a file of the new name is replaced in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the folder's lock file for this process, as long as the returned value lives.
    /// Fails with [`io::ErrorKind::WouldBlock`] if another process has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;

    /// A way to make all that is in a folder durable at once, which counts from now on; nothing where there is none, or
    /// where it would not tell of every failed write.
    fn whole(&self, _dir: &Path) -> io::Result<Option<Box<dyn Whole>>> {
        Ok(None)
    }

    /// What the file system under `path` holds.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Begins work that can take long. `done` is called from elsewhere, or, in a simulation, when the world decides so.
    fn submit(&self, work: Submission, done: Completion);
}

/// A folder with all that is in it.
pub trait Whole: Send + Sync {
    /// Whether a folder below it is covered, and not a link to elsewhere or another file system.
    fn covers(&self, dir: &Path) -> bool;

    /// Makes all that was written below the folder durable, names and contents, and waits for it. Fails if any write since
    /// this was asked for did, once; what else is on the disk may become durable as well.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. Positions are explicit: no cursor is shared.
pub trait DiskFile: Send + Sync {
    /// Writes all bytes of all parts one after the other, starting at `position`.
    fn write_at(&self, position: u64, parts: &[io::IoSlice<'_>]) -> io::Result<()>;

    /// Reads up to the length of `into`; less only at the end of the file.
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Whether a read of this part would find all of it in memory. Says yes where that cannot be told.
    fn is_warm(&self, position: u64, len: usize) -> bool;

    /// Brings this part into the memory of the system, and waits for it. What comes after it may begin to come as well.
    fn warm(&self, position: u64, len: usize) -> io::Result<()>;

    /// Begins to write a block to a file that was opened with [`OpenMode::Direct`]. When `done` is told of success, the
    /// block is durable. Writes of one file are done in the order they were given, and wait for no other work.
    fn submit_write(&self, position: u64, block: Arc<Block>, done: Completion);

    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Sets the length; a longer one reads as zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Sets the length and takes the room for all of it, so that no later write finds the disk full. What is new reads as
    /// zeros.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Makes all that was written durable, and waits for it. For recovery, rolls and checkpoints; a request uses
    /// [`Disk::submit`].
    fn sync_data(&self) -> io::Result<()>;

    /// The descriptor that `sendfile` can read from, where there is one.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
}
