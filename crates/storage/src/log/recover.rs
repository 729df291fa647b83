//! After an unclean stop: verifying all that may not be durable, and cutting off what is not whole.

use kernel::planted::{self, Bug};
use kernel::{Offset, Timestamp};

use super::{Log, OpenParams, RecoveryReport, producers};
use crate::error::{Result, StorageError};
use crate::index::txn::AbortedTxn;
use crate::names;
use crate::producer::ProducerState;
use crate::segment::{Found, Rebuilt, Scan, Segment};

impl Log {
    /// Verifies all batches from the recovery point on: rebuilds the indexes, the producer state and the leader epochs from
    /// there, and truncates at the first batch that is not sound. Returns the base of the segment where it began.
    ///
    /// Running it again, also after a crash in the middle of it, gives the same result.
    pub(super) fn recover(
        &mut self,
        params: OpenParams,
        now: Timestamp,
        report: &mut RecoveryReport,
    ) -> Result<Option<i64>> {
        let mut first = self.segment_of(self.recovery_point);
        if self.segments.get(first).is_some_and(|segment| segment.size == 0) {
            // The one before it may have gone on.
            first = first.saturating_sub(1);
        }
        let Some(segment) = self.segments.get_mut(first) else { return Ok(None) };
        let from = segment.base;
        // What the index of aborted transactions lacks is told by the batches alone.
        let mut resume = match segment.has_txn_index || self.recovery_point <= from {
            true => None,
            false => segment.keep_indexes_before(&self.at, self.recovery_point)?,
        };
        let known = resume.as_ref().map_or(from, |found| found.header.next_offset().0);
        self.load_producers(known, now, report)?;
        let mut index = first;
        while index < self.segments.len() {
            let mut segment = self.segments.remove(index);
            if index > first && segment.size == 0 && segment.base < self.producers.end() {
                // Its files could not all be made, and were taken away; a power cut has brought them back.
                segment.remove_files(&self.at)?;
                self.names_dirty = true;
                continue;
            }
            let (mut segment, mut rebuilt) = self.recover_segment(segment, resume.take(), report)?;
            if let Some(damage) = rebuilt.damage.take() {
                let last = index >= self.segments.len();
                if params.one_by_one && (!last || segment.goes_on_after(&self.at, &rebuilt)?) {
                    return Err(damage);
                }
                // Records after a gap are no continuation of those before it. They go first: what is cut off no longer shows
                // that there is a gap.
                self.settle_damage(&mut segment, index, &rebuilt, now, report)?;
            }
            if !planted::on(Bug::SkipTornTail) {
                segment.cut_to(&self.at, rebuilt.valid)?;
            }
            self.segments.insert(index, segment);
            index += 1;
        }
        let end = self.producers.end();
        if planted::on(Bug::ForgetProducers) {
            self.producers = ProducerState::starting_at(end);
        }
        self.remove_snapshots(|offset| offset > end)?;
        self.take_snapshot_later()?;
        Ok(Some(from))
    }

    fn recover_segment(
        &mut self,
        mut segment: Segment,
        resume: Option<Found>,
        report: &mut RecoveryReport,
    ) -> Result<(Segment, Rebuilt)> {
        let (base, before) = (segment.base, segment.size);
        if resume.is_none() {
            self.producers.set_end(self.producers.end().max(base));
            self.take_snapshot_later()?;
            self.at.remove_if_there(&self.at.segment_path(base, names::TXN_INDEX))?;
            segment.has_txn_index = false;
        }
        let recovery_point = self.recovery_point;
        let (at, epochs, state) = (&self.at, &mut self.epochs, &mut self.producers);
        let interval = self.config.index_interval_bytes;
        let visit = |segment: &mut Segment, found: &Found| {
            let epoch = found.header.partition_leader_epoch();
            if epochs.latest().is_none_or(|latest| epoch > latest) {
                epochs.assign(epoch, found.header.base_offset());
            }
            let aborted = state.replay(&producers::incoming(segment, at, found)?);
            push_all(segment, at, &aborted)
        };
        let rebuilt = match resume {
            Some(after) => segment.resume(at, interval, (after, recovery_point), visit)?,
            None => segment.rebuild(at, interval, true, visit)?,
        };
        report.segments_verified += 1;
        report.batches_verified += rebuilt.batches;
        report.bytes_truncated += before.saturating_sub(rebuilt.valid);
        report.note_damage(rebuilt.damage.as_ref());
        Ok((segment, rebuilt))
    }

    /// Takes the segments from number `from` on out of use, because the one before them is damaged, and keeps aside what was no
    /// torn write: somebody may want to mend it.
    fn settle_damage(
        &mut self,
        segment: &mut Segment,
        from: usize,
        rebuilt: &Rebuilt,
        now: Timestamp,
        report: &mut RecoveryReport,
    ) -> Result<()> {
        let lost = rebuilt.next_offset.unwrap_or(segment.base) < self.recovery_point;
        report.lost_durable |= lost;
        let last = from >= self.segments.len();
        if lost || !last {
            segment.copy_aside(&self.at, rebuilt.valid)?;
        }
        if !last {
            self.set_aside(from)?;
            report.segments_dropped += self.drop_from(from, now)?;
            // Nor may they come back behind what is appended instead.
            self.at.sync_dir()?;
        }
        Ok(())
    }

    /// Gives the records of segments that follow a damaged one a name under which nobody removes them.
    fn set_aside(&mut self, from: usize) -> Result<()> {
        for segment in self.segments.iter().skip(from).rev() {
            let path = segment.path(&self.at);
            let aside = self.at.path(&names::damaged_file(segment.base, 0));
            let renamed = self.at.disk.rename(&path, &aside);
            renamed.map_err(|error| StorageError::io("rename", &path, error))?;
        }
        Ok(())
    }

    /// Reads the leader epochs from all batches, where their file is damaged.
    pub(super) fn rebuild_epochs(&mut self, report: &mut RecoveryReport) -> Result<()> {
        self.epochs.clear();
        self.assign_epochs_from(0, report)
    }

    /// Notes the leader epochs of the batches from an offset on, which their file does not have yet.
    pub(super) fn read_epochs(&mut self, from: Offset) -> Result<()> {
        self.assign_epochs_from(from.0, &mut RecoveryReport::default())
    }

    fn assign_epochs_from(&mut self, from: i64, report: &mut RecoveryReport) -> Result<()> {
        let first = self.segment_of(from);
        for segment in self.segments.iter_mut().skip(first) {
            let start = sound_part(segment.locate(&self.at, from), report)?;
            let Some(start) = start else { continue };
            let (file, path) = (segment.file(&self.at)?, segment.path(&self.at));
            let mut scan = Scan::headers(file.as_ref(), &path, start.position, segment.size);
            while let Some(Found { header, .. }) = sound_part(scan.next(), report)? {
                if self.epochs.latest().is_none_or(|latest| header.partition_leader_epoch() > latest) {
                    self.epochs.assign(header.partition_leader_epoch(), header.base_offset());
                }
            }
        }
        Ok(())
    }
}

/// Takes damage in the middle of the log for the end of its segment: what comes before it can still be used.
pub(super) fn sound_part(found: Result<Option<Found>>, report: &mut RecoveryReport) -> Result<Option<Found>> {
    match found {
        Err(damage @ StorageError::Corrupt { .. }) => {
            report.note_damage(Some(&damage));
            Ok(None)
        }
        other => other,
    }
}

fn push_all(segment: &mut Segment, at: &crate::place::Place, aborted: &[AbortedTxn]) -> Result<()> {
    for txn in aborted {
        segment.push_aborted(at, txn)?;
    }
    Ok(())
}
