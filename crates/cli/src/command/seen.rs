//! Waits until a broker sees what its controller has decided: Kafka's brokers hear of it after it is answered.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a broker may take, and how often it is asked.
const SEEN_MAX: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Asks until the answer is as it should be. Returns the last one, and whether it was so in time.
pub async fn until_seen<A>(ask: impl AsyncFn() -> A, is_seen: impl Fn(&A) -> bool) -> (A, bool) {
    until_seen_within(SEEN_MAX, ask, is_seen).await
}

async fn until_seen_within<A>(
    time: Duration,
    ask: impl AsyncFn() -> A,
    is_seen: impl Fn(&A) -> bool,
) -> (A, bool) {
    let deadline = Instant::now() + time;
    loop {
        let answer = ask().await;
        let seen = is_seen(&answer);
        if seen || Instant::now() >= deadline {
            return (answer, seen);
        }
        sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_broker_is_asked_until_it_knows_and_not_for_ever() {
        let asked = Cell::new(0);
        let ask = async || asked.replace(asked.get() + 1);
        assert_eq!(until_seen(ask, |answer| *answer == 2).await, (2, true));
        let (last, seen) = until_seen_within(ASK_EVERY, ask, |_| false).await;
        assert!(!seen && last > 2, "{last}");
    }
}
