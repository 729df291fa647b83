//! `riverrun topic delete`.

use clap::Args;
use client::metadata::Topic;
use serde_json::json;

use super::partitions;
use crate::command::ask::{Destruction, listed};
use crate::command::several::{Topics, still_the_same};
use crate::command::{Failure, Session};
use crate::print::Output;

/// Delete topics with all their records.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic delete orders
  riverrun topic delete orders payments --yes
  riverrun topic delete --regex '^test-' --dry-run

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Delete {
    #[command(flatten)]
    topics: Topics,
    #[command(flatten)]
    destruction: Destruction,
}

const DOING: &str = "cannot delete the topic";

pub async fn run(delete: &Delete, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = delete.topics.find(DOING, session).await?;
    if !topics.is_empty() {
        let all = listed(topics.iter().map(|topic| format!("{} ({})", topic.name, size(topic))));
        let whose = if topics.len() == 1 { "its" } else { "their" };
        let question = format!("Delete {all} and all {whose} records");
        outcomes.confirm(&delete.destruction, &question, session).await?;
    }
    let act = async |topic: &Topic| one(topic, &delete.destruction, session).await;
    outcomes.change(&topics, |topic| &topic.name, act, session).await
}

/// How large a topic is, and what more there is to know before it goes.
fn size(topic: &Topic) -> String {
    let size = partitions(topic.partitions.len());
    match topic.name.as_str() {
        "__consumer_offsets" => format!("{size}; all groups lose their offsets"),
        _ if topic.internal => format!("{size}; the cluster needs it"),
        _ => size,
    }
}

async fn one(topic: &Topic, destruction: &Destruction, session: &Session) -> Result<Output, Failure> {
    let (name, dry_run) = (&topic.name, destruction.dry_run);
    if destruction.asks() {
        still_the_same(name, topic.id, DOING, session).await?;
    }
    let line = match dry_run {
        true => format!("{name} ({}) would be deleted", size(topic)),
        false => {
            let deleted = session.admin.delete_topic(name).await;
            deleted.map_err(|error| Failure::of_change(error, DOING, "riverrun topic list"))?;
            format!("deleted {name}")
        }
    };
    let value = json!({ "name": name, "dry_run": dry_run });
    Ok(Output::new(value).line(line).names([name.as_str()]))
}
