//! How often, and how long, something is tried again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::backoff::Backoff;
use crate::{Client, Error};

/// An instant that nobody waits for.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The instant after `time`; where there is none so late, one that nobody waits for.
pub(crate) fn instant_after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + NEVER)
}

/// A deadline, and the waits until then.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Instant,
    /// How long there was.
    time: Duration,
    last: Option<Error>,
    backoff: Backoff,
    client: Client,
}

impl Retry {
    pub fn within(client: &Client, time: Duration) -> Self {
        Self { time, ..Self::until(client, instant_after(time)) }
    }

    pub fn until(client: &Client, deadline: Instant) -> Self {
        Self {
            deadline,
            time: deadline.saturating_duration_since(Instant::now()),
            last: None,
            backoff: Backoff::default(),
            client: client.clone(),
        }
    }

    /// One that ends with this one, and whose attempts and waits begin anew.
    pub fn part(&self) -> Self {
        Self { time: self.time, ..Self::until(&self.client, self.deadline) }
    }

    /// Makes one attempt, and ends it when the time is up: with what the one before failed with, if there was one.
    pub async fn attempt<T>(&self, attempt: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match timeout_at(self.deadline, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let late = Error::Timeout { what: "the call".into(), after: self.time };
                Err(self.last.clone().unwrap_or(late))
            }
        }
    }

    /// Waits before the next attempt, or gives `error` back if it is of no use or the time is up.
    pub async fn after(&mut self, error: Error) -> Result<(), Error> {
        let again = Instant::now() + self.backoff.next(&self.client);
        if !error.retriable() || again >= self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        self.last = Some(error);
        sleep_until(again).await;
        Ok(())
    }
}
