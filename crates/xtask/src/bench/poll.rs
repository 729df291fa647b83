//! Sockets that never block, and waiting for any of them; the load generator and the limit program are made of these.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// How many sockets one wake-up reports at most.
const EVENTS_MAX: usize = 256;

/// Frames up to this size are sent together.
const COALESCE_MAX: usize = 8 << 10;

/// What one read takes at most, and the least room it is given.
const READ_BYTES: usize = 256 << 10;

/// A frame may have so many bytes.
const FRAME_MAX: usize = 64 << 20;

const PREFIX_LEN: usize = 4;

/// Waits for sockets by number.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poll {
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Reports `socket` as `number` whenever it can be read.
    pub fn add(&self, socket: impl AsFd, number: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), EventFlags::IN)?)
    }

    fn also_writable(&self, socket: impl AsFd, number: usize, wanted: bool) -> io::Result<()> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(number as u64), flags)?)
    }

    /// The numbers of the sockets that can be read or written, at the latest after `timeout`.
    pub fn wait(&mut self, timeout: Duration, ready: &mut Vec<usize>) -> io::Result<()> {
        ready.clear();
        self.events.clear();
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        // Copied out of the structure, which is packed.
        ready.extend(self.events.iter().map(|event| { event.data }.u64() as usize));
        Ok(())
    }
}

/// One connection: what is to be sent, and what has arrived.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    number: usize,
    small: BytesMut,
    large: VecDeque<Bytes>,
    /// Whether the poll watches for room to write.
    watched: bool,
    inbox: Inbox,
}

impl Peer {
    pub fn new(stream: TcpStream, number: usize, poll: &Poll) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        poll.add(&stream, number)?;
        Ok(Self {
            stream,
            number,
            small: BytesMut::new(),
            large: VecDeque::new(),
            watched: false,
            inbox: Inbox::default(),
        })
    }

    /// Queues a frame. All frames of a connection are small, or all are large.
    pub fn queue(&mut self, frame: &Bytes) {
        if frame.len() <= COALESCE_MAX {
            self.small.extend_from_slice(frame);
        } else {
            self.large.push_back(frame.clone());
        }
    }

    /// Queues a copy of a frame that the caller then changes in place.
    pub fn queue_copy(&mut self, frame: &[u8]) -> &mut [u8] {
        let from = self.small.len();
        self.small.extend_from_slice(frame);
        self.small.get_mut(from..).unwrap_or_default()
    }

    /// Sends what the socket takes of what is queued; the poll says when it takes more.
    pub fn flush(&mut self, poll: &Poll) -> io::Result<()> {
        let blocked = loop {
            let (written, queue): (_, &mut dyn Buf) = match self.large.front_mut() {
                Some(frame) => ((&self.stream).write(frame), frame),
                None if self.small.is_empty() => break false,
                None => ((&self.stream).write(&self.small), &mut self.small),
            };
            match written {
                Ok(written) => queue.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.large.front().is_some_and(Bytes::is_empty) {
                self.large.pop_front();
            }
        };
        if blocked != self.watched {
            poll.also_writable(&self.stream, self.number, blocked)?;
            self.watched = blocked;
        }
        Ok(())
    }

    /// Takes what has arrived. False once the other side has closed.
    pub fn receive(&mut self) -> io::Result<bool> {
        match self.inbox.read(&self.stream) {
            Ok(count) => Ok(count > 0),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The next whole frame that has arrived, without its length.
    pub fn frame(&mut self) -> Result<Option<&[u8]>, String> {
        self.inbox.frame()
    }
}

/// Bytes that arrived and were not looked at yet. The memory is kept, so that nothing is cleared or copied but the
/// beginning of a frame whose end is still missing.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Inbox {
    fn read(&mut self, mut stream: &TcpStream) -> io::Result<usize> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        // Of a large frame no more than its end is read, so that the next one begins where this one did, and nothing
        // has to be moved.
        let wanted = self.missing().filter(|missing| *missing > READ_BYTES / 4).unwrap_or(READ_BYTES);
        if self.bytes.len() < self.end + wanted {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            self.bytes.resize(self.bytes.len().max(self.end + wanted), 0);
        }
        let room = self.bytes.get_mut(self.end..self.end + wanted).unwrap_or_default();
        let count = stream.read(room)?;
        self.end += count;
        Ok(count)
    }

    /// How much of the frame that has begun to arrive is not there yet.
    fn missing(&self) -> Option<usize> {
        let here = self.bytes.get(self.begin..self.end)?;
        let len = wire::frame::peek_len(here, FRAME_MAX).ok()??;
        Some((PREFIX_LEN + len).saturating_sub(here.len()))
    }

    fn frame(&mut self) -> Result<Option<&[u8]>, String> {
        let here = self.bytes.get(self.begin..self.end).unwrap_or_default();
        let Some(len) = wire::frame::peek_len(here, FRAME_MAX).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let frame = here.get(PREFIX_LEN..PREFIX_LEN + len);
        if frame.is_some() {
            self.begin += PREFIX_LEN + len;
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn frames_arrive_whole_whatever_the_pieces() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut poll = Poll::new().unwrap();
        let mut peer = Peer::new(listener.accept().unwrap().0, 7, &poll).unwrap();
        let long = vec![5; READ_BYTES * 2];
        let mut sent = vec![0, 0, 0, 3, 1, 2, 3];
        sent.extend((long.len() as u32).to_be_bytes());
        sent.extend(&long);
        let writer = std::thread::spawn(move || {
            for piece in sent.chunks(100_003) {
                sender.write_all(piece).unwrap();
            }
        });
        let (mut frames, mut ready) = (Vec::new(), Vec::new());
        while frames.len() < 2 {
            poll.wait(Duration::from_secs(10), &mut ready).unwrap();
            assert_eq!(ready, [7]);
            assert!(peer.receive().unwrap());
            while let Some(frame) = peer.frame().unwrap() {
                frames.push(frame.to_vec());
            }
        }
        writer.join().unwrap();
        assert_eq!(frames, [vec![1, 2, 3], long]);
    }
}
