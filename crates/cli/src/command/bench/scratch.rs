//! The topic that a run writes to: one that was named, or one of its own that goes afterwards.

use client::admin::NewTopic;
use host::RealClock;
use kernel::port::Clock;

use tokio::time::timeout;

use crate::command::session::FAREWELL;
use crate::command::{Failure, Session};
use crate::print;

/// Runs something on the topic that was named, or on a new one, which is removed afterwards whatever came of the run.
pub async fn with<T>(
    topic: Option<String>,
    partitions: i32,
    session: &Session,
    run: impl AsyncFnOnce(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(name) = topic {
        let known = session.admin.describe_topic(&name).await;
        known.map_err(|error| Failure::of(error, "cannot use the topic"))?;
        return run(&name).await;
    }
    let name = format!("riverrun-bench-{}", RealClock::new().now().wall.0);
    let topic = NewTopic { partitions: Some(partitions), ..NewTopic::new(&name) };
    let created = session.admin.create_topic(&topic, false).await;
    created.map_err(|error| Failure::of(error, "cannot create a topic for the run"))?;
    let outcome = run(&name).await;
    let left = match timeout(FAREWELL, session.admin.delete_topic(&name)).await {
        Ok(deleted) => deleted.err().map(|error| error.to_string()),
        Err(_) => Some("no broker has removed it in time".to_owned()),
    };
    if let Some(reason) = left {
        print::note(&format!("the topic {name} of this run is left behind: {reason}"));
    }
    outcome
}
