//! The end of all logs at a clean stop.
//!
//! A few are made durable each for itself. Many would wait for the disk several times each: they write what they keep, and one
//! sync of the whole file system makes it durable. Only then does any recovery point rise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::{Timestamp, Uuid};
use parking_lot::Mutex;
use storage::{Remembered, Rest};
use tracing::error;

use crate::node::Node;
use crate::partition::Partition;

/// What became of the logs.
pub(crate) struct Closed {
    /// What the next start is to know, by log directory.
    pub remembered: BTreeMap<Uuid, Vec<Remembered>>,
    /// Directories in which not all is durable.
    pub unwhole: BTreeSet<Uuid>,
}

/// Ends all partitions, and makes their logs durable.
pub(crate) async fn close_logs(node: &Node, partitions: &[Arc<Partition>], now: Timestamp) -> Closed {
    let together = directories_synced_whole(node, partitions);
    let unwhole: Mutex<BTreeSet<Uuid>> = Mutex::default();
    let remembered: Mutex<BTreeMap<Uuid, Vec<Remembered>>> = Mutex::default();
    let unsynced: Mutex<Vec<(Uuid, Arc<Partition>, Rest)>> = Mutex::default();
    // Each may wait for the disk several times, unless it rests.
    host::task::each(partitions, |partition| {
        let closed = partition.close(now, |home| {
            node.dirs.of(home).map(|dir| &dir.dir).filter(|_| together.contains(&home.id))
        });
        let home = partition.home();
        match closed {
            Ok(settled) => {
                if let Some(rest) = settled.remember {
                    let one = (partition.topic_partition(), partition.topic_id, rest);
                    remembered.lock().entry(home.id).or_default().push(one);
                }
                if let Some(rest) = settled.unsynced {
                    unsynced.lock().push((home.id, Arc::clone(partition), rest));
                }
            }
            Err(problem) => {
                if home.is_online() {
                    error!(partition = %partition.name(), %problem, "the log could not be closed");
                }
                home.blame(&problem);
                unwhole.lock().insert(home.id);
            }
        }
    })
    .await;
    let (mut remembered, mut unwhole) = (remembered.into_inner(), unwhole.into_inner());
    sync_whole(node, unsynced.into_inner(), &mut unwhole);
    // They were closed in any order; one topic's stand together.
    remembered.values_mut().for_each(|logs| logs.sort_unstable_by(|a, b| a.0.cmp(&b.0)));
    Closed { remembered, unwhole }
}

/// The directories with so many logs to sync that one sync of all costs less.
fn directories_synced_whole(node: &Node, partitions: &[Arc<Partition>]) -> BTreeSet<Uuid> {
    let mut unsettled: BTreeMap<Uuid, usize> = BTreeMap::new();
    for partition in partitions.iter().filter(|partition| partition.is_unsettled()) {
        *unsettled.entry(partition.home().id).or_default() += 1;
    }
    let single = node.config().background.single_syncs_max;
    let many = node.dirs.online().filter(|dir| unsettled.get(&dir.id).is_some_and(|count| *count > single));
    many.filter(|dir| dir.dir.has_whole_sync()).map(|dir| dir.id).collect()
}

/// Makes the directories durable that have logs without a sync of their own.
fn sync_whole(node: &Node, unsynced: Vec<(Uuid, Arc<Partition>, Rest)>, unwhole: &mut BTreeSet<Uuid>) {
    let waiting: BTreeSet<Uuid> = unsynced.iter().map(|(dir, ..)| *dir).collect();
    for dir in node.dirs.iter().filter(|dir| waiting.contains(&dir.id)) {
        if let Err(problem) = host::task::long(|| dir.dir.sync_whole()) {
            // Neither a recovery point nor the mark of a clean stop is written there any more.
            dir.lose(&problem);
            unwhole.insert(dir.id);
        }
    }
    for (dir, partition, rest) in unsynced {
        if !unwhole.contains(&dir) {
            partition.settled(rest);
        }
    }
}
