//! Bytes from a socket become frames.
//!
//! The buffer grows with what has arrived, not with what a length announces. Small frames are copied out, so that a
//! request that waits does not pin the buffer; large ones are cut off without a copy.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::memory::{Charge, MemoryBudget};

/// The length prefix of a frame.
const PREFIX: usize = 4;

/// What an active connection reads at a time, at least. Not charged to the budget.
const READ_MIN: usize = 16 << 10;

/// The most that a connection reads ahead because its earlier frames were large.
const READ_AHEAD_MAX: usize = 256 << 10;

/// What a connection holds without charging it: the budget is for what is large.
const UNCHARGED_MAX: usize = 64 << 10;

/// Frames up to this size are copied out of the buffer.
const COPY_MAX: usize = 4 << 10;

/// A frame, with the memory that it is charged for.
#[derive(Debug)]
pub struct Frame {
    pub bytes: Bytes,
    pub charge: Charge,
}

/// A length that no frame may have. The connection is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a request announces {announced} bytes; 1 to {max} are accepted (socket.request.max.bytes)")]
pub struct FrameLengthError {
    pub announced: i32,
    pub max: usize,
}

/// The receiving side of one connection.
#[derive(Debug)]
pub struct Inbox {
    buffer: BytesMut,
    charge: Charge,
    frame_max: usize,
    last_frame: usize,
    /// The last read filled all the room that there was, so that more has probably arrived.
    filled: bool,
}

impl Inbox {
    pub fn new(budget: &Arc<MemoryBudget>, frame_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            charge: Charge::none(budget),
            frame_max,
            last_frame: 0,
            filled: false,
        }
    }

    /// The next whole frame, without its length prefix.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameLengthError> {
        let Some(len) = self.announced()? else { return Ok(None) };
        if self.buffer.len() < PREFIX + len {
            return Ok(None);
        }
        self.last_frame = len;
        let mut whole = self.buffer.split_to(PREFIX + len);
        let charge = self.charge.take();
        let bytes = if len <= COPY_MAX {
            Bytes::copy_from_slice(whole.get(PREFIX..).unwrap_or_default())
        } else {
            whole.split_off(PREFIX).freeze()
        };
        Ok(Some(Frame { bytes, charge }))
    }

    fn announced(&self) -> Result<Option<usize>, FrameLengthError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*prefix);
        match usize::try_from(announced) {
            Ok(len) if len > 0 && len <= self.frame_max => Ok(Some(len)),
            _ => Err(FrameLengthError { announced, max: self.frame_max }),
        }
    }

    /// Notes whether a read left no room.
    pub fn received(&mut self, filled: bool) {
        self.filled = filled;
    }

    /// Whether a partial frame holds memory that others may be waiting for.
    pub fn holds_charge(&self) -> bool {
        self.charge.is_some()
    }

    /// Gives the buffer's memory back while nothing is expected.
    pub fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Makes room for the next read and returns the buffer to read into.
    pub async fn prepare(&mut self) -> &mut BytesMut {
        let held = self.buffer.len();
        let missing = match self.announced() {
            Ok(Some(len)) => (PREFIX + len).saturating_sub(held),
            _ => 0,
        };
        let wanted = if missing > 0 {
            // At most as much again as has arrived, so that an announcement costs its sender as much as us.
            missing.min(held.max(READ_MIN * 4)).max(READ_MIN)
        } else {
            self.last_frame.saturating_add(PREFIX).clamp(READ_MIN, READ_AHEAD_MAX)
        };
        // Several requests with one read, where they come faster than they are read.
        let ahead = if self.filled { UNCHARGED_MAX.saturating_sub(held) } else { 0 };
        let step = wanted.max(ahead);
        let total = held.saturating_add(step);
        if missing > 0 && total > UNCHARGED_MAX {
            // What was charged by an attempt that was given up before anything arrived counts.
            let wanted = total.min(self.charge.limit());
            self.charge.grow(wanted.saturating_sub(self.charge.bytes())).await;
        }
        self.buffer.reserve(step);
        &mut self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox() -> Inbox {
        Inbox::new(&MemoryBudget::new(1 << 30), 1000)
    }

    fn arrive(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.buffer.extend_from_slice(bytes);
    }

    #[test]
    fn frames_come_out_whole_and_in_order() {
        let mut inbox = inbox();
        arrive(&mut inbox, &[0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9, 0, 0]);
        let first = inbox.next_frame().expect("legal").expect("whole");
        assert_eq!(&first.bytes[..], &[7, 8]);
        let second = inbox.next_frame().expect("legal").expect("whole");
        assert_eq!(&second.bytes[..], &[9]);
        assert!(inbox.next_frame().expect("legal").is_none());
    }

    #[test]
    fn lengths_out_of_bounds_are_refused() {
        for announced in [-1, 0, 1001, i32::MAX, i32::MIN] {
            let mut inbox = inbox();
            arrive(&mut inbox, &announced.to_be_bytes());
            let error = inbox.next_frame().expect_err("not a legal length");
            assert_eq!(error, FrameLengthError { announced, max: 1000 });
        }
    }

    #[tokio::test]
    async fn a_connection_that_sends_faster_than_is_read_is_read_in_larger_steps() {
        let mut inbox = Inbox::new(&MemoryBudget::new(1 << 30), 1 << 20);
        assert!(inbox.prepare().await.capacity() < UNCHARGED_MAX);
        inbox.received(true);
        assert!(inbox.prepare().await.capacity() >= UNCHARGED_MAX);
        // Also with the beginning of a frame, and without more than may be held uncharged.
        arrive(&mut inbox, &20_000_i32.to_be_bytes());
        arrive(&mut inbox, &[7; 9_000]);
        assert!(inbox.prepare().await.capacity() >= UNCHARGED_MAX);
        assert!(!inbox.holds_charge());
    }

    #[tokio::test]
    async fn memory_of_frames_that_were_let_go_is_received_into_again() {
        let mut inbox = Inbox::new(&MemoryBudget::new(1 << 30), 1 << 20);
        let mut memory = None;
        for _ in 0..20 {
            let room = inbox.prepare().await;
            let at = room.as_ptr();
            assert_eq!(*memory.get_or_insert(at), at);
            arrive(&mut inbox, &10_000_i32.to_be_bytes());
            arrive(&mut inbox, &[7; 10_000]);
            let frame = inbox.next_frame().expect("legal").expect("whole");
            assert_eq!(frame.bytes.len(), 10_000);
        }
    }

    #[tokio::test]
    async fn an_announced_length_takes_no_memory_before_it_arrives() {
        let budget = MemoryBudget::new(1 << 30);
        let mut inbox = Inbox::new(&budget, 100 << 20);
        arrive(&mut inbox, &(90_i32 << 20).to_be_bytes());
        let room = inbox.prepare().await;
        assert!(room.capacity() <= 128 << 10, "{} bytes reserved", room.capacity());
    }
}
