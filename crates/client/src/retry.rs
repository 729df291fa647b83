//! How often, and how long, something is tried again.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{Client, Error, World};

/// An instant that nobody waits for.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The instant after `time`; where there is none so late, one that nobody waits for.
pub(crate) fn instant_after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + NEVER)
}

/// A deadline, and waits that double up to a bound, each a little off so that clients do not come in step.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Instant,
    /// How long there was.
    time: Duration,
    last: Option<Error>,
    wait: Duration,
    wait_max: Duration,
    world: World,
}

impl Retry {
    pub fn within(client: &Client, time: Duration) -> Self {
        Self::until(client, instant_after(time))
    }

    pub fn until(client: &Client, deadline: Instant) -> Self {
        let config = client.config();
        Self {
            deadline,
            time: deadline.saturating_duration_since(Instant::now()),
            last: None,
            wait: config.first_backoff(),
            wait_max: config.retry_backoff_max,
            world: client.world().clone(),
        }
    }

    /// Makes one attempt, and ends it when the time is up: with what the one before failed with, if there was one.
    pub async fn attempt<T>(&self, attempt: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match timeout_at(self.deadline, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let late = Error::Timeout { what: "the call", after: self.time };
                Err(self.last.clone().unwrap_or(late))
            }
        }
    }

    /// Waits before the next attempt, or gives `error` back if it is of no use or the time is up.
    pub async fn after(&mut self, error: Error) -> Result<(), Error> {
        if !error.retriable() || Instant::now() + self.wait >= self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        self.last = Some(error);
        tokio::time::sleep(self.world.jittered(self.wait)).await;
        self.wait = (self.wait * 2).min(self.wait_max);
        Ok(())
    }
}
