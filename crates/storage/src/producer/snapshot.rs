//! Producer snapshots: `<offset>.snapshot`, the state of all producers just before that offset, in Kafka's format.
//!
//! Big-endian: version 1 (2 bytes), CRC-32C of all that follows it (4), the number of entries (4), and for each
//! producer id (8), epoch (2), last sequence (4), last offset (8), offset delta (4), timestamp (8), coordinator epoch (4)
//! and first offset of the open transaction or -1 (8).

use std::path::Path;

use kernel::port::Disk;

use super::window::{AppendedBatch, ProducerEntry};
use crate::checkpoint;
use crate::error::{Result, StorageError};

const VERSION: i16 = 1;
const HEADER: usize = 10;
const ENTRY: usize = 46;

pub(crate) fn encode<'a>(entries: impl ExactSizeIterator<Item = &'a ProducerEntry>) -> Vec<u8> {
    let mut checked = Vec::with_capacity(4 + entries.len() * ENTRY);
    checked.extend_from_slice(&i32::try_from(entries.len()).unwrap_or(i32::MAX).to_be_bytes());
    for entry in entries {
        let last = entry.last_batch();
        checked.extend_from_slice(&entry.id.to_be_bytes());
        checked.extend_from_slice(&entry.epoch.to_be_bytes());
        checked.extend_from_slice(&entry.last_sequence().to_be_bytes());
        checked.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        checked.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        checked.extend_from_slice(&entry.last_timestamp.to_be_bytes());
        checked.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        checked.extend_from_slice(&entry.txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    let mut bytes = Vec::with_capacity(6 + checked.len());
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&crc_fast::crc32_iscsi(&checked).to_be_bytes());
    bytes.extend_from_slice(&checked);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> std::result::Result<Vec<ProducerEntry>, &'static str> {
    let mut fields = Fields(bytes);
    let header = (|| Some((fields.i16()?, fields.u32()?)))();
    let (version, crc) = header.ok_or("it is shorter than its header")?;
    if version != VERSION {
        return Err("it has an unknown version");
    }
    if crc_fast::crc32_iscsi(fields.0) != crc {
        return Err("its checksum does not match");
    }
    let count =
        fields.i32().and_then(|count| usize::try_from(count).ok()).ok_or("it has no number of entries")?;
    if bytes.len() - HEADER != count.saturating_mul(ENTRY) {
        return Err("its size does not match its number of entries");
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(fields.entry().ok_or("it ends within an entry")?);
    }
    Ok(entries)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn entry(&mut self) -> Option<ProducerEntry> {
        let mut entry = ProducerEntry::new(self.i64()?);
        let epoch = self.i16()?;
        let last_sequence = self.i32()?;
        let last_offset = self.i64()?;
        let offset_delta = self.i32()?;
        let timestamp = self.i64()?;
        entry.epoch = epoch;
        if last_offset >= 0 {
            entry.add(epoch, AppendedBatch { last_sequence, last_offset, offset_delta, timestamp });
        }
        entry.last_timestamp = timestamp;
        entry.coordinator_epoch = self.i32()?;
        entry.txn_first_offset = Some(self.i64()?).filter(|offset| *offset >= 0);
        Some(entry)
    }
}

/// Reads a snapshot. [`StorageError::Corrupt`] if it is not one that was written whole.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<ProducerEntry>> {
    let bytes = checkpoint::read_small(disk, path)?.unwrap_or_default();
    decode(&bytes).map_err(|what| StorageError::corrupt(path, 0, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> ProducerEntry {
        let mut entry = ProducerEntry::new(4711);
        entry.add(3, AppendedBatch { last_sequence: 9, last_offset: 109, offset_delta: 4, timestamp: 77 });
        entry.coordinator_epoch = 2;
        entry.txn_first_offset = Some(105);
        entry
    }

    #[test]
    fn a_snapshot_reads_back_what_was_written() {
        let mut only_markers = ProducerEntry::new(1);
        (only_markers.epoch, only_markers.last_timestamp) = (5, 8);
        let bytes = encode([entry(), only_markers.clone()].iter());
        assert_eq!(bytes.len(), HEADER + 2 * ENTRY);
        assert_eq!(decode(&bytes), Ok(vec![entry(), only_markers]));
    }

    #[test]
    fn a_snapshot_with_any_bit_flipped_is_refused() {
        let bytes = encode([entry()].iter());
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(decode(&damaged).is_err(), "bit {at}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }
}
