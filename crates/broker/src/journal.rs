//! Runs the journal of a log directory: gathers what partitions append, writes one block at a time, tells who is durable.
//!
//! While a block is on its way to the disk the next one fills. When the journal enters a new zone, the partitions that have
//! records in the one it left are synced, so that the zone can be overwritten when the journal comes round.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use kernel::Offset;
use kernel::planted::{self, Bug};
use kernel::port::{Block, DiskFile};
use parking_lot::Mutex;
use storage::StorageError;
use storage::journal::{Blocks, Ring, Sealed};
use tokio::sync::Notify;
use tracing::error;

use crate::partition::Partition;

/// The largest batch that goes through the journal. What is larger would be written twice for little: one sync of its
/// segment costs less.
const BATCH_MAX: usize = 256 << 10;

/// What a new block has room for at first.
const BLOCK_MIN: usize = 64 << 10;

/// How many blocks are kept for further use while there is work: one fills, one is written, and one is full. Memory that is
/// touched for the first time costs more than all else that is done with it.
const SPARES_MAX: usize = 3;

/// More directories than a node can have.
const NUMBERS: u64 = 1 << 16;

/// Whose records a block has, and up to where.
type Holders = Vec<(Arc<Partition>, Offset)>;

/// The journal of one log directory.
///
/// *Invariant:* one block is written at a time, in the order of the stream.
pub struct Journal {
    /// The log directory, and its number among those of the node.
    dir: PathBuf,
    number: u64,
    state: Mutex<State>,
    file: OnceLock<Arc<dyn DiskFile>>,
    /// Why nothing of this directory can be acknowledged any more.
    failed: OnceLock<StorageError>,
    /// Tells the node of it.
    tell_failed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    ring: Option<Ring>,
    open: Option<Blocks>,
    holders: Holders,
    /// Full blocks that wait for their turn. What they have is charged to the memory of the requests that brought it.
    full: VecDeque<(Sealed, Holders)>,
    writing: bool,
    spares: Vec<Block>,
    /// A block was written since [`Journal::rest`] looked last.
    busy: bool,
    /// Who has records in the zones that are not free.
    zones: BTreeMap<u64, Vec<Arc<Partition>>>,
}

impl Journal {
    /// The journal of a log directory, before what it has from earlier was replayed.
    pub fn new(dir: &Path, number: usize, tell_failed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_owned(),
            number: number as u64,
            tell_failed,
            state: Mutex::default(),
            file: OnceLock::new(),
            failed: OnceLock::new(),
        })
    }

    /// From now on blocks are written. Until then they are only gathered.
    pub fn begin(self: &Arc<Self>, journal: storage::journal::Journal) {
        self.state.lock().ring = Some(journal.ring);
        let _ = self.file.set(journal.file);
        self.kick();
    }

    /// Whether appends to this directory can become durable.
    pub fn check(&self) -> Result<(), StorageError> {
        match self.failed.get() {
            None => Ok(()),
            Some(why) => Err(why.clone()),
        }
    }

    /// Whether a batch of so many bytes goes through the journal.
    pub fn takes(&self, batch_len: usize) -> bool {
        batch_len <= BATCH_MAX
    }

    /// Takes a batch along. [`Journal::kick`] must follow, once the locks are given back.
    pub fn add(&self, partition: &Arc<Partition>, (base, end): (Offset, Offset), parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        let mut state = self.state.lock();
        if state.open.as_ref().is_some_and(|open| !open.has_room(len)) {
            state.seal();
        }
        let State { open, holders, spares, .. } = &mut *state;
        let blocks = open.get_or_insert_with(|| {
            Blocks::begin(spares.pop().unwrap_or_else(|| Block::with_capacity(BLOCK_MIN)))
        });
        blocks.add(partition.topic_id, partition.index, base, parts);
        match holders.last_mut() {
            Some((last, upto)) if Arc::ptr_eq(last, partition) => *upto = end,
            _ => holders.push((Arc::clone(partition), end)),
        }
    }

    /// A zone, told from those of the other directories.
    fn tag(&self, zone: u64) -> u64 {
        zone.wrapping_mul(NUMBERS).wrapping_add(self.number)
    }

    /// Writes what was gathered, unless a block is on its way.
    pub fn kick(self: &Arc<Self>) {
        let Some(file) = self.file.get() else { return };
        let mut state = self.state.lock();
        if state.writing || self.failed.get().is_some() {
            return;
        }
        if state.full.is_empty() {
            state.seal();
        }
        let State { full, ring: Some(ring), zones, .. } = &mut *state else { return };
        let Some((sealed, _)) = full.front() else { return };
        // Without room it goes on when a zone is free.
        let Some(place) = ring.take(sealed.file_len()) else { return };
        let Some((sealed, holders)) = full.pop_front() else { return };
        let entering = holders.iter().filter(|(partition, _)| partition.enters_zone(self.tag(place.zone)));
        zones.entry(place.zone).or_default().extend(entering.map(|(partition, _)| Arc::clone(partition)));
        let left = place.left.map(|zone| (zone, zones.remove(&zone).unwrap_or_default()));
        state.writing = true;
        drop(state);
        let block = Arc::new(sealed.finish(&place));
        let (journal, written) = (Arc::clone(self), Arc::clone(&block));
        let done = move |result: std::io::Result<()>| journal.written(result, holders, written);
        file.submit_write(place.position, block, Box::new(done));
        if let Some((zone, partitions)) = left {
            self.clean(zone, partitions);
        }
    }

    fn written(self: &Arc<Self>, result: std::io::Result<()>, holders: Holders, block: Arc<Block>) {
        match result
            .or_else(|problem| if planted::on(Bug::SwallowFailedSync) { Ok(()) } else { Err(problem) })
        {
            Ok(()) => holders.into_iter().for_each(|(partition, end)| partition.is_durable(end)),
            Err(problem) => {
                self.fail(&format!("a write of the journal failed: {problem}"));
                holders.into_iter().for_each(|(partition, _)| partition.cannot_be_durable(self));
            }
        }
        let mut state = self.state.lock();
        state.writing = false;
        state.busy = true;
        if let Ok(block) = Arc::try_unwrap(block)
            && state.spares.len() < SPARES_MAX
        {
            state.spares.push(block);
        }
        drop(state);
        self.kick();
    }

    /// Gives the memory of a journal back that had nothing to do since the last call.
    pub fn rest(&self) {
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.busy) {
            state.spares = Vec::new();
        }
    }

    /// Makes what a zone has durable in its segments.
    fn clean(self: &Arc<Self>, zone: u64, partitions: Vec<Arc<Partition>>) {
        // One more than there are partitions, so that the zone is not free before all have begun.
        let left = Arc::new(AtomicUsize::new(partitions.len() + 1));
        let failed = Arc::new(AtomicBool::new(false));
        for partition in &partitions {
            let (journal, left, failed) = (Arc::clone(self), Arc::clone(&left), Arc::clone(&failed));
            let ended = partition.is_deleted();
            partition.sync_segments(Box::new(move |result| {
                // What was deleted needs no copy.
                failed.fetch_or(result.is_err() && !ended, Ordering::SeqCst);
                journal.one_cleaned(zone, &left, &failed);
            }));
        }
        self.one_cleaned(zone, &left, &failed);
    }

    fn one_cleaned(self: &Arc<Self>, zone: u64, left: &AtomicUsize, failed: &AtomicBool) {
        if left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if failed.load(Ordering::SeqCst) {
            return self.fail(
                "segments could not be synced, and the journal may have the only copy of their records",
            );
        }
        if let Some(ring) = &mut self.state.lock().ring {
            ring.cleaned(zone);
        }
        self.kick();
    }

    /// Nothing more of this log directory is acknowledged, until it is opened again. The caller holds no lock of a log.
    pub fn fail(&self, why: &str) {
        let first = self.failed.set(StorageError::offline(&self.dir, why)).is_ok();
        if first {
            error!(
                dir = %self.dir.display(),
                why,
                "this log directory is offline and takes no more records: check its disk, then restart the node; what \
                 was acknowledged can be read"
            );
            self.tell_failed.notify_one();
        }
        let mut state = self.state.lock();
        let gathered = std::mem::take(&mut state.holders);
        let full = std::mem::take(&mut state.full);
        state.open = None;
        drop(state);
        let waiting = full.into_iter().flat_map(|(_, holders)| holders).chain(gathered);
        waiting.for_each(|(partition, _)| partition.cannot_be_durable(self));
    }
}

impl State {
    /// Ends the block that fills, if it has anything.
    fn seal(&mut self) {
        if let Some(blocks) = self.open.take_if(|blocks| !blocks.is_empty()) {
            let holders = std::mem::take(&mut self.holders);
            self.full.push_back((blocks.seal(), holders));
        }
    }
}
