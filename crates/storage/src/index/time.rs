//! `.timeindex`: the largest timestamp so far, and the last offset of the batch that has it.
//!
//! An entry has 12 bytes: the timestamp (8) and the offset relative to the segment's first (4), both big-endian.

use super::{Entry, IndexFile};
use crate::names;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub timestamp: i64,
    /// Last offset of the batch, relative to the base of the segment.
    pub relative: u32,
}

pub(crate) type TimeIndex = IndexFile<TimeEntry>;

impl Entry for TimeEntry {
    const SIZE: usize = 12;
    const SUFFIX: &'static str = names::TIME_INDEX;

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative.to_be_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (timestamp, rest) = bytes.split_first_chunk()?;
        let relative = rest.first_chunk()?;
        Some(Self { timestamp: i64::from_be_bytes(*timestamp), relative: u32::from_be_bytes(*relative) })
    }
}
