//! Snappy, in the framing of the Java library that Kafka's clients use ("Xerial").
//!
//! A stream is a magic of 8 bytes, a version and the oldest version that can read it (i32 each), then blocks: a length
//! (i32) and that many bytes of raw snappy. Bytes without the magic are one raw block, which some clients write.

use super::{Budget, Codec, CompressError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// The input of one block, as the Java library cuts it.
const BLOCK_BYTES: usize = 32 * 1024;
/// No raw snappy gives more bytes for each of its own: an element of three bytes copies 64.
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let failed = CompressError::Failed { codec: Codec::Snappy, reason: "the block is too large" };
    let mut encoder = snap::raw::Encoder::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    for block in input.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        let block_at = length_at + 4;
        out.resize(block_at + snap::raw::max_compress_len(block.len()), 0);
        let space = out.get_mut(block_at..).ok_or(failed)?;
        let len = encoder.compress(block, space).map_err(|_| failed)?;
        out.truncate(block_at + len);
        let length = u32::try_from(len).map_err(|_| failed)?.to_be_bytes();
        out.get_mut(length_at..block_at).ok_or(failed)?.copy_from_slice(&length);
    }
    Ok(())
}

pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    framed: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, framed: input.starts_with(&MAGIC) }
    }

    pub(super) fn next_chunk(&mut self, budget: Budget, out: &mut Vec<u8>) -> Result<bool, CompressError> {
        if !self.framed {
            let block = std::mem::take(&mut self.rest);
            self.framed = true; // There is nothing after the one block.
            return decompress_block(block, budget, out).map(|()| true);
        }
        // Streams that were written one after the other begin with a magic each.
        while let Some(rest) = self.rest.strip_prefix(&MAGIC) {
            let (_, rest) = rest.split_at_checked(VERSIONS.len()).ok_or(corrupt("it ends in its header"))?;
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return Ok(false);
        }
        let (length, rest) =
            self.rest.split_first_chunk::<4>().ok_or(corrupt("it ends in a block's length"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, rest) = rest.split_at_checked(length).ok_or(corrupt("a block ends too early"))?;
        self.rest = rest;
        decompress_block(block, budget, out).map(|()| true)
    }
}

fn decompress_block(block: &[u8], budget: Budget, out: &mut Vec<u8>) -> Result<(), CompressError> {
    let len = snap::raw::decompress_len(block).map_err(|_| corrupt("a block has no valid length"))?;
    budget.check(len)?;
    if len > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(corrupt("a block claims more than it can hold"));
    }
    let before = out.len();
    out.resize(before + len, 0);
    let space = out.get_mut(before..).unwrap_or_default();
    match snap::raw::Decoder::new().decompress(block, space) {
        Ok(count) if count == len => Ok(()),
        _ => {
            out.truncate(before);
            Err(corrupt("a block is damaged"))
        }
    }
}

fn corrupt(reason: &'static str) -> CompressError {
    CompressError::Corrupt { codec: Codec::Snappy, reason }
}
