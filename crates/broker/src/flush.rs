//! Group commit for one partition: one sync covers every record that arrived while the last one ran.

use std::collections::VecDeque;

use kernel::{ErrorCode, Offset};

/// Called with the outcome once the records before an offset are durable.
pub type OnDurable = Box<dyn FnOnce(Result<(), ErrorCode>) + Send>;

/// Somebody who waited, and what to tell.
pub type Told = (OnDurable, Result<(), ErrorCode>);

/// Who waits for a partition's records to become durable.
///
/// *Invariant:* at most one sync runs at a time.
#[derive(Default)]
pub struct Flush {
    /// Up to where the sync that runs makes records durable.
    running: Option<Offset>,
    waiting: VecDeque<(Offset, OnDurable)>,
    /// A sync failed. What is durable is unknown from then on, so nothing is acknowledged any more.
    failed: bool,
}

impl Flush {
    /// Calls `done` once everything before `end` is durable.
    pub fn wait(&mut self, end: Offset, done: OnDurable) {
        self.waiting.push_back((end, done));
    }

    /// Whether a sync should begin now; it then covers everything before `end`, the log's end of this moment.
    pub fn begin(&mut self, end: Offset) -> bool {
        if self.running.is_some() || self.waiting.is_empty() {
            return false;
        }
        self.running = Some(end);
        true
    }

    /// The sync ended. Returns up to where records are durable now, and whom to tell what.
    pub fn ended(&mut self, synced: bool) -> (Option<Offset>, Vec<Told>) {
        let end = self.running.take();
        if !synced {
            self.failed = true;
        }
        if self.failed {
            let told = self.waiting.drain(..).map(|(_, done)| (done, Err(ErrorCode::KafkaStorageError)));
            return (None, told.collect());
        }
        let Some(end) = end else { return (None, Vec::new()) };
        let (due, later): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(wanted, _)| *wanted <= end);
        self.waiting = later;
        (Some(end), due.into_iter().map(|(_, done)| (done, Ok(()))).collect())
    }
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
        assert!(flush.begin(Offset(1)));
        flush.wait(Offset(2), done());
        flush.wait(Offset(3), done());
        assert!(!flush.begin(Offset(3)), "one sync at a time");
        let (durable, told) = flush.ended(true);
        tell(told);
        assert_eq!((durable, count.load(Ordering::SeqCst)), (Some(Offset(1)), 1));
        assert!(flush.begin(Offset(3)));
        let (durable, told) = flush.ended(true);
        tell(told);
        assert_eq!((durable, count.load(Ordering::SeqCst)), (Some(Offset(3)), 3));
        assert!(!flush.begin(Offset(3)), "nobody waits");
    }

    #[test]
    fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
        let (count, done) = counter();
        let mut flush = Flush::default();
        flush.wait(Offset(1), done());
        assert!(flush.begin(Offset(1)));
        let (durable, told) = flush.ended(false);
        tell(told);
        assert_eq!(durable, None);
        flush.wait(Offset(2), done());
        assert!(flush.begin(Offset(2)));
        let (durable, told) = flush.ended(true);
        tell(told);
        assert_eq!((durable, count.load(Ordering::SeqCst)), (None, 0));
    }
}
