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
        self.failures = self.failures.saturating_add(1);
        client.backoff_after(self.failures)
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
