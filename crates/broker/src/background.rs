//! What a node does by itself: retention, syncs by time, checkpoints, forgetting idle producers. One task, no timer for
//! any single partition.

use std::sync::Arc;
use std::time::Duration;

use kernel::Instant;
use kernel::port::Submission;
use storage::StorageError;
use tracing::{error, info, warn};

use crate::node::Node;
use crate::partition::Partition;

/// How often due work is looked for.
const TICK: Duration = Duration::from_secs(1);

/// When each kind of work was done last.
struct Rounds {
    retention: Instant,
    checkpoint: Instant,
    producers: Instant,
    /// How much had been made durable at the last checkpoint.
    checkpointed: u64,
}

/// A checkpoint comes earlier where so much was made durable since the last: what lies past it is read after a crash.
const CHECKPOINT_BYTES: u64 = 256 << 20;

/// It names each partition, and may take a small part of the work only.
const CHECKPOINT_BYTES_PER_PARTITION: u64 = 8 << 10;

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut stopping = node.stopping();
    let start = node.now().mono;
    let mut rounds = Rounds { retention: start, checkpoint: start, producers: start, checkpointed: 0 };
    loop {
        tokio::select! {
            biased;
            () = stopping.wait() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        round(&node, &mut rounds).await;
    }
}

async fn round(node: &Arc<Node>, rounds: &mut Rounds) {
    let now = node.now();
    let config = node.config();
    let background = &config.background;
    let due = |last: &mut Instant, every: Duration| {
        let due = now.mono.since(*last) >= every;
        if due {
            *last = now.mono;
        }
        due
    };
    let retention = due(&mut rounds.retention, background.retention_interval);
    let producers = due(&mut rounds.producers, background.producer_id_check_interval);
    if retention || producers {
        for (number, partition) in node.hosted.partitions().iter().enumerate() {
            if retention && partition.retention_due(now.wall) {
                retain(node, partition);
            }
            if producers {
                partition.expire_producers(now.wall);
            }
            give_way(number).await;
        }
    }
    for dir in node.dirs.iter() {
        dir.journal().rest();
        dir.journal().free_stuck();
    }
    // Those that rest have nothing to do, however many they are.
    for (number, partition) in node.awake.take_listed().iter().enumerate() {
        chores(node, partition);
        give_way(number).await;
    }
    let moved = node.dirs.iter().map(|dir| dir.journal().progress()).sum::<u64>();
    let much = moved.saturating_sub(rounds.checkpointed) >= CHECKPOINT_BYTES && {
        let partitions = node.hosted.count() as u64;
        moved - rounds.checkpointed >= partitions * CHECKPOINT_BYTES_PER_PARTITION
    };
    if due(&mut rounds.checkpoint, background.recovery_checkpoint_interval) || much {
        rounds.checkpointed = moved;
        if let Err(problem) = node.dirs.write_checkpoints(&node.hosted.partitions()) {
            error!(%problem, "checkpoints could not be written; recovery after a crash will take longer");
        }
    }
}

/// Requests go first.
async fn give_way(number: usize) {
    if number % 64 == 63 {
        tokio::task::yield_now().await;
    }
}

fn retain(node: &Node, partition: &Partition) {
    // A log that was closed or failed stays as it is.
    let Ok(mut log) = partition.serving() else { return };
    let retained = log.apply_retention(node.now().wall, partition.high_watermark());
    drop(log);
    match retained {
        Ok(retained) if retained.segments > 0 => {
            info!(partition = %partition.name(), segments = retained.segments, bytes = retained.bytes,
                "old segments deleted");
        }
        Ok(_) | Err(StorageError::Offline { .. }) => {}
        Err(problem) => {
            error!(partition = %partition.name(), %problem, "retention failed");
            partition.home().blame(&problem);
        }
    }
}

fn chores(node: &Arc<Node>, partition: &Arc<Partition>) {
    let Some(chores) = partition.chores(node.now().wall) else { return };
    node.awake.relist(partition);
    if chores.flush {
        let name = partition.name();
        let done = move |result: Result<(), kernel::ErrorCode>| {
            if let Err(code) = result {
                warn!(partition = %name, %code, "a sync by time failed");
            }
        };
        partition.sync_segments(Box::new(done));
    }
    for path in chores.remove {
        let shown = path.display().to_string();
        let done = move |result: std::io::Result<()>| {
            if let Err(error) = result {
                warn!(path = %shown, %error, "a file that is out of use remains");
            }
        };
        node.disk.submit(Submission::Remove(path), Box::new(done));
    }
}
