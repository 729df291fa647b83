//! What is due, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

type Action = Box<dyn FnOnce() + Send>;

/// Things that happen by themselves at their time: bytes arrive, disks complete. Clones are the same line.
#[derive(Clone)]
pub struct Timeline(Arc<Shared>);

struct Shared {
    due: Mutex<Due>,
    sooner: Notify,
}

#[derive(Default)]
struct Due {
    actions: BTreeMap<(Instant, u64), Action>,
    /// Tells apart, and keeps in order, what is due at the same time.
    next: u64,
}

impl Timeline {
    /// A line that moves with the time of this tokio runtime.
    pub fn begin() -> Self {
        let shared = Arc::new(Shared { due: Mutex::default(), sooner: Notify::new() });
        host::task::spawn(run(Arc::clone(&shared)));
        Self(shared)
    }

    pub fn at(&self, time: Instant, action: impl FnOnce() + Send + 'static) {
        let mut due = self.0.due.lock();
        let key = (time, due.next);
        due.next += 1;
        let is_first = due.actions.first_key_value().is_none_or(|(first, _)| key < *first);
        due.actions.insert(key, Box::new(action));
        drop(due);
        if is_first {
            self.0.sooner.notify_one();
        }
    }

    pub fn after(&self, time: Duration, action: impl FnOnce() + Send + 'static) {
        self.at(Instant::now() + time, action);
    }
}

async fn run(shared: Arc<Shared>) {
    loop {
        let next = shared.due.lock().actions.first_key_value().map(|((time, _), _)| *time);
        match next {
            Some(time) if time <= Instant::now() => {
                let action = shared.due.lock().actions.pop_first();
                if let Some((_, action)) = action {
                    action();
                }
                // Whoever it woke comes before the next: that is due later, if only by a microsecond.
                tokio::task::yield_now().await;
            }
            Some(time) => {
                tokio::select! {
                    biased;
                    () = shared.sooner.notified() => {}
                    () = sleep_until(time) => {}
                }
            }
            None => shared.sooner.notified().await,
        }
    }
}
