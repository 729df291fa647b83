//! Replies become bytes on a socket: small ones coalesced into one send, file spans sent by the kernel.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use host::net::{SendFileError, Stream};
use kernel::port::DiskFile;
use storage::StorageError;
use tokio::io::AsyncWriteExt;
use tracing::error;

use super::within;
use crate::dirs::Home;

/// How many pieces one send takes.
const SLICES_MAX: usize = 64;

/// How much of a file is sent before the peer's progress is looked at.
const FILE_STEP: usize = 256 << 10;

/// Part of a file that belongs into a reply.
#[derive(Clone)]
pub struct FileSpan {
    pub file: Arc<dyn DiskFile>,
    pub position: u64,
    pub len: usize,
    /// The log directory that has the file.
    pub home: Arc<Home>,
}

/// A piece of a reply.
#[derive(Clone)]
pub enum Part {
    Bytes(Bytes),
    File(FileSpan),
}

/// The sending side of one connection.
#[derive(Default)]
pub struct Outbox {
    parts: VecDeque<Part>,
    /// Bytes that were sent since somebody asked.
    sent: u64,
}

impl Outbox {
    pub fn push(&mut self, parts: impl IntoIterator<Item = Part>) {
        // Empty pieces cannot be told from a socket that takes nothing.
        self.parts.extend(parts.into_iter().filter(|part| match part {
            Part::Bytes(bytes) => !bytes.is_empty(),
            Part::File(span) => span.len > 0,
        }));
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The bytes of memory that wait, without what lies in files.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 }).sum()
    }

    /// How many bytes were sent since the last call.
    pub fn take_sent(&mut self) -> u64 {
        std::mem::take(&mut self.sent)
    }

    /// Sends everything. Fails with [`io::ErrorKind::TimedOut`] if the peer takes nothing for as long as `stall`.
    pub async fn flush<S: Stream>(&mut self, stream: &mut S, stall: Duration) -> io::Result<()> {
        while !self.parts.is_empty() {
            within(stall, self.flush_some(stream))
                .await
                .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
        }
        Ok(())
    }

    async fn flush_some<S: Stream>(&mut self, stream: &mut S) -> io::Result<()> {
        let Some(Part::File(span)) = self.parts.front_mut() else { return self.flush_bytes(stream).await };
        let step = span.len.min(FILE_STEP);
        match stream.send_file(&*span.file, span.position, step).await {
            Ok(()) => {}
            Err(SendFileError::Other(error)) => return Err(error),
            Err(SendFileError::Disk(source)) => {
                // The answer has begun, so that only its end can tell the client; the next one will have the error.
                let kind = source.kind();
                let problem = StorageError::unreadable(&span.home.path, source);
                error!(%problem, "records could not be read while they were sent");
                span.home.blame(&problem);
                return Err(kind.into());
            }
        }
        self.sent += step as u64;
        span.position += step as u64;
        span.len -= step;
        if span.len == 0 {
            self.parts.pop_front();
        }
        Ok(())
    }

    async fn flush_bytes<S: Stream>(&mut self, stream: &mut S) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slot, part) in slices.iter_mut().zip(&self.parts) {
            let Part::Bytes(bytes) = part else { break };
            *slot = IoSlice::new(bytes);
            count += 1;
        }
        let mut sent = match slices.get(..count) {
            Some([one]) => stream.write(one).await?,
            Some(several) => stream.write_vectored(several).await?,
            None => 0,
        };
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.sent += sent as u64;
        while sent > 0 {
            let Some(Part::Bytes(bytes)) = self.parts.front_mut() else { break };
            if sent < bytes.len() {
                bytes.advance(sent);
                break;
            }
            sent -= bytes.len();
            self.parts.pop_front();
        }
        Ok(())
    }
}
