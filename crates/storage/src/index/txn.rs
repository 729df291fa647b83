//! `.txnindex`: the aborted transactions whose marker is in the segment, in the order of their markers.
//!
//! An entry has 34 bytes, big-endian: version 0 (2), producer id, first offset, last offset (that of the marker) and
//! last stable offset when the marker was written (8 each). A segment without aborted transactions has no such file.

use std::io::{self, IoSlice};
use std::sync::Arc;

use kernel::port::DiskFile;
use kernel::port::disk::OpenMode;
use kernel::{Offset, ProducerId};

use crate::error::{Result, StorageError};
use crate::names;
use crate::place::Place;

const SIZE: usize = 34;
/// Entries that are read at once.
const BLOCK: usize = 120;

/// A transaction that was aborted. A consumer that reads only what is committed drops the producer's records in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// The offset of the marker.
    pub last_offset: Offset,
    /// The last stable offset once this transaction was over.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    fn put(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend_from_slice(&0_i16.to_be_bytes());
        for field in [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0]
        {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first_chunk::<2>()?;
        if i16::from_be_bytes(*version) != 0 {
            return None;
        }
        let mut next = || {
            let (field, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(i64::from_be_bytes(*field))
        };
        Some(Self {
            producer_id: ProducerId(next()?),
            first_offset: Offset(next()?),
            last_offset: Offset(next()?),
            last_stable_offset: Offset(next()?),
        })
    }
}

fn open(at: &Place, base: i64, mode: OpenMode) -> Result<Option<Arc<dyn DiskFile>>> {
    let path = at.segment_path(base, names::TXN_INDEX);
    match at.disk.open(&path, mode) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("open", &path, error)),
    }
}

/// Adds an aborted transaction; makes the file if it is the first.
pub(crate) fn append(at: &Place, base: i64, txn: &AbortedTxn) -> Result<()> {
    let path = at.segment_path(base, names::TXN_INDEX);
    let write = || -> io::Result<()> {
        let file = at.disk.open(&path, OpenMode::Create)?;
        // A torn entry at the end is overwritten.
        let len = file.len()?;
        let position = len - len % SIZE as u64;
        file.write_at(position, &[IoSlice::new(&txn.put())])
    };
    write().map_err(|error| StorageError::io("write", &path, error))
}

/// Visits the entries in order until `visit` returns false.
fn visit(at: &Place, base: i64, mut visit: impl FnMut(u64, AbortedTxn) -> bool) -> Result<()> {
    let Some(file) = open(at, base, OpenMode::Read)? else { return Ok(()) };
    let path = at.segment_path(base, names::TXN_INDEX);
    let mut bytes = [0; SIZE * BLOCK];
    let mut position = 0;
    loop {
        let read =
            file.read_at(position, &mut bytes).map_err(|error| StorageError::io("read", &path, error))?;
        let whole = read - read % SIZE;
        for entry in bytes.get(..whole).unwrap_or_default().chunks_exact(SIZE) {
            let txn = AbortedTxn::get(entry)
                .ok_or_else(|| StorageError::corrupt(&path, position, "an entry has an unknown version"))?;
            if !visit(position, txn) {
                return Ok(());
            }
            position += SIZE as u64;
        }
        if read < bytes.len() {
            return Ok(());
        }
    }
}

/// Adds to `into` the aborted transactions that overlap the offsets from `from` up to `upper`.
/// Returns whether that is all of them, so that no later segment needs to be asked.
pub(crate) fn collect(
    at: &Place,
    base: i64,
    from: Offset,
    upper: Offset,
    into: &mut Vec<AbortedTxn>,
) -> Result<bool> {
    let mut complete = false;
    visit(at, base, |_, txn| {
        if txn.last_offset >= from && txn.first_offset < upper {
            into.push(txn);
        }
        complete = txn.last_stable_offset >= upper;
        !complete
    })?;
    Ok(complete)
}

/// Forgets transactions whose marker is at `offset` or later.
pub(crate) fn truncate(at: &Place, base: i64, offset: Offset) -> Result<()> {
    let mut cut = None;
    visit(at, base, |position, txn| {
        if txn.last_offset >= offset {
            cut = Some(position);
        }
        cut.is_none()
    })?;
    let (Some(cut), Some(file)) = (cut, open(at, base, OpenMode::Write)?) else { return Ok(()) };
    let path = at.segment_path(base, names::TXN_INDEX);
    file.set_len(cut).map_err(|error| StorageError::io("shorten", &path, error))
}

/// The file, if the segment has one.
pub(crate) fn file(at: &Place, base: i64) -> Result<Option<Arc<dyn DiskFile>>> {
    open(at, base, OpenMode::Write)
}
