//! `riverrun topic`: a file for each of its commands.

mod add_partitions;
mod alter;
mod create;
mod delete;
mod describe;
mod list;
mod trim;

use clap::Subcommand;

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

/// So many partitions, in words.
fn partitions(count: usize) -> String {
    match count {
        1 => "1 partition".to_owned(),
        count => format!("{count} partitions"),
    }
}
