//! The end of a node, seen by everything that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Among how many queues those who wait are spread, so that connections do not wait for each other's turn in one. It is
/// what tokio's `watch` does, but in an order that a simulation can repeat.
const QUEUES: usize = 8;

/// Says once that the node stops.
#[derive(Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    queues: [Notify; QUEUES],
    next: AtomicUsize,
}

impl Stop {
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every wait of every [`StopSignal`].
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.queues.iter().for_each(Notify::notify_waiters);
    }

    pub fn signal(&self) -> StopSignal {
        StopSignal::new(Arc::clone(&self.shared))
    }
}

/// Waits for the node's end.
#[derive(Debug)]
pub struct StopSignal {
    shared: Arc<Shared>,
    queue: usize,
}

impl StopSignal {
    fn new(shared: Arc<Shared>) -> Self {
        let queue = shared.next.fetch_add(1, Ordering::Relaxed) % QUEUES;
        Self { shared, queue }
    }

    /// Resolves when the node stops, or has stopped already.
    pub async fn wait(&mut self) {
        let Some(queue) = self.shared.queues.get(self.queue) else { return };
        // Begun before the question, so that no end falls between the two.
        let ended = queue.notified();
        if !self.shared.stopping.load(Ordering::SeqCst) {
            ended.await;
        }
    }
}

impl Clone for StopSignal {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_of_the_end_before_and_after_it() {
        let stop = Stop::new();
        let waiting: Vec<_> = (0..2 * QUEUES)
            .map(|_| {
                let mut signal = stop.signal();
                host::task::spawn(async move { signal.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|task| !task.is_finished()));
        stop.stop();
        for task in waiting {
            task.await.expect("it ends");
        }
        stop.signal().clone().wait().await;
    }
}
