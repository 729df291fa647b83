//! Zstandard.
//!
//! Frames are decompressed at once, each into room that fits it, and not as a stream: a stream's decoder would have to
//! make room for the window that a frame claims, which can be 128 MiB for a few bytes of data. How much a frame can
//! hold is known beforehand from the headers of its blocks, which we walk over; they name the kind and size of each.

use super::{Budget, Codec, CompressError};
use ::zstd::zstd_safe::{CCtx, DCtx, compress_bound};
use std::cell::RefCell;

const MAGIC: u32 = 0xFD2F_B528;
/// Frames that carry no data, of which there are sixteen kinds.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
/// No block holds more.
const BLOCK_BYTES_MAX: u64 = 128 * 1024;
/// A context that has grown beyond this, as high levels make it, is not kept.
const CONTEXT_BYTES_KEPT: usize = 8 * 1024 * 1024;

thread_local! {
    // Making a context costs more than compressing a small batch.
    static COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

pub(super) fn compress(level: i32, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let failed = CompressError::Failed { codec: Codec::Zstd, reason: "it stopped" };
    let before = out.len();
    out.resize(before + compress_bound(input.len()), 0);
    let space = out.get_mut(before..).unwrap_or_default();
    let result = COMPRESSOR.with_borrow_mut(|slot| {
        let mut context = slot.take().or_else(CCtx::try_create).ok_or(failed)?;
        // A context that failed is dropped rather than put back.
        let count = context.compress(space, input, level).map_err(|_| failed)?;
        if context.sizeof() <= CONTEXT_BYTES_KEPT {
            *slot = Some(context);
        }
        Ok(count)
    });
    out.truncate(before + result.unwrap_or(0));
    result.map(|_| ())
}

/// Appends the content of the frame at the start of `input` and moves past it; false if there is no further one.
pub(super) fn next_frame(
    input: &mut &[u8],
    budget: Budget,
    out: &mut Vec<u8>,
) -> Result<bool, CompressError> {
    if input.is_empty() {
        return Ok(false);
    }
    let Extent { frame_len, content_max } = measure(input)?;
    let (frame, rest) = input.split_at_checked(frame_len).ok_or(corrupt("it ends too early"))?;
    // One byte beyond the budget: only its coming tells an excess from damage.
    let room = usize::try_from(content_max).unwrap_or(usize::MAX).min(budget.left.saturating_add(1));
    let before = out.len();
    out.resize(before + room, 0);
    let space = out.get_mut(before..).unwrap_or_default();
    let result = DECOMPRESSOR.with_borrow_mut(|slot| {
        let mut context = slot.take().or_else(DCtx::try_create)?;
        let count = context.decompress(space, frame).ok()?;
        if context.sizeof() <= CONTEXT_BYTES_KEPT {
            *slot = Some(context);
        }
        Some(count)
    });
    out.truncate(before + result.unwrap_or(0));
    match result {
        Some(count) => budget.check(count)?,
        None if (room as u64) < content_max => return Err(budget.exceeded()),
        None => return Err(corrupt("a frame is damaged")),
    }
    *input = rest;
    Ok(true)
}

struct Extent {
    /// The bytes of the frame.
    frame_len: usize,
    /// The most bytes that it can hold.
    content_max: u64,
}

/// Finds the end of the frame at the start of `input`, and what it can hold at most.
fn measure(input: &[u8]) -> Result<Extent, CompressError> {
    let mut cursor = Cursor { input, at: 0 };
    let magic = cursor.number(4)?;
    if magic & 0xFFFF_FFF0 == u64::from(SKIPPABLE_MAGIC) {
        let length = cursor.number(4)?;
        cursor.skip(length)?;
        return Ok(Extent { frame_len: cursor.at, content_max: 0 });
    }
    if magic != u64::from(MAGIC) {
        return Err(corrupt("a frame does not begin with its magic"));
    }
    let descriptor = cursor.number(1)?;
    let single_segment = descriptor & 0x20 != 0;
    let window = if single_segment { None } else { Some(cursor.number(1)?) };
    cursor.skip([0, 1, 2, 4].get((descriptor & 3) as usize).copied().unwrap_or(0))?;
    let content_len = match descriptor >> 6 {
        0 if single_segment => Some(cursor.number(1)?),
        0 => None,
        1 => Some(cursor.number(2)? + 256),
        2 => Some(cursor.number(4)?),
        _ => Some(cursor.number(8)?),
    };
    let block_max = window.map_or(BLOCK_BYTES_MAX, |window| window_size(window).min(BLOCK_BYTES_MAX));
    let mut content_max = 0u64;
    loop {
        let block = cursor.number(3)?;
        let size = block >> 3;
        let (stored, holds) = match (block >> 1) & 3 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, block_max),
            _ => return Err(corrupt("a block is of an unknown kind")),
        };
        cursor.skip(stored)?;
        content_max += holds;
        if block & 1 != 0 {
            break;
        }
    }
    if descriptor & 0x04 != 0 {
        cursor.skip(4)?;
    }
    let content_max = content_len.map_or(content_max, |len| len.min(content_max));
    Ok(Extent { frame_len: cursor.at, content_max })
}

/// How far back a frame refers, from the byte that says so.
fn window_size(byte: u64) -> u64 {
    let base = 1 << (10 + (byte >> 3));
    base + base / 8 * (byte & 7)
}

struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// The next number of `count` bytes, the lowest first.
    fn number(&mut self, count: usize) -> Result<u64, CompressError> {
        let bytes = self.input.get(self.at..self.at + count).ok_or(corrupt("it ends too early"))?;
        self.at += count;
        Ok(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn skip(&mut self, count: u64) -> Result<(), CompressError> {
        let left = (self.input.len() - self.at) as u64;
        if count > left {
            return Err(corrupt("it ends too early"));
        }
        self.at += count as usize;
        Ok(())
    }
}

fn corrupt(reason: &'static str) -> CompressError {
    CompressError::Corrupt { codec: Codec::Zstd, reason }
}
