//! One partition that this node leads: its log, what of it may be read, and who waits for it.

mod swap;
mod sync;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use kernel::planted::{self, Bug};
use kernel::port::{Clock, Disk};
use kernel::{ErrorCode, LeaderEpoch, Now, Offset, Timestamp, TopicPartition, Uuid};
use parking_lot::{Mutex, RwLock};
use storage::{AppendError, AppendInfo, EpochEnd, Log, LogDir, Origin, StorageError};
use wire::batch::validate::{ProduceRules, Validated};

use crate::dirs::Home;
use crate::flush::Flush;
use crate::journal::{InJournal, Journal};
use crate::parked::Waiters;
use crate::slot::{Awake, LogGuard, Settled, Slot};

pub(crate) use swap::Swap;

/// A partition led by this node.
///
/// *Invariant:* `high_watermark` never passes what is durable, unless the topic allows that (`write.caching`); it never goes
/// back except when the log is truncated.
/// *Invariant:* nothing is appended once `ended` is set, which happens under the lock of the log.
pub struct Partition {
    pub topic: Arc<str>,
    pub topic_id: Uuid,
    pub index: i32,
    leader_epoch: AtomicI32,
    pub(crate) slot: Mutex<Slot>,
    /// What clients are told since the partition is not served here any more.
    ended: OnceLock<ErrorCode>,
    high_watermark: AtomicI64,
    /// All before this offset is durable, in its segment or in the journal.
    durable: AtomicI64,
    /// All before this offset is durable or handed to the journal. Changed under the lock of the log.
    journaled: AtomicI64,
    /// The log directory. Changed under the lock of the log.
    home: RwLock<Arc<Home>>,
    /// The last zone of a journal that has records of this partition, so that it is noted there once.
    journal_zone: AtomicU64,
    /// The start of the log as the directory knows it that the log moves to.
    announced: AtomicI64,
    rules: RwLock<Arc<ProduceRules>>,
    flush: Mutex<Flush>,
    waiters: Waiters,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) awake: Arc<Awake>,
    pub(crate) me: Weak<Self>,
}

/// What a partition uses that is not its own.
pub(crate) struct World {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub home: Arc<Home>,
    pub awake: Arc<Awake>,
}

/// What an append came to.
pub struct Appended {
    pub info: AppendInfo,
    /// What the acknowledgement has to wait for.
    pub wait_for: Option<WaitFor>,
}

/// What an acknowledgement waits for.
pub struct WaitFor {
    /// Everything before this offset has to be durable.
    pub end: Offset,
    /// It is once this block of a journal is.
    pub block: Option<InJournal>,
}

impl Partition {
    pub(crate) fn new(
        slot: Slot,
        (topic, topic_id, index): (Arc<str>, Uuid, i32),
        leader_epoch: LeaderEpoch,
        rules: Arc<ProduceRules>,
        world: World,
    ) -> Arc<Self> {
        let known = slot.glance();
        Arc::new_cyclic(|me| Self {
            topic,
            topic_id,
            index,
            leader_epoch: AtomicI32::new(leader_epoch.0),
            high_watermark: AtomicI64::new(known.end.get()),
            durable: AtomicI64::new(known.recovery_point.get()),
            journaled: AtomicI64::new(known.recovery_point.get()),
            home: RwLock::new(world.home),
            journal_zone: AtomicU64::new(u64::MAX),
            announced: AtomicI64::new(-1),
            slot: Mutex::new(slot),
            ended: OnceLock::new(),
            rules: RwLock::new(rules),
            flush: Mutex::default(),
            waiters: Waiters::default(),
            disk: world.disk,
            clock: world.clock,
            awake: world.awake,
            me: Weak::clone(me),
        })
    }

    /// The log for a client's request, or what to tell the client if it is not served any more.
    pub fn serving(&self) -> Result<LogGuard<'_>, ErrorCode> {
        let slot = self.slot.lock();
        if let Some(code) = self.ended.get() {
            return Err(*code);
        }
        let log = self.awakened(slot);
        if log.offline().is_some() { Err(ErrorCode::KafkaStorageError) } else { Ok(log) }
    }

    /// Whether it is not served any more.
    pub fn is_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// What tells it from a partition of a topic that later gets the same name.
    pub fn key(&self) -> (Uuid, i32) {
        (self.topic_id, self.index)
    }

    /// Ends the partition because its topic is deleted. Returns the folder to remove later, if there is one.
    pub fn delete(&self, id: [u8; 16]) -> Result<Option<PathBuf>, StorageError> {
        {
            // Under the lock: whoever holds the log now is done with it when this goes on.
            let _slot = self.slot.lock();
            let _ = self.ended.set(ErrorCode::UnknownTopicOrPartition);
        }
        let renamed = self.take_away(id);
        self.waiters.wake();
        renamed
    }

    /// Ends the partition because the node stops, with everything durable, or ready for a sync of the whole directory where
    /// `whole` has one for it. Syncs.
    pub fn close<'a>(
        &self,
        now: Timestamp,
        whole: impl FnOnce(&Home) -> Option<&'a LogDir>,
    ) -> Result<Settled, StorageError> {
        {
            let _slot = self.slot.lock();
            // Clients then ask who leads, find nobody, and come back once this node does.
            let _ = self.ended.set(ErrorCode::NotLeaderOrFollower);
        }
        // From here on it moves no more.
        let settled = self.settle(now, whole(&self.home()));
        self.waiters.wake();
        settled
    }

    /// Whether its topic was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.ended.get() == Some(&ErrorCode::UnknownTopicOrPartition)
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        self.leader_epoch.store(epoch.0, Ordering::Release);
    }

    /// What may be read by consumers: everything before this offset.
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    pub fn rules(&self) -> Arc<ProduceRules> {
        Arc::clone(&self.rules.read())
    }

    pub fn set_rules(&self, rules: Arc<ProduceRules>) {
        *self.rules.write() = rules;
    }

    pub fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Compares the epoch that a client believes in with the partition's, as KIP-320 asks. -1 asks for nothing.
    pub fn check_epoch(&self, current: i32) -> Result<(), ErrorCode> {
        let epoch = self.leader_epoch().0;
        match current {
            -1 => Ok(()),
            older if older < epoch => Err(ErrorCode::FencedLeaderEpoch),
            newer if newer > epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// Where the largest epoch up to `epoch` ends. The leader's own epoch begins where its log ends until it appends
    /// something, which the log does not know.
    pub fn epoch_end(&self, log: &Log, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let own = self.leader_epoch();
        let end = log.end_offset();
        if epoch >= own || epoch == LeaderEpoch::NONE {
            return (epoch == own).then_some(EpochEnd { epoch, end });
        }
        log.epoch_end(epoch).or_else(|| {
            let latest = log.latest_epoch().filter(|latest| *latest < epoch);
            Some(EpochEnd { epoch: latest.unwrap_or(epoch), end })
        })
    }

    /// Appends one batch. Whoever is told to wait must begin that ([`Partition::when_durable`], or for a block of the journal
    /// [`InJournal`](crate::journal::InJournal)) before it waits for anything else, or the batch stays unseen.
    pub fn append(
        self: &Arc<Self>,
        now: Now,
        batch: Validated,
        origin: Origin,
    ) -> Result<Appended, AppendError> {
        let slot = self.slot.lock();
        if let Some(code) = self.ended.get() {
            let message = format!("{} is not served any more", self.name());
            return Err(AppendError::Rejected { code: *code, message });
        }
        let home = self.home();
        home.journal.check()?;
        let mut log = self.awakened(slot);
        let relaxed = log.config().write_caching;
        let epoch = self.leader_epoch();
        let batches = [batch];
        let info = match log.append(now.wall, &batches, epoch, origin) {
            Ok(info) => info,
            Err(error) => {
                let offline = log.offline().is_some();
                drop(log);
                if let AppendError::Storage(problem) = &error {
                    home.blame(problem);
                }
                if offline {
                    // Whoever waits for more learns that nothing will come.
                    self.waiters.wake();
                }
                return Err(error);
            }
        };
        let end = log.end_offset();
        let wait_for = if relaxed {
            self.appended_relaxed(&info, end)
        } else if info.duplicate {
            // The records may have arrived a moment ago and not be durable yet.
            let end = info.last_offset + 1;
            let durable = self.durable_to() >= end;
            let block = None;
            (!durable && !planted::on(Bug::AckDuplicateBeforeSync)).then_some(WaitFor { end, block })
        } else {
            let [batch] = &batches;
            let block = self.hand_to_journal(&home.journal, &info, epoch, batch, end);
            (!planted::on(Bug::AckBeforeSync))
                .then(|| WaitFor { end, block: block.map(|block| InJournal::new(&home.journal, block)) })
        };
        drop(log);
        if wait_for.is_none() {
            self.waiters.wake();
        }
        Ok(Appended { info, wait_for })
    }

    /// What a topic with `write.caching` waits for: a sync, where `flush.messages` asks for one.
    fn appended_relaxed(&self, info: &AppendInfo, end: Offset) -> Option<WaitFor> {
        if info.duplicate {
            let end = info.last_offset + 1;
            (info.flush_due || self.high_watermark() < end).then_some(WaitFor { end, block: None })
        } else if info.flush_due || self.high_watermark() < info.base_offset {
            // Others before it wait for a sync; what comes later may not be seen earlier.
            Some(WaitFor { end, block: None })
        } else {
            self.high_watermark.store(end.get(), Ordering::Release);
            None
        }
    }

    /// Gives a small batch to the journal. A large one is cheaper to make durable by a sync of its segment, and so is what
    /// comes after it until that is done. Called under the lock of the log, so that the journal has offsets in order.
    /// Returns the journal's block that has it.
    fn hand_to_journal(
        self: &Arc<Self>,
        journal: &Journal,
        info: &AppendInfo,
        epoch: LeaderEpoch,
        batch: &Validated,
        end: Offset,
    ) -> Option<u64> {
        let journaled = self.journaled.load(Ordering::Relaxed);
        if journaled < info.base_offset.get() || !journal.takes(batch.batch_len()) {
            return None;
        }
        let mut header = *batch.header();
        header.assign(info.base_offset, epoch);
        let block = journal.add(self, (info.base_offset, end), &[&header.encode(), batch.payload()]);
        self.journaled.store(end.get(), Ordering::Release);
        Some(block)
    }

    /// Notes that records of this partition are in a zone of the journal; false if that was known.
    pub(crate) fn enters_zone(&self, zone: u64) -> bool {
        // One block at a time is given its place.
        self.journal_zone.load(Ordering::Relaxed) != zone
            && self.journal_zone.swap(zone, Ordering::Relaxed) != zone
    }

    /// All before this offset survives a power cut.
    pub(crate) fn durable_to(&self) -> Offset {
        Offset(self.durable.load(Ordering::Acquire))
    }

    /// The journal has everything before `end`.
    pub(crate) fn is_durable(&self, end: Offset) {
        self.raise(end);
        let told = self.flush.lock().durable(end);
        self.waiters.wake();
        told.into_iter().for_each(|(done, outcome)| done(outcome));
    }

    /// A journal failed: nothing is acknowledged any more, if it is the one of the directory that the log is in.
    pub(crate) fn cannot_be_durable(&self, journal: &Journal) {
        if !std::ptr::eq(&*self.home().journal, journal) {
            return;
        }
        let told = self.flush.lock().fail();
        self.waiters.wake();
        told.into_iter().for_each(|(done, outcome)| done(outcome));
    }

    fn raise(&self, durable: Offset) {
        self.durable.fetch_max(durable.get(), Ordering::AcqRel);
        self.high_watermark.fetch_max(durable.get(), Ordering::AcqRel);
    }

    /// A replay of the journal may have added records. What the log has now can be read.
    pub(crate) fn recovered(&self) {
        let slot = self.slot.lock();
        let known = slot.glance();
        self.journaled.store(known.recovery_point.get(), Ordering::Release);
        self.raise(known.recovery_point);
        self.high_watermark.fetch_max(known.end.get(), Ordering::AcqRel);
    }

    /// The log ends elsewhere than was thought.
    pub(crate) fn found(&self, end: Offset, durable: Offset) {
        self.high_watermark.store(end.get(), Ordering::Release);
        for what in [&self.durable, &self.journaled] {
            what.store(durable.get(), Ordering::Release);
        }
    }

    /// The log was cut: what may be read ends where it ends.
    pub fn truncated(&self, end: Offset) {
        self.high_watermark.fetch_min(end.get(), Ordering::AcqRel);
    }

    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.topic), self.index)
    }

    /// The log directory that has the log.
    pub fn home(&self) -> Arc<Home> {
        Arc::clone(&self.home.read())
    }

    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.index)
    }
}
