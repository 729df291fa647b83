//! How often, and how long, something is tried again.

use std::time::Duration;

use host::RealEntropy;
use kernel::port::Entropy;
use tokio::time::Instant;

use crate::{ClientConfig, Error};

/// A deadline, and waits that double up to a bound, each a little off so that clients do not come in step.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Instant,
    wait: Duration,
    wait_max: Duration,
}

impl Retry {
    pub fn within(config: &ClientConfig, time: Duration) -> Self {
        Self {
            deadline: Instant::now() + time,
            wait: config.retry_backoff,
            wait_max: config.retry_backoff_max,
        }
    }

    /// Waits before the next attempt, or gives `error` back if it is of no use or the time is up.
    pub async fn after(&mut self, error: Error) -> Result<(), Error> {
        if !error.retriable() || Instant::now() + self.wait >= self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        tokio::time::sleep(jittered(self.wait)).await;
        self.wait = (self.wait * 2).min(self.wait_max);
        Ok(())
    }
}

/// The wait, up to a fifth shorter or longer.
pub(crate) fn jittered(wait: Duration) -> Duration {
    let fifth = f64::from(random_u32()) / f64::from(u32::MAX) * 0.4 - 0.2;
    wait.mul_f64(1.0 + fifth)
}

pub(crate) fn random_u32() -> u32 {
    let mut bytes = [0; 4];
    RealEntropy.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
