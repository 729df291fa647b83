//! How fast something may happen: what is read and written in the background over all its workers, connections.

use std::time::Duration;

use kernel::Instant;

/// The longest pause that is told at once, so that a changed limit is soon felt.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Spreads things over time: bytes that were read or written, or a connection, are paid for by waiting until their time has
/// passed.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When all that was taken will have been paid for.
    paid_at: Option<Instant>,
}

impl Throttle {
    /// How long to wait after so many, at `per_second`.
    pub fn pay(&mut self, now: Instant, count: u64, per_second: f64) -> Duration {
        if !(per_second > 0.0 && per_second < 1e15) {
            return Duration::ZERO;
        }
        let cost = Duration::try_from_secs_f64(count as f64 / per_second).unwrap_or(PAUSE_MAX);
        // Idle time is not saved up.
        let from = self.paid_at.filter(|paid_at| *paid_at > now).unwrap_or(now);
        let paid_at = from + cost.min(PAUSE_MAX);
        self.paid_at = Some(paid_at);
        paid_at.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time() {
        let mut throttle = Throttle::default();
        let at = |millis: u64| Instant::default() + Duration::from_millis(millis);
        let mut pay = |now: u64, bytes: u64| throttle.pay(at(now), bytes, 1000.0).as_millis();
        assert_eq!(pay(0, 100), 100);
        assert_eq!(pay(0, 100), 200, "another worker waits longer");
        assert_eq!(pay(150, 100), 150);
        assert_eq!(pay(1000, 100), 100, "idle time is not saved up");
        assert_eq!(pay(1000, 1_000_000), 1100, "no pause is endless");
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let mut throttle = Throttle::default();
        for limit in [f64::MAX, 0.0, -1.0, f64::NAN] {
            assert_eq!(throttle.pay(Instant::default(), u64::MAX, limit), Duration::ZERO);
        }
    }
}
