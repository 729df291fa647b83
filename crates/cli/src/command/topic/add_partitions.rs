//! `riverrun topic add-partitions`.

use clap::Args;
use client::metadata::Topic;
use serde_json::json;

use super::partitions;
use crate::command::ask::Change;
use crate::command::several::Topics;
use crate::command::{Failure, Session};
use crate::print::Output;

/// Give topics more partitions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic add-partitions orders --by 3
  riverrun topic add-partitions orders payments --to 12 --dry-run

Partitions cannot be taken away again. Records that are there stay where they are, but from then on most keys go to other
partitions than before, so that a key's records are in order only from that moment on.")]
pub struct AddPartitions {
    #[command(flatten)]
    topics: Topics,
    #[command(flatten)]
    count: Count,
    #[command(flatten)]
    change: Change,
}

/// How many.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Count {
    /// How many more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    by: Option<i32>,
    /// How many in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    to: Option<i32>,
}

const DOING: &str = "cannot add partitions";

pub async fn run(add: &AddPartitions, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = add.topics.find(DOING, session).await?;
    for topic in &topics {
        outcomes.push(&topic.name, one(topic, add, session).await);
    }
    outcomes.show(session)
}

async fn one(topic: &Topic, add: &AddPartitions, session: &Session) -> Result<Output, Failure> {
    let name = &topic.name;
    let before = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let after = add.count.to.unwrap_or(before.saturating_add(add.count.by.unwrap_or(0)));
    if after <= before {
        let has = partitions(topic.partitions.len());
        return Err(Failure::failed(format!("{name} has {has} already, and none can be taken away"))
            .next(format!("ask for more than {before}, or create another topic with fewer")));
    }
    let dry_run = add.change.dry_run;
    let added = session.admin.create_partitions(name, after, dry_run).await;
    let next = format!("`riverrun topic describe {name}` shows what it has");
    added.map_err(|error| Failure::of(error, DOING).or_next(next))?;
    let verb = if dry_run { "could have" } else { "has" };
    let line = format!("{name} {verb} {} ({before} before)", partitions(after.unsigned_abs() as usize));
    let value = json!({ "name": name, "before": before, "partitions": after, "dry_run": dry_run });
    let new = (before..after).map(|partition| format!("{name}-{partition}"));
    Ok(Output::new(value).line(line).names(new))
}
