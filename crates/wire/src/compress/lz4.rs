//! LZ4 in its frame format.
//!
//! A frame is a magic, a descriptor (two bytes of flags, perhaps the content's size, a byte of checksum), blocks (a
//! length whose top bit says "stored", that many bytes, perhaps a checksum), a length of 0, perhaps a checksum of the
//! content. Numbers are little-endian. The block library bounds each block by the room that we give it, so we read
//! frames ourselves and keep that room as small as the block can need.

use super::{Budget, Codec, CompressError};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use std::hash::Hasher;
use std::io::Write;
use twox_hash::XxHash32;

const MAGIC: u32 = 0x184D_2204;
/// Frames that carry no data, of which there are sixteen kinds.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
const STORED: u32 = 1 << 31;
/// How far back a linked block can refer.
const WINDOW_BYTES: usize = 64 * 1024;
/// The most bytes that one byte of a block can stand for.
const EXPANSION_MAX: usize = 255;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let failed = |_| CompressError::Failed { codec: Codec::Lz4, reason: "it stopped" };
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(input).map_err(failed)?;
    encoder
        .finish()
        .map(|_| ())
        .map_err(|_| CompressError::Failed { codec: Codec::Lz4, reason: "it stopped" })
}

pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    frame: Option<Frame>,
    /// Whether any frame was read: input without one is not an empty result.
    seen: bool,
}

/// What must be known of a frame while its blocks are read.
struct Frame {
    block_bytes_max: usize,
    block_checksums: bool,
    content_hash: Option<XxHash32>,
    content_len: Option<u64>,
    produced: u64,
    /// The last output of a frame whose blocks refer to those before them.
    window: Option<Vec<u8>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, frame: None, seen: false }
    }

    pub(super) fn next_chunk(&mut self, budget: Budget, out: &mut Vec<u8>) -> Result<bool, CompressError> {
        if self.frame.is_none() {
            if self.rest.is_empty() && self.seen {
                return Ok(false);
            }
            self.frame = self.open_frame()?;
            self.seen = true;
            return Ok(true);
        }
        let length = self.number()?;
        if length == 0 {
            self.close_frame()?;
            return Ok(true);
        }
        let block = self.take((length & !STORED) as usize)?;
        let Some(frame) = &mut self.frame else {
            return Ok(false);
        };
        if block.len() > frame.block_bytes_max {
            return Err(corrupt("a block is larger than its frame allows"));
        }
        let before = out.len();
        let result = frame.read_block(block, length & STORED != 0, budget, out);
        if result.is_err() {
            out.truncate(before);
        }
        result?;
        let checked = frame.block_checksums;
        frame.account(out.get(before..).unwrap_or_default());
        if checked && self.number()? != XxHash32::oneshot(0, block) {
            out.truncate(before);
            return Err(corrupt("a block's checksum is wrong"));
        }
        Ok(true)
    }

    /// Reads the descriptor of the next frame; nothing if that was one to pass over.
    fn open_frame(&mut self) -> Result<Option<Frame>, CompressError> {
        let magic = self.number()?;
        if magic & 0xFFFF_FFF0 == SKIPPABLE_MAGIC {
            let length = self.number()? as usize;
            self.take(length)?;
            return Ok(None);
        }
        if magic != MAGIC {
            return Err(corrupt("a frame does not begin with its magic"));
        }
        let descriptor = self.rest;
        let [flags, block_bytes] = self.array()?;
        if flags >> 6 != 1 || flags & 0x02 != 0 || block_bytes & 0x8F != 0 {
            return Err(corrupt("a frame is of an unknown version"));
        }
        if flags & 0x01 != 0 {
            return Err(corrupt("a frame needs a dictionary"));
        }
        let block_bytes_max = match block_bytes >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(corrupt("a frame has no valid block size")),
        };
        let content_len = if flags & 0x08 != 0 { Some(u64::from_le_bytes(self.array()?)) } else { None };
        let described = descriptor.get(..descriptor.len() - self.rest.len()).unwrap_or_default();
        let [checksum] = self.array()?;
        if checksum != (XxHash32::oneshot(0, described) >> 8) as u8 {
            return Err(corrupt("a frame's descriptor has a wrong checksum"));
        }
        Ok(Some(Frame {
            block_bytes_max,
            block_checksums: flags & 0x10 != 0,
            content_hash: (flags & 0x04 != 0).then(|| XxHash32::with_seed(0)),
            content_len,
            produced: 0,
            window: (flags & 0x20 == 0).then(Vec::new),
        }))
    }

    fn close_frame(&mut self) -> Result<(), CompressError> {
        let Some(frame) = self.frame.take() else {
            return Ok(());
        };
        if frame.content_len.is_some_and(|len| len != frame.produced) {
            return Err(corrupt("a frame's content is not as long as it says"));
        }
        match frame.content_hash {
            Some(hash) if self.number()? != hash.finish() as u32 => {
                Err(corrupt("a frame's checksum is wrong"))
            }
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<u32, CompressError> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CompressError> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(corrupt("it ends too early"))?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CompressError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(corrupt("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }
}

impl Frame {
    /// Appends what `block` stands for.
    fn read_block(
        &self,
        block: &[u8],
        stored: bool,
        budget: Budget,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        if stored {
            budget.check(block.len())?;
            out.extend_from_slice(block);
            return Ok(());
        }
        let possible = block.len().saturating_mul(EXPANSION_MAX).min(self.block_bytes_max);
        // One byte beyond the budget: only its coming tells an excess from damage.
        let room = possible.min(budget.left.saturating_add(1));
        let before = out.len();
        out.resize(before + room, 0);
        let space = out.get_mut(before..).unwrap_or_default();
        let result = match self.window.as_deref() {
            Some(window) if !window.is_empty() => {
                lz4_flex::block::decompress_into_with_dict(block, space, window)
            }
            _ => lz4_flex::block::decompress_into(block, space),
        };
        match result {
            Ok(count) => {
                out.truncate(before + count);
                budget.check(count)
            }
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < possible => {
                Err(budget.exceeded())
            }
            Err(_) => Err(corrupt("a block is damaged")),
        }
    }

    /// Takes note of what a block gave.
    fn account(&mut self, produced: &[u8]) {
        self.produced += produced.len() as u64;
        if let Some(hash) = &mut self.content_hash {
            hash.write(produced);
        }
        if let Some(window) = &mut self.window {
            let surplus = (window.len() + produced.len()).saturating_sub(WINDOW_BYTES);
            window.drain(..surplus.min(window.len()));
            let from = produced.len().saturating_sub(WINDOW_BYTES);
            window.extend_from_slice(produced.get(from..).unwrap_or_default());
        }
    }
}

fn corrupt(reason: &'static str) -> CompressError {
    CompressError::Corrupt { codec: Codec::Lz4, reason }
}
