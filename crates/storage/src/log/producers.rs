//! Producer snapshots on disk, and the state that is rebuilt from them and from the batches after them.

use std::path::Path;

use kernel::Timestamp;
use kernel::port::Disk;
use wire::batch::{BatchView, EndTxnMarker};
use wire::compress::Limits;

use super::recover::sound_part;
use super::{Log, RecoveryReport, millis};
use crate::checkpoint;
use crate::error::{Result, StorageError};
use crate::names;
use crate::producer::{Incoming, Marker, ProducerState, snapshot};
use crate::segment::{Found, Scan, Segment};

/// A control batch is tiny; what is larger is not one that a coordinator wrote.
const MAX_CONTROL: usize = 64 << 10;

/// How many bytes are appended before a snapshot of the producers is due, a while after the last one and at any time: each
/// makes a file, and takes one away.
const SNAPSHOT_AFTER: u64 = 4 << 20;
const SNAPSHOT_AFTER_MAX: u64 = 32 << 20;
const SNAPSHOT_PAUSE_MS: i64 = 1000;

/// How many bytes at the end of a log are looked through for batches that may come again.
const LOOK_BACK: u64 = 4 << 20;

impl Log {
    /// Writes a snapshot of the producers at the end of their state, unless there is one. Syncs.
    pub(super) fn take_snapshot(&mut self) -> Result<()> {
        self.put_snapshot(checkpoint::replace, true)
    }

    /// The same without a sync. A power cut may take it, or leave a part of it, which its checksum tells: an older one and the
    /// batches after that are read instead.
    pub(super) fn take_snapshot_later(&mut self) -> Result<()> {
        self.put_snapshot(checkpoint::replace_later, false)
    }

    fn put_snapshot(
        &mut self,
        write: impl Fn(&dyn Disk, &Path, &[u8]) -> Result<()>,
        synced: bool,
    ) -> Result<()> {
        let offset = self.producers.end();
        let newest = self.snapshots.last().copied();
        let again = synced && newest == self.unsynced_snapshot && newest == Some(offset);
        if offset <= newest.unwrap_or(0) && !again {
            return Ok(());
        }
        let bytes = snapshot::encode(self.producers.entries());
        write(self.at.disk.as_ref(), &self.at.segment_path(offset, names::SNAPSHOT), &bytes)?;
        if !again {
            self.snapshots.push(offset);
        }
        self.unsynced_snapshot = Some(offset).filter(|_| !synced);
        self.since_snapshot = 0;
        Ok(())
    }

    /// Keeps what recovery has to read short: writes a snapshot where much was appended since the last one. The one before is
    /// kept, as this one may be past the recovery point of the next crash.
    pub(super) fn snapshot_if_due(&mut self, now_ms: i64) -> Result<()> {
        let paused = now_ms.saturating_sub(self.last_snapshot_ms) >= SNAPSHOT_PAUSE_MS;
        if self.since_snapshot < if paused { SNAPSHOT_AFTER } else { SNAPSHOT_AFTER_MAX } {
            return Ok(());
        }
        self.last_snapshot_ms = now_ms;
        self.producers.set_end(self.end);
        self.take_snapshot_later()?;
        let kept = self.snapshots.iter().rev().nth(1).copied().unwrap_or(i64::MIN);
        let bases: Vec<i64> = self.segments.iter().map(|segment| segment.base).collect();
        self.remove_snapshots(|offset| offset < kept && bases.binary_search(&offset).is_err())
    }

    pub(super) fn remove_snapshots(&mut self, unwanted: impl Fn(i64) -> bool) -> Result<()> {
        let all = std::mem::take(&mut self.snapshots);
        let (remove, keep): (Vec<i64>, Vec<i64>) = all.into_iter().partition(|offset| unwanted(*offset));
        self.snapshots = keep;
        for offset in remove {
            self.at.remove_if_there(&self.at.segment_path(offset, names::SNAPSHOT))?;
        }
        Ok(())
    }

    /// Removes the snapshots that no recovery would use: all but those where a segment begins and the newest.
    pub(super) fn remove_stray_snapshots(&mut self) -> Result<()> {
        let newest = self.snapshots.last().copied();
        let bases: Vec<i64> = self.segments.iter().map(|segment| segment.base).collect();
        self.remove_snapshots(|offset| Some(offset) != newest && bases.binary_search(&offset).is_err())
    }

    /// Makes the producer state that of all records before `upto`: from the newest usable snapshot, and the batches
    /// after it.
    pub(super) fn load_producers(
        &mut self,
        upto: i64,
        now: Timestamp,
        report: &mut RecoveryReport,
    ) -> Result<()> {
        self.remove_snapshots(|offset| offset > upto)?;
        let oldest = self.segments.first().map_or(self.start, |segment| segment.base).max(self.start);
        let mut state = ProducerState::starting_at(oldest.min(upto));
        while let Some(offset) = self.snapshots.last().copied() {
            match snapshot::read(self.at.disk.as_ref(), &self.at.segment_path(offset, names::SNAPSHOT)) {
                Ok(entries) => {
                    let expiration = self.config.producer_id_expiration_ms;
                    self.short_windows |= !entries.is_empty();
                    state = ProducerState::from_snapshot(entries, offset, millis(now), expiration);
                    break;
                }
                Err(StorageError::Corrupt { .. }) => {
                    report.snapshots_dropped += 1;
                    self.remove_snapshots(|other| other == offset)?;
                }
                Err(error) => return Err(error),
            }
        }
        let from = state.end().max(oldest);
        if from < upto {
            self.replay(&mut state, from, upto, report)?;
        }
        state.set_end(upto);
        self.producers = state;
        Ok(())
    }

    fn replay(
        &mut self,
        state: &mut ProducerState,
        from: i64,
        upto: i64,
        report: &mut RecoveryReport,
    ) -> Result<()> {
        let first = self.segment_of(from);
        for segment in self.segments.iter_mut().skip(first) {
            if segment.base >= upto {
                break;
            }
            let start = sound_part(segment.locate(&self.at, from), report)?;
            let Some(start) = start else { continue };
            let (file, path) = (segment.file(&self.at)?, segment.path(&self.at));
            let mut scan = Scan::headers(file.as_ref(), &path, start.position, segment.size);
            while let Some(found) = sound_part(scan.next(), report)? {
                if found.header.base_offset().0 >= upto {
                    break;
                }
                // The transaction index of the segment has what this ends.
                let _ = state.replay(&incoming(segment, &self.at, &found)?);
                report.batches_replayed += 1;
            }
        }
        Ok(())
    }

    /// Reads the batches before the last ones of the producers again, from the end of the log. Those that were on their way
    /// when the log was closed are there, and a producer that has missed the answers sends all of them once more.
    pub(super) fn lengthen_windows(&mut self) -> Result<()> {
        let mut left = LOOK_BACK;
        let mut from = self.end;
        for segment in self.segments.iter_mut().rev() {
            from = match left.checked_sub(segment.size) {
                Some(_) => segment.base,
                None => segment.offset_near(&self.at, segment.size - left)?,
            };
            left = left.saturating_sub(segment.size);
            if left == 0 {
                break;
            }
        }
        let mut state = ProducerState::starting_at(from);
        self.replay(&mut state, from, self.end, &mut RecoveryReport::default())?;
        self.producers.lengthen_windows(&state);
        // Not before: a disk that is full now may not be when the batch comes again.
        self.short_windows = false;
        Ok(())
    }

    /// Forgets producers that have been silent for longer than `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Timestamp) {
        self.producers.expire(millis(now), self.config.producer_id_expiration_ms);
    }
}

/// What a batch in a segment is to the producer state.
pub(super) fn incoming(segment: &mut Segment, at: &crate::place::Place, found: &Found) -> Result<Incoming> {
    let header = found.header;
    let marker = if header.is_control() && header.has_producer_id() && header.batch_len() <= MAX_CONTROL {
        marker(&segment.read_batch(at, found)?)
    } else {
        None
    };
    Ok(Incoming { header, base_offset: header.base_offset().0, marker })
}

/// The transaction marker in a control batch, if it is one.
pub(super) fn marker(batch: &[u8]) -> Option<Marker> {
    let (batch, _) = BatchView::parse(batch).ok()?;
    let records = batch.records(Limits::trusting(MAX_CONTROL)).ok()?;
    let record = records.iter().next()?.ok()?;
    let end = EndTxnMarker::parse(record.key?, record.value?)?;
    Some(Marker {
        commit: end.committed,
        coordinator_epoch: end.coordinator_epoch,
        timestamp: record.timestamp.0,
    })
}
