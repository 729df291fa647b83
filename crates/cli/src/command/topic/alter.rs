//! `riverrun topic alter`.

use clap::Args;
use client::admin::ConfigResource;

use crate::command::config::{self, Changes};
use crate::command::{Failure, Session};

/// Change settings of a topic.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic alter orders --set retention.ms=86400000
  riverrun topic alter orders --set cleanup.policy=compact --delete retention.ms --dry-run

What is deleted comes from the broker's settings again. `riverrun config explain KEY` says what a setting does,
and --format wide of those that are changed, with their defaults and who has set them.

It asks before it changes a topic that the cluster made for itself. Without a terminal to ask on, that needs --yes.")]
pub struct Alter {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    name: String,
    #[command(flatten)]
    changes: Changes,
}

pub async fn run(alter: &Alter, session: &Session) -> Result<(), Failure> {
    config::alter(&ConfigResource::Topic(alter.name.clone()), &alter.changes, session).await
}
