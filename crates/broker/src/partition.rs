//! One partition that this node leads: its log, what of it may be read, and who waits for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use kernel::planted::{self, Bug};
use kernel::port::{Clock, Disk, Submission};
use kernel::{ErrorCode, LeaderEpoch, Now, Offset, Timestamp, Uuid};
use parking_lot::{Mutex, MutexGuard, RwLock};
use storage::{AppendError, AppendInfo, EpochEnd, FlushWork, Log, Origin, StorageError};
use tokio::sync::oneshot;
use tracing::error;
use wire::batch::validate::{ProduceRules, Validated};

use crate::flush::{Flush, OnDurable};
use crate::parked::Waiters;

/// A partition led by this node.
///
/// *Invariant:* `high_watermark` never passes what is durable where the topic asks for a sync before the acknowledgement,
/// and never goes back except when the log is truncated.
/// *Invariant:* nothing is appended once `ended` is set, which happens under the lock of the log.
pub struct Partition {
    pub topic: Arc<str>,
    pub topic_id: Uuid,
    pub index: i32,
    leader_epoch: AtomicI32,
    log: Mutex<Log>,
    /// What clients are told since the partition is not served here any more.
    ended: OnceLock<ErrorCode>,
    high_watermark: AtomicI64,
    rules: RwLock<Arc<ProduceRules>>,
    flush: Mutex<Flush>,
    waiters: Waiters,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
}

/// What an append came to.
#[derive(Debug, Clone)]
pub struct Appended {
    pub info: AppendInfo,
    /// The acknowledgement has to wait until everything before this offset is durable.
    pub wait_for: Option<Offset>,
}

impl Partition {
    pub fn new(
        log: Log,
        topic_id: Uuid,
        leader_epoch: LeaderEpoch,
        rules: Arc<ProduceRules>,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let name = log.partition().clone();
        Arc::new(Self {
            topic: name.topic,
            topic_id,
            index: name.partition,
            leader_epoch: AtomicI32::new(leader_epoch.0),
            high_watermark: AtomicI64::new(log.end_offset().get()),
            log: Mutex::new(log),
            ended: OnceLock::new(),
            rules: RwLock::new(rules),
            flush: Mutex::default(),
            waiters: Waiters::default(),
            disk,
            clock,
        })
    }

    /// The log. Held only for calls that do not wait.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock()
    }

    /// The log for a client's request, or what to tell the client if it is not served any more.
    pub fn serving(&self) -> Result<MutexGuard<'_, Log>, ErrorCode> {
        let log = self.log.lock();
        match self.ended.get() {
            Some(code) => Err(*code),
            None if log.offline().is_some() => Err(ErrorCode::KafkaStorageError),
            None => Ok(log),
        }
    }

    /// Ends the partition because its topic is deleted. Returns the folder to remove later.
    pub fn delete(&self, id: [u8; 16]) -> Result<PathBuf, StorageError> {
        let mut log = self.log.lock();
        let _ = self.ended.set(ErrorCode::UnknownTopicOrPartition);
        let renamed = log.delete(id);
        drop(log);
        self.waiters.wake();
        renamed
    }

    /// Ends the partition because the node stops, with everything durable. Syncs.
    pub fn close(&self, now: Timestamp) -> Result<(), StorageError> {
        let mut log = self.log.lock();
        // Clients then ask who leads, find nobody, and come back once this node does.
        let _ = self.ended.set(ErrorCode::NotLeaderOrFollower);
        let closed = log.close(now).map(|_| ());
        drop(log);
        self.waiters.wake();
        closed
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
            ..0 => Ok(()),
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
        if epoch >= own || epoch.0 < 0 {
            return (epoch == own).then_some(EpochEnd { epoch, end });
        }
        log.epoch_end(epoch).or_else(|| {
            let latest = log.latest_epoch().filter(|latest| *latest < epoch);
            Some(EpochEnd { epoch: latest.unwrap_or(epoch), end })
        })
    }

    /// Appends one batch. Whoever is told to wait must call [`Partition::when_durable`] before it waits for anything,
    /// or the batch stays unseen.
    pub fn append(&self, now: Now, batch: Validated, origin: Origin) -> Result<Appended, AppendError> {
        let mut log = self.log.lock();
        if let Some(code) = self.ended.get() {
            let message = format!("{} is not served any more", self.name());
            return Err(AppendError::Rejected { code: *code, message });
        }
        let info = match log.append(now.wall, &[batch], self.leader_epoch(), origin) {
            Ok(info) => info,
            Err(error) => {
                if log.offline().is_some() {
                    // Whoever waits for more learns that nothing will come.
                    self.waiters.wake();
                }
                return Err(error);
            }
        };
        let end = log.end_offset();
        let wait_for = if info.duplicate {
            // The records may have arrived a moment ago, or before a crash, and not be durable yet.
            let end = info.last_offset + 1;
            let durable = !info.flush_due && self.high_watermark() >= end;
            (!durable && !planted::on(Bug::AckDuplicateBeforeSync)).then_some(end)
        } else if info.flush_due && !planted::on(Bug::AckBeforeSync) {
            Some(end)
        } else if self.high_watermark() < info.base_offset {
            // Others before it wait for a sync; what comes later may not be seen earlier.
            Some(end)
        } else {
            self.high_watermark.store(end.get(), Ordering::Release);
            None
        };
        drop(log);
        if wait_for.is_none() {
            self.waiters.wake();
        }
        Ok(Appended { info, wait_for })
    }

    /// Calls `done` once everything before `end` is durable; begins a sync if none runs.
    pub fn when_durable(self: &Arc<Self>, end: Offset, done: OnDurable) {
        self.flush.lock().wait(end, done);
        self.begin_sync();
    }

    /// Begins to make everything before `end` durable; the result is when it is.
    pub fn durable(
        self: &Arc<Self>,
        end: Offset,
    ) -> impl Future<Output = Result<(), ErrorCode>> + Send + use<> {
        let (tell, told) = oneshot::channel();
        self.when_durable(
            end,
            Box::new(move |result| {
                // The request may have been given up meanwhile.
                let _ = tell.send(result);
            }),
        );
        async move { told.await.unwrap_or(Err(ErrorCode::KafkaStorageError)) }
    }

    fn begin_sync(self: &Arc<Self>) {
        let mut log = self.log.lock();
        let end = log.end_offset();
        if !self.flush.lock().begin(end) {
            return;
        }
        let work = log.begin_flush();
        drop(log);
        match work {
            Ok(Some(work)) => self.sync(work),
            Ok(None) => self.sync_ended(Ok(end)),
            Err(problem) => {
                error!(partition = %self.name(), %problem, "a sync cannot begin");
                self.sync_ended(Err(()));
            }
        }
    }

    /// Submits a sync of each file; the last to complete settles all.
    fn sync(self: &Arc<Self>, work: FlushWork) {
        let left = Arc::new(AtomicUsize::new(work.files.len()));
        let failed = Arc::new(AtomicBool::new(false));
        if work.files.is_empty() {
            self.sync_done(work.upto);
            return;
        }
        for file in work.files {
            let (partition, left, failed) = (Arc::clone(self), Arc::clone(&left), Arc::clone(&failed));
            let done = move |result: std::io::Result<()>| {
                if let Err(problem) = result
                    && !planted::on(Bug::SwallowFailedSync)
                {
                    error!(partition = %partition.name(), %problem, "a sync failed; the partition goes offline");
                    partition.log.lock().flush_failed(problem);
                    failed.store(true, Ordering::SeqCst);
                }
                if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    if failed.load(Ordering::SeqCst) {
                        partition.sync_ended(Err(()));
                    } else {
                        partition.sync_done(work.upto);
                    }
                }
            };
            self.disk.submit(Submission::Sync(file), Box::new(done));
        }
    }

    fn sync_done(self: &Arc<Self>, upto: Offset) {
        self.log.lock().flushed_to(upto, self.clock.now().wall);
        self.sync_ended(Ok(upto));
    }

    fn sync_ended(self: &Arc<Self>, result: Result<Offset, ()>) {
        let (durable, told) = self.flush.lock().ended(result.is_ok());
        if let Some(durable) = durable {
            self.high_watermark.fetch_max(durable.get(), Ordering::AcqRel);
        }
        // Also if it failed: whoever waits for more learns that nothing will come.
        self.waiters.wake();
        for (done, outcome) in told {
            done(outcome);
        }
        // What arrived meanwhile needs the next one.
        self.begin_sync();
    }

    /// The log was cut: what may be read ends where it ends.
    pub fn truncated(&self, end: Offset) {
        self.high_watermark.fetch_min(end.get(), Ordering::AcqRel);
    }

    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.index)
    }
}
