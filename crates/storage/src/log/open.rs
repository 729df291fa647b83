//! Opening a log: what is in its folder, and what of that can be used as it is.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use kernel::port::Disk;
use kernel::port::disk::DirEntry;
use kernel::{Offset, Timestamp, TopicPartition, Uuid};

use super::{Log, millis};
use crate::checkpoint;
use crate::config::LogConfig;
use crate::dir::partition_metadata::{self, Owner};
use crate::epoch_cache::EpochCache;
use crate::error::{Result, StorageError};
use crate::names;
use crate::place::Place;
use crate::producer::ProducerState;
use crate::segment::Segment;

/// What the log directory knows about a log that is opened; the defaults are right for one that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenParams {
    /// Whether the node stopped cleanly before, so that no file needs to be verified.
    pub clean: bool,
    /// From `recovery-point-offset-checkpoint`.
    pub recovery_point: Offset,
    /// From `log-start-offset-checkpoint`.
    pub log_start: Offset,
    /// Whether each batch was durable before the next was appended. Then only the last one can be a torn write: damage to any
    /// other is refused as [`StorageError::Corrupt`], with nothing cut off.
    pub one_by_one: bool,
}

impl Default for OpenParams {
    fn default() -> Self {
        Self { clean: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO, one_by_one: false }
    }
}

/// What opening a log had to mend.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments whose batches were all verified.
    pub segments_verified: usize,
    pub batches_verified: u64,
    /// Bytes after the last sound batch that were cut off.
    pub bytes_truncated: u64,
    /// Segments after a damaged one, which were dropped.
    pub segments_dropped: usize,
    /// Segments that were intact but whose index files were missing.
    pub indexes_rebuilt: usize,
    /// Batches that were read to know the state of producers.
    pub batches_replayed: u64,
    /// Producer snapshots that were damaged.
    pub snapshots_dropped: usize,
    /// Files that were left by a deletion or cleaning that did not finish.
    pub leftovers_removed: usize,
    /// Whether the leader epochs had to be read from the batches.
    pub epochs_rebuilt: bool,
    /// Small files of which one byte was wrong, and was put right.
    pub files_mended: usize,
    /// What was wrong with the batches, if anything was.
    pub damage: Option<String>,
    /// Records were cut off that had been durable: not a torn write, but damage to the disk.
    pub lost_durable: bool,
}

impl RecoveryReport {
    pub(super) fn note_damage(&mut self, damage: Option<&StorageError>) {
        if let Some(damage) = damage {
            self.damage.get_or_insert_with(|| damage.to_string());
        }
    }

    /// Whether anything was lost or rebuilt that an operator wants to know of.
    pub fn is_notable(&self) -> bool {
        self.bytes_truncated > 0
            || self.segments_dropped > 0
            || self.indexes_rebuilt > 0
            || self.snapshots_dropped > 0
            || self.epochs_rebuilt
            || self.files_mended > 0
            || self.damage.is_some()
    }
}

/// The files of a partition's folder, by what they are.
#[derive(Debug, Default)]
struct Listing {
    /// Base, size, when modified.
    logs: Vec<(i64, u64, i64)>,
    indexes: BTreeSet<i64>,
    time_indexes: BTreeSet<i64>,
    txn_indexes: BTreeSet<i64>,
    snapshots: Vec<i64>,
}

impl Log {
    /// Opens the log of a partition in a log directory, or begins one, and mends what a crash left.
    ///
    /// A topic id that differs from that of the files is refused: they are of an earlier topic of the same name.
    pub fn open(
        disk: Arc<dyn Disk>,
        log_dir: &Path,
        partition: TopicPartition,
        topic_id: Option<Uuid>,
        config: Arc<LogConfig>,
        params: OpenParams,
        now: Timestamp,
    ) -> Result<(Log, RecoveryReport)> {
        let at = Place { disk, dir: log_dir.join(partition.to_string()), ending: "" };
        Self::open_at(at, partition, topic_id, config, params, now)
    }

    pub(super) fn open_at(
        at: Place,
        partition: TopicPartition,
        topic_id: Option<Uuid>,
        config: Arc<LogConfig>,
        params: OpenParams,
        now: Timestamp,
    ) -> Result<(Log, RecoveryReport)> {
        let new = !at.disk.exists(&at.dir);
        if new {
            at.disk.create_dir_all(&at.dir).map_err(|error| StorageError::io("make", &at.dir, error))?;
        }
        let mut report = RecoveryReport::default();
        let (topic_id, owner_dirty) = settle_topic_id(&at, topic_id, new, &mut report)?;
        let mut log = Log::unloaded(at, partition, topic_id, config, params, now);
        if new && params.clean {
            (log.names_dirty, log.owner_dirty) = (true, true);
            log.begin_first(now)?;
            return Ok((log, report));
        }
        // A crash may have come between the making of a file and the sync of its name.
        log.names_dirty = new || owner_dirty || !params.clean;
        log.owner_dirty = log.names_dirty;
        log.load(params, now, &mut report)?;
        Ok((log, report))
    }

    /// Begins a log in a folder that was just made, and has nothing to look for. Its file stays open for what follows.
    fn begin_first(&mut self, now: Timestamp) -> Result<()> {
        self.segments.push(Segment::create_first(&self.at, self.start, millis(now))?);
        self.end = self.start;
        self.recovery_point = self.end;
        self.producers = ProducerState::starting_at(self.start);
        Ok(())
    }

    fn load(&mut self, params: OpenParams, now: Timestamp, report: &mut RecoveryReport) -> Result<()> {
        let listing = self.tidy(report)?;
        self.snapshots = listing.snapshots.clone();
        let epochs_sound = self.load_epochs(report)?;
        for (base, size, modified) in &listing.logs {
            let txns = listing.txn_indexes.contains(base);
            self.segments.push(Segment::existing(*base, *size, *modified, millis(now), txns));
        }
        if let Some(first) = self.segments.first() {
            self.start = self.start.max(first.base);
        }
        let mut recovered = if params.clean { None } else { self.recover(params, now, report)? };
        let verified_from = recovered.unwrap_or(i64::MAX);
        self.rebuild_missing_indexes(&listing, verified_from, report)?;
        if self.segments.is_empty() {
            self.segments.push(Segment::create(&self.at, self.start, millis(now))?);
            self.names_dirty = true;
        }
        match self.find_end() {
            // The stop was not as clean as it was said to be.
            Err(StorageError::Corrupt { .. }) if recovered.is_none() && !params.one_by_one => {
                recovered = self.recover(params, now, report)?;
                self.find_end()?;
            }
            other => other?,
        }
        if self.end < self.start {
            // The files that the checkpoint knew of are gone.
            self.begin_anew(self.start, now)?;
        }
        if !epochs_sound {
            self.rebuild_epochs(report)?;
        }
        self.epochs.truncate_from_end(self.end_offset());
        self.epochs.truncate_from_start(self.start_offset());
        if !epochs_sound || report.files_mended > 0 {
            self.save_epochs()?;
        }
        self.recovery_point = if params.clean && recovered.is_none() {
            self.end
        } else {
            self.recovery_point.clamp(0, self.end)
        };
        if recovered.is_none() {
            self.load_producers(self.end, now, report)?;
        }
        self.remove_stray_snapshots()?;
        self.release()
    }

    fn find_end(&mut self) -> Result<()> {
        if let Some(active) = self.segments.last_mut() {
            self.end = active.next_offset(&self.at)?.0;
        }
        Ok(())
    }

    /// Removes what an unfinished deletion or cleaning left, completes a finished cleaning, and lists the rest.
    fn tidy(&mut self, report: &mut RecoveryReport) -> Result<Listing> {
        let entries = self.list()?;
        let ending = |suffix: &str| {
            let entries: Vec<DirEntry> =
                entries.iter().filter(|entry| entry.name.ends_with(suffix)).cloned().collect();
            entries
        };
        let cleaned = ending(names::CLEANED);
        let oldest_cleaned = cleaned
            .iter()
            .filter_map(|entry| names::parse_segment_file(&entry.name))
            .map(|(base, _)| base)
            .min();
        // Cleaned segments are renamed to `.swap` from the highest offset down; as long as one still has its first
        // name, the cleaning did not finish, and the originals are whole.
        let (invalid, swaps): (Vec<_>, Vec<_>) = ending(names::SWAP).into_iter().partition(|entry| {
            let base = names::parse_segment_file(&entry.name).map(|(base, _)| base);
            base.is_none() || base >= oldest_cleaned.or(Some(i64::MAX))
        });
        // As long as one `.cleaned` is there, no `.swap` counts; so they go first, and for good.
        self.remove_all(&invalid, report)?;
        if !invalid.is_empty() {
            self.at.sync_dir()?;
        }
        for leftovers in [ending(names::DELETED), ending(names::TEMPORARY), cleaned] {
            self.remove_all(&leftovers, report)?;
        }
        if !swaps.is_empty() {
            self.finish_swap(&swaps)?;
        }
        let listing = if report.leftovers_removed > 0 || !swaps.is_empty() { self.list()? } else { entries };
        self.sort_out(listing)
    }

    fn remove_all(&self, leftovers: &[DirEntry], report: &mut RecoveryReport) -> Result<()> {
        for entry in leftovers {
            self.at.remove_if_there(&self.at.path(&entry.name))?;
            report.leftovers_removed += 1;
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<DirEntry>> {
        let entries =
            self.at.disk.list(&self.at.dir).map_err(|error| StorageError::io("list", &self.at.dir, error))?;
        Ok(entries.into_iter().filter(|entry| !entry.is_dir).collect())
    }

    /// Puts segments that a cleaning has written in the place of those that they replace.
    fn finish_swap(&mut self, swaps: &[DirEntry]) -> Result<()> {
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for entry in swaps {
            let Some((base, suffix)) = names::parse_segment_file(&entry.name) else { continue };
            if suffix.strip_suffix(names::SWAP) == Some(names::LOG) {
                let path = self.at.path(&entry.name);
                low = low.min(base);
                high = high.max(end_of_file(&self.at, &path, base)?);
            }
        }
        // One that is empty replaces at least the segment of its own name.
        let high = high.max(low.saturating_add(1));
        for entry in self.list()? {
            let Some((base, suffix)) = names::parse_segment_file(&entry.name) else { continue };
            let kept = suffix.ends_with(names::SWAP) || suffix == names::SNAPSHOT;
            if (low..high).contains(&base) && !kept {
                self.at.remove_if_there(&self.at.path(&entry.name))?;
            }
        }
        // What is replaced must be gone for good before the last mark of the swap goes.
        self.at.sync_dir()?;
        // The `.log` first: once it has its name, the other files are known to belong to it.
        let (logs, others): (Vec<_>, Vec<_>) =
            swaps.iter().partition(|entry| entry.name.trim_end_matches(names::SWAP).ends_with(".log"));
        for entry in logs.into_iter().chain(others) {
            let from = self.at.path(&entry.name);
            let to = self.at.path(entry.name.trim_end_matches(names::SWAP));
            self.at.disk.rename(&from, &to).map_err(|error| StorageError::io("rename", &from, error))?;
        }
        Ok(())
    }

    fn sort_out(&mut self, entries: Vec<DirEntry>) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut indexes = Vec::new();
        for entry in &entries {
            let Some((base, suffix)) = names::parse_segment_file(&entry.name) else { continue };
            match suffix {
                names::LOG => listing.logs.push((base, entry.len, entry.modified_ms)),
                names::SNAPSHOT => listing.snapshots.push(base),
                names::INDEX | names::TIME_INDEX | names::TXN_INDEX => indexes.push((base, entry)),
                _ => {}
            }
        }
        listing.logs.sort_unstable();
        listing.snapshots.sort_unstable();
        for (base, entry) in indexes {
            if listing.logs.binary_search_by_key(&base, |(base, ..)| *base).is_err() {
                self.at.remove_if_there(&self.at.path(&entry.name))?;
                continue;
            }
            match names::parse_segment_file(&entry.name) {
                Some((_, names::INDEX)) => listing.indexes.insert(base),
                Some((_, names::TIME_INDEX)) => listing.time_indexes.insert(base),
                _ => listing.txn_indexes.insert(base),
            };
        }
        Ok(listing)
    }

    /// Reads the leader epochs; false if the file is damaged.
    fn load_epochs(&mut self, report: &mut RecoveryReport) -> Result<bool> {
        match EpochCache::load(self.at.disk.as_ref(), &self.at.path(names::LEADER_EPOCHS)) {
            Ok((epochs, mended)) => {
                self.epochs = epochs;
                report.files_mended += usize::from(mended);
                Ok(true)
            }
            Err(StorageError::Corrupt { .. }) => {
                report.epochs_rebuilt = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn rebuild_missing_indexes(
        &mut self,
        listing: &Listing,
        verified_from: i64,
        report: &mut RecoveryReport,
    ) -> Result<()> {
        let interval = self.config.index_interval_bytes;
        for segment in self.segments.iter_mut().filter(|segment| segment.base < verified_from) {
            let base = segment.base;
            let there = listing.indexes.contains(&base) && listing.time_indexes.contains(&base);
            if there || segment.size == 0 {
                continue;
            }
            let rebuilt = segment.rebuild(&self.at, interval, false, |_, _| Ok(()))?;
            report.note_damage(rebuilt.damage.as_ref());
            report.indexes_rebuilt += 1;
        }
        Ok(())
    }
}

/// The topic id in `partition.metadata`, and whether that was written because there was none. It is durable once the names are:
/// until then no record is that only the segments have.
fn settle_topic_id(
    at: &Place,
    wanted: Option<Uuid>,
    new: bool,
    report: &mut RecoveryReport,
) -> Result<(Option<Uuid>, bool)> {
    let (disk, path) = (at.disk.as_ref(), at.path(names::PARTITION_METADATA));
    let Some(wanted) = wanted else { return Ok((partition_metadata::read(disk, &path)?, false)) };
    let text = partition_metadata::render(wanted);
    if new {
        checkpoint::write_new(disk, &path, text.as_bytes())?;
        return Ok((Some(wanted), true));
    }
    let owner = partition_metadata::owner(disk, &path, wanted)?;
    match owner {
        Owner::Other(there) => Err(StorageError::refused(
            &at.dir,
            format!("the files are of topic id {there}, the topic has id {wanted} now"),
        )),
        Owner::Expected => Ok((Some(wanted), false)),
        Owner::Unknown | Owner::Damaged => {
            report.files_mended += usize::from(owner == Owner::Damaged);
            checkpoint::replace_later(disk, &path, text.as_bytes())?;
            Ok((Some(wanted), true))
        }
    }
}

/// The offset after the last batch of a segment file that has no indexes under its name.
fn end_of_file(at: &Place, path: &Path, base: i64) -> Result<i64> {
    let file = at.open(path, kernel::port::disk::OpenMode::Read)?;
    let len = file.len().map_err(|error| StorageError::io("read", path, error))?;
    let mut scan = crate::segment::Scan::headers(file.as_ref(), path, 0, len);
    let mut end = base;
    while let Some(found) = scan.next()? {
        end = found.header.next_offset().0;
    }
    Ok(end)
}
