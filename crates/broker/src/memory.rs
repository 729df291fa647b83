//! The memory that requests may hold, all connections together.
//!
//! What is charged is what has arrived, never what a peer announced: forty peers that announce 90 MB and send 1 MB
//! hold 40 MB, and nobody else waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A bound on bytes, shared by everyone who holds a [`Charge`].
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    used: AtomicUsize,
    freed: Notify,
}

impl MemoryBudget {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), freed: Notify::new() })
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn try_take(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|total| *total <= self.limit)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        self.freed.notify_waiters();
    }
}

/// Bytes held under a budget; they are given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Charge {
    pub fn none(budget: &Arc<MemoryBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Whether anything is charged.
    pub fn is_some(&self) -> bool {
        self.bytes > 0
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most that can be charged.
    pub fn limit(&self) -> usize {
        self.budget.limit
    }

    /// Charges `bytes` more, after waiting for others to give some back if need be.
    pub async fn grow(&mut self, bytes: usize) {
        loop {
            let freed = self.budget.freed.notified();
            tokio::pin!(freed);
            // Registered before the attempt, so that what is given back in between is not missed.
            freed.as_mut().enable();
            if self.budget.try_take(bytes) {
                self.bytes = self.bytes.saturating_add(bytes);
                return;
            }
            freed.await;
        }
    }

    /// Hands the charge over to somebody else and goes on with none.
    pub fn take(&mut self) -> Charge {
        let bytes = std::mem::take(&mut self.bytes);
        Charge { budget: Arc::clone(&self.budget), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_charge_waits_until_another_is_given_back() {
        let budget = MemoryBudget::new(100);
        let mut first = Charge::none(&budget);
        first.grow(80).await;
        let mut second = Charge::none(&budget);
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(5), second.grow(30));
        assert!(waiting.await.is_err(), "30 more do not fit beside 80 of 100");
        drop(first);
        second.grow(30).await;
        assert_eq!(budget.used(), 30);
        let handed = second.take();
        drop(second);
        assert_eq!(budget.used(), 30);
        drop(handed);
        assert_eq!(budget.used(), 0);
    }
}
