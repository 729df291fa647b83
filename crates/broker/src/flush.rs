//! Who waits for one partition's records to be durable. One sync covers every record that arrived while the last one ran.

use std::collections::VecDeque;

use kernel::{ErrorCode, Offset};

/// Called with the outcome once the records before an offset are durable, by whoever learns of it: that may be an append that
/// fails, within whatever locks its caller holds. So it waits for no lock that is held while something is appended.
pub type OnDurable = Box<dyn FnOnce(Result<(), ErrorCode>) + Send>;

/// Somebody who waited, and what to tell.
pub type Told = (OnDurable, Result<(), ErrorCode>);

/// Who waits for a partition's records to become durable.
///
/// Two ways lead there: the journal of the log directory, which tells [`Flush::durable`], and a sync of the segments, which
/// [`Flush::begin`] asks for where the journal does not have the records.
///
/// *Invariant:* at most one sync runs at a time.
#[derive(Default)]
pub struct Flush {
    /// Whether a sync runs.
    running: bool,
    /// By whichever way.
    waiting: VecDeque<(Offset, OnDurable)>,
    /// For the segments themselves.
    syncing: VecDeque<(Offset, OnDurable)>,
    /// A write failed. What is durable is unknown from then on, so nothing is acknowledged any more.
    failed: bool,
}

impl Flush {
    /// Calls `done` once everything before `end` is durable.
    pub fn wait(&mut self, end: Offset, done: OnDurable) {
        self.waiting.push_back((end, done));
    }

    /// Calls `done` once everything before `end` is durable in its segment.
    pub fn wait_for_segments(&mut self, end: Offset, done: OnDurable) {
        self.syncing.push_back((end, done));
    }

    /// Whether a sync should begin now; it is to cover at least what the log has at this moment. The journal has everything
    /// before `journaled`.
    pub fn begin(&mut self, journaled: Offset) -> bool {
        let needed = !self.syncing.is_empty() || self.waiting.iter().any(|(wanted, _)| *wanted > journaled);
        if self.running || !needed {
            return false;
        }
        self.running = true;
        true
    }

    /// The sync ended, and everything before an offset is durable if it did not fail. Returns up to where records count as
    /// durable now, and whom to tell what.
    pub fn ended(&mut self, synced: Result<Offset, ()>) -> (Option<Offset>, Vec<Told>) {
        self.running = false;
        let Ok(end) = synced else { return (None, self.fail()) };
        if self.failed {
            return (None, self.fail());
        }
        let mut told = due(&mut self.syncing, end);
        told.extend(self.durable(end));
        (Some(end), told)
    }

    /// The sync could not begin, and may another time: what is durable is as it was. Returns whom to tell; what the journal has,
    /// which is everything before `journaled`, needs no sync.
    pub fn not_begun(&mut self, journaled: Offset) -> Vec<Told> {
        self.running = false;
        let (kept, needed) = self.waiting.drain(..).partition(|(wanted, _)| *wanted <= journaled);
        self.waiting = kept;
        let needed: VecDeque<_> = needed;
        let refused = needed.into_iter().chain(self.syncing.drain(..));
        refused.map(|(_, done)| (done, Err(ErrorCode::KafkaStorageError))).collect()
    }

    /// Whether what is durable is unknown.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Everything before `end` is durable. Returns whom to tell.
    pub fn durable(&mut self, end: Offset) -> Vec<Told> {
        if self.failed { self.fail() } else { due(&mut self.waiting, end) }
    }

    /// What is durable is unknown from now on. Returns whom to tell.
    pub fn fail(&mut self) -> Vec<Told> {
        self.failed = true;
        let all = self.waiting.drain(..).chain(self.syncing.drain(..));
        all.map(|(_, done)| (done, Err(ErrorCode::KafkaStorageError))).collect()
    }
}

/// Takes out those who wait for no more than `end`.
fn due(waiting: &mut VecDeque<(Offset, OnDurable)>, end: Offset) -> Vec<Told> {
    let mut told = Vec::with_capacity(waiting.len());
    for _ in 0..waiting.len() {
        match waiting.pop_front() {
            Some((wanted, done)) if wanted <= end => told.push((done, Ok(()))),
            Some(later) => waiting.push_back(later),
            None => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn counter() -> (Arc<AtomicUsize>, impl Fn() -> OnDurable) {
        let count = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&count);
        let make = move || -> OnDurable {
            let count = Arc::clone(&shared);
            Box::new(move |result| {
                if result.is_ok() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        (count, make)
    }

    fn tell(told: Vec<Told>) {
        told.into_iter().for_each(|(done, result)| done(result));
    }

    #[test]
    fn what_arrives_during_a_sync_waits_for_the_next() {
        let (count, done) = counter();
        let mut flush = Flush::default();
        flush.wait(Offset(1), done());
        assert!(flush.begin(Offset(0)));
        flush.wait(Offset(2), done());
        flush.wait(Offset(3), done());
        assert!(!flush.begin(Offset(0)), "one sync at a time");
        let (durable, told) = flush.ended(Ok(Offset(1)));
        tell(told);
        assert_eq!((durable, count.load(Ordering::SeqCst)), (Some(Offset(1)), 1));
        assert!(flush.begin(Offset(0)));
        let (durable, told) = flush.ended(Ok(Offset(3)));
        tell(told);
        assert_eq!((durable, count.load(Ordering::SeqCst)), (Some(Offset(3)), 3));
        assert!(!flush.begin(Offset(0)), "nobody waits");
    }

    #[test]
    fn a_sync_that_could_not_begin_is_tried_again_for_whoever_asks_next() {
        let (count, done) = counter();
        let mut flush = Flush::default();
        flush.wait(Offset(1), done());
        flush.wait(Offset(2), done());
        flush.wait_for_segments(Offset(1), done());
        assert!(flush.begin(Offset(1)));
        let told = flush.not_begun(Offset(1));
        assert_eq!((told.len(), flush.has_failed()), (2, false), "the journal has what the other waits for");
        tell(told);
        assert!(!flush.begin(Offset(1)), "nobody waits for it");
        flush.wait(Offset(2), done());
        assert!(flush.begin(Offset(1)));
        tell(flush.ended(Ok(Offset(2))).1);
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn what_the_journal_has_needs_no_sync_unless_somebody_wants_the_segments() {
        let (count, done) = counter();
        let mut flush = Flush::default();
        flush.wait(Offset(5), done());
        flush.wait(Offset(3), done());
        assert!(!flush.begin(Offset(5)));
        tell(flush.durable(Offset(4)));
        assert_eq!(count.load(Ordering::SeqCst), 1, "each waits for its own end");
        flush.wait_for_segments(Offset(5), done());
        tell(flush.durable(Offset(5)));
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert!(flush.begin(Offset(6)));
        tell(flush.ended(Ok(Offset(6))).1);
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
        let (count, done) = counter();
        let mut flush = Flush::default();
        flush.wait(Offset(1), done());
        assert!(flush.begin(Offset(0)));
        let (durable, told) = flush.ended(Err(()));
        tell(told);
        assert_eq!(durable, None);
        flush.wait(Offset(2), done());
        assert!(flush.begin(Offset(0)));
        let (durable, told) = flush.ended(Ok(Offset(2)));
        tell(told);
        assert_eq!((durable, count.load(Ordering::SeqCst)), (None, 0));
    }
}
