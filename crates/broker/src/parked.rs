//! Long polls that wait for partitions to move.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Dead entries are looked for when a list has grown to this many, and to twice what was alive after that.
const PRUNE_MIN: usize = 16;

/// One request that waits for any of several partitions.
#[derive(Debug, Default)]
pub struct Waiter {
    moved: Notify,
}

impl Waiter {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Resolves when a partition that this was added to has moved since the last time, even if that was before the
    /// call.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }
}

/// Who waits for one partition.
#[derive(Debug, Default)]
pub struct Waiters {
    /// Spares an append the lock while nobody waits.
    any: AtomicBool,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    waiters: Vec<Weak<Waiter>>,
    prune_at: usize,
}

impl Waiters {
    /// Lets `waiter` know of every move, as long as it lives.
    pub fn add(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        if list.waiters.len() >= list.prune_at.max(PRUNE_MIN) {
            list.waiters.retain(|waiter| waiter.strong_count() > 0);
            list.prune_at = list.waiters.len().saturating_mul(2);
        }
        list.waiters.push(Arc::downgrade(waiter));
        self.any.store(true, Ordering::SeqCst);
    }

    /// Wakes everyone who waits.
    pub fn wake(&self) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let mut list = self.list.lock();
        list.waiters.retain(|waiter| {
            let Some(waiter) = waiter.upgrade() else { return false };
            // A permit is kept for a waiter that is not waiting yet.
            waiter.moved.notify_one();
            true
        });
        self.any.store(!list.waiters.is_empty(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_move_between_adding_and_waiting_is_not_missed() {
        let waiters = Waiters::default();
        let waiter = Waiter::new();
        waiters.add(&waiter);
        waiters.wake();
        waiter.moved().await;
    }

    #[tokio::test]
    async fn a_poll_hears_of_every_move_until_it_ends() {
        let waiters = Waiters::default();
        let waiter = Waiter::new();
        waiters.add(&waiter);
        for _ in 0..3 {
            waiters.wake();
            waiter.moved().await;
        }
        drop(waiter);
        waiters.wake();
        assert!(waiters.list.lock().waiters.is_empty());
        assert!(!waiters.any.load(Ordering::SeqCst), "appends need not look again");
    }

    #[test]
    fn polls_that_ended_do_not_pile_up() {
        let waiters = Waiters::default();
        for _ in 0..10_000 {
            waiters.add(&Waiter::new());
        }
        assert!(waiters.list.lock().waiters.len() <= 2 * PRUNE_MIN);
    }
}
