//! Replies become bytes on a socket: small ones coalesced into one send, file spans sent by the kernel.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use host::net::Stream;
use kernel::port::DiskFile;
use tokio::io::AsyncWriteExt;

/// How many pieces one send takes.
const SLICES_MAX: usize = 64;

/// Part of a file that belongs into a reply.
#[derive(Clone)]
pub struct FileSpan {
    pub file: Arc<dyn DiskFile>,
    pub position: u64,
    pub len: usize,
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
}

impl Outbox {
    pub fn push(&mut self, parts: impl IntoIterator<Item = Part>) {
        self.parts.extend(parts);
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Sends everything.
    pub async fn flush<S: Stream>(&mut self, stream: &mut S) -> io::Result<()> {
        while let Some(front) = self.parts.front() {
            if let Part::File(span) = front {
                let span = span.clone();
                stream.send_file(&*span.file, span.position, span.len).await?;
                self.parts.pop_front();
            } else {
                self.flush_bytes(stream).await?;
            }
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
        while sent > 0 {
            let Some(Part::Bytes(bytes)) = self.parts.front_mut() else { break };
            if sent < bytes.len() {
                bytes.advance(sent);
                break;
            }
            sent -= bytes.len();
            self.parts.pop_front();
        }
        // Empty pieces would stall the next turn.
        while matches!(self.parts.front(), Some(Part::Bytes(bytes)) if bytes.is_empty()) {
            self.parts.pop_front();
        }
        Ok(())
    }
}
