//! A file whose writes go past the page cache and are durable when they are done.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use kernel::port::disk::Completion;
use kernel::port::{Block, DiskFile};
use parking_lot::Mutex;
use rustix::fs::OFlags;

use super::file::RealFile;

/// How many writes may wait. Whoever submits more waits as well.
const QUEUE_MAX: usize = 64;

/// How much of what was allocated is filled at a time: a write that comes meanwhile waits for this.
const FILL_STEP: usize = 256 << 10;

enum Job {
    Write(u64, Arc<Block>, Completion),
    /// There is something to fill.
    Fill,
}

/// A file with a thread of its own, so that a write waits for nothing but the disk.
#[derive(Debug)]
pub(super) struct DirectFile {
    file: Arc<Filled>,
    /// Closed with the file, which ends the thread.
    queue: SyncSender<Job>,
}

/// A file whose allocated part is written once with zeros before it is used. The first write to a place that is only
/// allocated changes what the file system knows of it, and so costs twice as much, and takes as long again, as any later one.
#[derive(Debug)]
struct Filled {
    file: RealFile,
    /// What is still to be filled. Locked during each write, so that zeros never follow what was meant to stay.
    rest: Mutex<Range<u64>>,
}

impl Filled {
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut rest = self.rest.lock();
        let end = position.saturating_add(parts.iter().map(|part| part.len() as u64).sum());
        rest.start = rest.start.max(end);
        self.file.write_at(position, parts)
    }

    /// Fills the next piece. Returns whether there is more.
    fn fill(&self, zeros: &Block) -> bool {
        let mut rest = self.rest.lock();
        let len = rest.end.saturating_sub(rest.start).min(zeros.len() as u64);
        let piece = zeros.bytes().get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
        // What cannot be filled is only slower.
        if piece.is_empty() || self.file.write_at(rest.start, &[IoSlice::new(piece)]).is_err() {
            *rest = 0..0;
            return false;
        }
        rest.start += len;
        rest.start < rest.end
    }
}

pub(super) fn open(path: &Path) -> io::Result<DirectFile> {
    let file = Arc::new(Filled { file: RealFile::new(open_file(path)?), rest: Mutex::new(0..0) });
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

fn serve(file: &Filled, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Write(position, block, done) => write(file, position, block, done),
            Job::Fill => fill(file, jobs),
        }
    }
}

fn write(file: &Filled, position: u64, block: Arc<Block>, done: Completion) {
    let written = file.write_at(position, &[IoSlice::new(block.bytes())]);
    // First given back, as whoever waits may want it for the next write.
    drop(block);
    done(written);
}

/// Fills what is allocated while there is nothing else to do.
fn fill(file: &Filled, jobs: &Receiver<Job>) {
    let mut zeros = Block::with_capacity(FILL_STEP);
    zeros.extend(&vec![0; FILL_STEP]);
    loop {
        match jobs.try_recv() {
            Ok(Job::Write(position, block, done)) => write(file, position, block, done),
            Err(TryRecvError::Disconnected) => return,
            Ok(Job::Fill) | Err(TryRecvError::Empty) if !file.fill(&zeros) => return,
            Ok(Job::Fill) | Err(TryRecvError::Empty) => {}
        }
    }
}

impl DiskFile for DirectFile {
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.file.write_at(position, parts)
    }

    fn is_warm(&self, _: u64, _: usize) -> bool {
        // Its reads go to the disk in any case.
        true
    }

    fn warm(&self, _: u64, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn submit_write(&self, position: u64, block: Arc<Block>, done: Completion) {
        if let Err(refused) = self.queue.send(Job::Write(position, block, done))
            && let Job::Write(_, _, done) = refused.0
        {
            done(Err(io::Error::other("the thread that writes this file has ended")));
        }
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.file.read_at(position, into)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let had = self.file.file.len()?;
        self.file.file.allocate(len)?;
        if len > had {
            *self.file.rest.lock() = had.next_multiple_of(Block::ALIGN as u64)..len;
            // A thread that has ended fills nothing, and says so at the next write.
            let _ = self.queue.send(Job::Fill);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.file.sync_data()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn what_is_allocated_is_filled_up_to_its_end_and_what_was_written_stays() {
        let dir = std::env::temp_dir().join(format!("riverrun-filled-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = Filled {
            file: RealFile::new(open_file(&dir.join("ring")).unwrap()),
            rest: Mutex::new(0..(3 * FILL_STEP) as u64),
        };
        let mut zeros = Block::with_capacity(FILL_STEP);
        zeros.extend(&vec![0; FILL_STEP]);
        let mut block = Block::with_capacity(Block::ALIGN);
        block.extend(&[7; Block::ALIGN]);
        let page = Block::ALIGN as u64;
        file.write_at(page, &[IoSlice::new(block.bytes())]).unwrap();
        assert_eq!(file.rest.lock().start, 2 * page, "what lies before it is left alone");
        assert!(file.fill(&zeros));
        file.write_at(5 * page, &[IoSlice::new(block.bytes())]).unwrap();
        while file.fill(&zeros) {}
        let content = std::fs::read(dir.join("ring")).unwrap();
        assert_eq!(content.len(), 3 * FILL_STEP);
        let written: Vec<usize> = content
            .chunks(Block::ALIGN)
            .enumerate()
            .filter(|(_, page)| page[0] == 7)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(written, [1, 5]);
        assert!(!file.fill(&zeros), "it is filled");
        std::fs::remove_dir_all(&dir).unwrap();
    }

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
