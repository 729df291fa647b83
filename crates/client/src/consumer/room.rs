//! How much memory records may take that were asked for and are not returned yet.
//!
//! *Invariant:* answers that are here, and what those on their way may bring, together stay within the bound. Only a batch
//! that is larger than what was asked for goes beyond it: a broker sends it whole, as nobody could ever read it otherwise.
//! After the first such batch that much is asked for at least, so that one larger than the bound comes alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::NodeId;

use super::Consumer;
use super::fetch::{Fetched, Want};
use crate::ConsumerConfig;

/// What an answer has beside records: once, and for each partition.
const ANSWER_OVERHEAD_BYTES: usize = 512;
const PARTITION_OVERHEAD_BYTES: usize = 128;

/// The room that there is.
#[derive(Debug)]
pub(super) struct Room {
    bytes_max: usize,
    held: Arc<Counts>,
    /// Who was asked last: the next one in turn is the one after it, so that nobody is starved by others.
    last: Option<NodeId>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicUsize,
    /// The largest batch that was seen.
    batch_bytes: AtomicUsize,
}

impl Room {
    pub fn new(config: &ConsumerConfig) -> Room {
        let bytes_max = config.queued_max_messages_kbytes.saturating_mul(1024);
        Room { bytes_max, held: Arc::default(), last: None }
    }

    /// Room for at least so many bytes, and at most for so many; for less only if there is never more. Nothing if it is
    /// taken.
    fn take(&self, least: usize, most: usize) -> Option<Held> {
        let free = self.bytes_max.saturating_sub(self.held.bytes.load(Ordering::Relaxed));
        let enough = free >= least.min(self.bytes_max);
        enough.then(|| Held::new(&self.held, most.max(least).min(free)))
    }

    /// The brokers in the order in which they are asked.
    fn turns(&self, nodes: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = nodes.collect();
        let next = nodes.partition_point(|node| self.last.is_some_and(|last| *node <= last));
        nodes.rotate_left(next);
        nodes
    }
}

/// A part of the room, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    of: Arc<Counts>,
}

impl Held {
    fn new(of: &Arc<Counts>, bytes: usize) -> Held {
        of.bytes.fetch_add(bytes, Ordering::Relaxed);
        Held { bytes, of: Arc::clone(of) }
    }

    /// A part of no consumer's room.
    #[cfg(test)]
    pub fn nothing() -> Arc<Held> {
        Arc::new(Held::new(&Arc::default(), 0))
    }

    /// How many bytes of records an answer about so many partitions may have that is to fit.
    pub fn records_max(&self, partitions: usize) -> i32 {
        let records = self.bytes.saturating_sub(overhead(partitions)).max(1);
        i32::try_from(records).unwrap_or(i32::MAX)
    }

    /// What was on its way is here, and takes so much.
    pub fn arrived(mut self, bytes: usize) -> Arc<Held> {
        self.of.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.of.bytes.fetch_sub(std::mem::replace(&mut self.bytes, bytes), Ordering::Relaxed);
        Arc::new(self)
    }

    /// More that is held beside it.
    pub fn more(&self, bytes: usize) -> Held {
        Held::new(&self.of, bytes)
    }

    /// Takes note of how large batches are.
    pub fn saw_batch(&self, bytes: usize) {
        self.of.batch_bytes.fetch_max(bytes, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn overhead(partitions: usize) -> usize {
    ANSWER_OVERHEAD_BYTES.saturating_add(partitions.saturating_mul(PARTITION_OVERHEAD_BYTES))
}

impl Consumer {
    /// Asks brokers for records, one after the other, as far as there is room for what they may send. Whoever finds none is
    /// the first next time. `stocked` has the brokers whose records are still here.
    pub(super) fn fetch_all(
        &mut self,
        mut wants: BTreeMap<NodeId, Vec<Want>>,
        stocked: &BTreeMap<NodeId, usize>,
    ) {
        let resting = stocked.keys().filter(|node| !wants.contains_key(node) && !self.busy.contains(node));
        let brokers = self.busy.len() + wants.len() + resting.count();
        for node in self.room.turns(wants.keys().copied()) {
            let Some(mut wants) = wants.remove(&node) else {
                continue;
            };
            let Some(held) = self.make_room(wants.len(), brokers) else {
                return;
            };
            self.room.last = Some(node);
            // A broker fills its answer in the order of the question.
            wants.sort_by_key(|want| self.positions.get(&want.name).map(|position| position.served));
            // While there are records of others to be read, nobody waits for those to come: partitions that have plenty would
            // be asked for only when that is over, as a broker answers one question after the other.
            let patience =
                if stocked.contains_key(&node) { Duration::ZERO } else { self.config.fetch_max_wait };
            self.fetch(node, wants, held, patience);
        }
    }

    /// Room for an answer about so many partitions. One half of all there is goes to answers on their way, in equal parts, as
    /// a broker's next answer is fetched while the one before is read.
    ///
    /// Records of paused partitions give way, and are fetched again when these go on: nobody may ever ask for them, and they
    /// would keep all others waiting.
    fn make_room(&mut self, partitions: usize, brokers: usize) -> Option<Held> {
        let config = &self.config;
        let bytes = |setting: i32| usize::try_from(setting).unwrap_or(0);
        let of_partition = bytes(config.max_partition_fetch_bytes);
        let wanted = of_partition.saturating_mul(partitions).min(bytes(config.fetch_max_bytes));
        let share = self.room.bytes_max.checked_div(2 * brokers).unwrap_or(self.room.bytes_max);
        let batch = self.room.held.batch_bytes.load(Ordering::Relaxed);
        let least = of_partition.min(bytes(config.fetch_max_bytes)).max(batch);
        let beside = overhead(partitions);
        loop {
            let room = self.room.take(least.saturating_add(beside), share.min(wanted.saturating_add(beside)));
            if room.is_some() {
                return room;
            }
            let is_paused =
                |fetched: &Fetched| self.positions.get(&fetched.name).is_some_and(|position| position.paused);
            let last = self.buffered.iter().rposition(is_paused)?;
            self.buffered.remove(last);
        }
    }
}
