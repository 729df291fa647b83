//! What compaction asks of a log: what there is to clean, and to put a cleaned segment in the place of others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use kernel::{Offset, Timestamp};

use super::{Log, millis};
use crate::clean::plan::{self, Source};
use crate::clean::retain::LastWritten;
use crate::clean::{Begin, Cleanable, Cleaned, CleanerTools, Cleaning};
use crate::error::{Result, StorageError};
use crate::names;
use crate::place::Place;

impl Log {
    /// All before this offset was compacted: what the cleaner's checkpoint keeps.
    pub fn cleaned_to(&self) -> Offset {
        Offset(self.cleaned_to)
    }

    /// Notes up to where the log was compacted: after a cleaning, or from the checkpoint when it was opened.
    ///
    /// An offset that the log does not have is of another history, and then all is compared again.
    pub fn note_cleaned(&mut self, to: Offset) {
        self.cleaned_to = if to.0 > self.end { self.start } else { to.0.max(0) };
    }

    /// What can be compacted: nothing past the high watermark or an open transaction, no active segment, no segment
    /// with a record younger than `min.compaction.lag.ms`.
    pub fn cleanable(&mut self, now: Timestamp, high_watermark: Offset) -> Result<Cleanable> {
        self.ensure_online()?;
        let first_dirty = self.cleaned_to.max(self.start).min(self.end);
        let stable = self.last_stable_offset(high_watermark).0;
        let active = self.segments.len().saturating_sub(1);
        let mut limit = self.segment_of(stable).min(active);
        let dirty = self.segment_of(first_dirty);
        let lag = self.config.min_compaction_lag_ms;
        if lag > 0 {
            for index in dirty..limit {
                let Some(segment) = self.segments.get_mut(index) else { break };
                if plan::too_young(now, lag, segment.known_max_timestamp(&self.at)?.timestamp) {
                    limit = index;
                    break;
                }
            }
        }
        let first_uncleanable = self.segments.get(limit).map_or(self.end, |segment| segment.base);
        let bytes = |range: Range<usize>| -> u64 {
            self.segments.get(range).unwrap_or_default().iter().map(|segment| segment.size).sum()
        };
        // A segment that is compared in part counts on both sides.
        let clean = self.segments.partition_point(|segment| segment.base < first_dirty);
        let (clean_bytes, cleanable_bytes) = match first_dirty < first_uncleanable {
            true => (bytes(0..clean), bytes(dirty..limit)),
            false => (bytes(0..limit), 0),
        };
        let delay_ms = self.compaction_delay_ms(now, dirty..active)?;
        let (first_dirty, first_uncleanable) =
            (Offset(first_dirty), Offset(first_uncleanable.max(first_dirty)));
        Ok(Cleanable { first_dirty, first_uncleanable, clean_bytes, cleanable_bytes, delay_ms })
    }

    fn compaction_delay_ms(&mut self, now: Timestamp, dirty: Range<usize>) -> Result<i64> {
        let lag = self.config.max_compaction_lag_ms;
        if lag == i64::MAX {
            return Ok(0);
        }
        let mut first = Vec::new();
        for segment in self.segments.get_mut(dirty).unwrap_or_default() {
            first.extend(segment.known_first_timestamp(&self.at)?);
        }
        Ok(plan::delay_ms(now, lag, first.into_iter()))
    }

    /// Begins to clean what [`Self::cleanable`] found. Nothing in the log changes by it.
    pub fn begin_cleaning(
        &mut self,
        range: Cleanable,
        now: Timestamp,
        high_watermark: Offset,
        tools: CleanerTools,
    ) -> Result<Cleaning> {
        self.ensure_online()?;
        if let Some(active) = self.segments.last_mut() {
            // The cleaning reads what the file has, without the log.
            active.write_txns(&self.at)?;
        }
        let ends: Vec<i64> = (0..self.segments.len()).map(|index| self.segment_end(index)).collect();
        let sources = self.segments.iter().zip(ends).filter(|(_, end)| *end <= range.first_uncleanable.0);
        let sources = sources.map(|(segment, end)| Source {
            base: segment.base,
            end,
            size: segment.size,
            modified_ms: segment.modified_ms,
        });
        let last_written = self.producers.entries().map(|entry| {
            let offset = entry.last_batch().map(|batch| batch.last_offset);
            (entry.id, LastWritten { offset, epoch: entry.epoch })
        });
        Ok(Cleaning::begin(Begin {
            sources: sources.take(self.segments.len().saturating_sub(1)).collect(),
            txn_indexes: self.segments.iter().filter(|one| one.has_txn_index).map(|one| one.base).collect(),
            last_written: last_written.collect::<BTreeMap<_, _>>(),
            at: self.at.clone(),
            config: Arc::clone(&self.config),
            tools,
            range,
            cuts: self.cuts,
            decided_by: self.end,
            now_ms: millis(now),
            high_watermark: high_watermark.0,
        }))
    }

    /// Whether a cleaning still finds what it began with. If not, what it stumbles over is no fault of the files.
    pub fn still_has(&self, cleaning: &Cleaning) -> bool {
        let (cuts, sources) = cleaning.relies_on();
        self.offline.is_none()
            && (sources.is_empty() && cuts == self.cuts || self.find(cuts, sources).is_some())
    }

    /// The numbers of segments that are just as they were.
    fn find(&self, cuts: u64, sources: &[Source]) -> Option<Range<usize>> {
        let base = sources.first()?.base;
        let first = self.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        let range = first..first.checked_add(sources.len())?;
        let found = self.segments.get(range.clone())?;
        let same = found
            .iter()
            .zip(sources)
            .all(|(segment, source)| (segment.base, segment.size) == (source.base, source.size));
        // The active segment is never among them: it has no end yet.
        (cuts == self.cuts && same && range.end < self.segments.len()).then_some(range)
    }

    /// Puts a cleaned segment in the place of those that it was made of. False if they are no longer what they were;
    /// then nothing happens. Who reads the old ones can read on.
    ///
    /// A crash at any moment leaves the old segments or the new one: once all its files are named `.swap`, opening the
    /// log completes what is done here. Syncs the folder between the steps, and before them the records that decided
    /// what went, if the caller has not seen to that; see [`Cleaned::decided_by`].
    pub fn swap_cleaned(&mut self, cleaned: Box<Cleaned>, now: Timestamp) -> Result<bool> {
        self.ensure_online()?;
        let Some(range) = self.find(cleaned.cuts, &cleaned.sources) else {
            cleaned.remove();
            return Ok(false);
        };
        if self.recovery_point < cleaned.decided_by {
            self.flush(now)?;
        }
        let base = cleaned.segment.base;
        let (plain, swap) = (self.at.clone(), self.at.ending_with(names::SWAP));
        if let Err(error) = rename_files(base, &cleaned.at, &swap) {
            let undone = [&cleaned.at, &swap].into_iter().try_for_each(|at| remove_files(base, at));
            // A whole set of `.swap` files would be taken for a cleaning that only has to be completed.
            return Err(if undone.is_ok() { error } else { self.fail(error) });
        }
        let done = (|| {
            plain.sync_dir()?;
            let mut marked = Vec::new();
            for old in self.segments.get_mut(range.clone()).unwrap_or_default() {
                marked.extend(old.mark_deleted(&plain)?);
            }
            // What is replaced must be gone for good before the last mark of the swap goes.
            plain.sync_dir()?;
            rename_files(base, &swap, &plain)?;
            Ok(marked)
        })();
        let marked = done.map_err(|error| self.fail(error))?;
        self.names_dirty = true;
        self.cursors.clear();
        let Cleaned { segment, sources, .. } = *cleaned;
        self.segments.splice(range, [segment]);
        self.doom(marked, millis(now));
        for source in sources.iter().filter(|source| source.base != base) {
            self.doom_snapshot(source.base, millis(now))?;
        }
        Ok(true)
    }
}

const SUFFIXES: [&str; 4] = [names::LOG, names::INDEX, names::TIME_INDEX, names::TXN_INDEX];

/// Gives the files of a segment names with another ending.
fn rename_files(base: i64, from: &Place, to: &Place) -> Result<()> {
    for suffix in SUFFIXES {
        let path = from.segment_path(base, suffix);
        if suffix == names::TXN_INDEX && !from.disk.exists(&path) {
            continue;
        }
        let renamed = from.disk.rename(&path, &to.segment_path(base, suffix));
        renamed.map_err(|error| StorageError::io("rename", &path, error))?;
    }
    Ok(())
}

fn remove_files(base: i64, at: &Place) -> Result<()> {
    SUFFIXES.iter().try_for_each(|suffix| at.remove_if_there(&at.segment_path(base, suffix)))
}
