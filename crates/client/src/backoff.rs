//! How long to wait before something that keeps failing is tried again.

use std::time::Duration;

use crate::Client;

/// Waits that double from `retry.backoff.ms` up to `retry.backoff.max.ms`, each a little off so that clients do not come in
/// step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub fn next(&mut self, client: &Client) -> Duration {
        let config = client.config();
        let doubled =
            config.first_backoff().saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        client.world().jittered(doubled.min(config.retry_backoff_max))
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
