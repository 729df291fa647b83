//! One open file.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use kernel::port::disk::Completion;
use kernel::port::{Block, DiskFile};
use rustix::fs::{Advice, FallocateFlags};
use rustix::io::{Errno, ReadWriteFlags};

/// How many parts one system call takes; the kernel's own bound is 1,024.
const PARTS_MAX: usize = 64;

/// How far apart the bytes are that are looked for in memory, and how much is read at a time to have it there.
const WARM_STEP: u64 = 128 << 10;

/// How much is asked for at most beyond what somebody waits for.
const READ_AHEAD_MAX: u64 = 2 << 20;

/// How much of one reader's is asked of the disk at a time, and in which steps. Whatever else wants the disk waits behind it.
const ASKED_MAX: u64 = 2 << 20;
const ASK_STEP: u64 = 512 << 10;

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

    fn is_warm(&self, position: u64, len: usize) -> bool {
        let end = position.saturating_add(len as u64);
        let mut at = position;
        // The kernel reads ahead and forgets in pieces larger than this, so that a byte of each tells about its neighbours.
        while at < end {
            if !self.has_byte(at) {
                return false;
            }
            at = at.saturating_add(WARM_STEP);
        }
        len == 0 || self.has_byte(end - 1)
    }

    fn warm(&self, position: u64, len: usize) -> io::Result<()> {
        // Who reads this will want what follows next; asked for now, it comes while this is sent.
        let wanted = (len as u64).saturating_add((len as u64).min(READ_AHEAD_MAX));
        let mut asked = 0;
        let mut buffer = vec![0; len.min(WARM_STEP as usize)];
        let mut done = 0;
        while done < len {
            while asked < wanted.min((done as u64).saturating_add(ASKED_MAX)) {
                let step = ASK_STEP.min(wanted - asked);
                // An advice that is not taken costs nothing but time.
                let at = position.saturating_add(asked);
                let _ = rustix::fs::fadvise(&self.file, at, NonZeroU64::new(step), Advice::WillNeed);
                asked = asked.saturating_add(step);
            }
            let want = (len - done).min(buffer.len());
            let part = buffer.get_mut(..want).unwrap_or_default();
            match self.read_at(position.saturating_add(done as u64), part)? {
                0 => break,
                read => done += read,
            }
        }
        Ok(())
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
                Err(Errno::OPNOTSUPP) => {}
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
    /// Whether a byte can be read without a wait for the disk.
    fn has_byte(&self, position: u64) -> bool {
        let mut byte = [0];
        let into = &mut [IoSliceMut::new(&mut byte)];
        let read = rustix::io::preadv2(&self.file, into, position, ReadWriteFlags::NOWAIT);
        read != Err(Errno::AGAIN)
    }

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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A file below the build's own folder, as a file system in memory forgets nothing.
    fn file_of(len: usize) -> (PathBuf, RealFile) {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp");
        fs::create_dir_all(&dir).expect("a folder");
        let path = dir.join(format!("host-warm-{}", std::process::id()));
        fs::write(&path, vec![7; len]).expect("written");
        let file = RealFile::new(File::open(&path).expect("opened"));
        file.sync_data().expect("synced");
        (path, file)
    }

    #[test]
    fn what_the_system_has_forgotten_is_cold_until_it_was_brought_back() {
        const LEN: usize = 1 << 20;
        let (path, file) = file_of(LEN);
        assert!(file.is_warm(0, LEN), "it was written just now");
        rustix::fs::fadvise(&file.file, 0, None, Advice::DontNeed).expect("taken");
        let forgotten = !file.has_byte(0);
        assert_eq!(file.is_warm(0, LEN), !forgotten);
        file.warm(LEN as u64 / 2, LEN / 2).expect("read");
        assert!(file.is_warm(LEN as u64 / 2, LEN / 2));
        file.warm(0, LEN).expect("read");
        assert!(file.is_warm(0, LEN) && file.is_warm(5, 0));
        fs::remove_file(path).expect("removed");
    }
}
