//! A clock that moves only when a test moves it.

use std::sync::Arc;
use std::time::Duration;

use kernel::port::Clock;
use kernel::{Instant, Now, Timestamp};
use parking_lot::Mutex;

/// 2026-01-01T00:00:00Z: a plausible date, so that nothing passes only because the time is near zero.
const START_MS: i64 = 1_767_225_600_000;

/// A clock whose copies all show the same time.
#[derive(Debug, Clone)]
pub struct SimClock {
    now: Arc<Mutex<Now>>,
}

impl SimClock {
    /// A clock at the first of January 2026 whose forward-only part is at zero.
    pub fn new() -> Self {
        Self::at(Timestamp(START_MS))
    }

    pub fn at(wall: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(Now { wall, mono: Instant::default() })) }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock();
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        now.wall = Timestamp(now.wall.millis().saturating_add(millis));
        now.mono = now.mono + by;
    }

    /// Sets the wall clock, as an operator or a time server does; the forward-only part does not notice.
    pub fn jump_wall(&self, to: Timestamp) {
        self.now.lock().wall = to;
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        *self.now.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_show_the_same_time() {
        let clock = SimClock::new();
        let copy = clock.clone();
        clock.advance(Duration::from_millis(1500));
        assert_eq!(copy.now().wall, Timestamp(START_MS + 1500));
        assert_eq!(copy.now().mono, Instant::from_start(Duration::from_millis(1500)));
    }

    #[test]
    fn a_wall_clock_that_goes_back_leaves_deadlines_alone() {
        let clock = SimClock::new();
        clock.advance(Duration::from_secs(5));
        clock.jump_wall(Timestamp(7));
        assert_eq!(
            clock.now(),
            Now { wall: Timestamp(7), mono: Instant::from_start(Duration::from_secs(5)) }
        );
    }
}
