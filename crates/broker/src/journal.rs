//! Runs the journal of a log directory: gathers what partitions append, writes one block at a time, tells who is durable.
//!
//! While a block is on its way to the disk the next one fills. When the journal enters a new zone, the partitions that have
//! records in the one it left are synced, so that the zone can be overwritten when the journal comes round.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use kernel::planted::{self, Bug};
use kernel::port::{Block, DiskFile};
use kernel::{ErrorCode, Offset};
use parking_lot::{Mutex, MutexGuard};
use storage::StorageError;
use storage::journal::{BATCH_MAX, Blocks, Ring, Sealed};
use tokio::sync::Notify;
use tracing::error;

use crate::partition::Partition;
use crate::sleepers::Sleepers;

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
    /// The largest batch that goes through the journal. What is larger would be written twice for little: one sync of its
    /// segment costs less.
    batch_max: AtomicUsize,
    /// All blocks before this number are durable. Changed under the lock of the state.
    durable_before: AtomicU64,
    file: OnceLock<Arc<dyn DiskFile>>,
    /// Bytes of blocks that are durable.
    written: AtomicU64,
    /// How often segments of a partition were synced.
    syncs: AtomicU64,
    /// Why nothing of this directory can be acknowledged any more.
    failed: OnceLock<StorageError>,
    /// Tells the node of it.
    tell_failed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    ring: Option<Ring>,
    open: Option<Blocks>,
    /// The number of the block that fills. They become durable in their order.
    filling: u64,
    holders: Holders,
    /// Full blocks that wait for their turn. What they have is charged to the memory of the requests that brought it.
    full: VecDeque<Full>,
    writing: bool,
    /// Memory of the block that is written.
    under_way: usize,
    spares: Vec<Block>,
    spare_holders: Vec<Holders>,
    sleepers: Sleepers,
    /// A block was written since [`Journal::rest`] looked last.
    busy: bool,
    /// Who has records in the zones that are not free.
    zones: BTreeMap<u64, Vec<Arc<Partition>>>,
    /// Zones that could not be freed for a reason that passes.
    stuck: Vec<Arc<Freeing>>,
}

/// A zone that is being freed: what it has is made durable in its segments.
struct Freeing {
    zone: u64,
    partitions: Vec<Arc<Partition>>,
}

/// What has become of the syncs that free a zone.
#[derive(Default)]
struct Outcome {
    left: AtomicUsize,
    failed: AtomicBool,
    /// Some could not begin, and may another time.
    not_begun: AtomicBool,
}

/// What a journal has done so far, and what it holds now.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Blocks that were made durable, and their bytes.
    pub blocks: u64,
    pub written: u64,
    /// How often segments of a partition were synced.
    pub syncs: u64,
    /// Bytes of the file that cannot be overwritten yet, of those that there are.
    pub used: u64,
    pub bound: u64,
    /// Memory of the blocks that fill, wait, are written or are kept for others.
    pub memory: usize,
}

struct Full {
    number: u64,
    sealed: Sealed,
    holders: Holders,
}

/// Waits until a block of a journal is durable, and nothing before it is left out.
///
/// It takes its place in a list that the journal has anyway, so that a wait costs no memory; and a task that waits for
/// several entries of one block is woken once for it.
pub struct InJournal {
    journal: Arc<Journal>,
    block: u64,
    /// Who is woken.
    waker: Option<Waker>,
    /// Has seen to it that the block will be written.
    begun: bool,
}

impl Journal {
    /// The journal of a log directory, before what it has from earlier was replayed.
    pub fn new(dir: &Path, number: usize, tell_failed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_owned(),
            number: number as u64,
            tell_failed,
            state: Mutex::default(),
            batch_max: AtomicUsize::new(0),
            durable_before: AtomicU64::new(0),
            file: OnceLock::new(),
            written: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            failed: OnceLock::new(),
        })
    }

    /// From now on batches of at most `batch_max` bytes are taken, and blocks written.
    pub fn begin(self: &Arc<Self>, journal: storage::journal::Journal, batch_max: usize) {
        self.batch_max.store(batch_max.min(BATCH_MAX), Ordering::Relaxed);
        self.state.lock().ring = Some(journal.ring);
        let _ = self.file.set(journal.file);
        self.kick();
    }

    /// Whether what it had from earlier was replayed.
    pub fn has_begun(&self) -> bool {
        self.file.get().is_some()
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
        batch_len <= self.batch_max.load(Ordering::Relaxed)
    }

    /// Takes a batch along. Returns the number of its block, which must be waited for ([`InJournal`]) or kicked
    /// ([`Journal::kick`]) once the locks are given back.
    pub fn add(&self, partition: &Arc<Partition>, (base, end): (Offset, Offset), parts: &[&[u8]]) -> u64 {
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
        state.filling
    }

    /// A zone, told from those of the other directories.
    fn tag(&self, zone: u64) -> u64 {
        zone.wrapping_mul(NUMBERS).wrapping_add(self.number)
    }

    /// Writes what was gathered, unless a block is on its way.
    pub fn kick(self: &Arc<Self>) {
        self.go_on(self.state.lock());
    }

    /// The same, by whoever has the lock.
    fn go_on(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let Some(file) = self.file.get() else { return };
        if state.writing || self.failed.get().is_some() {
            return;
        }
        if state.full.is_empty() {
            state.seal();
        }
        let State { full, ring: Some(ring), zones, .. } = &mut *state else { return };
        let Some(next) = full.front() else { return };
        // Without room it goes on when a zone is free.
        let Some(place) = ring.take(next.sealed.file_len()) else { return };
        let Some(Full { number, sealed, holders }) = full.pop_front() else { return };
        let entering = holders.iter().filter(|(partition, _)| partition.enters_zone(self.tag(place.zone)));
        zones.entry(place.zone).or_default().extend(entering.map(|(partition, _)| Arc::clone(partition)));
        let left = place.left.map(|zone| (zone, zones.remove(&zone).unwrap_or_default()));
        state.writing = true;
        state.under_way = sealed.memory();
        drop(state);
        let block = Arc::new(sealed.finish(&place));
        let (journal, written) = (Arc::clone(self), Arc::clone(&block));
        let done = move |result: std::io::Result<()>| journal.written(result, number, holders, written);
        file.submit_write(place.position, block, Box::new(done));
        if let Some((zone, partitions)) = left {
            self.clean(Arc::new(Freeing { zone, partitions }));
        }
    }

    fn written(
        self: &Arc<Self>,
        result: std::io::Result<()>,
        number: u64,
        mut holders: Holders,
        block: Arc<Block>,
    ) {
        match result
            .or_else(|problem| if planted::on(Bug::SwallowFailedSync) { Ok(()) } else { Err(problem) })
        {
            Ok(()) => holders.drain(..).for_each(|(partition, end)| partition.is_durable(end)),
            Err(problem) => {
                self.fail(&format!("a write of the journal failed: {problem}"));
                holders.drain(..).for_each(|(partition, _)| partition.cannot_be_durable(self));
            }
        }
        let bytes = block.len() as u64;
        let mut state = self.state.lock();
        (state.writing, state.under_way) = (false, 0);
        state.busy = true;
        if let Ok(block) = Arc::try_unwrap(block)
            && state.spares.len() < SPARES_MAX
        {
            state.spares.push(block);
        }
        if state.spare_holders.len() < SPARES_MAX {
            state.spare_holders.push(holders);
        }
        // Also the blocks before it, whose writes were done earlier. After a failure nothing is acknowledged any more.
        if self.failed.get().is_none() {
            self.written.fetch_add(bytes, Ordering::Relaxed);
            self.durable_before.store(number + 1, Ordering::Release);
        }
        let mut waiting = state.sleepers.done(number);
        drop(state);
        waiting.drain(..).for_each(Waker::wake);
        let mut state = self.state.lock();
        state.sleepers.recycle(waiting);
        self.go_on(state);
    }

    /// Whether a block is durable; nothing while that is not known.
    fn outcome(&self, block: u64) -> Option<Result<(), ErrorCode>> {
        if block < self.durable_before.load(Ordering::Acquire) {
            return Some(Ok(()));
        }
        self.failed.get().map(|_| Err(ErrorCode::KafkaStorageError))
    }

    /// About how many bytes were made durable in this directory so far. Segments are synced where batches are larger than
    /// what the journal takes.
    pub fn progress(&self) -> u64 {
        let syncs = self.syncs.load(Ordering::Relaxed);
        self.written.load(Ordering::Relaxed).saturating_add(syncs.saturating_mul(BATCH_MAX as u64))
    }

    /// What it has done so far, and what it holds.
    pub fn figures(&self) -> Figures {
        let state = self.state.lock();
        let waiting: usize = state.full.iter().map(|full| full.sealed.memory()).sum();
        let open = state.open.as_ref().map_or(0, Blocks::memory);
        let spare: usize = state.spares.iter().map(Block::capacity).sum();
        Figures {
            blocks: self.durable_before.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
            used: state.ring.as_ref().map_or(0, Ring::used),
            bound: state.ring.as_ref().map_or(0, Ring::capacity),
            memory: waiting + open + spare + state.under_way,
        }
    }

    /// Segments of a partition were synced.
    pub fn synced(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives the memory of a journal back that had nothing to do since the last call.
    pub fn rest(&self) {
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.busy) {
            state.spares = Vec::new();
            state.spare_holders = Vec::new();
            state.sleepers.rest();
        }
    }

    /// Tries again to free zones that had no room, or no file, for a sync.
    pub fn free_stuck(self: &Arc<Self>) {
        let stuck = std::mem::take(&mut self.state.lock().stuck);
        stuck.into_iter().for_each(|freeing| self.clean(freeing));
    }

    /// Makes what a zone has durable in its segments.
    fn clean(self: &Arc<Self>, freeing: Arc<Freeing>) {
        let outcome = Arc::new(Outcome::default());
        // One more than there are partitions, so that the zone is not free before all have begun.
        outcome.left.store(freeing.partitions.len() + 1, Ordering::SeqCst);
        for partition in &freeing.partitions {
            let (journal, freeing, outcome) = (Arc::clone(self), Arc::clone(&freeing), Arc::clone(&outcome));
            let synced = Arc::clone(partition);
            let ended = partition.is_deleted();
            partition.sync_segments(Box::new(move |result| {
                // What was deleted needs no copy.
                if result.is_err() && !ended {
                    let lasting = synced.has_failed_sync();
                    let what = if lasting { &outcome.failed } else { &outcome.not_begun };
                    what.store(true, Ordering::SeqCst);
                }
                journal.one_cleaned(&freeing, &outcome);
            }));
        }
        self.one_cleaned(&freeing, &outcome);
    }

    fn one_cleaned(self: &Arc<Self>, freeing: &Arc<Freeing>, outcome: &Outcome) {
        if outcome.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if outcome.failed.load(Ordering::SeqCst) {
            return self.fail(
                "segments could not be synced, and the journal may have the only copy of their records",
            );
        }
        let mut state = self.state.lock();
        if outcome.not_begun.load(Ordering::SeqCst) {
            state.stuck.push(Arc::clone(freeing));
            return;
        }
        if let Some(ring) = &mut state.ring {
            ring.cleaned(freeing.zone);
        }
        drop(state);
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
        let waiting = state.sleepers.all();
        drop(state);
        let holding = full.into_iter().flat_map(|full| full.holders).chain(gathered);
        holding.for_each(|(partition, _)| partition.cannot_be_durable(self));
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl InJournal {
    pub fn new(journal: &Arc<Journal>, block: u64) -> Self {
        Self { journal: Arc::clone(journal), block, waker: None, begun: false }
    }

    /// Waits for another block as well, if it is of the same journal.
    pub fn extend(&mut self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.journal, &other.journal);
        if same {
            self.block = self.block.max(other.block);
        }
        same
    }

    /// Sees to it that the block will be written, though nobody waits for it.
    pub fn begin(&self) {
        self.journal.kick();
    }

    /// Where no block is on its way the first call leaves a moment for what else the task brings along, and the next one
    /// begins to write.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        if let Some(outcome) = self.journal.outcome(self.block) {
            return Poll::Ready(outcome);
        }
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if known && self.begun {
            return Poll::Pending;
        }
        let mut state = self.journal.state.lock();
        // Looked at again under the lock, as it may have been written meanwhile.
        if let Some(outcome) = self.journal.outcome(self.block) {
            return Poll::Ready(outcome);
        }
        if !known {
            state.sleepers.add(self.block, context.waker());
        }
        let first = self.waker.is_none();
        if !known {
            self.waker = Some(context.waker().clone());
        }
        if state.writing {
            self.begun = true;
        } else if first {
            drop(state);
            context.waker().wake_by_ref();
        } else {
            self.begun = true;
            self.journal.go_on(state);
        }
        Poll::Pending
    }
}

impl State {
    /// Ends the block that fills, if it has anything.
    fn seal(&mut self) {
        if let Some(blocks) = self.open.take_if(|blocks| !blocks.is_empty()) {
            let next = self.spare_holders.pop().unwrap_or_default();
            let holders = std::mem::replace(&mut self.holders, next);
            self.full.push_back(Full { number: self.filling, sealed: blocks.seal(), holders });
            self.filling += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn block_written(journal: &Arc<Journal>, number: u64) {
        journal.state.lock().writing = false;
        journal.written(Ok(()), number, Vec::new(), Arc::new(Block::with_capacity(0)));
    }

    #[test]
    fn requests_that_wait_for_one_block_cost_their_task_one_turn() {
        let journal = Journal::new(Path::new("/data"), 0, Arc::default());
        journal.state.lock().writing = true;
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut context = Context::from_waker(&waker);
        let mut waits: Vec<InJournal> = [0, 0, 0, 1].map(|block| InJournal::new(&journal, block)).into();
        for _ in 0..3 {
            // Looking again changes nothing.
            assert!(waits.iter_mut().all(|wait| wait.poll(&mut context).is_pending()));
        }
        block_written(&journal, 0);
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
        let done: Vec<bool> = waits.iter_mut().map(|wait| wait.poll(&mut context).is_ready()).collect();
        assert_eq!(done, [true, true, true, false], "the next block is not written yet");
        block_written(&journal, 1);
        assert_eq!(task.0.load(Ordering::SeqCst), 2);
        assert_eq!(waits[3].poll(&mut context), Poll::Ready(Ok(())));
    }

    #[test]
    fn a_wait_ends_when_the_journal_fails_and_keeps_what_was_durable() {
        let journal = Journal::new(Path::new("/data"), 0, Arc::default());
        journal.state.lock().writing = true;
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut context = Context::from_waker(&waker);
        let mut waits: Vec<InJournal> = [0, 1].map(|block| InJournal::new(&journal, block)).into();
        assert!(waits.iter_mut().all(|wait| wait.poll(&mut context).is_pending()));
        block_written(&journal, 0);
        journal.fail("it is gone");
        assert_eq!(task.0.load(Ordering::SeqCst), 2);
        // Its write was under way when the journal failed.
        block_written(&journal, 1);
        assert_eq!(waits[0].poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(waits[1].poll(&mut context), Poll::Ready(Err(ErrorCode::KafkaStorageError)));
        let mut late = InJournal::new(&journal, 2);
        assert_eq!(late.poll(&mut context), Poll::Ready(Err(ErrorCode::KafkaStorageError)));
    }

    #[test]
    fn a_task_is_woken_by_the_waker_that_it_had_last() {
        let journal = Journal::new(Path::new("/data"), 0, Arc::default());
        journal.state.lock().writing = true;
        let mut wait = InJournal::new(&journal, 0);
        let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            assert!(wait.poll(&mut Context::from_waker(&waker)).is_pending());
        }
        block_written(&journal, 0);
        assert_eq!(tasks[1].0.load(Ordering::SeqCst), 1);
    }
}
