//! The memory that the work of clients may hold, all connections together: declared part by part in [`Memory`].
//!
//! What is charged is what has arrived, never what a peer announced: forty peers that announce 90 MB and send 1 MB
//! hold 40 MB, and nobody else waits for them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kernel::limits::{ANSWER_MEMORY_BYTES, DECOMPRESSION_MEMORY_BYTES, UNCOUNTED_BYTES};
use kernel::option::BrokerConfig;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

/// What a node may hold of memory that grows with its work, and what it holds of it now. Each part has a bound of its own, so
/// that none can starve another.
#[derive(Debug)]
pub struct Memory {
    /// Large requests, from their first byte until they are answered (`queued.max.request.bytes`). Who finds no room is not
    /// read from.
    pub requests: Arc<MemoryBudget>,
    /// Small requests under way, and answers until they are sent. While it is used up, nobody's next request is begun.
    pub answers: Arc<MemoryBudget>,
    /// Compressed batches while they are judged. Who finds no room waits.
    pub decompression: Decompression,
}

impl Memory {
    pub fn new(requests: usize) -> Self {
        Self {
            requests: MemoryBudget::with_reserve(requests, requests / 2),
            answers: MemoryBudget::new(ANSWER_MEMORY_BYTES),
            decompression: Decompression::new(DECOMPRESSION_MEMORY_BYTES),
        }
    }

    /// The whole budget, and what is used of it. What `journal` and `compaction` hold is counted where they are.
    pub fn parts(&self, config: &BrokerConfig, journal: usize, compaction: usize) -> MemoryParts {
        let part = |name, bound: usize, used: usize| MemoryPart { name, bound, used };
        let (requests, answers) = (&self.requests, &self.answers);
        let background = &config.background;
        let cleaner = background.cleaner_dedupe_bytes.saturating_add(background.cleaner_io_bytes);
        MemoryParts(vec![
            part("requests", requests.limit(), requests.used()),
            part("answers", answers.limit(), answers.used()),
            part("decompression", self.decompression.limit, self.decompression.used()),
            // A copy of what waits to be durable, and never of more than requests under way have brought.
            part("journal", requests.limit() + answers.limit(), journal),
            part("compaction", cleaner, compaction),
        ])
    }
}

/// One part of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPart {
    pub name: &'static str,
    pub bound: usize,
    /// What is held now.
    pub used: usize,
}

/// The parts of the budget, as a line for people.
#[derive(Debug)]
pub struct MemoryParts(pub Vec<MemoryPart>);

impl fmt::Display for MemoryParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let total = self.0.iter().fold(0, |sum: usize, part| sum.saturating_add(part.bound));
        write!(f, "{} MiB at most:", mib(total))?;
        for (number, part) in self.0.iter().enumerate() {
            write!(f, "{} {} {}", if number == 0 { "" } else { "," }, part.name, mib(part.bound))?;
        }
        Ok(())
    }
}

/// Room for what compressed batches become.
#[derive(Debug)]
pub struct Decompression {
    limit: usize,
    left: Mutex<usize>,
    freed: Condvar,
}

impl Decompression {
    pub fn new(limit: usize) -> Self {
        Self { limit, left: Mutex::new(limit), freed: Condvar::new() }
    }

    pub fn used(&self) -> usize {
        self.limit - *self.left.lock()
    }

    /// Room for so many bytes, if there is enough now.
    pub fn try_take(&self, bytes: usize) -> Option<Room<'_>> {
        let bytes = bytes.min(self.limit);
        let mut left = self.left.lock();
        *left = left.checked_sub(bytes)?;
        Some(Room { of: self, bytes })
    }

    /// Room for so many bytes. Blocks the thread until others give theirs back, who need nothing more to get done.
    pub fn take(&self, bytes: usize) -> Room<'_> {
        let bytes = bytes.min(self.limit);
        let mut left = self.left.lock();
        self.freed.wait_while(&mut left, |left| *left < bytes);
        *left -= bytes;
        Room { of: self, bytes }
    }
}

/// Room that is given back when this is dropped.
#[derive(Debug)]
pub struct Room<'a> {
    of: &'a Decompression,
    bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *self.of.left.lock() += self.bytes;
        self.of.freed.notify_all();
    }
}

/// A bound on bytes, shared by everyone who holds a [`Charge`].
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    /// Part of it is left to the eldest of those who wait, who has all it needs before long. Else many could hold a part of
    /// what each of them needs, and none would ever get the rest.
    reserve: usize,
    /// Somebody is the eldest.
    elder: AtomicBool,
    used: AtomicUsize,
    freed: Notify,
}

impl MemoryBudget {
    pub fn new(limit: usize) -> Arc<Self> {
        Self::with_reserve(limit, 0)
    }

    fn with_reserve(limit: usize, reserve: usize) -> Arc<Self> {
        let elder = AtomicBool::new(false);
        Arc::new(Self { limit, reserve, elder, used: AtomicUsize::new(0), freed: Notify::new() })
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether there is nobody else who may use the reserve.
    fn becomes_elder(&self) -> bool {
        !self.elder.swap(true, Ordering::AcqRel)
    }

    fn next_elder(&self) {
        self.elder.store(false, Ordering::Release);
        self.freed.notify_waiters();
    }

    fn try_take(&self, bytes: usize, limit: usize) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|total| *total <= limit)
            })
            .is_ok()
    }

    /// Resolves once less than half is held.
    pub async fn eased(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.used() < self.limit / 2 {
                return;
            }
            freed.await;
        }
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
    /// May use the reserve.
    elder: bool,
}

impl Charge {
    pub fn none(budget: &Arc<MemoryBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0, elder: false }
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
            let budget = &self.budget;
            let taken = budget.try_take(bytes, budget.limit - budget.reserve) || {
                self.elder = self.elder || budget.becomes_elder();
                self.elder && budget.try_take(bytes, budget.limit)
            };
            if taken {
                self.bytes = self.bytes.saturating_add(bytes);
                return;
            }
            freed.await;
        }
    }

    /// Hands the charge over to somebody else and goes on with none.
    pub fn take(&mut self) -> Charge {
        let bytes = std::mem::take(&mut self.bytes);
        self.has_all();
        Charge { budget: Arc::clone(&self.budget), bytes, elder: false }
    }

    /// Nothing more is needed: another may be the eldest.
    fn has_all(&mut self) {
        if std::mem::take(&mut self.elder) {
            self.budget.next_elder();
        }
    }
}

/// What one connection holds under a budget that nobody waits for: it is counted also where it is too much.
#[derive(Debug)]
pub struct Share {
    budget: Arc<MemoryBudget>,
    counted: usize,
}

impl Share {
    pub fn none(budget: &Arc<MemoryBudget>) -> Self {
        Self { budget: Arc::clone(budget), counted: 0 }
    }

    /// Says how much is held now. What is little is not counted.
    pub fn set(&mut self, held: usize) {
        let counted = if held <= UNCOUNTED_BYTES { 0 } else { held };
        if counted > self.counted {
            self.budget.used.fetch_add(counted - self.counted, Ordering::AcqRel);
        } else if counted < self.counted {
            self.budget.give_back(self.counted - counted);
        }
        self.counted = counted;
    }

    /// Whether nothing more may be begun for this one: it holds something and half of all there is is held, or all is.
    /// Who has what others wait for is muted first.
    pub fn is_used_up(&self) -> bool {
        let (used, limit) = (self.budget.used(), self.budget.limit());
        used >= limit || (self.counted > 0 && used >= limit / 2)
    }

    /// Resolves once more may be begun.
    pub fn eased(&self) -> impl Future<Output = ()> + use<> {
        let budget = Arc::clone(&self.budget);
        async move { budget.eased().await }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.has_all();
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests wait in tasks and threads of their own")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_counts_what_is_much_and_others_wait_until_it_is_given_back() {
        let budget = MemoryBudget::new(1 << 20);
        let (mut one, mut other) = (Share::none(&budget), Share::none(&budget));
        one.set(UNCOUNTED_BYTES);
        assert_eq!(budget.used(), 0);
        one.set(700 << 10);
        assert!(one.is_used_up() && !other.is_used_up(), "who holds nothing goes on");
        other.set(500 << 10);
        assert!(one.is_used_up() && other.is_used_up() && Share::none(&budget).is_used_up());
        let eased = host::task::spawn(other.eased());
        other.set(0);
        tokio::task::yield_now().await;
        assert!(!eased.is_finished());
        one.set(100 << 10);
        eased.await.expect("goes on");
        drop(one);
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn those_who_each_hold_a_part_of_what_they_need_all_get_the_rest_in_the_end() {
        let budget = MemoryBudget::with_reserve(100, 50);
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let budget = Arc::clone(&budget);
                host::task::spawn(async move {
                    let mut charge = Charge::none(&budget);
                    for _ in 0..5 {
                        charge.grow(10).await;
                        assert!(budget.used() <= budget.limit());
                        tokio::task::yield_now().await;
                    }
                    drop(charge.take());
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("gets all");
        }
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_decompressed_at_the_same_time_stays_within_its_room() {
        let room = Decompression::new(100);
        let first = room.try_take(60).expect("there is room");
        assert!(room.try_take(50).is_none());
        std::thread::scope(|threads| {
            let waiting = threads.spawn(|| drop(room.take(1000)));
            drop(first);
            waiting.join().expect("it gets all there is");
        });
        assert_eq!(room.used(), 0);
    }

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
