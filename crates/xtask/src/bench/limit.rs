//! The limit program: the least that a broker can do with a produce request on this machine.
//!
//! One thread takes frames off the sockets, sums their bytes with the CRC that batches have, appends them to files and
//! answers each with fifty bytes. It decodes nothing, checks nothing and remembers nothing. Where acknowledgement means
//! durable, everything that one wake-up brought is also written to one journal, which was written before and is opened
//! for direct synchronous writes, before any of it is answered. It runs in the same window as the brokers, so that what
//! the machine has to give at that moment is in the comparison.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::OFlags;

use super::frames::checksum;
use super::poll::{Peer, Poll};
use crate::Outcome;

/// What one instance is to do; on its command line it stands in this order.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    pub port: u16,
    /// How many files there are to append to, as there are partitions.
    pub files: usize,
    /// Over how many of them the bytes of one request are spread.
    pub appends: usize,
    /// Whether a request is durable before it is answered.
    pub durable: bool,
    /// Where consumers ask: how many bytes of a file each request is answered with. Nothing else is done then.
    pub sends: usize,
}

/// As long as Kafka's reply to a produce for one partition.
const REPLY_BYTES: usize = 50;

const JOURNAL_BYTES: u64 = 64 << 20;

/// Direct writes begin and end at multiples of this, in the file and in memory.
const BLOCK: usize = 4096;

const LISTENER: usize = usize::MAX;

impl Task {
    pub fn args(self, dir: &Path) -> Vec<String> {
        let Self { port, files, appends, durable, sends } = self;
        vec![
            dir.display().to_string(),
            port.to_string(),
            files.to_string(),
            appends.to_string(),
            durable.to_string(),
            sends.to_string(),
        ]
    }

    fn parse(args: &[String]) -> Option<(&Path, Self)> {
        let [dir, port, files, appends, durable, sends] = args else { return None };
        let task = Self {
            port: port.parse().ok()?,
            files: files.parse().ok()?,
            appends: appends.parse().ok()?,
            durable: durable.parse().ok()?,
            sends: sends.parse().ok()?,
        };
        Some((Path::new(dir), task))
    }
}

/// Serves until it is killed.
pub fn run(args: &[String]) -> Outcome {
    let (dir, task) = Task::parse(args).ok_or("the limit program is started by the benchmark")?;
    let served = match task.sends {
        0 => Limit::new(dir, task).and_then(Limit::serve),
        sends => send(dir, task.port, sends),
    };
    served.map_err(|error| format!("{}: {error}", dir.display()))
}

/// Answers each request with so many bytes of a file, which the kernel sends. Waits in the socket: one thread for each, as
/// what is counted is the work and not how little of it waits.
fn send(dir: &Path, port: u16, bytes: usize) -> io::Result<()> {
    let path = dir.join("sent");
    std::fs::write(&path, vec![1; bytes])?;
    let file = Arc::new(File::open(path)?);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    loop {
        let mut stream = listener.accept()?.0;
        stream.set_nodelay(true)?;
        let file = Arc::clone(&file);
        std::thread::spawn(move || -> io::Result<()> {
            let mut request = [0; 4];
            loop {
                stream.read_exact(&mut request)?;
                stream.write_all(&(bytes as u32).to_be_bytes())?;
                let mut at = 0;
                while at < bytes as u64 {
                    let left = bytes - at as usize;
                    rustix::fs::sendfile(&stream, &*file, Some(&mut at), left)?;
                }
            }
        });
    }
}

struct Limit {
    task: Task,
    listener: TcpListener,
    poll: Poll,
    peers: Vec<Peer>,
    files: Vec<(File, u64)>,
    turn: usize,
    journal: Option<Journal>,
    reply: Bytes,
}

impl Limit {
    fn new(dir: &Path, task: Task) -> io::Result<Self> {
        let file = |number: usize| Ok((File::create(dir.join(number.to_string()))?, 0));
        let mut reply = vec![0; REPLY_BYTES];
        reply.splice(..4, (REPLY_BYTES as i32 - 4).to_be_bytes());
        Ok(Self {
            task,
            listener: TcpListener::bind(("127.0.0.1", task.port))?,
            poll: Poll::new()?,
            peers: Vec::new(),
            files: (0..task.files.max(1)).map(file).collect::<io::Result<_>>()?,
            turn: 0,
            journal: task.durable.then(|| Journal::new(&dir.join("journal"))).transpose()?,
            reply: reply.into(),
        })
    }

    fn serve(mut self) -> io::Result<()> {
        self.listener.set_nonblocking(true)?;
        self.poll.add(&self.listener, LISTENER)?;
        let mut ready = Vec::new();
        loop {
            self.poll.wait(Duration::from_secs(1), &mut ready)?;
            for number in &ready {
                if *number == LISTENER {
                    let number = self.peers.len();
                    self.peers.push(Peer::new(self.listener.accept()?.0, number, &self.poll)?);
                } else if !self.take(*number)? {
                    // The load is over.
                    return Ok(());
                }
            }
            if let Some(journal) = &mut self.journal {
                journal.sync()?;
            }
            for number in &ready {
                if let Some(peer) = self.peers.get_mut(*number) {
                    peer.flush(&self.poll)?;
                }
            }
        }
    }

    /// Does what there is to do with all that one connection has sent; false once it is closed.
    fn take(&mut self, number: usize) -> io::Result<bool> {
        let Some(peer) = self.peers.get_mut(number) else { return Ok(true) };
        if !peer.receive()? {
            return Ok(false);
        }
        let mut answers = 0;
        while let Some(frame) = peer.frame().map_err(io::Error::other)? {
            std::hint::black_box(checksum(frame));
            for part in frame.chunks(frame.len().div_ceil(self.task.appends.max(1))) {
                let count = self.files.len();
                if let Some((file, end)) = self.files.get_mut(self.turn % count) {
                    file.write_all_at(part, *end)?;
                    *end += part.len() as u64;
                }
                self.turn += 1;
            }
            if let Some(journal) = &mut self.journal {
                journal.add(frame)?;
            }
            answers += 1;
        }
        for _ in 0..answers {
            peer.queue(&self.reply);
        }
        Ok(true)
    }
}

/// A ring that was written once before, so that a write to it changes nothing but its bytes.
struct Journal {
    file: File,
    offset: u64,
    /// Begins somewhere at a multiple of the block.
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
}

impl Journal {
    const BUFFER_BYTES: usize = 4 << 20;

    fn new(path: &Path) -> io::Result<Self> {
        let zeros = vec![0; 1 << 20];
        let mut file = File::create(path)?;
        (0..JOURNAL_BYTES >> 20).try_for_each(|_| file.write_all(&zeros))?;
        file.sync_all()?;
        let flags = (OFlags::DIRECT | OFlags::DSYNC).bits();
        let file = OpenOptions::new().write(true).custom_flags(flags as i32).open(path)?;
        let buffer = vec![0; Self::BUFFER_BYTES + BLOCK];
        let begin = buffer.as_ptr().align_offset(BLOCK);
        Ok(Self { file, offset: 0, buffer, begin, filled: 0 })
    }

    fn add(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.filled + frame.len() > Self::BUFFER_BYTES {
            self.sync()?;
        }
        let from = self.begin + self.filled;
        let room = self.buffer.get_mut(from..from + frame.len());
        room.ok_or_else(|| io::Error::other("a frame is larger than the journal's buffer"))?
            .copy_from_slice(frame);
        self.filled += frame.len();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let len = self.filled.next_multiple_of(BLOCK);
        if self.offset + len as u64 > JOURNAL_BYTES {
            self.offset = 0;
        }
        let bytes = self.buffer.get(self.begin..self.begin + len).unwrap_or_default();
        if !bytes.is_empty() {
            self.file.write_all_at(bytes, self.offset)?;
        }
        self.offset += len as u64;
        self.filled = 0;
        Ok(())
    }
}
