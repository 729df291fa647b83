//! Deadlines by name. A name has one deadline at most: to schedule it again is to move it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::Instant;
use kernel::planted::{self, Bug};

/// What happens when a deadline passes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The member has not been heard of, or has been given an id and not joined with it.
    Session { group: Arc<str>, member: Arc<str> },
    /// The time to join is up.
    Join { group: Arc<str> },
    /// The time to ask for the assignment is up.
    Sync { group: Arc<str> },
    /// The members that the log knows of a group of a type that is not served here have been silent for too long.
    ForeignSessions { group: Arc<str> },
    /// Look for offsets that nobody needs any more.
    ExpireOffsets,
}

/// All deadlines of a shard, in the order in which they pass.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    by_name: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub fn schedule(&mut self, timer: Timer, at: Instant) {
        if let Some(earlier) = self.by_name.insert(timer.clone(), at) {
            self.by_time.remove(&(earlier, timer.clone()));
            if planted::on(Bug::DropMovedTimer) {
                return;
            }
        }
        self.by_time.insert((at, timer));
    }

    pub fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.by_name.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one timer that is due, the earliest first.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next_deadline()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_name.remove(&timer);
        Some(timer)
    }

    pub fn len(&self) -> usize {
        self.by_time.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_timer_that_is_scheduled_again_moves() {
        let mut timers = Timers::default();
        let join = Timer::Join { group: "g".into() };
        timers.schedule(join.clone(), at(1));
        timers.schedule(join.clone(), at(5));
        timers.schedule(Timer::ExpireOffsets, at(3));
        assert_eq!(timers.next_deadline(), Some(at(3)));
        assert_eq!(timers.pop_due(at(2)), None);
        assert_eq!(timers.pop_due(at(9)), Some(Timer::ExpireOffsets));
        assert_eq!(timers.pop_due(at(9)), Some(join));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn a_cancelled_timer_never_comes() {
        let mut timers = Timers::default();
        timers.schedule(Timer::ExpireOffsets, at(1));
        timers.cancel(&Timer::ExpireOffsets);
        timers.cancel(&Timer::ExpireOffsets);
        assert_eq!(timers.pop_due(at(9)), None);
    }
}
