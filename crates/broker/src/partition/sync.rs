//! How records become durable in their segments: who waits for it, and the syncs that are made for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kernel::port::Submission;
use kernel::{ErrorCode, Offset};
use storage::FlushWork;
use tokio::sync::oneshot;
use tracing::error;

use super::Partition;
use crate::flush::OnDurable;
use crate::slot::LogGuard;

impl Partition {
    /// Calls `done` once everything before `end` is durable, and sees to it that it will be.
    pub fn when_durable(self: &Arc<Self>, end: Offset, done: OnDurable) {
        let mut flush = self.flush.lock();
        // Looked at under the lock, as whoever raises it takes the lock afterwards.
        if self.durable_to() >= end {
            drop(flush);
            return done(Ok(()));
        }
        flush.wait(end, done);
        drop(flush);
        if end.get() <= self.journaled.load(Ordering::Acquire) {
            self.home().journal.kick();
        } else {
            self.begin_sync();
        }
    }

    /// Calls `done` once everything up to now is durable in its segments.
    pub fn sync_segments(self: &Arc<Self>, done: OnDurable) {
        let end = self.glance().end;
        self.flush.lock().wait_for_segments(end, done);
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

    pub(super) fn begin_sync(self: &Arc<Self>) {
        let log = self.log();
        if !self.flush.lock().begin(Offset(self.journaled.load(Ordering::Acquire))) {
            return;
        }
        if log.flush_waits() {
            // Whoever calls may be the journal, which has others to write for.
            drop(log);
            let partition = Arc::clone(self);
            let begin = move || partition.begin_flush(partition.log());
            return self.disk.submit(Submission::Task(Box::new(begin)), Box::new(|_| {}));
        }
        self.begin_flush(log);
    }

    /// Begins the sync that was noted, of all that the log has by now.
    fn begin_flush(self: &Arc<Self>, mut log: LogGuard<'_>) {
        let end = log.end_offset();
        let work = log.begin_flush();
        drop(log);
        match work {
            Ok(Some(work)) => self.sync(work),
            Ok(None) => self.sync_ended(Ok(end)),
            Err(problem) => {
                // What was deleted needs none.
                if !self.is_deleted() {
                    error!(partition = %self.name(), %problem, "a sync cannot begin");
                    self.home().blame(&problem);
                }
                match problem.passes() {
                    true => self.sync_not_begun(),
                    false => self.sync_ended(Err(())),
                }
            }
        }
    }

    fn sync_not_begun(self: &Arc<Self>) {
        let told = self.flush.lock().not_begun(Offset(self.journaled.load(Ordering::Acquire)));
        self.waiters.wake();
        for (done, outcome) in told {
            done(outcome);
        }
        self.begin_sync();
    }

    /// Whether a sync has failed, so that nothing is known of what is durable.
    pub(crate) fn has_failed_sync(&self) -> bool {
        self.flush.lock().has_failed()
    }

    /// Submits a sync of each file; the last to complete settles all.
    fn sync(self: &Arc<Self>, work: FlushWork) {
        let left = Arc::new(AtomicUsize::new(work.files.len()));
        let failed = Arc::new(AtomicBool::new(false));
        if work.files.is_empty() {
            self.sync_done(work.upto);
            return;
        }
        let home = self.home();
        for file in work.files {
            let (partition, left, failed) = (Arc::clone(self), Arc::clone(&left), Arc::clone(&failed));
            let home = Arc::clone(&home);
            let done = move |result: std::io::Result<()>| {
                if let Err(problem) = result {
                    error!(partition = %partition.name(), %problem, "a sync failed; the partition goes offline");
                    let mut log = partition.log();
                    if !Arc::ptr_eq(&home, &partition.home()) {
                        // The log has moved, and is durable where it is now.
                        drop(log);
                        home.journal.fail(&format!("a sync failed: {problem}"));
                        return partition.one_synced(&left, &failed, work.upto);
                    }
                    let why = log.flush_failed(problem);
                    drop(log);
                    // What else is on this disk cannot be relied on either.
                    home.journal.fail(&why.to_string());
                    failed.store(true, Ordering::SeqCst);
                }
                partition.one_synced(&left, &failed, work.upto);
            };
            self.disk.submit(Submission::Sync(file), Box::new(done));
        }
    }

    fn one_synced(self: &Arc<Self>, left: &AtomicUsize, failed: &AtomicBool, upto: Offset) {
        if left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if failed.load(Ordering::SeqCst) {
            self.sync_ended(Err(()));
        } else {
            self.sync_done(upto);
        }
    }

    fn sync_done(self: &Arc<Self>, upto: Offset) {
        self.home().journal.synced();
        let mut log = self.log();
        if log.offline().is_some() {
            // Another sync of the same files failed meanwhile. The kernel has told that one, and forgotten what it could not
            // write: that this one had nothing left to complain of says nothing.
            drop(log);
            return self.sync_ended(Err(()));
        }
        log.flushed_to(upto, self.clock.now().wall);
        self.journaled.fetch_max(log.recovery_point().get(), Ordering::AcqRel);
        drop(log);
        self.sync_ended(Ok(upto));
    }

    fn sync_ended(self: &Arc<Self>, result: Result<Offset, ()>) {
        let (durable, told) = self.flush.lock().ended(result);
        if let Some(durable) = durable {
            self.raise(durable);
        }
        // Also if it failed: whoever waits for more learns that nothing will come.
        self.waiters.wake();
        for (done, outcome) in told {
            done(outcome);
        }
        // What arrived meanwhile needs the next one.
        self.begin_sync();
    }
}
