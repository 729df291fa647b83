//! The checkpoints of log directories: what a start has to know of the logs that are in them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use kernel::port::Disk;
use kernel::{Offset, TopicPartition, Uuid};
use storage::StorageError;

use super::{Dir, Dirs, KnownOffsets};
use crate::partition::Partition;

/// What is written beside the state of the open logs.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// What the checkpoints said of partitions whose logs could not be opened. It is written on as it was.
    recovery: Vec<(TopicPartition, Offset)>,
    starts: Vec<(TopicPartition, Offset)>,
    cleaned: Vec<(TopicPartition, Offset)>,
    /// Starts of logs that are about to be moved to a directory.
    announced: BTreeMap<TopicPartition, (Uuid, Offset)>,
    /// A digest of what was written last, by directory: an idle node leaves its disk alone.
    written: BTreeMap<Uuid, u64>,
}

fn digest(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

impl Checkpoints {
    fn announced(&self, dir: Uuid) -> impl Iterator<Item = (TopicPartition, Offset)> + '_ {
        let here = self.announced.iter().filter(move |(_, (to, _))| *to == dir);
        here.map(|(name, (_, start))| (name.clone(), *start))
    }

    /// The entries of the partitions that have a folder in a directory.
    fn of<'a>(
        disk: &'a dyn Disk,
        dir: &'a Dir,
        entries: &'a [(TopicPartition, Offset)],
    ) -> impl Iterator<Item = (TopicPartition, Offset)> + 'a {
        let here = entries.iter().filter(|(name, _)| disk.exists(&dir.dir.path().join(name.to_string())));
        here.cloned()
    }

    /// Writes the starts of all logs of a directory, those that are on their way to it included.
    fn write_starts(&self, dir: &Dir, partitions: &[Arc<Partition>]) -> Result<(), StorageError> {
        let here = partitions.iter().filter(|partition| *partition.home().path == *dir.path());
        let starts = here.map(|partition| (partition.topic_partition(), partition.known().start));
        let starts = starts.filter(|(_, start)| *start > Offset::ZERO);
        let starts = starts.chain(Self::of(&**dir.dir.disk(), dir, &self.starts));
        let starts: Vec<_> = starts.chain(self.announced(dir.id)).collect();
        dir.dir.write_log_starts(&starts).inspect_err(|problem| dir.home.blame(problem))
    }
}

impl Dirs {
    /// Keeps what the checkpoints say of a partition whose log could not be opened.
    pub fn keep(&self, partition: &TopicPartition, known: KnownOffsets) {
        let mut kept = self.writing.lock();
        kept.recovery.extend(known.recovery.map(|offset| (partition.clone(), offset)));
        kept.starts.extend(known.start.map(|offset| (partition.clone(), offset)));
        kept.cleaned.extend(known.cleaned.map(|offset| (partition.clone(), offset)));
    }

    /// Writes the checkpoints of every directory that is online.
    pub fn write_checkpoints(&self, partitions: &[Arc<Partition>]) -> Result<(), StorageError> {
        let mut kept = self.writing.lock();
        let mut written = Ok(());
        for dir in self.online() {
            let disk = &**dir.dir.disk();
            let mut recovery: Vec<_> = Checkpoints::of(disk, dir, &kept.recovery).collect();
            let mut starts: Vec<_> = Checkpoints::of(disk, dir, &kept.starts).collect();
            starts.extend(kept.announced(dir.id));
            let mut cleaned: Vec<_> = Checkpoints::of(disk, dir, &kept.cleaned).collect();
            let mut watermarks = Vec::new();
            for partition in partitions {
                if *partition.home().path != *dir.path() {
                    continue;
                }
                let high_watermark = partition.high_watermark();
                let log = partition.known();
                if log.end == Offset::ZERO {
                    // What a checkpoint does not name begins at zero as well.
                    continue;
                }
                let name = partition.topic_partition();
                recovery.push((name.clone(), log.recovery_point));
                if log.start > Offset::ZERO {
                    starts.push((name.clone(), log.start));
                }
                if log.cleaned_to > Offset::ZERO {
                    cleaned.push((name.clone(), log.cleaned_to));
                }
                watermarks.push((name, high_watermark));
            }
            let digest = digest(&(&recovery, &starts, &watermarks, &cleaned));
            if kept.written.get(&dir.id) == Some(&digest) {
                continue;
            }
            let write = || {
                dir.dir.write_recovery_points(&recovery)?;
                dir.dir.write_log_starts(&starts)?;
                dir.dir.write_high_watermarks(&watermarks)?;
                dir.dir.write_cleaned_offsets(&cleaned)
            };
            match write() {
                Ok(()) => drop(kept.written.insert(dir.id, digest)),
                Err(problem) => {
                    dir.home.blame(&problem);
                    written = Err(problem);
                }
            }
        }
        written
    }

    /// Writes up to where logs were cleaned, in the directories that have one of `changed`.
    pub fn keep_cleaned(
        &self,
        partitions: &[Arc<Partition>],
        changed: &[Arc<Partition>],
    ) -> Result<(), StorageError> {
        let kept = self.writing.lock();
        for dir in &self.dirs {
            let path = dir.dir.path();
            if !changed.iter().any(|partition| *partition.home().path == *path) {
                continue;
            }
            let cleaned = partitions.iter().filter_map(|partition| {
                let cleaned_to = partition.known().cleaned_to;
                let here = cleaned_to > Offset::ZERO && *partition.home().path == *path;
                here.then(|| (partition.topic_partition(), cleaned_to))
            });
            let cleaned = cleaned.chain(Checkpoints::of(&**dir.dir.disk(), dir, &kept.cleaned));
            let written = dir.dir.write_cleaned_offsets(&cleaned.collect::<Vec<_>>());
            written.inspect_err(|problem| dir.home.blame(problem))?;
        }
        Ok(())
    }

    /// Makes the starts of logs durable in the directories that have one of `raised`.
    pub fn keep_log_starts(
        &self,
        partitions: &[Arc<Partition>],
        raised: &[Arc<Partition>],
    ) -> Result<(), StorageError> {
        let kept = self.writing.lock();
        for dir in &self.dirs {
            if raised.iter().any(|partition| *partition.home().path == *dir.path()) {
                dir.journal().check()?;
                kept.write_starts(dir, partitions)?;
            }
        }
        Ok(())
    }

    /// Makes the start of a log durable in a directory that it is about to be moved to. It stays there until
    /// [`Self::arrived`].
    pub fn announce(
        &self,
        dir: &Dir,
        partition: &Partition,
        partitions: &[Arc<Partition>],
        start: Offset,
    ) -> Result<(), StorageError> {
        let mut kept = self.writing.lock();
        kept.announced.insert(partition.topic_partition(), (dir.id, start));
        kept.write_starts(dir, partitions)
    }

    /// The move of a log has ended.
    pub fn arrived(&self, partition: &TopicPartition) {
        self.writing.lock().announced.remove(partition);
    }
}
