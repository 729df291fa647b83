//! A file whose writes go past the page cache and are durable when they are done.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use kernel::port::disk::Completion;
use kernel::port::{Block, DiskFile};
use rustix::fs::OFlags;

use super::file::RealFile;

/// How many writes may wait. Whoever submits more waits as well.
const QUEUE_MAX: usize = 64;

type Job = (u64, Arc<Block>, Completion);

/// A file with a thread of its own, so that a write waits for nothing but the disk.
#[derive(Debug)]
pub(super) struct DirectFile {
    file: Arc<RealFile>,
    /// Closed with the file, which ends the thread.
    queue: SyncSender<Job>,
}

pub(super) fn open(path: &Path) -> io::Result<DirectFile> {
    let file = Arc::new(RealFile::new(open_file(path)?));
    let (queue, jobs) = sync_channel(QUEUE_MAX);
    let writes = Arc::clone(&file);
    thread::Builder::new()
        .name("journal".to_owned())
        .stack_size(128 << 10)
        .spawn(move || serve(&writes, &jobs))?;
    Ok(DirectFile { file, queue })
}

fn open_file(path: &Path) -> io::Result<File> {
    let with = |flags: OFlags| {
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path)
    };
    match with(OFlags::DIRECT | OFlags::DSYNC) {
        // Some file systems, such as those in memory, have only the page cache.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => with(OFlags::DSYNC),
        other => other,
    }
}

fn serve(file: &RealFile, jobs: &Receiver<Job>) {
    while let Ok((position, block, done)) = jobs.recv() {
        let written = file.write_at(position, &[IoSlice::new(block.bytes())]);
        // First given back, as whoever waits may want it for the next write.
        drop(block);
        done(written);
    }
}

impl DiskFile for DirectFile {
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.file.write_at(position, parts)
    }

    fn submit_write(&self, position: u64, block: Arc<Block>, done: Completion) {
        if let Err(refused) = self.queue.send((position, block, done)) {
            let (_, _, done) = refused.0;
            done(Err(io::Error::other("the thread that writes this file has ended")));
        }
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(position, into)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn blocks_are_written_in_order_and_can_be_read_at_once() {
        let dir = std::env::temp_dir().join(format!("riverrun-direct-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("blocks");
        let file = open(&path).unwrap();
        file.allocate(64 << 10).unwrap();
        let (tell, told) = mpsc::channel();
        for number in 0..4_u8 {
            let mut block = Block::with_capacity(Block::ALIGN);
            block.extend(&[number + 1; 100]);
            block.pad();
            let tell = tell.clone();
            let position = u64::from(number) * Block::ALIGN as u64;
            file.submit_write(
                position,
                Arc::new(block),
                Box::new(move |result| {
                    tell.send((number, result.is_ok())).unwrap();
                }),
            );
        }
        for number in 0..4 {
            assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), (number, true));
        }
        let content = std::fs::read(&path).unwrap();
        assert_eq!(
            (content.len(), content[0], content[3 * Block::ALIGN + 99], content[100]),
            (64 << 10, 1, 4, 0)
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
