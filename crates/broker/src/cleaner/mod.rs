//! Runs compaction: looks for the dirtiest log, cleans it in short steps, and rests when nothing is due.
//!
//! What is kept and when is decided in `storage`; this only chooses, waits and tells.

mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Now, Uuid};
use parking_lot::Mutex;
use storage::{CleanProgress, CleanStep, Cleanable, Cleaned, CleanerTools, Cleaning, StorageError};
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

pub use status::{CleanerStatus, Key, LastCleaning, OfDir, Running, Uncleanable};

use crate::node::Node;
use crate::partition::Partition;
use crate::throttle::Throttle;

/// The least that is read at a time.
const IO_BYTES_MIN: usize = 16 << 10;
/// How often a change of the number of workers is noticed at most.
const LOOK: Duration = Duration::from_secs(1);

/// What the workers share.
#[derive(Debug, Default)]
pub struct Cleaner {
    status: Mutex<CleanerStatus>,
    throttle: Mutex<Throttle>,
}

impl Cleaner {
    /// What it does and did.
    pub fn status(&self) -> CleanerStatus {
        self.status.lock().clone()
    }

    /// Begins no cleaning of a log until [`Self::resume`]. One may be under way: see [`Self::is_at`].
    pub(crate) fn pause(&self, key: Key) {
        self.status.lock().paused.insert(key);
    }

    pub(crate) fn resume(&self, key: Key) {
        self.status.lock().paused.remove(&key);
    }

    /// Whether a log is being cleaned.
    pub(crate) fn is_at(&self, key: &Key) -> bool {
        self.status.lock().running.contains_key(key)
    }
}

/// Runs until the node stops. Each of `log.cleaner.threads` is a task; a number that grows begins more.
pub(crate) async fn run(node: Arc<Node>) {
    let mut stopping = node.stopping();
    let mut begun = 0;
    loop {
        let background = node.config().background.clone();
        while background.cleaner_enabled && begun < background.cleaner_threads {
            host::task::spawn(work(Arc::clone(&node), begun));
            begun += 1;
        }
        tokio::select! {
            biased;
            () = stopping.wait() => return,
            () = tokio::time::sleep(background.cleaner_backoff.max(LOOK)) => {}
        }
    }
}

async fn work(node: Arc<Node>, number: usize) {
    let mut stopping = node.stopping();
    loop {
        let backoff = node.config().background.cleaner_backoff.max(Duration::from_millis(1));
        let wanted = number < node.config().background.cleaner_threads;
        if wanted && clean_dirtiest(&node).await {
            // Another may be due, but others have work, too.
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            biased;
            () = stopping.wait() => return,
            () = tokio::time::sleep(backoff) => {}
        }
    }
}

/// Cleans the log that needs it most; false if there is none, or it could not be.
async fn clean_dirtiest(node: &Arc<Node>) -> bool {
    let Some((partition, range)) = choose(node).await else { return false };
    let key = partition.key();
    let now = node.now();
    let outcome = clean(node, &partition, range, now).await;
    if let Ok(Some(cleaning)) = &outcome {
        told(cleaning);
    }
    let cleaned = outcome.as_ref().ok().cloned().flatten().map(|cleaning| (cleaning, node.now().wall));
    node.cleaner.status.lock().ended(&key, cleaned);
    let name = partition.name();
    match outcome {
        Ok(Some(_)) => {
            keep_checkpoint(node, &partition);
            true
        }
        Ok(None) => {
            debug!(partition = %name, "a cleaning was given up, because the log changed or is not served any more");
            false
        }
        Err(problem) if problem.passes() => {
            warn!(partition = %name, %problem, "a cleaning was given up; it is tried again");
            false
        }
        Err(problem) => {
            set_aside(node, &partition, &problem);
            false
        }
    }
}

fn set_aside(node: &Node, partition: &Partition, problem: &StorageError) {
    let name = partition.name();
    error!(partition = %name, %problem, "the log cannot be cleaned; it is left alone until the node starts again");
    let uncleanable = Uncleanable { partition: name, why: problem.to_string() };
    node.cleaner.status.lock().uncleanable.insert(partition.key(), uncleanable);
    partition.home().blame(problem);
}

/// The dirtiest of the logs that are due. Nobody else chooses it until it is cleaned.
async fn choose(node: &Arc<Node>) -> Option<(Arc<Partition>, Cleanable)> {
    let mut dirtiest: Option<(Arc<Partition>, Cleanable)> = None;
    let (mut seen, mut max_delay) = (BTreeMap::<Uuid, (usize, f64)>::new(), 0);
    for (number, partition) in node.hosted.partitions().into_iter().enumerate() {
        if number % 64 == 63 {
            // Requests go first.
            tokio::task::yield_now().await;
        }
        if !node.cleaner.status.lock().is_free(&partition.key()) {
            continue;
        }
        let Some((range, is_due)) = look_at(node, &partition) else { continue };
        let (due, max_ratio) = seen.entry(partition.home().id).or_default();
        *max_ratio = max_ratio.max(range.ratio());
        max_delay = max_delay.max(range.delay_ms);
        if !is_due {
            continue;
        }
        *due += 1;
        if dirtiest.as_ref().is_none_or(|(_, most)| range.ratio() > most.ratio()) {
            dirtiest = Some((partition, range));
        }
    }
    let mut status = node.cleaner.status.lock();
    let max_delay = Duration::from_millis(u64::try_from(max_delay).unwrap_or(0));
    status.looked(node.now().mono, &seen, max_delay);
    status.uncleanable.retain(|(topic, index), _| {
        node.hosted.by_id(*topic).is_some_and(|topic| topic.partition(*index).is_some())
    });
    let (partition, range) = dirtiest.filter(|(partition, _)| status.is_free(&partition.key()))?;
    let running = Running {
        topic: Arc::clone(&partition.topic),
        index: partition.index,
        from: range.first_dirty,
        dir: partition.home().id,
        progress: CleanProgress::default(),
    };
    status.running.insert(partition.key(), running);
    Some((partition, range))
}

/// What of a compacted log can be cleaned, and whether that is due.
fn look_at(node: &Node, partition: &Partition) -> Option<(Cleanable, bool)> {
    // A log that rests has nothing to be cleaned, or it would not; one that nobody has looked at since a crash is woken for
    // retention at the latest.
    if !partition.is_awake() || !partition.log_config().cleanup.compact {
        return None;
    }
    let mut log = partition.serving().ok()?;
    match log.cleanable(node.now().wall, partition.high_watermark()) {
        Ok(range) => Some((range, range.is_due(log.config()))),
        Err(StorageError::Offline { .. }) => None,
        Err(problem) => {
            drop(log);
            set_aside(node, partition, &problem);
            None
        }
    }
}

fn tools(node: &Node) -> CleanerTools {
    let config = node.config();
    let background = &config.background;
    let workers = background.cleaner_threads.max(1);
    let mut secret = [0; 16];
    node.entropy.fill(&mut secret);
    CleanerTools {
        map_bytes: background.cleaner_dedupe_bytes / workers,
        map_load: background.cleaner_dedupe_load,
        // One half is for what is read, the other for what is written.
        io_bytes: (background.cleaner_io_bytes / workers / 2).max(IO_BYTES_MIN),
        secret,
    }
}

/// Cleans a log; nothing if it has changed in a way that makes that pointless, or the node stops.
async fn clean(
    node: &Arc<Node>,
    partition: &Arc<Partition>,
    range: Cleanable,
    now: Now,
) -> Result<Option<LastCleaning>, StorageError> {
    let Some(mut cleaning) = begin(node, partition, range, now)? else { return Ok(None) };
    debug!(partition = %partition.name(), from = %range.first_dirty, to = %range.first_uncleanable, "cleaning begins");
    match steps(node, partition, &mut cleaning).await {
        Ok(true) => {}
        Ok(false) => {
            cleaning.abandon();
            return Ok(None);
        }
        Err(problem) => {
            let changed = !partition.serving().is_ok_and(|log| log.still_has(&cleaning));
            cleaning.abandon();
            return if changed { Ok(None) } else { Err(problem) };
        }
    }
    let Ok(mut log) = partition.serving() else { return Ok(None) };
    log.note_cleaned(cleaning.end());
    Ok(Some(LastCleaning {
        partition: partition.name(),
        from: cleaning.start(),
        to: cleaning.end(),
        took: node.now().mono.since(now.mono),
        stats: cleaning.stats(),
    }))
}

fn begin(
    node: &Node,
    partition: &Partition,
    range: Cleanable,
    now: Now,
) -> Result<Option<Cleaning>, StorageError> {
    let tools = tools(node);
    let Ok(mut log) = partition.serving() else { return Ok(None) };
    log.begin_cleaning(range, now.wall, partition.high_watermark(), tools).map(Some)
}

/// Makes all steps; false if the rest is pointless.
async fn steps(
    node: &Node,
    partition: &Arc<Partition>,
    cleaning: &mut Cleaning,
) -> Result<bool, StorageError> {
    let mut stopping = node.stopping();
    loop {
        if partition.is_ended() {
            return Ok(false);
        }
        let step = host::task::long(|| cleaning.step());
        node.cleaner.status.lock().goes_on(&partition.key(), cleaning.progress());
        match step? {
            CleanStep::Done => return Ok(true),
            CleanStep::Swap(cleaned) => {
                if !settle(partition, &cleaned).await {
                    cleaned.remove();
                    return Ok(false);
                }
                let now = node.now().wall;
                let swapped = host::task::long(|| match partition.serving() {
                    Ok(mut log) => log.swap_cleaned(cleaned, now),
                    Err(_) => {
                        cleaned.remove();
                        Ok(false)
                    }
                });
                if !swapped? {
                    return Ok(false);
                }
            }
            CleanStep::Working { bytes } => {
                let limit = node.config().background.cleaner_max_bytes_per_second;
                let pause = node.cleaner.throttle.lock().pay(node.now().mono, bytes, limit);
                tokio::select! {
                    biased;
                    () = stopping.wait() => return Ok(false),
                    () = pause_for(pause) => {}
                }
            }
        }
    }
}

/// Makes the records durable in their segments that decided about others; false if that cannot be. The sync is one that
/// producers wait for, too, and not under the lock of the log.
async fn settle(partition: &Arc<Partition>, cleaned: &Cleaned) -> bool {
    if partition.glance().recovery_point >= cleaned.decided_by() {
        return true;
    }
    let (tell, told) = oneshot::channel();
    partition.sync_segments(Box::new(move |result| {
        // The cleaning may have been given up meanwhile.
        let _ = tell.send(result.is_ok());
    }));
    told.await.unwrap_or(false)
}

/// Lets others go on at least.
async fn pause_for(pause: Duration) {
    if pause.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(pause).await;
    }
}

fn keep_checkpoint(node: &Node, partition: &Arc<Partition>) {
    let partitions = node.hosted.partitions();
    if let Err(problem) = node.dirs.keep_cleaned(&partitions, std::slice::from_ref(partition)) {
        error!(%problem, "the cleaner's checkpoint could not be written; what was cleaned will be cleaned again");
    }
}

fn told(cleaning: &LastCleaning) {
    let LastCleaning { partition, from, to, took, stats } = cleaning;
    info!(
        %partition,
        %from,
        %to,
        took_ms = took.as_millis(),
        keys = stats.keys,
        map_percent = (stats.map_utilization * 100.0).round(),
        bytes_before = stats.bytes_read,
        bytes_after = stats.bytes_written,
        records_before = stats.records_read,
        records_after = stats.records_kept,
        segments_before = stats.segments_read,
        segments_after = stats.segments_written,
        "log cleaned"
    );
    if stats.keyless > 0 {
        warn!(%partition, records = stats.keyless, "records without a key were removed from a compacted log");
    }
}
