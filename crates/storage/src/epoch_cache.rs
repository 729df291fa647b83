//! Where each leader's reign began in the log, kept in `leader-epoch-checkpoint`.
//!
//! *Invariant:* epochs and start offsets both rise strictly from entry to entry.

use std::path::Path;

use kernel::port::Disk;
use kernel::{LeaderEpoch, Offset};

use crate::checkpoint;
use crate::error::{Result, StorageError};
use crate::seal::Seal;

/// The first offset that a leader epoch wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    pub epoch: LeaderEpoch,
    pub start: Offset,
}

/// The answer to "where did this epoch end": the epoch that was found and the offset after its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    pub epoch: LeaderEpoch,
    pub end: Offset,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct EpochCache {
    entries: Vec<EpochStart>,
    /// Whether the file still holds older entries.
    dirty: bool,
}

impl EpochCache {
    /// The same, for another file.
    pub(crate) fn copied(&self) -> Self {
        Self { dirty: true, ..self.clone() }
    }

    /// Reads the checkpoint, and whether it had to be mended: it is written anew then. A damaged one is an error, on which the
    /// caller rebuilds from the batches.
    pub(crate) fn load(disk: &dyn Disk, path: &Path) -> Result<(Self, bool)> {
        let Some((text, seal)) = checkpoint::read_sealed(disk, path)? else { return Ok(Default::default()) };
        let entries = checkpoint::parse(&text, |words| match words {
            [epoch, start] => Some(EpochStart {
                epoch: LeaderEpoch(epoch.parse().ok()?),
                start: Offset(start.parse().ok()?),
            }),
            _ => None,
        })
        .map_err(|what| StorageError::corrupt(path, 0, what))?;
        let mut cache = Self::default();
        for entry in entries {
            cache.assign(entry.epoch, entry.start);
        }
        cache.dirty = seal == Seal::Mended;
        let mended = cache.dirty;
        Ok((cache, mended))
    }

    /// Writes the checkpoint if it changed since the last time, and syncs it if that is asked for.
    pub(crate) fn save(&mut self, disk: &dyn Disk, path: &Path, synced: bool) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let text = checkpoint::render(&self.entries, |entry| format!("{} {}", entry.epoch, entry.start));
        let put = if synced { checkpoint::replace } else { checkpoint::replace_later };
        put(disk, path, text.as_bytes())?;
        self.dirty = false;
        Ok(())
    }

    /// Whether [`Self::save`] has something to write.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(crate) fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    pub(crate) fn earliest(&self) -> Option<EpochStart> {
        self.entries.first().copied()
    }

    /// Notes that `epoch` begins at `start`. Entries that contradict it are forgotten: they are of a history that was
    /// truncated.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) {
        if epoch.0 < 0 || start.0 < 0 {
            return;
        }
        if let Some(latest) = self.entries.last()
            && latest.epoch == epoch
            && start >= latest.start
        {
            return;
        }
        while self.entries.last().is_some_and(|entry| entry.epoch >= epoch || entry.start >= start) {
            self.entries.pop();
        }
        self.entries.push(EpochStart { epoch, start });
        self.dirty = true;
    }

    /// Where the largest epoch up to `epoch` ended. Nothing if the epoch is newer than all that are known.
    pub(crate) fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if epoch == LeaderEpoch::NONE {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some(EpochEnd { epoch, end: log_end });
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end = self.entries.get(higher)?.start;
        let floor = higher.checked_sub(1).and_then(|index| self.entries.get(index));
        Some(EpochEnd { epoch: floor.map_or(epoch, |entry| entry.epoch), end })
    }

    /// The epoch that wrote the record at `offset`.
    pub(crate) fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        after.checked_sub(1).and_then(|index| self.entries.get(index)).map(|entry| entry.epoch)
    }

    /// Forgets epochs that began at `end` or later.
    pub(crate) fn truncate_from_end(&mut self, end: Offset) {
        let kept = self.entries.partition_point(|entry| entry.start < end);
        if kept < self.entries.len() {
            self.entries.truncate(kept);
            self.dirty = true;
        }
    }

    /// Forgets epochs that ended before `start`; the one that is in force there begins there from now on.
    pub(crate) fn truncate_from_start(&mut self, start: Offset) {
        let passed = self.entries.partition_point(|entry| entry.start <= start);
        let Some(in_force) = passed.checked_sub(1) else { return };
        if in_force == 0 && self.entries.first().is_some_and(|entry| entry.start == start) {
            return;
        }
        self.entries.drain(..in_force);
        if let Some(first) = self.entries.first_mut() {
            first.start = start;
        }
        self.dirty = true;
    }

    pub(crate) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.entries.clear();
            self.dirty = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(i32, i64)]) -> EpochCache {
        let mut cache = EpochCache::default();
        for (epoch, start) in entries {
            cache.assign(LeaderEpoch(*epoch), Offset(*start));
        }
        cache
    }

    fn list(cache: &EpochCache) -> Vec<(i32, i64)> {
        cache.entries().iter().map(|entry| (entry.epoch.0, entry.start.0)).collect()
    }

    fn end_of(cache: &EpochCache, epoch: i32) -> Option<(i32, i64)> {
        cache.end_of(LeaderEpoch(epoch), Offset(100)).map(|found| (found.epoch.0, found.end.0))
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next_that_is_known() {
        let cache = cache(&[(2, 10), (3, 20), (7, 50)]);
        assert_eq!(end_of(&cache, 2), Some((2, 20)));
        assert_eq!(end_of(&cache, 5), Some((3, 50)), "the largest epoch up to the one asked for");
        assert_eq!(end_of(&cache, 7), Some((7, 100)), "the latest epoch ends where the log ends");
        assert_eq!(
            end_of(&cache, 1),
            Some((1, 10)),
            "an epoch before all that are known ends where they begin"
        );
        assert_eq!(end_of(&cache, 8), None);
        assert_eq!(end_of(&cache, -1), None);
        assert_eq!(end_of(&EpochCache::default(), 0), None);
    }

    #[test]
    fn an_entry_that_contradicts_older_ones_replaces_them() {
        let mut cache = cache(&[(2, 10), (3, 20), (7, 50)]);
        cache.assign(LeaderEpoch(7), Offset(60));
        assert_eq!(list(&cache), [(2, 10), (3, 20), (7, 50)], "the same epoch goes on");
        cache.assign(LeaderEpoch(8), Offset(20));
        assert_eq!(list(&cache), [(2, 10), (8, 20)]);
        cache.assign(LeaderEpoch(1), Offset(40));
        assert_eq!(list(&cache), [(1, 40)]);
    }

    #[test]
    fn truncation_moves_the_first_entry_and_drops_the_last() {
        let mut cache = cache(&[(2, 10), (3, 20), (7, 50)]);
        cache.truncate_from_end(Offset(50));
        assert_eq!(list(&cache), [(2, 10), (3, 20)]);
        cache.truncate_from_start(Offset(5));
        assert_eq!(list(&cache), [(2, 10), (3, 20)], "nothing ends before the first");
        cache.truncate_from_start(Offset(25));
        assert_eq!(list(&cache), [(3, 25)]);
    }

    #[test]
    fn the_epoch_of_an_offset_is_the_one_in_force_there() {
        let cache = cache(&[(2, 10), (3, 20)]);
        assert_eq!(cache.epoch_at(Offset(9)), None);
        assert_eq!(cache.epoch_at(Offset(19)), Some(LeaderEpoch(2)));
        assert_eq!(cache.epoch_at(Offset(20)), Some(LeaderEpoch(3)));
    }
}
