//! One partition that this node leads: its log, what of it may be read, and who waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering};

use kernel::port::{Clock, Disk, Submission};
use kernel::{ErrorCode, LeaderEpoch, Now, Offset, Uuid};
use parking_lot::{Mutex, MutexGuard, RwLock};
use storage::{AppendError, AppendInfo, FlushWork, Log, Origin};
use tokio::sync::oneshot;
use tracing::error;
use wire::batch::validate::{ProduceRules, Validated};

use crate::flush::{Flush, OnDurable};
use crate::parked::Waiters;

/// A partition led by this node.
///
/// *Invariant:* `high_watermark` never passes what is durable where the topic asks for a sync before the acknowledgement,
/// and never goes back except when the log is truncated.
pub struct Partition {
    pub topic: Arc<str>,
    pub topic_id: Uuid,
    pub index: i32,
    leader_epoch: AtomicI32,
    log: Mutex<Log>,
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

    /// Appends one batch.
    pub fn append(&self, now: Now, batch: Validated, origin: Origin) -> Result<Appended, AppendError> {
        let mut log = self.log.lock();
        let info = log.append(now.wall, &[batch], self.leader_epoch(), origin)?;
        let end = log.end_offset();
        let wait_for = if info.duplicate {
            // The records may have arrived a moment ago and not be durable yet.
            (self.high_watermark() < info.last_offset + 1).then_some(info.last_offset + 1)
        } else if info.flush_due {
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

    /// Waits until everything before `end` is durable.
    pub async fn durable(self: &Arc<Self>, end: Offset) -> Result<(), ErrorCode> {
        let (tell, told) = oneshot::channel();
        self.when_durable(
            end,
            Box::new(move |result| {
                // The request may have been given up meanwhile.
                let _ = tell.send(result);
            }),
        );
        told.await.unwrap_or(Err(ErrorCode::KafkaStorageError))
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
                if let Err(problem) = result {
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
            self.waiters.wake();
        }
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
