//! The two tasks of a connection.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use host::net::{ReadHalf, WriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use wire::frame;

use super::Shared;
use crate::Error;

/// How much room there is for what comes in; larger answers make the buffer grow as they arrive.
const READ_BYTES: usize = 64 << 10;

/// Up to here small requests that wait are joined, so that one write carries them.
const JOINED_BYTES_MAX: usize = 64 << 10;

/// Writes requests in their order.
pub(super) async fn write(
    shared: Arc<Shared>,
    mut socket: WriteHalf,
    mut frames: mpsc::UnboundedReceiver<Bytes>,
) {
    while let Some(frame) = frames.recv().await {
        let written = match frames.is_empty() {
            true => socket.write_all(&frame).await,
            false => {
                let mut joined = BytesMut::from(&frame[..]);
                while joined.len() < JOINED_BYTES_MAX
                    && let Ok(frame) = frames.try_recv()
                {
                    joined.extend_from_slice(&frame);
                }
                socket.write_all(&joined).await
            }
        };
        if let Err(error) = written {
            return shared.close(shared.failure(error.to_string()));
        }
    }
}

/// Reads answers and gives each to who waits for it.
pub(super) async fn read(shared: Arc<Shared>, mut socket: ReadHalf) {
    let mut received = BytesMut::new();
    loop {
        // Memory follows the bytes that are there, never the length that was announced.
        received.reserve(READ_BYTES);
        match socket.read_buf(&mut received).await {
            Ok(0) => return shared.close(shared.failure("the other side closed it")),
            Ok(_) => {}
            Err(error) => return shared.close(shared.failure(error.to_string())),
        }
        if let Err(error) = deliver(&shared, &mut received) {
            return shared.close(error);
        }
    }
}

/// Gives away all answers that are complete.
fn deliver(shared: &Shared, received: &mut BytesMut) -> Result<(), Error> {
    loop {
        let mut queue = shared.queue.lock();
        let Some(waiting) = queue.waiting.front() else {
            return match received.is_empty() {
                true => Ok(()),
                false => Err(shared.nonsense("it answered what nobody asked")),
            };
        };
        let max = waiting.answer_bytes_max;
        let Some(answer) = frame::split(received, max).map_err(|error| shared.nonsense(error.to_string()))?
        else {
            return Ok(());
        };
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
