//! The log directories of this node.

mod checkpoints;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use kernel::port::Disk;
use kernel::{Offset, TopicPartition, Uuid};
use metadata::controller::DirectoryAssignment;
use metadata::image::directory_id;
use parking_lot::Mutex;
use storage::{LogDir, MetaProperties, Remembered, Rest, StorageError};
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::controller::METADATA_FOLDER;
use crate::journal::Journal;
use checkpoints::Checkpoints;

/// Where logs are, for all who keep that.
pub struct Home {
    pub id: Uuid,
    pub path: Arc<Path>,
    /// Makes what arrives here durable.
    pub journal: Arc<Journal>,
}

impl Home {
    /// Takes the directory offline if its disk is to blame.
    pub fn blame(&self, problem: &StorageError) {
        if problem.blames_the_disk() {
            self.journal.fail(&problem.to_string());
        }
    }

    pub fn is_online(&self) -> bool {
        self.journal.check().is_ok()
    }
}

/// One log directory in use.
pub struct Dir {
    pub id: Uuid,
    pub dir: LogDir,
    pub home: Arc<Home>,
    /// It was marked at the last stop that nothing here needs to be verified.
    pub clean: bool,
    /// How many logs are open here.
    logs: AtomicUsize,
    /// Why the node goes on without it.
    lost: OnceLock<StorageError>,
}

impl Dir {
    pub fn journal(&self) -> &Arc<Journal> {
        &self.home.journal
    }

    /// Gives it another id, before anything of it is in use.
    fn rename(&mut self, id: Uuid, failed: Arc<Notify>) {
        let journal = Journal::new(self.dir.path(), 0, failed);
        self.id = id;
        self.home = Arc::new(Home { id, path: Arc::from(self.dir.path()), journal });
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Operators know a directory by its whole path, however it was configured.
    pub fn shown(&self) -> String {
        whole(&self.path().display().to_string())
    }

    /// Whether it takes records: nothing has failed here since the node began.
    pub fn is_online(&self) -> bool {
        self.home.is_online()
    }

    /// Goes on without this directory, for whatever is wrong with it.
    pub fn lose(&self, problem: &StorageError) {
        let _ = self.lost.set(problem.clone());
        self.home.journal.fail(&problem.to_string());
    }

    /// What was remembered of its logs at the last stop, if that was a clean one.
    fn take_remembered(&mut self) -> Result<Vec<Remembered>, StorageError> {
        let logs = self.dir.take_remembered()?;
        let stopped = self.dir.take_clean_shutdown()?;
        self.clean = stopped.is_some();
        // Of another stop than the last, it may be of files that somebody has changed since.
        let same_stop = logs.filter(|(epoch, _)| stopped == Some(*epoch));
        Ok(same_stop.map(|(_, logs)| logs).unwrap_or_default())
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

/// The whole path of a directory.
pub fn whole(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// A configured log directory that this node began without.
#[derive(Debug, Clone)]
pub struct Lost {
    pub path: String,
    pub why: StorageError,
}

/// All log directories of this node.
pub struct Dirs {
    dirs: Vec<Dir>,
    lost: Vec<Lost>,
    /// Directories that this node had when it registered last, and has not now.
    gone: Vec<Uuid>,
    /// One of them has failed.
    failed: Arc<Notify>,
    /// Where logs are, as the metadata does not know it yet.
    located: Mutex<Vec<DirectoryAssignment>>,
    /// Where clients want partitions that are not there yet.
    preferred: Mutex<BTreeMap<TopicPartition, Uuid>>,
    /// Held while checkpoints are gathered and written, so that no older one replaces a newer one.
    writing: Mutex<Checkpoints>,
}

/// What the checkpoints of a log directory say of one partition.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct KnownOffsets {
    pub recovery: Option<Offset>,
    pub start: Option<Offset>,
    pub cleaned: Option<Offset>,
}

/// For how many partitions that are not there yet it is remembered where clients want them.
const PREFERRED_MAX: usize = 10_000;

impl KnownOffsets {
    /// What a log begins with that nobody has looked at since a crash.
    pub(crate) fn unverified(&self) -> Rest {
        let [recovery, start, cleaned] =
            [self.recovery, self.start, self.cleaned].map(|known| known.unwrap_or(Offset::ZERO));
        Rest::unverified(start, recovery, cleaned)
    }
}

/// Why a log directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{path} belongs to node {found} of cluster {cluster}, this is node {node}")]
    OtherNode { path: String, found: i32, node: i32, cluster: String },
    #[error(
        "{path} belongs to cluster {found}, another log directory to {cluster}: they cannot be used together"
    )]
    OtherCluster { path: String, found: String, cluster: String },
    #[error("log.dirs is empty: name at least one directory")]
    None,
    #[error("none of the log directories can be used: {}", told(.0))]
    AllLost(Vec<Lost>),
    #[error("the directory of the metadata log cannot be used: {}: {}", .0.path, .0.why)]
    MetadataLost(Lost),
    #[error("{path} has {log} in it, and no meta.properties that says which node's of which cluster that is")]
    Unformatted { path: String, log: String },
    #[error("{metadata} has no {METADATA_FOLDER}, without which nobody knows what {log} in {path} is of")]
    NoMetadata { metadata: String, path: String, log: String },
    #[error("no log directory says which cluster this is, and some cannot be used: {}", told(.0))]
    WhichCluster(Vec<Lost>),
}

fn told(lost: &[Lost]) -> String {
    lost.iter().map(|one| format!("{}: {}", one.path, one.why)).collect::<Vec<_>>().join("; ")
}

/// Random identifiers for what is new.
pub type NewId<'a> = dyn FnMut() -> Uuid + 'a;

/// Whose directories are opened.
pub struct Owner<'a> {
    pub node: i32,
    /// The cluster, if the configuration names it.
    pub cluster: Option<String>,
    /// The node cannot do without this one.
    pub metadata: &'a str,
}

impl Dir {
    fn new(id: Uuid, dir: LogDir, number: usize, failed: Arc<Notify>) -> Self {
        let home =
            Home { id, path: Arc::from(dir.path()), journal: Journal::new(dir.path(), number, failed) };
        Self { id, dir, home: Arc::new(home), clean: false, logs: AtomicUsize::new(0), lost: OnceLock::new() }
    }
}

impl Dirs {
    /// Takes all directories for this process and names those that are new. Goes on without those that cannot be used.
    /// Returns the cluster's id, too.
    pub fn open(
        disk: &Arc<dyn Disk>,
        paths: &[String],
        owner: Owner<'_>,
        new_id: &mut NewId<'_>,
    ) -> Result<(Self, String), DirError> {
        let Owner { node, cluster, metadata } = owner;
        let (mut locked, mut lost) = (Vec::new(), Vec::new());
        let mut known: Option<String> = cluster;
        for path in paths {
            match lock(disk, path) {
                Ok((dir, meta)) => {
                    match &meta {
                        Some(meta) => {
                            check(path, meta, node, known.as_deref())?;
                            known = Some(meta.cluster_id.clone());
                        }
                        None => check_unused(path, &dir)?,
                    }
                    locked.push((dir, meta));
                }
                Err(problem) => lose(path, problem, &mut lost)?,
            }
        }
        check_left(locked.len(), &lost, metadata)?;
        check_metadata(&**disk, metadata, locked.iter().map(|(dir, _)| dir))?;
        let begun = known.is_some();
        let cluster_id = match known {
            Some(known) => known,
            // What it may not get is another id than it has in there.
            None if !lost.is_empty() => return Err(DirError::WhichCluster(lost)),
            None => new_id().to_string(),
        };
        let mut dirs: Vec<Dir> = Vec::new();
        let failed = Arc::<Notify>::default();
        for (dir, meta) in locked {
            if begun && meta.is_none() && paths.len() > 1 {
                warn!(dir = %dir.path().display(),
                    "this log directory is new: if there should be something in it, its disk is not mounted");
            }
            let path = dir.path().to_owned();
            match named(&dir, meta, &cluster_id, node, new_id) {
                Ok(id) => dirs.push(Dir::new(id, dir, dirs.len(), Arc::clone(&failed))),
                Err(problem) => lose(&path.display().to_string(), problem, &mut lost)?,
            }
        }
        check_left(dirs.len(), &lost, metadata)?;
        let (located, preferred, writing) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok((Self { dirs, lost, gone: Vec::new(), failed, located, preferred, writing }, cluster_id))
    }

    /// Takes what was remembered at the last stop, by directory. It counts once.
    pub fn take_remembered(&mut self) -> Vec<Vec<Remembered>> {
        let remembered = self.dirs.iter_mut().map(|dir| {
            let taken = dir.take_remembered();
            taken.unwrap_or_else(|problem| {
                dir.lose(&problem);
                Vec::new()
            })
        });
        remembered.collect()
    }

    /// Whether all that was there at the last stop is, and nothing of it needs to be verified.
    pub fn all_clean(&self) -> bool {
        self.lost.is_empty() && self.dirs.iter().all(|dir| dir.clean && dir.is_online())
    }

    /// Whether the directory at this path was stopped cleanly; of one that is none of `log.dirs` the others tell.
    pub fn is_clean(&self, path: &str) -> bool {
        let found = self.dirs.iter().find(|dir| dir.path() == Path::new(path));
        found.map_or_else(|| self.all_clean(), |dir| dir.clean && dir.is_online())
    }

    /// Notes which directories the node had when it registered last.
    ///
    /// The only one that has the metadata in it, and is to be known by another id, is the one that there was: its
    /// `meta.properties` was lost and written anew. It gets its id back, as that is where partitions are said to be.
    pub fn had(&mut self, former: &[Uuid], metadata: &str) -> Result<(), StorageError> {
        if let ([id], [dir]) = (former, self.dirs.as_mut_slice())
            && dir.id != *id
            && dir.path() == Path::new(metadata)
            && let Some(meta) = dir.dir.meta()?
        {
            warn!(dir = %dir.path().display(), %id, "this log directory gets the id back that the cluster knows it by");
            dir.dir.write_meta(&MetaProperties { directory_id: *id, ..meta })?;
            dir.rename(*id, Arc::clone(&self.failed));
        }
        let gone = former.iter().filter(|id| self.of_id(**id).is_none());
        self.gone = gone.copied().collect();
        Ok(())
    }

    /// Fails if the node cannot go on with the directories that are left.
    pub fn check_usable(&self, metadata: &str) -> Result<(), DirError> {
        let failed = self.dirs.iter().filter_map(|dir| {
            let offline = dir.journal().check().err()?;
            // Whoever starts the node wants to know what came first.
            let why = dir.lost.get().cloned().unwrap_or(offline);
            Some(Lost { path: dir.path().display().to_string(), why })
        });
        let lost: Vec<Lost> = self.lost.iter().cloned().chain(failed).collect();
        check_left(self.online().count(), &lost, metadata)
    }

    /// All that the node began with, whatever became of them.
    pub fn iter(&self) -> impl Iterator<Item = &Dir> {
        self.dirs.iter()
    }

    pub fn online(&self) -> impl Iterator<Item = &Dir> {
        self.dirs.iter().filter(|dir| dir.is_online())
    }

    /// Those that the node began without.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// How many of the configured directories are offline: Kafka's metric `OfflineLogDirectoryCount`.
    pub fn offline_count(&self) -> usize {
        self.lost.len() + self.dirs.len() - self.online().count()
    }

    /// Resolves when a directory fails.
    pub async fn failure(&self) {
        self.failed.notified().await;
    }

    fn of_id(&self, id: Uuid) -> Option<&Dir> {
        self.dirs.iter().find(|dir| dir.id == id)
    }

    /// The directory in which a partition's log is.
    pub fn of(&self, home: &Home) -> Option<&Dir> {
        self.of_id(home.id)
    }

    /// Notes in which directory a client wants a partition that is not there yet.
    pub fn prefer(&self, partition: TopicPartition, dir: Uuid) {
        let mut preferred = self.preferred.lock();
        if preferred.len() < PREFERRED_MAX || preferred.contains_key(&partition) {
            preferred.insert(partition, dir);
        }
    }

    /// Takes what was noted by [`Self::prefer`].
    pub fn take_preferred(&self, partition: &TopicPartition) -> Option<Uuid> {
        self.preferred.lock().remove(partition)
    }

    /// Where a new log goes: into the directory that the metadata names, else into the one with the fewest logs of those
    /// that are not closed to new ones.
    pub fn place(&self, wanted: Option<Uuid>, cordoned: &[Uuid]) -> Option<&Dir> {
        let named = self.online().find(|dir| Some(dir.id) == wanted);
        let count = |dir: &&Dir| (cordoned.contains(&dir.id), dir.logs.load(Ordering::Relaxed));
        named.or_else(|| self.online().min_by_key(count))
    }

    /// Where a log goes that the cluster knows and that has no files in any directory that can be used. Its records may be in
    /// one that cannot: then it goes nowhere, as an empty log would be taken for the whole of it.
    pub fn place_known(&self, wanted: Option<Uuid>, cordoned: &[Uuid]) -> Result<&Dir, String> {
        let named = wanted.filter(|id| !directory_id::reserved(*id));
        match named {
            Some(id) => match self.of_id(id) {
                Some(dir) if dir.is_online() => Ok(dir),
                Some(dir) => Err(format!("its log directory {} is offline", dir.path().display())),
                None => Err(format!(
                    "none of log.dirs is its log directory {id}: bring that back, or delete the topic"
                )),
            },
            None if self.offline_count() > 0 || !self.gone.is_empty() => Err(
                "it may be in a log directory that is offline or gone: bring that back, or delete the topic"
                    .to_owned(),
            ),
            None => self.place(None, cordoned).ok_or_else(|| "no log directory is left".to_owned()),
        }
    }

    /// Notes where a log is that the metadata has elsewhere.
    pub fn locate(&self, assignment: DirectoryAssignment) {
        self.located.lock().push(assignment);
    }

    /// Takes what was noted by [`Self::locate`].
    pub fn take_located(&self) -> Vec<DirectoryAssignment> {
        std::mem::take(&mut *self.located.lock())
    }
}

fn lock(disk: &Arc<dyn Disk>, path: &str) -> Result<(LogDir, Option<MetaProperties>), StorageError> {
    let dir = LogDir::lock(Arc::clone(disk), Path::new(path))?;
    let meta = dir.meta()?;
    Ok((dir, meta))
}

/// The id of a directory, which is given one if it is new or was written by a version that did not name directories.
fn named(
    dir: &LogDir,
    meta: Option<MetaProperties>,
    cluster_id: &str,
    node_id: i32,
    new_id: &mut NewId<'_>,
) -> Result<Uuid, StorageError> {
    if let Some(meta) = meta.filter(|meta| !meta.directory_id.is_zero()) {
        return Ok(meta.directory_id);
    }
    let directory_id = new_id();
    dir.write_meta(&MetaProperties { cluster_id: cluster_id.to_owned(), node_id, directory_id })?;
    Ok(directory_id)
}

/// Goes on without a directory, unless another process has it: that is no failure of the disk.
fn lose(path: &str, problem: StorageError, lost: &mut Vec<Lost>) -> Result<(), DirError> {
    if let StorageError::Refused { .. } = problem {
        return Err(problem.into());
    }
    error!(dir = path, %problem, "this log directory cannot be used and is offline");
    lost.push(Lost { path: path.to_owned(), why: problem });
    Ok(())
}

/// Fails if nothing is left, or not what the node cannot do without.
fn check_left(left: usize, lost: &[Lost], metadata: &str) -> Result<(), DirError> {
    if left == 0 {
        return Err(if lost.is_empty() { DirError::None } else { DirError::AllLost(lost.to_vec()) });
    }
    match lost.iter().find(|one| one.path == metadata) {
        Some(lost) => Err(DirError::MetadataLost(lost.clone())),
        None => Ok(()),
    }
}

/// Refuses a directory of which nobody knows whose it is: a new cluster would set aside what is in there.
fn check_unused(path: &str, dir: &LogDir) -> Result<(), DirError> {
    match dir.any_log()? {
        Some(log) => Err(DirError::Unformatted { path: path.to_owned(), log }),
        None => Ok(()),
    }
}

/// Refuses to begin a new cluster beside the logs of one whose metadata is not there.
fn check_metadata<'a>(
    disk: &dyn Disk,
    metadata: &str,
    dirs: impl Iterator<Item = &'a LogDir>,
) -> Result<(), DirError> {
    if disk.exists(&Path::new(metadata).join(METADATA_FOLDER)) {
        return Ok(());
    }
    for dir in dirs {
        if let Some(log) = dir.any_log()? {
            let path = dir.path().display().to_string();
            return Err(DirError::NoMetadata { metadata: metadata.to_owned(), path, log });
        }
    }
    Ok(())
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
