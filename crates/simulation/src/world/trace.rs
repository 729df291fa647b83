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

/// Where a sum begins, and what it is multiplied with: two odd numbers without a pattern.
const SUM_START: u64 = 0xcbf2_9ce4_8422_2325;
const SUM_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sum of bytes that is the same everywhere and for ever.
pub fn sum(bytes: &[u8]) -> u64 {
    add(SUM_START, bytes)
}

/// Eight bytes at a time, as there are many: xor, multiply, and bring the high bits down.
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let step = |sum: u64, word: u64| {
        let mixed = (sum ^ word).wrapping_mul(SUM_FACTOR);
        mixed ^ (mixed >> 32)
    };
    let (words, tail) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(sum, |sum, word| step(sum, u64::from_le_bytes(*word)));
    let tail = tail.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    // The length tells apart what only differs in zeros at its end.
    step(step(sum, tail), bytes.len() as u64)
}

impl Trace {
    /// A trace that begins now; its lines go to `sink`.
    pub fn new(sink: Option<Box<dyn io::Write + Send>>) -> Self {
        let state = State { hash: SUM_START, line: String::new(), sink, failed: None };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_its_place_counts() {
        let bytes: Vec<u8> = (0..37).collect();
        let mut sums = std::collections::BTreeSet::from([sum(&bytes)]);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(sums.insert(sum(&other)), "the byte at {at}");
            assert!(sums.insert(sum(&bytes[..at])), "the first {at} bytes");
        }
        assert_ne!(sum(&[0; 8]), sum(&[0; 9]));
    }
}
