//! The clocks of a host.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kernel::port::Clock;
use kernel::{Now, Timestamp};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z: a plausible date, so that nothing passes only because the time is near zero.
const START_MS: i64 = 1_767_225_600_000;

/// A host's clocks: one that only goes forward, and one on the wall that somebody can set. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct HostClock {
    start: Instant,
    wall_off_ms: Arc<AtomicI64>,
}

impl HostClock {
    pub fn new() -> Self {
        Self { start: Instant::now(), wall_off_ms: Arc::new(AtomicI64::new(0)) }
    }

    /// How far the wall clock is from the true time.
    pub fn set_wall_off(&self, millis: i64) {
        self.wall_off_ms.store(millis, Ordering::Relaxed);
    }
}

impl Default for HostClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for HostClock {
    fn now(&self) -> Now {
        let elapsed = self.start.elapsed();
        let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let wall = START_MS.saturating_add(millis).saturating_add(self.wall_off_ms.load(Ordering::Relaxed));
        Now { wall: Timestamp(wall), mono: kernel::Instant::from_start(elapsed) }
    }
}
