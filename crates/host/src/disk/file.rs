//! One open file.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use kernel::port::disk::Completion;
use kernel::port::{Block, DiskFile};
use rustix::fs::FallocateFlags;

/// How many parts one system call takes; the kernel's own bound is 1,024.
const PARTS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct RealFile {
    file: File,
}

impl RealFile {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }
}

impl DiskFile for RealFile {
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut position = position;
        for group in parts.chunks(PARTS_MAX) {
            let len: usize = group.iter().map(|part| part.len()).sum();
            let written = rustix::io::retry_on_intr(|| rustix::io::pwritev(&self.file, group, position))?;
            if written < len {
                self.write_rest(position, group, written)?;
            }
            position = position.saturating_add(len as u64);
        }
        Ok(())
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            let rest = into.get_mut(done..).unwrap_or_default();
            match self.file.read_at(rest, position.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn submit_write(&self, position: u64, block: Arc<Block>, done: Completion) {
        // A file of another mode has no thread of its own; the caller waits.
        let written = self.write_at(position, &[IoSlice::new(block.bytes())]);
        drop(block);
        done(written.and_then(|()| self.sync_data()));
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len > self.len()? {
            match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len) {
                Ok(()) => return Ok(()),
                // The file system cannot reserve; the length is all it can have.
                Err(rustix::io::Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

impl RealFile {
    /// Goes on after a short write, part by part.
    fn write_rest(&self, position: u64, group: &[IoSlice<'_>], written: usize) -> io::Result<()> {
        let mut skip = written;
        let mut position = position.saturating_add(written as u64);
        for part in group {
            let Some(rest) = part.get(skip..) else {
                skip -= part.len();
                continue;
            };
            self.file.write_all_at(rest, position)?;
            position = position.saturating_add(rest.len() as u64);
            skip = 0;
        }
        Ok(())
    }
}
