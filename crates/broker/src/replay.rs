//! After a crash: brings into the logs what only the journals have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::ErrorCode;
use storage::journal::{Entry, Found, Replayed};
use storage::{AppendError, StorageError};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::node::Node;
use crate::partition::Partition;

/// Makes the journals of all log directories ready. After an unclean stop, what they have is brought into the logs first,
/// which must be open, and made durable there.
pub(crate) async fn begin_journals(node: &Arc<Node>, clean: bool) -> Result<(), StorageError> {
    if !clean {
        let mut replayed = Vec::new();
        for dir in node.dirs.iter() {
            for path in Found::files(&*node.disk, dir.dir.path())? {
                replayed.push((replay(node, &path)?, path));
            }
        }
        sync_all(&node.hosted.partitions()).await?;
        for (used_up, path) in replayed {
            settle(node, &path, used_up)?;
        }
    }
    let bytes = node.config().background.journal_bytes;
    for dir in node.dirs.iter() {
        let journal = storage::journal::Journal::open(&*node.disk, dir.dir.path(), bytes, life(node))?;
        dir.journal.begin(journal);
    }
    Ok(())
}

/// Makes what the journals have void after a clean stop: the logs have all of it, and may be changed by somebody else before
/// this node comes back.
pub(crate) fn void_journals(node: &Node) -> Result<(), StorageError> {
    let bytes = node.config().background.journal_bytes;
    for dir in node.dirs.iter() {
        storage::journal::Journal::open(&*node.disk, dir.dir.path(), bytes, life(node))?;
    }
    Ok(())
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
fn replay(node: &Node, path: &Path) -> Result<bool, StorageError> {
    let Some(found) = Found::look(&*node.disk, path)? else { return Ok(true) };
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

/// Appends a batch of the journal to its log, if the log does not have it.
fn restore(node: &Node, entry: &Entry<'_>, tally: &mut Tally) -> Result<(), StorageError> {
    // A topic that was deleted since has no use for it.
    let found = node.hosted.by_id(entry.topic_id).and_then(|topic| topic.partition(entry.partition));
    let Some(partition) = found else {
        tally.unreached |= node.hosted.is_offline(entry.topic_id, entry.partition);
        return Ok(());
    };
    let mut log = partition.log();
    if log.offline().is_some() {
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
        Err(AppendError::Storage(problem)) => Err(problem),
        Err(AppendError::Rejected { message, .. }) => {
            error!(partition = %partition.name(), offset = %entry.base_offset, message, "a batch of the journal is not usable");
            tally.torn.insert(partition.name());
            Ok(())
        }
    }
}

/// Makes all logs durable, several at a time.
async fn sync_all(partitions: &[Arc<Partition>]) -> Result<(), StorageError> {
    let unsynced: Vec<_> = partitions
        .iter()
        .filter(|partition| {
            let known = partition.glance();
            known.recovery_point < known.end && !partition.log_config().write_caching
        })
        .collect();
    let (left, failed) = (Arc::new(AtomicUsize::new(unsynced.len())), Arc::new(AtomicUsize::new(0)));
    let all_done = Arc::new(Notify::new());
    for partition in &unsynced {
        let (left, failed, all_done) = (Arc::clone(&left), Arc::clone(&failed), Arc::clone(&all_done));
        partition.sync_segments(Box::new(move |result: Result<(), ErrorCode>| {
            failed.fetch_add(usize::from(result.is_err()), Ordering::SeqCst);
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                all_done.notify_one();
            }
        }));
    }
    if !unsynced.is_empty() {
        all_done.notified().await;
    }
    partitions.iter().for_each(|partition| partition.recovered());
    match (failed.load(Ordering::SeqCst), unsynced.first()) {
        (1.., Some(partition)) => {
            let dir = partition.log_dir();
            Err(StorageError::offline(dir, "what the journal had could not be made durable: check the disk"))
        }
        _ => Ok(()),
    }
}
