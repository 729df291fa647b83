//! The machine's clocks.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use kernel::port::Clock;
use kernel::{Instant, Now, Timestamp};

/// The wall clock and the monotonic clock of this machine.
#[derive(Debug)]
pub struct RealClock {
    start: StdInstant,
}

impl RealClock {
    pub fn new() -> Self {
        Self { start: StdInstant::now() }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RealClock {
    fn now(&self) -> Now {
        Now { wall: self.wall(), mono: Instant::from_start(self.start.elapsed()) }
    }

    fn wall(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Timestamp(i64::try_from(wall).unwrap_or(i64::MAX))
    }
}
