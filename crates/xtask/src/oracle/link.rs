//! A connection to one side: whole frames, and what becomes of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the request counts as unanswered.
pub const PATIENCE: Duration = Duration::from_secs(5);

const FRAME_BYTES_MAX: usize = 64 << 20;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A frame without its length.
    Frame(Vec<u8>),
    Closed,
    Silence,
}

#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
}

impl Link {
    pub fn open(address: SocketAddr) -> Result<Self, String> {
        let open = || {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Self { stream })
        };
        open().map_err(|error: std::io::Error| format!("{address}: {error}"))
    }

    /// Sends bytes as they are. That the other end has gone shows when the answer is read.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame, or why there is none.
    pub fn receive(&mut self) -> Received {
        let mut prefix = [0; 4];
        if let Some(end) = self.fill(&mut prefix) {
            return end;
        }
        let len = usize::try_from(i32::from_be_bytes(prefix)).unwrap_or(0).min(FRAME_BYTES_MAX);
        let mut frame = vec![0; len];
        match self.fill(&mut frame) {
            Some(end) => end,
            None => Received::Frame(frame),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<Received> {
        match self.stream.read_exact(bytes) {
            Ok(()) => None,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Some(Received::Silence)
            }
            Err(_) => Some(Received::Closed),
        }
    }
}

/// A frame with its length before it.
pub fn framed(frame: &[u8]) -> Vec<u8> {
    let len = i32::try_from(frame.len()).unwrap_or(i32::MAX);
    [&len.to_be_bytes(), frame].concat()
}
