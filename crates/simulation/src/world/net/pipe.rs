//! A connection: two streams of bytes that arrive in order, or not at all.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::HostId;

/// How many bytes of a stream can be on their way or unread before its writer has to wait.
const WINDOW: usize = 256 << 10;

/// One of the two ends: 0 made the connection, 1 accepted it.
pub(super) type End = usize;

/// A connection between two hosts.
pub(super) struct Conn {
    pub id: u64,
    pub hosts: [HostId; 2],
    pub addresses: [SocketAddr; 2],
    pub state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// What each end has sent.
    pub pipes: [Pipe; 2],
    pub ends: [EndState; 2],
}

/// What a process, or what is left of it, has of a connection.
#[derive(Default)]
pub(super) struct EndState {
    pub standing: Standing,
    /// It was told that the other end is gone.
    pub reset: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Open,
    /// The process has closed it; the host still answers for it.
    Closed,
    /// The host has lost its power, and all memory of it.
    Vanished,
}

/// One direction.
#[derive(Default)]
pub(super) struct Pipe {
    /// On the way, each not before its time, and all in order.
    pub segments: VecDeque<Segment>,
    pub last_due: Option<Instant>,
    /// Arrived and not read.
    pub inbox: VecDeque<Bytes>,
    /// Bytes in `segments` and `inbox`.
    pub held: usize,
    /// The writer has ended the stream.
    pub finished: bool,
    /// That has arrived.
    pub ended: bool,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
}

pub(super) struct Segment {
    pub due: Instant,
    /// Nothing for the end of the stream.
    pub bytes: Option<Bytes>,
}

impl Pipe {
    /// How much can be written now.
    pub fn room(&self) -> usize {
        WINDOW.saturating_sub(self.held)
    }

    pub fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// Forgets what is on its way.
    pub fn lose_segments(&mut self) {
        let lost: usize = self.segments.drain(..).filter_map(|segment| segment.bytes).map(|b| b.len()).sum();
        self.held -= lost;
    }
}

impl State {
    /// The stream that `end` reads.
    pub fn incoming(&mut self, end: End) -> &mut Pipe {
        let [first, second] = &mut self.pipes;
        if end == 0 { second } else { first }
    }

    /// The stream that `end` writes.
    pub fn outgoing(&mut self, end: End) -> &mut Pipe {
        let [first, second] = &mut self.pipes;
        if end == 0 { first } else { second }
    }

    pub fn end(&mut self, end: End) -> &mut EndState {
        let [first, second] = &mut self.ends;
        if end == 0 { first } else { second }
    }

    /// Lets an end find that the other one is gone: what it has not read is lost to it.
    pub fn reset(&mut self, end: End) {
        self.end(end).reset = true;
        self.incoming(end).wake_reader();
        self.outgoing(end).wake_writer();
    }

    /// Whether there is something to read for `end`, or nothing more to wait for.
    pub fn poll_readable(&mut self, end: End, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end(end).reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let pipe = self.incoming(end);
        if pipe.inbox.is_empty() && !pipe.ended {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes up to `max` bytes that have arrived; none at the end of the stream.
    pub fn take(&mut self, end: End, max: usize) -> Bytes {
        let pipe = self.incoming(end);
        let Some(first) = pipe.inbox.front_mut() else { return Bytes::new() };
        let taken = first.split_to(max.min(first.len()));
        if !first.has_remaining() {
            pipe.inbox.pop_front();
        }
        pipe.held -= taken.len();
        pipe.wake_writer();
        taken
    }

    /// How many bytes `end` can write.
    pub fn poll_room(&mut self, end: End, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.end(end).reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let pipe = self.outgoing(end);
        if pipe.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match pipe.room() {
            0 => {
                pipe.writer = Some(context.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }
}
