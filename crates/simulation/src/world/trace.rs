//! The trace: a line for everything that happens, and one number for all of them.

use std::fmt::{self, Write as _};
use std::io;

use parking_lot::Mutex;
use tokio::time::Instant;

/// All that happened, in order. Two runs are the same if their hashes are.
pub struct Trace {
    state: Mutex<State>,
    start: Instant,
}

struct State {
    hash: u64,
    line: String,
    /// Where the lines go, if anybody wants to read them.
    sink: Option<Box<dyn io::Write + Send>>,
    failed: Option<io::Error>,
}

/// The offset and prime of FNV-1a, 64 bits.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// A sum of bytes that is the same everywhere and for ever.
pub fn sum(bytes: &[u8]) -> u64 {
    add(FNV_OFFSET, bytes)
}

fn add(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

impl Trace {
    /// A trace that begins now; its lines go to `sink`.
    pub fn new(sink: Option<Box<dyn io::Write + Send>>) -> Self {
        let state = State { hash: FNV_OFFSET, line: String::new(), sink, failed: None };
        Self { state: Mutex::new(state), start: Instant::now() }
    }

    /// Adds a line, with the simulated time before it.
    pub fn line(&self, line: fmt::Arguments<'_>) {
        let micros = self.start.elapsed().as_micros();
        let mut state = self.state.lock();
        let State { hash, line: text, sink, failed } = &mut *state;
        text.clear();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{micros} {line}");
        *hash = add(*hash, text.as_bytes());
        if let Some(sink) = sink
            && let Err(error) = sink.write_all(text.as_bytes())
        {
            failed.get_or_insert(error);
        }
    }

    pub fn hash(&self) -> u64 {
        self.state.lock().hash
    }

    /// Ends the lines. Fails if any of them could not be written.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match (state.failed.take(), &mut state.sink) {
            (Some(error), _) => Err(error),
            (None, Some(sink)) => sink.flush(),
            (None, None) => Ok(()),
        }
    }
}
