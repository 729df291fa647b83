//! Moves partitions between log directories while they are served (KIP-113), one after the other.
//!
//! A copy grows beside the log. Once it has nearly all, the metadata names the new directory; then, under the lock of the log,
//! the copy gets the rest, is made durable, and takes the log's place. Until that has happened the log is what counts, and
//! from then on the copy: nothing is appended as long as a crash could leave both.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kernel::port::Submission;
use kernel::{ErrorCode, Offset, TopicPartition, Uuid};
use metadata::controller::{Decision, DirectoryAssignment, assign_replicas_to_dirs};
use parking_lot::Mutex;
use storage::{Log, Next, StorageError};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::cleaner::Key;
use crate::dirs::Dir;
use crate::node::Node;
use crate::partition::{Partition, Swap};
use crate::throttle::Throttle;

/// How much is copied at a time.
const CHUNK_BYTES: u32 = 1 << 20;

/// How much may be left to copy while nobody can append, at the first try. Each later one may find twice as much, so that a
/// busy partition moves in the end.
const LAST_BYTES: u64 = 1 << 20;
const DOUBLED_MAX: u32 = 6;

/// How long a cleaning of the log is given to end, between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// One partition on its way.
pub struct Move {
    pub partition: Arc<Partition>,
    /// The id of the directory that it moves to.
    pub to: Uuid,
    /// How far the copy is: its end, and its size in bytes.
    copied: AtomicU64,
    size: AtomicU64,
    cancelled: AtomicBool,
}

impl Move {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// How many offsets the copy is behind.
    pub fn lag(&self) -> u64 {
        let end = u64::try_from(self.partition.glance().end.get()).unwrap_or(0);
        end.saturating_sub(self.copied.load(Ordering::Relaxed))
    }

    /// Bytes that the copy has.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    fn note(&self, copy: &Log) {
        self.copied.store(u64::try_from(copy.end_offset().get()).unwrap_or(0), Ordering::Relaxed);
        self.size.store(copy.size(), Ordering::Relaxed);
    }
}

/// A copy that a start found, of a move that did not end.
pub struct Unfinished {
    pub partition: TopicPartition,
    pub folder: PathBuf,
    /// The id of the directory that has it.
    pub to: Uuid,
}

/// All moves of a node.
#[derive(Default)]
pub struct Moves {
    /// The first one is under way.
    queue: Mutex<VecDeque<Arc<Move>>>,
    unfinished: Mutex<Vec<Unfinished>>,
    begun: Notify,
    throttle: Mutex<Throttle>,
}

impl Moves {
    /// The moves that have not ended.
    pub fn all(&self) -> Vec<Arc<Move>> {
        self.queue.lock().iter().cloned().collect()
    }

    pub fn of(&self, key: Key) -> Option<Arc<Move>> {
        self.queue.lock().iter().find(|one| one.partition.key() == key).cloned()
    }

    /// Ends a move without any effect, if there is one that has not come too far.
    pub fn cancel(&self, key: Key) {
        self.queue.lock().retain(|one| {
            let meant = one.partition.key() == key;
            if meant {
                one.cancelled.store(true, Ordering::SeqCst);
            }
            !meant
        });
    }

    /// Begins to move a partition, unless it is on its way.
    pub fn begin(&self, partition: &Arc<Partition>, to: Uuid) {
        let mut queue = self.queue.lock();
        if queue.iter().any(|one| one.partition.key() == partition.key()) {
            return;
        }
        let (partition, cancelled) = (Arc::clone(partition), AtomicBool::new(false));
        let one = Move { partition, to, copied: AtomicU64::new(0), size: AtomicU64::new(0), cancelled };
        queue.push_back(Arc::new(one));
        drop(queue);
        self.begun.notify_one();
    }

    /// Notes a copy that a start found.
    pub(crate) fn found(&self, unfinished: Unfinished) {
        self.unfinished.lock().push(unfinished);
    }
}

/// Moves what is to be moved, until the node stops. What the last process did not finish comes first.
pub(crate) async fn run(node: Arc<Node>) {
    begin_again(&node).await;
    let mut stopping = node.stopping();
    loop {
        let next = node.moves.queue.lock().front().cloned();
        let Some(one) = next else {
            tokio::select! {
                biased;
                () = stopping.wait() => return,
                () = node.moves.begun.notified() => continue,
            }
        };
        tokio::select! {
            biased;
            // What has begun is begun again by the next start.
            () = stopping.wait() => return,
            () = run_one(&node, &one) => {}
        }
        node.moves.queue.lock().retain(|other| !Arc::ptr_eq(other, &one));
    }
}

/// Removes the copies that a start found, and begins to make them anew: what they have was never compared with the log.
async fn begin_again(node: &Arc<Node>) {
    let unfinished = std::mem::take(&mut *node.moves.unfinished.lock());
    for Unfinished { partition, folder, to } in unfinished {
        let image = node.image();
        let known = image.topic(&partition.topic).and_then(|topic| topic.partition(partition.partition));
        let Some(found) = node.hosted.partition(&partition.topic, partition.partition) else {
            if known.is_none() {
                remove(node, folder).await;
            }
            continue;
        };
        remove(node, folder).await;
        if found.home().id != to {
            info!(%partition, "the partition is moved to another log directory, from the beginning");
            node.moves.begin(&found, to);
        }
    }
}

/// Why a move ended before its end.
enum Ended {
    Cancelled,
    Failed(StorageError),
}

impl From<StorageError> for Ended {
    fn from(problem: StorageError) -> Self {
        Self::Failed(problem)
    }
}

async fn run_one(node: &Arc<Node>, one: &Move) {
    let key = one.partition.key();
    // What is compacted away from what was not copied yet may have been superseded by what was.
    node.cleaner.pause(key);
    let moved = move_one(node, one).await;
    node.cleaner.resume(key);
    let name = one.partition.name();
    match moved {
        Ok(()) => {
            info!(partition = %name, dir = %one.partition.home().path.display(), "moved to another log directory")
        }
        Err(Ended::Cancelled) => info!(partition = %name, "the move to another log directory is given up"),
        Err(Ended::Failed(problem)) => {
            error!(partition = %name, %problem, "the partition stays in its log directory: the move to another failed");
        }
    }
}

async fn move_one(node: &Arc<Node>, one: &Move) -> Result<(), Ended> {
    let partition = &one.partition;
    while node.cleaner.is_at(&partition.key()) {
        check(one)?;
        tokio::time::sleep(LOOK).await;
    }
    let dir = node.dirs.online().find(|dir| dir.id == one.to);
    let dir = dir.ok_or_else(|| StorageError::offline(&partition.home().path, "its target is offline"))?;
    let id = *node.random_uuid().as_bytes();
    let now = node.now().wall;
    let copy = host::task::long(|| match partition.serving() {
        Ok(mut log) => {
            let begun = log.begin_copy(dir.path(), id, now);
            drop(log);
            begun.inspect_err(|problem| dir.home.blame(problem))
        }
        Err(_) => Err(StorageError::offline(&partition.home().path, "the log cannot be read")),
    });
    let mut copy = Some(Box::new(copy?));
    let from = partition.home();
    let moved = fill_and_swap(node, one, dir, &mut copy).await;
    node.dirs.arrived(&partition.topic_partition());
    if let Err(Ended::Failed(problem)) = &moved {
        let at_target = matches!(problem, StorageError::Io { path, .. } if path.starts_with(dir.path()));
        if at_target { dir.home.blame(problem) } else { from.blame(problem) }
    }
    if moved.is_err()
        && let Some(copy) = copy.take()
    {
        let folder = copy.abandon_copy();
        // As long as the metadata names the other directory, the copy says that this one has the log.
        let named = assign(node, partition, from.id).await;
        if matches!(named, Ok(()) | Err(ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition)) {
            remove(node, folder).await;
        }
    }
    moved
}

/// Copies until little is left, tells the controller, and lets the copy take the log's place.
async fn fill_and_swap(
    node: &Arc<Node>,
    one: &Move,
    dir: &Dir,
    copy: &mut Option<Box<Log>>,
) -> Result<(), Ended> {
    let partition = &one.partition;
    let mut assigned = false;
    for tries in 0.. {
        let Some(filled) = copy.as_mut() else { return Ok(()) };
        fill(node, one, dir, filled).await?;
        let now = node.now().wall;
        // Under no lock, so that little is left for when there is one.
        host::task::long(|| filled.flush(now))?;
        if !assigned {
            assign(node, partition, dir.id).await.map_err(|code| {
                StorageError::offline(&dir.home.path, &format!("the controller was not told: {code}"))
            })?;
            assigned = true;
        }
        check(one)?;
        announce_start(node, dir, partition)?;
        let id = *node.random_uuid().as_bytes();
        let from = node.dirs.of(&partition.home());
        let delay = partition.log_config().file_delete_delay_ms;
        let last = LAST_BYTES << DOUBLED_MAX.min(tries);
        let swapped = host::task::long(|| partition.swap(one, &dir.home, copy, last, now, id));
        match swapped? {
            Swap::Done(old) => {
                dir.opened();
                from.into_iter().for_each(Dir::closed);
                // Else a crash would have all of it read again.
                if let Err(problem) = node.dirs.write_checkpoints(&node.hosted.partitions()) {
                    warn!(%problem, "checkpoints could not be written; recovery after a crash will take longer");
                }
                node.remove_later(old, Duration::from_millis(u64::try_from(delay).unwrap_or(0)));
                return Ok(());
            }
            Swap::Later => {}
        }
    }
    Ok(())
}

/// The start of a log may lie within a batch, and only a checkpoint says so.
fn announce_start(node: &Node, dir: &Dir, partition: &Arc<Partition>) -> Result<(), StorageError> {
    let start = partition.glance().start;
    partition.note_announced(start);
    if start > Offset::ZERO {
        node.dirs.announce(dir, partition, &node.hosted.partitions(), start)?;
    }
    Ok(())
}

/// Copies until less than [`LAST_BYTES`] are left.
async fn fill(node: &Arc<Node>, one: &Move, dir: &Dir, copy: &mut Log) -> Result<(), Ended> {
    loop {
        check(one)?;
        if !dir.is_online() {
            return Err(Ended::Failed(StorageError::offline(&dir.home.path, "its disk has failed")));
        }
        let now = node.now().wall;
        let limit = rate(node);
        // No more than a second's worth, so that a changed limit is soon felt.
        let most =
            if limit == 0 { CHUNK_BYTES } else { u32::try_from(limit).unwrap_or(u32::MAX).min(CHUNK_BYTES) };
        let copied = host::task::long(|| copy_some(&one.partition, most, copy, now))?;
        one.note(copy);
        let left = one.partition.glance().size.saturating_sub(copy.size());
        if copied == 0 || left.max(copied) < LAST_BYTES / 2 {
            return Ok(());
        }
        if limit == 0 {
            wait_out(node, one).await?;
            continue;
        }
        let pause = node.moves.throttle.lock().pay(node.now().mono, copied, limit as f64);
        tokio::time::sleep(pause).await;
        tokio::task::yield_now().await;
    }
}

/// How many bytes a second moves may copy.
fn rate(node: &Node) -> u64 {
    let rate = node.options().effective().number("replica.alter.log.dirs.io.max.bytes.per.second");
    u64::try_from(rate).unwrap_or(0)
}

/// At a rate of 0 a move does not halt, as in Kafka: what was copied counts for as long as Kafka measures, and then a little
/// more is.
async fn wait_out(node: &Arc<Node>, one: &Move) -> Result<(), Ended> {
    let options = node.options();
    let number = |name: &str| u64::try_from(options.effective().number(name)).unwrap_or(1);
    let samples = number("alter.log.dirs.replication.quota.window.num");
    let each = number("alter.log.dirs.replication.quota.window.size.seconds");
    let (from, window) = (node.now().mono, Duration::from_secs(samples.saturating_mul(each)));
    while rate(node) == 0 && node.now().mono.since(from) < window {
        check(one)?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Copies what is next. Returns how many bytes that were.
fn copy_some(
    partition: &Partition,
    most: u32,
    copy: &mut Log,
    now: kernel::Timestamp,
) -> Result<u64, StorageError> {
    let Ok(mut log) = partition.serving() else {
        return Err(StorageError::offline(&partition.home().path, "the log cannot be read"));
    };
    let most = most.min(log.config().segment_bytes);
    let next = log.next_for_copy(copy.end_offset(), most);
    let folder = log.dir().to_owned();
    drop(log);
    let mut span = match next? {
        Next::Nothing => return Ok(0),
        Next::Records(span) => span,
    };
    // What is damaged stays where it is, with what is said about it.
    if let Some(damage) = span.verify()? {
        return Err(damage);
    }
    let records = span.read_in(&folder)?;
    copy.append_copied(&records, now)?;
    Ok(records.len() as u64)
}

fn check(one: &Move) -> Result<(), Ended> {
    let ended = one.is_cancelled() || one.partition.is_ended();
    if ended { Err(Ended::Cancelled) } else { Ok(()) }
}

/// Takes down in the metadata in which directory a replica is.
async fn assign(node: &Arc<Node>, partition: &Partition, directory: Uuid) -> Result<(), ErrorCode> {
    let (topic, index) = partition.key();
    if !node.image().features.record_level().directories() {
        return Ok(());
    }
    let assignment = [DirectoryAssignment { topic, partition: index, directory }];
    let told = node.change(|image, _| {
        let broker = image.broker(node.id).map_or(-1, |broker| broker.epoch);
        match assign_replicas_to_dirs(image, node.id, broker, &assignment) {
            Ok(decision) => decision.map(|replies| replies.into_iter().collect::<Result<(), _>>()),
            Err(refusal) => Decision::reply(Err(refusal.code)),
        }
    });
    told.await?
}

async fn remove(node: &Node, folder: PathBuf) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let shown = folder.display().to_string();
    let done = move |result: std::io::Result<()>| {
        if let Err(error) = result
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!(path = %shown, %error, "what was copied of a partition remains");
        }
        // Nobody may wait any longer.
        let _ = tell.send(());
    };
    node.disk.submit(Submission::Remove(folder), Box::new(done));
    let _ = told.await;
}
