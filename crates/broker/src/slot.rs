//! The log of a partition while somebody uses it, and what is remembered of it while nobody does.
//!
//! A node may have far more partitions than it may open files, and most of them are idle. [`Partition::log`] makes the log of
//! one that rests; it rests again when nobody has used it for a minute, or at once where more logs have files open than
//! [`Awake`] allows.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use kernel::{Instant, LeaderEpoch, Offset, Timestamp};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use storage::{Chores, Log, LogConfig, LogDir, RecoveryReport, Rest, StorageError};
use tracing::{error, info, warn};

use crate::partition::Partition;

/// The log of a partition, for one who uses it.
pub type LogGuard<'a> = MappedMutexGuard<'a, Log>;

/// What a partition has of its log.
pub(crate) struct Slot {
    config: Arc<LogConfig>,
    /// Counts while there is no log.
    rest: Rest,
    log: Option<Box<Log>>,
    /// Used since room was looked for the last time.
    used: bool,
    /// May have files open, and is in the list of those.
    open: bool,
    /// Is in the list of those that have background work.
    listed: bool,
    /// The log could not be woken for a reason that passes, and is woken again from then on.
    wake_again: Option<Instant>,
}

/// How long a log is left alone that could not be woken.
const WAKE_AGAIN: Duration = Duration::from_secs(1);

impl Slot {
    pub fn resting(config: Arc<LogConfig>, rest: Rest) -> Self {
        Self { config, rest, log: None, used: false, open: false, listed: false, wake_again: None }
    }

    /// The slot of a log that was just opened, and has no files open.
    pub fn opened(mut log: Log) -> Self {
        let config = Arc::clone(log.config());
        let all_durable = log.recovery_point() >= log.end_offset();
        match log.rest() {
            Ok(Some(rest)) if all_durable => Self::resting(config, rest),
            _ => {
                // One that is offline keeps what it has.
                let _ = log.release();
                let rest = Rest::unwritten(Offset::ZERO);
                Self { log: Some(Box::new(log)), ..Self::resting(config, rest) }
            }
        }
    }

    /// What is to be remembered of a log that rests and is durable as a whole.
    fn settled(&self) -> Option<Rest> {
        let rest = &self.rest;
        let durable = rest.recovery_point >= rest.end && !rest.names_dirty && !rest.unverified;
        (self.log.is_none() && durable).then_some(self.rest)
    }

    /// What is known without waking the log.
    pub fn glance(&self) -> Glance {
        match &self.log {
            Some(log) => Glance {
                start: log.start_offset(),
                end: log.end_offset(),
                recovery_point: log.recovery_point(),
                cleaned_to: log.cleaned_to(),
                size: log.size(),
                latest_epoch: log.latest_epoch(),
                quiet: false,
            },
            None => Glance {
                start: self.rest.start,
                end: self.rest.end,
                recovery_point: self.rest.recovery_point,
                cleaned_to: self.rest.cleaned_to,
                size: self.rest.size,
                latest_epoch: self.rest.latest_epoch,
                quiet: self.rest.plain,
            },
        }
    }

    /// Lets the log rest if it can, and closes its files in any case.
    fn close_files(&mut self) {
        let Some(log) = &mut self.log else { return };
        match log.rest() {
            Ok(Some(rest)) => {
                self.rest = rest;
                self.log = None;
            }
            Ok(None) => {
                // A log that is offline keeps what it has; whoever uses it next is told.
                let _ = log.release();
            }
            // Nothing is unsure; it rests another time.
            Err(problem) if problem.passes() => {}
            Err(problem) => log.take_offline(&problem.to_string()),
        }
    }
}

/// What is known of a partition's log without waking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    pub start: Offset,
    pub end: Offset,
    pub recovery_point: Offset,
    pub cleaned_to: Offset,
    pub size: u64,
    pub latest_epoch: Option<LeaderEpoch>,
    /// The log rests and knows no producers: all before its end is stable.
    pub quiet: bool,
}

/// What became of a log at a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// For the next start; nothing if no files are there, or they have to be looked at.
    pub remember: Option<Rest>,
    /// What holds of the log once its directory was synced, if it was not itself.
    pub unsynced: Option<Rest>,
}

/// The partitions whose logs are in use.
pub struct Awake {
    /// How many logs may have files open at a time.
    open_max: usize,
    open: AtomicUsize,
    /// Those that may have files open; who was used since it was looked at gets a second chance.
    files: Mutex<VecDeque<Weak<Partition>>>,
    /// Those that may have work in the background.
    listed: Mutex<Vec<Weak<Partition>>>,
}

impl Awake {
    pub fn new(open_max: usize) -> Arc<Self> {
        Arc::new(Self {
            open_max: open_max.max(1),
            open: AtomicUsize::new(0),
            files: Mutex::default(),
            listed: Mutex::default(),
        })
    }

    /// How many logs may have files open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub fn open_max(&self) -> usize {
        self.open_max
    }

    /// Notes that a log is about to be used. Returns whether too many are.
    fn touch(&self, slot: &mut Slot, partition: &Weak<Partition>) -> bool {
        slot.used = true;
        if !slot.listed {
            slot.listed = true;
            self.listed.lock().push(Weak::clone(partition));
        }
        if slot.open {
            return false;
        }
        slot.open = true;
        self.files.lock().push_back(Weak::clone(partition));
        self.open.fetch_add(1, Ordering::Relaxed) >= self.open_max
    }

    /// A log has no files open any more.
    fn closed(&self, slot: &mut Slot) {
        if std::mem::take(&mut slot.open) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Closes the files of logs that were not used for longest. Those that somebody uses at this moment are passed over.
    fn make_room(&self) {
        let mut tries = self.files.lock().len().saturating_mul(2);
        while self.open() > self.open_max && tries > 0 {
            tries -= 1;
            let Some(oldest) = self.files.lock().pop_front() else { return };
            let Some(partition) = oldest.upgrade() else { continue };
            let kept = match partition.slot.try_lock() {
                None => true,
                Some(mut slot) => {
                    let kept = slot.open && std::mem::take(&mut slot.used);
                    if slot.open && !kept {
                        slot.close_files();
                        self.closed(&mut slot);
                    }
                    kept
                }
            };
            if kept {
                self.files.lock().push_back(oldest);
            }
        }
    }

    /// The partitions that may have work in the background. Those that do are to be given to [`Self::relist`].
    pub(crate) fn take_listed(&self) -> Vec<Arc<Partition>> {
        let listed = std::mem::take(&mut *self.listed.lock());
        listed.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn relist(&self, partition: &Arc<Partition>) {
        self.listed.lock().push(Arc::downgrade(partition));
    }
}

/// Wakes those of many logs whose waking takes long, several at a time: they are recovered, or get their first files.
pub(crate) async fn wake_all(partitions: &[Arc<Partition>]) {
    let unverified: Vec<_> =
        partitions.iter().filter(|partition| partition.rests(|rest| rest.unverified)).collect();
    if !unverified.is_empty() {
        host::task::each(&unverified, |partition| drop(partition.log())).await;
    }
    let unborn: Vec<_> =
        partitions.iter().filter(|partition| partition.rests(|rest| !rest.on_disk)).collect();
    if !unborn.is_empty() {
        host::task::each_on_cores(&unborn, |partition| drop(partition.log())).await;
    }
}

impl Partition {
    /// The log. Held only for calls that do not wait.
    pub fn log(&self) -> LogGuard<'_> {
        self.awakened(self.slot.lock())
    }

    /// The log in a slot.
    pub(crate) fn awakened<'a>(&self, mut slot: MutexGuard<'a, Slot>) -> LogGuard<'a> {
        if self.awake.touch(&mut slot, &self.me) {
            self.awake.make_room();
        }
        if slot.wake_again.is_some_and(|at| self.clock.now().mono >= at) {
            (slot.log, slot.wake_again) = (None, None);
        }
        MutexGuard::map(slot, |slot| {
            let Slot { config, rest, log, wake_again, .. } = slot;
            &mut **log.get_or_insert_with(|| Box::new(self.wake(config, rest, wake_again)))
        })
    }

    /// What is to be said of the log. It is woken only if nobody has looked at its files since a crash.
    pub fn glance(&self) -> Glance {
        let slot = self.slot.lock();
        if slot.log.is_some() || !slot.rest.unverified {
            return slot.glance();
        }
        drop(self.awakened(slot));
        self.known()
    }

    /// Whether the log rests, and this holds of what is known of it.
    fn rests(&self, so: impl Fn(&Rest) -> bool) -> bool {
        let slot = self.slot.lock();
        slot.log.is_none() && so(&slot.rest)
    }

    /// What is known of the log without waking it; after a crash, what checkpoints have said.
    pub(crate) fn known(&self) -> Glance {
        self.slot.lock().glance()
    }

    /// Has background work done for a log that was opened with the partition.
    pub(crate) fn begin_chores(&self) {
        let mut slot = self.slot.lock();
        if slot.log.is_some() && !std::mem::replace(&mut slot.listed, true) {
            self.awake.listed.lock().push(Weak::clone(&self.me));
        }
    }

    /// Whether the log is in memory.
    pub(crate) fn is_awake(&self) -> bool {
        self.slot.lock().log.is_some()
    }

    pub(crate) fn log_config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.slot.lock().config)
    }

    /// Takes over changed topic configs.
    pub(crate) fn set_log_config(&self, config: Arc<LogConfig>) {
        let mut slot = self.slot.lock();
        let lag = |config: &LogConfig| (config.cleanup, config.max_compaction_lag_ms);
        let asks_for_cleaning = config.cleanup.compact && lag(&config) != lag(&slot.config);
        let resting = slot.log.is_none();
        if let Some(log) = &mut slot.log {
            log.set_config(Arc::clone(&config));
        }
        slot.config = config;
        if resting && asks_for_cleaning && slot.rest.size > 0 {
            // It rests again if there is nothing to clean.
            drop(self.awakened(slot));
        }
    }

    fn wake(&self, config: &Arc<LogConfig>, rest: &Rest, wake_again: &mut Option<Instant>) -> Log {
        // A log that works must not be given up for one before it that did not.
        *wake_again = None;
        let (disk, config, now) = (Arc::clone(&self.disk), Arc::clone(config), self.clock.now().wall);
        let name = || self.topic_partition();
        let home = self.home();
        if self.is_deleted() {
            // The folder may be another topic's by now.
            return Log::not_woken(disk, &home.path, name(), self.topic_id, config, rest, "it was deleted");
        }
        let opened = match rest.unverified {
            // What lies past the recovery point is read and verified, while other tasks go on.
            true => host::task::long(|| self.recover(Arc::clone(&config), rest)),
            false => Log::wake(disk, &home.path, name(), self.topic_id, Arc::clone(&config), rest, now),
        };
        match opened {
            Ok((log, report)) if rest.unverified => {
                report_recovery(&self.name(), &report);
                if self.home().journal.has_begun() {
                    self.found(log.end_offset(), log.recovery_point());
                }
                log
            }
            Ok((log, report)) => {
                if log.end_offset() != rest.end {
                    warn!(partition = %self.name(), expected = %rest.end, found = %log.end_offset(), ?report,
                        "somebody else has changed the files of this partition: what is there counts");
                    self.found(log.end_offset(), log.end_offset());
                }
                log
            }
            Err(problem) => {
                error!(partition = %self.name(), %problem, "the partition is offline");
                // Of one that was not looked at since a crash the journal may have more, which is read but once.
                *wake_again =
                    (problem.passes() && !rest.unverified).then(|| self.clock.now().mono + WAKE_AGAIN);
                let why = problem.to_string();
                let disk = Arc::clone(&self.disk);
                Log::not_woken(disk, &home.path, name(), self.topic_id, config, rest, &why)
            }
        }
    }

    /// Makes the log after a crash. What it has then is given to readers, so it must stay; that comes with the replay of the
    /// journal as long as that is not done.
    fn recover(&self, config: Arc<LogConfig>, rest: &Rest) -> Result<(Log, RecoveryReport), StorageError> {
        let (home, now) = (self.home(), self.clock.now().wall);
        let (name, mut rest) = (self.topic_partition(), *rest);
        if let Some(path) = storage::set_former_aside(&*self.disk, &home.path, &name, self.topic_id)? {
            warn!(partition = %name, path = %path.display(),
                "these files are of an earlier topic of that name; they are kept under another name");
            rest = Rest::unwritten(Offset::ZERO);
        }
        let (relaxed, flush_messages) = (config.write_caching, config.flush_messages);
        let disk = Arc::clone(&self.disk);
        let (mut log, report) = Log::wake(disk, &home.path, name, self.topic_id, config, &rest, now)?;
        let unsynced = log.end_offset().get().saturating_sub(log.recovery_point().get());
        let due = if relaxed { unsynced >= flush_messages.max(1) } else { home.journal.has_begun() };
        if unsynced > 0 && due {
            log.flush(now)?;
        }
        Ok((log, report))
    }

    /// Whether retention would take something away, or can only be told by the log itself.
    pub(crate) fn retention_due(&self, now: Timestamp) -> bool {
        let slot = self.slot.lock();
        slot.log.is_some() || slot.rest.retention_due(&slot.config, now)
    }

    /// What is due for the log; nothing once it rests, and [`Awake`] lists it no more.
    pub(crate) fn chores(&self, now: Timestamp) -> Option<Chores> {
        let mut slot = self.slot.lock();
        if let Some(log) = &mut slot.log {
            let chores = log.background(now);
            if !log.is_idle() || chores != Chores::default() {
                return Some(chores);
            }
            slot.close_files();
            self.awake.closed(&mut slot);
        }
        if slot.log.is_some() {
            return Some(Chores::default());
        }
        slot.listed = false;
        None
    }

    /// Forgets idle producers. A log that rests knows none, or those that are still known once it is used.
    pub(crate) fn expire_producers(&self, now: Timestamp) {
        if let Some(log) = &mut self.slot.lock().log {
            log.expire_producers(now);
        }
    }

    /// Makes everything durable for a clean stop; or leaves the syncs to one that `whole` will make of its directory, if that
    /// covers it. Waits for the disk, unless the log rests and all of it is durable.
    pub(crate) fn settle(&self, now: Timestamp, whole: Option<&LogDir>) -> Result<Settled, StorageError> {
        let slot = self.slot.lock();
        if let Some(rest) = slot.settled() {
            return Ok(Settled { remember: Some(rest).filter(|rest| rest.on_disk), unsynced: None });
        }
        drop(slot);
        let mut log = self.log();
        if !whole.is_some_and(|whole| whole.covers(log.dir())) {
            log.close(now)?;
            // What is to be cleaned is looked at again by the next start.
            let remember = if log.awaits_cleaning() { None } else { Some(log.facts()?) };
            return Ok(Settled { remember, unsynced: None });
        }
        let closed = log.close_unsynced()?;
        Ok(Settled { remember: Some(closed).filter(|_| !log.awaits_cleaning()), unsynced: Some(closed) })
    }

    /// Whether [`Self::settle`] has something to sync.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.slot.lock().settled().is_none()
    }

    /// The sync was made that [`Self::settle`] has left its own to.
    pub(crate) fn settled(&self, rest: Rest) {
        let mut slot = self.slot.lock();
        slot.log = None;
        slot.rest = rest;
        self.awake.closed(&mut slot);
    }

    /// Takes the folder of a deleted log out of its place; nothing if there is none.
    pub(crate) fn take_away(&self, id: [u8; 16]) -> Result<Option<PathBuf>, StorageError> {
        let mut slot = self.slot.lock();
        let on_disk = slot.rest.on_disk;
        match &mut slot.log {
            Some(log) => log.delete(id).map(Some),
            None if on_disk => {
                storage::take_away(&*self.disk, &self.home().path, &self.topic_partition(), id).map(Some)
            }
            None => Ok(None),
        }
    }
}

/// Says what recovery had to mend.
pub(crate) fn report_recovery(partition: &str, report: &RecoveryReport) {
    if report.lost_durable || report.segments_dropped > 0 {
        error!(
            partition,
            ?report,
            "records that had been whole are damaged: the log ends before them, and what follows is kept in its folder, \
             in files that end in .damaged"
        );
    } else if report.is_notable() {
        info!(partition, ?report, "log recovered");
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let awake = Arc::clone(&self.awake);
        awake.closed(self.slot.get_mut());
    }
}
