//! `riverrun topic`: a file for each of its commands.

mod add_partitions;
mod alter;
mod create;
mod delete;
mod describe;
mod list;
mod trim;

use clap::Subcommand;
use client::admin::CreatedTopic;
use client::metadata;

use super::seen::until_seen;
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

/// Waits until a topic is there that was created, and not one before it of the same name: the next command would not find it.
pub async fn await_topic(name: &str, created: &CreatedTopic, session: &Session) {
    let ask = async || session.admin.describe_topic(name).await;
    let is_it = |topic: &metadata::Topic| topic.id.is_zero() || created.id.is_none_or(|id| id == topic.id);
    // Whoever works with it next hears why it is not there.
    let _ = until_seen(ask, |topic| topic.as_ref().is_ok_and(is_it)).await;
}

/// So many partitions, in words.
fn partitions(count: usize) -> String {
    match count {
        1 => "1 partition".to_owned(),
        count => format!("{count} partitions"),
    }
}
