//! `riverrun topic`: a file for each of its commands.

mod add_partitions;
mod alter;
mod create;
mod delete;
mod describe;
mod list;
mod trim;

use std::time::Duration;

use clap::Subcommand;
use kernel::Uuid;
use tokio::time::{Instant, sleep};

use super::{Failure, Session};

#[derive(Debug, Subcommand)]
pub enum Topic {
    Create(create::Create),
    List(list::List),
    Describe(describe::Describe),
    Alter(alter::Alter),
    AddPartitions(add_partitions::AddPartitions),
    Trim(trim::Trim),
    Delete(delete::Delete),
}

pub async fn run(topic: Topic, session: &Session) -> Result<(), Failure> {
    match topic {
        Topic::Create(create) => create::run(create, session).await,
        Topic::List(list) => list::run(&list, session).await,
        Topic::Describe(describe) => describe::run(&describe, session).await,
        Topic::Alter(alter) => alter::run(&alter, session).await,
        Topic::AddPartitions(add) => add_partitions::run(&add, session).await,
        Topic::Trim(trim) => trim::run(&trim, session).await,
        Topic::Delete(delete) => delete::run(&delete, session).await,
    }
}

/// How long a broker may take to hear of a topic, and how often it is asked.
const SEEN_MAX: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Waits until a topic is there that was created, and not the one `before` that it takes the name of: Apache Kafka's brokers
/// hear of a topic after its controller has made it, and the next command would not find it.
pub async fn await_topic(name: &str, before: Option<Uuid>, session: &Session) {
    let deadline = Instant::now() + SEEN_MAX;
    loop {
        let seen = session.admin.describe_topic(name).await;
        let is_there = seen.is_ok_and(|topic| topic.id.is_zero() || Some(topic.id) != before);
        if is_there || Instant::now() >= deadline {
            return;
        }
        sleep(ASK_EVERY).await;
    }
}

/// So many partitions, in words.
fn partitions(count: usize) -> String {
    match count {
        1 => "1 partition".to_owned(),
        count => format!("{count} partitions"),
    }
}
