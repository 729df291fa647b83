//! The log directories of this node.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::port::Disk;
use kernel::{Offset, TopicPartition, Uuid};
use parking_lot::Mutex;
use storage::{LogDir, MetaProperties, StorageError};

use crate::journal::Journal;
use crate::partition::Partition;

/// One log directory in use.
pub struct Dir {
    pub id: Uuid,
    pub dir: LogDir,
    /// Makes what arrives here durable.
    pub journal: Arc<Journal>,
    /// How many logs are open here.
    logs: AtomicUsize,
    path: Arc<Path>,
}

impl Dir {
    /// Where it is, for all who keep that.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// A log of this directory was opened.
    pub fn opened(&self) {
        self.logs.fetch_add(1, Ordering::Relaxed);
    }

    /// A log of this directory is gone.
    pub fn closed(&self) {
        // More were never closed than opened; a wrong count could only place a log less well.
        let _ = self.logs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |logs| logs.checked_sub(1));
    }
}

/// All log directories of this node.
pub struct Dirs {
    dirs: Vec<Dir>,
    /// Held while checkpoints are gathered and written, so that no older one replaces a newer one.
    writing: Mutex<Checkpoints>,
}

/// What is written beside the state of the open logs.
#[derive(Default)]
struct Checkpoints {
    /// What the checkpoints said of partitions whose logs could not be opened. It is written on as it was.
    recovery: Vec<(TopicPartition, Offset)>,
    starts: Vec<(TopicPartition, Offset)>,
    cleaned: Vec<(TopicPartition, Offset)>,
    /// A digest of what was written last, by directory: an idle node leaves its disk alone.
    written: BTreeMap<Uuid, u64>,
}

fn digest(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

impl Checkpoints {
    /// The entries of the partitions that have a folder in a directory.
    fn of<'a>(
        disk: &'a dyn Disk,
        dir: &'a Dir,
        entries: &'a [(TopicPartition, Offset)],
    ) -> impl Iterator<Item = (TopicPartition, Offset)> + 'a {
        let here = entries.iter().filter(|(name, _)| disk.exists(&dir.dir.path().join(name.to_string())));
        here.cloned()
    }
}

/// What the checkpoints of a log directory say of one partition.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct KnownOffsets {
    pub recovery: Option<Offset>,
    pub start: Option<Offset>,
    pub cleaned: Option<Offset>,
}

/// Why a log directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "{path} belongs to node {found} of cluster {cluster}, this is node {node}: set node.id={found}, or use another \
         log directory"
    )]
    OtherNode { path: String, found: i32, node: i32, cluster: String },
    #[error(
        "{path} belongs to cluster {found}, another log directory to {cluster}: they cannot be used together"
    )]
    OtherCluster { path: String, found: String, cluster: String },
    #[error("log.dirs is empty: name at least one directory")]
    None,
}

/// Random identifiers for what is new.
pub type NewId<'a> = dyn FnMut() -> Uuid + 'a;

impl Dirs {
    /// Takes all directories for this process and names those that are new. Returns the cluster's id, too.
    pub fn open(
        disk: &Arc<dyn Disk>,
        paths: &[String],
        node: i32,
        cluster: Option<String>,
        new_id: &mut NewId<'_>,
    ) -> Result<(Self, String), DirError> {
        let mut locked = Vec::new();
        let mut known: Option<String> = cluster;
        for path in paths {
            let dir = LogDir::lock(Arc::clone(disk), Path::new(path))?;
            let meta = dir.meta()?;
            if let Some(meta) = &meta {
                check(path, meta, node, known.as_deref())?;
                known = Some(meta.cluster_id.clone());
            }
            locked.push((dir, meta));
        }
        let cluster_id = known.unwrap_or_else(|| new_id().to_string());
        let mut dirs = Vec::new();
        for (dir, meta) in locked {
            let id = match meta {
                Some(meta) if !meta.directory_id.is_zero() => meta.directory_id,
                // New, or written by a version that did not name directories.
                _ => {
                    let directory_id = new_id();
                    dir.write_meta(&MetaProperties {
                        cluster_id: cluster_id.clone(),
                        node_id: node,
                        directory_id,
                    })?;
                    directory_id
                }
            };
            let journal = Journal::new(dir.path());
            let path = Arc::from(dir.path());
            dirs.push(Dir { id, dir, journal, logs: AtomicUsize::new(0), path });
        }
        if dirs.is_empty() {
            return Err(DirError::None);
        }
        Ok((Self { dirs, writing: Mutex::default() }, cluster_id))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Dir> {
        self.dirs.iter()
    }

    /// Where a new log goes: into the directory that the metadata names, else into the one with the fewest logs of those
    /// that are not closed to new ones.
    pub fn place(&self, wanted: Option<Uuid>, cordoned: &[Uuid]) -> Option<&Dir> {
        let named = self.dirs.iter().find(|dir| Some(dir.id) == wanted);
        let count = |dir: &&Dir| (cordoned.contains(&dir.id), dir.logs.load(Ordering::Relaxed));
        named.or_else(|| self.dirs.iter().min_by_key(count))
    }

    /// The directory that has the files of a log.
    pub fn of_path(&self, folder: &Path) -> Option<&Dir> {
        self.dirs.iter().find(|dir| folder.parent() == Some(dir.dir.path()))
    }

    /// Keeps what the checkpoints say of a partition whose log could not be opened.
    pub fn keep(&self, partition: &TopicPartition, known: KnownOffsets) {
        let mut kept = self.writing.lock();
        kept.recovery.extend(known.recovery.map(|offset| (partition.clone(), offset)));
        kept.starts.extend(known.start.map(|offset| (partition.clone(), offset)));
        kept.cleaned.extend(known.cleaned.map(|offset| (partition.clone(), offset)));
    }

    /// Writes the checkpoints of every directory.
    pub fn write_checkpoints(&self, partitions: &[Arc<Partition>]) -> Result<(), StorageError> {
        let mut kept = self.writing.lock();
        for dir in &self.dirs {
            let disk = &**dir.dir.disk();
            let mut recovery: Vec<_> = Checkpoints::of(disk, dir, &kept.recovery).collect();
            let mut starts: Vec<_> = Checkpoints::of(disk, dir, &kept.starts).collect();
            let mut cleaned: Vec<_> = Checkpoints::of(disk, dir, &kept.cleaned).collect();
            let mut watermarks = Vec::new();
            for partition in partitions {
                if partition.log_dir() != dir.dir.path() {
                    continue;
                }
                let high_watermark = partition.high_watermark();
                let log = partition.glance();
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
            dir.dir.write_recovery_points(&recovery)?;
            dir.dir.write_log_starts(&starts)?;
            dir.dir.write_high_watermarks(&watermarks)?;
            dir.dir.write_cleaned_offsets(&cleaned)?;
            kept.written.insert(dir.id, digest);
        }
        Ok(())
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
            if !changed.iter().any(|partition| partition.log_dir() == path) {
                continue;
            }
            let cleaned = partitions.iter().filter_map(|partition| {
                let cleaned_to = partition.glance().cleaned_to;
                let here = cleaned_to > Offset::ZERO && partition.log_dir() == path;
                here.then(|| (partition.topic_partition(), cleaned_to))
            });
            let cleaned = cleaned.chain(Checkpoints::of(&**dir.dir.disk(), dir, &kept.cleaned));
            dir.dir.write_cleaned_offsets(&cleaned.collect::<Vec<_>>())?;
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
            let path = dir.dir.path();
            if !raised.iter().any(|partition| partition.log_dir() == path) {
                continue;
            }
            let starts = partitions.iter().filter_map(|partition| {
                let start = partition.glance().start;
                let raised = start > Offset::ZERO && partition.log_dir() == path;
                raised.then(|| (partition.topic_partition(), start))
            });
            let starts = starts.chain(Checkpoints::of(&**dir.dir.disk(), dir, &kept.starts));
            dir.dir.write_log_starts(&starts.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

fn check(path: &str, meta: &MetaProperties, node: i32, cluster: Option<&str>) -> Result<(), DirError> {
    let path = path.to_owned();
    if meta.node_id != node {
        return Err(DirError::OtherNode {
            path,
            found: meta.node_id,
            node,
            cluster: meta.cluster_id.clone(),
        });
    }
    match cluster {
        Some(cluster) if cluster != meta.cluster_id => {
            Err(DirError::OtherCluster { path, found: meta.cluster_id.clone(), cluster: cluster.to_owned() })
        }
        _ => Ok(()),
    }
}
