//! A copy of the log in another directory takes its place.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kernel::{Offset, Timestamp};
use storage::{Log, Next, StorageError};

use super::Partition;
use crate::dirs::Home;
use crate::moves::Move;

/// What became of [`Partition::swap`].
pub(crate) enum Swap {
    /// The copy is the log now. The old one's folder is to be removed.
    Done(PathBuf),
    /// There is more to copy.
    Later,
}

impl Partition {
    /// Notes which start of the log the directory knows that the log is about to be moved to.
    pub(crate) fn note_announced(&self, start: Offset) {
        self.announced.store(start.get(), Ordering::Release);
    }

    /// Lets a copy take the log's place: it gets what it lacks, and all of it is durable. Nothing happens if that is too much
    /// for a moment in which nobody can append. The copy is taken only if it is in its place. Syncs.
    ///
    /// A failure in the middle takes the log offline: the next start finds which of the two to go on with, and they are
    /// equal.
    pub(crate) fn swap(
        self: &Arc<Self>,
        moving: &Move,
        to: &Arc<Home>,
        copy: &mut Option<Box<Log>>,
        last: u64,
        now: Timestamp,
        id: [u8; 16],
    ) -> Result<Swap, StorageError> {
        let offline = |why: &str| StorageError::offline(&self.home().path, why);
        let slot = self.slot.lock();
        if self.ended.get().is_some() || moving.is_cancelled() {
            // Whoever asks for it again sees that.
            return Ok(Swap::Later);
        }
        let mut log = self.awakened(slot);
        let Some(mut new) = copy.take() else { return Err(offline("there is no copy")) };
        match self.catch_up(&mut log, &mut new, last, now) {
            Ok(true) => {}
            unready => {
                *copy = Some(new);
                return unready.map(|_| Swap::Later);
            }
        }
        if let Err((problem, undone)) = new.take_place() {
            if undone {
                *copy = Some(new);
            } else {
                log.take_offline(&format!("its copy has taken its place, or has not: {problem}"));
            }
            return Err(problem);
        }
        let old = log.delete(id)?;
        *log = *new;
        let end = log.end_offset();
        *self.home.write() = Arc::clone(to);
        self.found(end, end);
        drop(log);
        let told = self.flush.lock().durable(end);
        self.waiters.wake();
        told.into_iter().for_each(|(done, outcome)| done(outcome));
        self.begin_sync();
        Ok(Swap::Done(old))
    }

    /// Gives a copy what it lacks, if that is little, and makes it durable.
    fn catch_up(
        &self,
        log: &mut Log,
        copy: &mut Log,
        last: u64,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let mut left = last;
        loop {
            let most = u32::try_from(left).unwrap_or(u32::MAX).min(log.config().segment_bytes);
            let Next::Records(mut span) = log.next_for_copy(copy.end_offset(), most)? else { break };
            if let Some(damage) = span.verify()? {
                return Err(damage);
            }
            let records = span.read_in(log.dir())?;
            copy.append_copied(&records, now)?;
            left = left.saturating_sub(records.len() as u64);
            if left == 0 {
                return Ok(false);
            }
        }
        if log.start_offset().get() != self.announced.load(Ordering::Acquire) {
            // The other directory has to know of it first.
            return Ok(false);
        }
        copy.finish_copy(log, now)?;
        Ok(true)
    }
}
