//! The topic that a run writes to: one that was named, or one of its own that goes afterwards.

use client::admin::NewTopic;
use host::RealClock;
use kernel::port::Clock;

use crate::command::{Failure, Session};
use crate::print;

/// A topic to write to.
#[derive(Debug)]
pub struct Scratch {
    pub name: String,
    /// Whether it was made for this run.
    made: bool,
}

impl Scratch {
    /// The topic that was named, or a new one.
    pub async fn of(topic: Option<String>, partitions: i32, session: &Session) -> Result<Self, Failure> {
        if let Some(name) = topic {
            let known = session.admin.describe_topic(&name).await;
            known.map_err(|error| Failure::of(error, "cannot use the topic"))?;
            return Ok(Self { name, made: false });
        }
        let name = format!("riverrun-bench-{}", RealClock::new().now().wall.0);
        let topic = NewTopic { partitions: Some(partitions), ..NewTopic::new(&name) };
        let created = session.admin.create_topic(&topic, false).await;
        created.map_err(|error| Failure::of(error, "cannot create a topic for the run"))?;
        Ok(Self { name, made: true })
    }

    /// Removes it if it was made for this run, whatever became of that.
    pub async fn end<T>(self, outcome: Result<T, Failure>, session: &Session) -> Result<T, Failure> {
        if !self.made {
            return outcome;
        }
        match session.admin.delete_topic(&self.name).await {
            Ok(()) => outcome,
            Err(error) => {
                print::note(&format!("the topic {} of this run is left behind: {error}", self.name));
                outcome
            }
        }
    }
}
