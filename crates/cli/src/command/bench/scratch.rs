//! The topic that a run writes to: one that was named, or one of its own that goes afterwards.

use client::ErrorCode;
use client::admin::NewTopic;
use host::{RealClock, RealEntropy};
use kernel::port::{Clock, Entropy};
use tokio::time::timeout;

use super::load::RECORD_OVERHEAD;
use crate::command::place::not_internal;
use crate::command::session::{self, FAREWELL};
use crate::command::topic::await_topic;
use crate::command::watch::Watch;
use crate::command::{Failure, Session};
use crate::print::Output;

/// What a topic takes if nobody says anything else (`max.message.bytes`).
const MESSAGE_BYTES: usize = 1_048_588;

/// What was measured, and why it is not all.
pub type Measured = (Output, Option<Failure>);

/// The topic of a run.
#[derive(Debug)]
pub struct Topic {
    pub name: String,
    /// Whether it is the run's own.
    own: bool,
    watch: Watch,
}

impl Topic {
    /// Waits until somebody has deleted it; returns what is to be said then.
    pub async fn deleted(&mut self) -> Failure {
        let name = self.watch.deleted().await;
        let next =
            if self.own { "measure again" } else { "name another topic, or none for one of the run's own" };
        Failure::not_there(format!("{name} was deleted during the run")).next(next)
    }
}

/// Why figures are of less than was asked for.
pub fn torn() -> Failure {
    Failure::interrupted("interrupted: the figures are of what was done before")
}

/// Why there are no figures.
pub fn too_early() -> Failure {
    Failure::interrupted("interrupted before anything was measured").next("give it the time to begin")
}

/// Runs something on the topic that was named, or on a new one that takes values of so many bytes, and shows what was
/// measured. The new one is removed before, whatever came of the run.
pub async fn measure(
    topic: Option<String>,
    partitions: i32,
    value_size: u32,
    session: &Session,
    run: impl AsyncFnOnce(&mut Topic) -> Result<Measured, Failure>,
) -> Result<(), Failure> {
    let own = topic.is_none();
    // From here on no signal ends the process, which would leave the topic where it is.
    let mut early = session::signals()?;
    let name = match topic {
        Some(name) => {
            let doing = "cannot use the topic";
            let known = session.admin.describe_topic(&name).await;
            not_internal(known.map_err(|error| Failure::of(error, doing))?, doing)?;
            name
        }
        None => create(partitions, value_size, session).await?,
    };
    let watch = Watch::begin(session, vec![name.clone()]);
    let mut topic = Topic { name, own, watch };
    let stopped = tokio::select! {
        biased;
        _ = early.next() => true,
        () = std::future::ready(()) => false,
    };
    drop(early);
    let outcome = match stopped {
        false => run(&mut topic).await,
        true => Err(too_early()),
    };
    let Topic { name, .. } = topic;
    let left = if own { remove(&name, session).await } else { Ok(()) };
    let removed = own && left.is_ok();
    let (printed, failure) = match outcome {
        Ok((output, failure)) => (session.show(&output), failure),
        Err(failure) => (Ok(()), Some(failure)),
    };
    // Nobody looks at a topic that is gone.
    let failure = failure.map(|failure| match failure.next_step().is_some_and(|next| next.contains(&name)) {
        true if removed => failure.next(MEASURE_AGAIN),
        _ => failure,
    });
    let failures = [failure, left.err(), printed.err()];
    Failure::all(failures.into_iter().flatten().collect()).map_or(Ok(()), Err)
}

const MEASURE_AGAIN: &str =
    "`riverrun cluster health` shows whether all brokers are there; measure again when they are";

/// Removes the topic of the run. Where that takes too long, or somebody does not wait for it, it stays, and is named.
async fn remove(name: &str, session: &Session) -> Result<(), Failure> {
    let mut signals = session::signals()?;
    let reason = tokio::select! {
        deleted = timeout(FAREWELL, session.admin.delete_topic(name)) => match deleted {
            Ok(Ok(_)) => return Ok(()),
            // Somebody else has removed it, as the run has told.
            Ok(Err(error)) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no broker has removed it in time".to_owned(),
        },
        _ = signals.next() => "interrupted before a broker has removed it".to_owned(),
    };
    Err(Failure::failed(format!("the topic {name} of this run may be left behind: {reason}"))
        .next(format!("`riverrun topic delete {name}` deletes it if it is there")))
}

/// A topic that no other run has, be it begun in the same moment.
async fn create(partitions: i32, value_size: u32, session: &Session) -> Result<String, Failure> {
    let mut random = [0; 4];
    RealEntropy.fill(&mut random);
    let name = format!("riverrun-bench-{}-{:08x}", RealClock::new().now().wall.0, u32::from_be_bytes(random));
    let largest = usize::try_from(value_size).unwrap_or(usize::MAX).saturating_add(RECORD_OVERHEAD);
    let configs = match largest > MESSAGE_BYTES {
        true => vec![("max.message.bytes".to_owned(), largest.to_string())],
        false => Vec::new(),
    };
    let topic = NewTopic { partitions: Some(partitions), configs, ..NewTopic::new(&name) };
    let created = session.admin.create_topic(&topic, false).await;
    let created = created.map_err(|error| {
        let doing = format!("cannot create {name} for the run");
        match Failure::is_unknown(&error) {
            true => Failure::of_change(error, &doing, "riverrun topic list")
                .and_next(format!("`riverrun topic delete {name}` deletes it if it is there")),
            false => Failure::of(error, &doing),
        }
    })?;
    await_topic(&name, &created, session).await;
    Ok(name)
}
