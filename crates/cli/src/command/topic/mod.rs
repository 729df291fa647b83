//! `riverrun topic`: create, list, describe, delete.

mod create;
mod delete;
mod describe;
mod list;

use clap::Subcommand;

use super::{Failure, Session};

#[derive(Debug, Subcommand)]
pub enum Topic {
    Create(create::Create),
    List(list::List),
    Describe(describe::Describe),
    Delete(delete::Delete),
}

pub async fn run(topic: Topic, session: &Session) -> Result<(), Failure> {
    match topic {
        Topic::Create(create) => create::run(create, session).await,
        Topic::List(list) => list::run(&list, session).await,
        Topic::Describe(describe) => describe::run(&describe, session).await,
        Topic::Delete(delete) => delete::run(&delete, session).await,
    }
}
