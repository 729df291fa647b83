//! `.index`: the last offset of a batch, and where the batch begins in the segment.
//!
//! An entry has 8 bytes: the offset relative to the segment's first (4) and the position (4), both big-endian.

use super::{Entry, IndexFile};
use crate::names;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// Last offset of the batch, relative to the base of the segment.
    pub relative: u32,
    /// Where the batch begins.
    pub position: u32,
}

pub(crate) type OffsetIndex = IndexFile<OffsetEntry>;

impl Entry for OffsetEntry {
    const SIZE: usize = 8;
    const SUFFIX: &'static str = names::INDEX;

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (relative, rest) = bytes.split_first_chunk()?;
        let position = rest.first_chunk()?;
        Some(Self { relative: u32::from_be_bytes(*relative), position: u32::from_be_bytes(*position) })
    }
}
