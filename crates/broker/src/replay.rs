//! After a crash: brings into the logs what only the journals have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::ErrorCode;
use storage::journal::{Entry, Found, Replayed};
use storage::{AppendError, StorageError};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::dirs::Dir;
use crate::node::Node;
use crate::partition::Partition;
use crate::slot;

/// Makes the journals of all log directories ready. What those have that were not stopped cleanly is brought into the logs
/// first, which must be open, and made durable there. A directory in which that fails is offline from then on.
pub(crate) async fn begin_journals(node: &Arc<Node>) {
    let mut replayed = Vec::new();
    for dir in node.dirs.online().filter(|dir| !dir.clean) {
        match replay_all(node, dir).await {
            Ok(journals) => replayed.extend(journals.into_iter().map(|journal| (dir, journal))),
            Err(problem) => dir.lose(&problem),
        }
    }
    if !node.dirs.all_clean() {
        sync_all(&node.hosted.partitions()).await;
    }
    // What could not be made durable where it belongs must not be forgotten where it is.
    let durable = node.dirs.iter().all(Dir::is_online);
    for (dir, (path, used_up)) in replayed {
        if dir.is_online()
            && let Err(problem) = settle(node, &path, used_up && durable)
        {
            dir.lose(&problem);
        }
    }
    let config = node.config();
    let (bytes, batch_max) = (config.background.journal_bytes, config.background.journal_batch_bytes_max);
    for dir in node.dirs.online() {
        match storage::journal::Journal::open(&*node.disk, dir.path(), bytes, life(node)) {
            Ok(journal) => dir.journal().begin(journal, batch_max),
            Err(problem) => dir.lose(&problem),
        }
    }
}

/// Replays the journals of a directory. Returns each with whether all of it found its place.
async fn replay_all(node: &Node, dir: &Dir) -> Result<Vec<(PathBuf, bool)>, StorageError> {
    let mut replayed = Vec::new();
    for path in Found::files(&*node.disk, dir.path())? {
        let used_up = match Found::look(&*node.disk, &path)? {
            Some(found) => replay(node, &path, &found).await?,
            None => true,
        };
        replayed.push((path, used_up));
    }
    Ok(replayed)
}

/// Makes what the journal of a directory has void after a clean stop: the logs have all of it, and may be changed by
/// somebody else before this node comes back.
pub(crate) fn void_journal(node: &Node, dir: &Dir) -> Result<(), StorageError> {
    let bytes = node.config().background.journal_bytes;
    storage::journal::Journal::open(&*node.disk, dir.path(), bytes, life(node)).map(drop)
}

fn life(node: &Node) -> u64 {
    let mut bytes = [0; 8];
    node.entropy.fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

/// What became of the entries of a journal.
#[derive(Default)]
struct Tally {
    restored: BTreeMap<String, u64>,
    /// Partitions whose entries do not continue their logs.
    torn: BTreeSet<String>,
    /// There are entries for partitions that could not be opened.
    unreached: bool,
}

/// Keeps a journal that has records of partitions that could not be opened, and removes one that was kept and is not needed
/// any more.
fn settle(node: &Node, path: &Path, used_up: bool) -> Result<(), StorageError> {
    if used_up {
        return storage::journal::Journal::forget(&*node.disk, path);
    }
    let age = u64::try_from(node.now().wall.millis()).unwrap_or(0);
    let kept = storage::journal::Journal::keep(&*node.disk, path, age)?;
    warn!(path = %kept.display(), "a journal is kept until the partitions that are offline can be opened");
    Ok(())
}

/// Brings what a journal has into the logs. Returns whether all of it found its place.
async fn replay(node: &Node, path: &Path, found: &Found) -> Result<bool, StorageError> {
    slot::wake_all(&concerned(node, found)?).await;
    let mut tally = Tally::default();
    let replayed = found.replay(|entry| restore(node, &entry, &mut tally))?;
    let Replayed { blocks, entries, damaged } = replayed;
    if damaged > 0 {
        error!(path = %path.display(), damaged,
            "the journal is damaged: records that were acknowledged shortly before the crash may be missing");
    }
    for partition in &tally.torn {
        error!(path = %path.display(), partition,
            "records are missing between the log and the journal: what the journal has after them is not used");
    }
    let restored: u64 = tally.restored.values().sum();
    info!(path = %path.display(), blocks, entries, restored, partitions = tally.restored.len(), "journal replayed");
    Ok(!tally.unreached)
}

/// The partitions that a journal has something for.
fn concerned(node: &Node, found: &Found) -> Result<Vec<Arc<Partition>>, StorageError> {
    let mut named = BTreeSet::new();
    found.replay(|entry| {
        named.insert((entry.topic_id, entry.partition));
        Ok(())
    })?;
    let named = named.into_iter();
    Ok(named.filter_map(|(topic, index)| node.hosted.by_id(topic)?.partition(index)).collect())
}

/// Appends a batch of the journal to its log, if the log does not have it.
fn restore(node: &Node, entry: &Entry<'_>, tally: &mut Tally) -> Result<(), StorageError> {
    // A topic that was deleted since has no use for it.
    let found = node.hosted.by_id(entry.topic_id).and_then(|topic| topic.partition(entry.partition));
    let Some(partition) = found else {
        tally.unreached |= node.hosted.is_offline(entry.topic_id, entry.partition);
        return Ok(());
    };
    let mut log = partition.log();
    if log.offline().is_some() || !partition.home().is_online() {
        tally.unreached = true;
        return Ok(());
    }
    if log.end_offset() > entry.base_offset {
        return Ok(());
    }
    if log.end_offset() < entry.base_offset {
        tally.torn.insert(partition.name());
        return Ok(());
    }
    match log.append_replicated(node.now().wall, entry.batch) {
        Ok(_) => {
            *tally.restored.entry(partition.name()).or_default() += 1;
            Ok(())
        }
        Err(AppendError::Storage(problem)) => {
            drop(log);
            partition.home().journal.fail(&problem.to_string());
            tally.unreached = true;
            Ok(())
        }
        Err(AppendError::Rejected { message, .. }) => {
            error!(partition = %partition.name(), offset = %entry.base_offset, message, "a batch of the journal is not usable");
            tally.torn.insert(partition.name());
            Ok(())
        }
    }
}

/// Makes all logs durable, several at a time. A log directory where one cannot be is offline afterwards.
async fn sync_all(partitions: &[Arc<Partition>]) {
    let unsynced: Vec<_> = partitions
        .iter()
        .filter(|partition| {
            let known = partition.known();
            known.recovery_point < known.end && !partition.log_config().write_caching
        })
        .collect();
    let left = Arc::new(AtomicUsize::new(unsynced.len()));
    let all_done = Arc::new(Notify::new());
    for partition in &unsynced {
        let (left, all_done, home) = (Arc::clone(&left), Arc::clone(&all_done), partition.home());
        partition.sync_segments(Box::new(move |result: Result<(), ErrorCode>| {
            if result.is_err() {
                home.journal.fail("what its journal had could not be made durable");
            }
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                all_done.notify_one();
            }
        }));
    }
    if !unsynced.is_empty() {
        all_done.notified().await;
    }
    partitions.iter().filter(|partition| partition.home().is_online()).for_each(|one| one.recovered());
}
