//! How often, and how long, something is tried again.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Client, Error, World};

/// A deadline, and waits that double up to a bound, each a little off so that clients do not come in step.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Instant,
    wait: Duration,
    wait_max: Duration,
    world: World,
}

impl Retry {
    pub fn within(client: &Client, time: Duration) -> Self {
        let config = client.config();
        Self {
            deadline: Instant::now() + time,
            wait: config.first_backoff(),
            wait_max: config.retry_backoff_max,
            world: client.world().clone(),
        }
    }

    /// Waits before the next attempt, or gives `error` back if it is of no use or the time is up.
    pub async fn after(&mut self, error: Error) -> Result<(), Error> {
        if !error.retriable() || Instant::now() + self.wait >= self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        tokio::time::sleep(self.world.jittered(self.wait)).await;
        self.wait = (self.wait * 2).min(self.wait_max);
        Ok(())
    }
}
