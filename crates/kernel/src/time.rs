//! Time as a value. A core is told the time; it never asks for it.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Wall-clock time in milliseconds since 1970 (UTC): what records and commits carry. It may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// What stands where a record has no timestamp.
    pub const NONE: Timestamp = Timestamp(-1);

    pub fn millis(self) -> i64 {
        self.0
    }
}

/// Time that only goes forward, since an arbitrary start: what deadlines are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Instant(Duration);

impl Instant {
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    pub fn since_start(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(duration))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    pub mono: Instant,
}
