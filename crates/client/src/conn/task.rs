//! The two tasks of a connection.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use host::net::{ReadHalf, WriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use wire::frame;

use super::{Outgoing, Shared};
use crate::Error;

/// How much room there is for what comes in; larger answers make the buffer grow as they arrive.
const READ_BYTES: usize = 64 << 10;

/// Up to here requests that wait are joined, so that one write carries them.
const JOINED_BYTES_MAX: usize = 64 << 10;

/// Writes requests in their order. Their records go from where they are to the socket, without being put together.
pub(super) async fn write(
    shared: Arc<Shared>,
    mut socket: WriteHalf,
    mut frames: mpsc::UnboundedReceiver<Outgoing>,
) {
    let mut pieces = Pieces::default();
    let mut waiting = Vec::new();
    while let Some(frame) = frames.recv().await {
        pieces.put(frame.pieces);
        waiting.extend(frame.left);
        while pieces.bytes < JOINED_BYTES_MAX
            && let Ok(frame) = frames.try_recv()
        {
            pieces.put(frame.pieces);
            waiting.extend(frame.left);
        }
        let written = match pieces.pieces.len() > 1 && !socket.is_write_vectored() {
            // Many small writes would cost more than the copy.
            true => socket.write_all(&pieces.copy_to_bytes(pieces.bytes)).await,
            false => socket.write_all_buf(&mut pieces).await,
        };
        if let Err(error) = written {
            return shared.close(shared.failure(error.to_string()));
        }
        for left in waiting.drain(..) {
            // Who does not wait any more has no use for it.
            let _ = left.send(());
        }
    }
}

/// Bytes to be sent that lie in several places. None of them is empty.
#[derive(Debug, Default)]
struct Pieces {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Pieces {
    fn put(&mut self, frame: Vec<Bytes>) {
        self.bytes += frame.iter().map(Bytes::len).sum::<usize>();
        self.pieces.extend(frame.into_iter().filter(|piece| !piece.is_empty()));
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'p>(&'p self, slices: &mut [IoSlice<'p>]) -> usize {
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn advance(&mut self, count: usize) {
        let mut left = count.min(self.bytes);
        self.bytes -= left;
        while let Some(piece) = self.pieces.front_mut() {
            if left < piece.len() {
                return piece.advance(left);
            }
            left -= piece.len();
            self.pieces.pop_front();
        }
    }
}

/// Reads answers and gives each to who waits for it.
pub(super) async fn read(shared: Arc<Shared>, mut socket: ReadHalf) {
    let mut received = BytesMut::new();
    let mut largest = 0;
    loop {
        make_room(&mut received, largest);
        match socket.read_buf(&mut received).await {
            Ok(0) => return shared.close(shared.failure("the other side closed it")),
            Ok(_) => {}
            Err(error) => return shared.close(shared.failure(error.to_string())),
        }
        match deliver(&shared, &mut received) {
            Ok(delivered) => largest = largest.max(delivered),
            Err(error) => return shared.close(error),
        }
    }
}

/// Makes room for more of an answer. Memory follows the bytes that are there, or those that this server has sent at once
/// before; never just the length that was announced.
fn make_room(received: &mut BytesMut, largest: usize) {
    let missing = frame::missing(received);
    let free = received.capacity() - received.len();
    if missing > 0 && free >= missing {
        return;
    }
    let ahead = missing.min(largest.max(received.len()));
    if ahead <= READ_BYTES {
        received.reserve(READ_BYTES);
    } else if free < ahead {
        // Left to itself it would take twice what it has, and the answer would keep all of that.
        let mut exact = BytesMut::with_capacity(received.len() + ahead);
        exact.extend_from_slice(received);
        *received = exact;
    }
}

/// Gives away all answers that are complete. Returns how large the largest was.
fn deliver(shared: &Shared, received: &mut BytesMut) -> Result<usize, Error> {
    let mut largest = 0;
    loop {
        let mut queue = shared.queue.lock();
        let Some(waiting) = queue.waiting.front() else {
            return match received.is_empty() {
                true => Ok(largest),
                false => Err(shared.nonsense("it answered what nobody asked")),
            };
        };
        let max = waiting.answer_bytes_max;
        let Some(answer) = frame::split(received, max).map_err(|error| shared.nonsense(error.to_string()))?
        else {
            return Ok(largest);
        };
        largest = largest.max(answer.len());
        let correlation_id = answer.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        if correlation_id != Some(waiting.correlation_id) {
            return Err(shared.nonsense("it answered another question than the next"));
        }
        let waiting = queue.waiting.pop_front();
        drop(queue);
        if let Some(waiting) = waiting {
            // Who does not wait any more has no use for it.
            let _ = waiting.reply.send(Ok(answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_in_order_however_they_are_cut() {
        for step in 1..8 {
            let mut pieces = Pieces::default();
            pieces.put(vec![Bytes::from("ab"), Bytes::new(), Bytes::from("cde")]);
            pieces.put(vec![Bytes::from("f")]);
            let mut read = Vec::new();
            while pieces.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = pieces.chunks_vectored(&mut slices);
                let some: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                let taken = step.min(some.len());
                read.extend_from_slice(&some[..taken]);
                pieces.advance(taken);
            }
            assert_eq!(read, b"abcdef", "{step} bytes at a time");
            assert!(pieces.pieces.is_empty());
        }
    }
}
