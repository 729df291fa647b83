//! `riverrun topic add-partitions`.

use clap::Args;
use client::metadata::Topic;
use serde_json::json;

use super::partitions;
use crate::command::ask::{Destruction, listed};
use crate::command::several::{Topics, still_the_same};
use crate::command::{Failure, Session, units};
use crate::print::{Output, note};

/// Give topics more partitions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic add-partitions orders --by 3
  riverrun topic add-partitions orders payments --to 12 --dry-run

Partitions cannot be taken away again. Records that are there stay where they are, but from then on most keys go to other
partitions than before, so that a key's records are in order only from that moment on.

It asks before it changes a topic that the cluster made for itself. Without a terminal to ask on, that needs --yes.")]
pub struct AddPartitions {
    #[command(flatten)]
    topics: Topics,
    #[command(flatten)]
    count: Count,
    #[command(flatten)]
    destruction: Destruction,
}

/// How many.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Count {
    /// How many more.
    #[arg(long, value_name = "N", value_parser = units::within(1..=i32::MAX))]
    by: Option<i32>,
    /// How many in all; a topic that has as many is left as it is.
    #[arg(long, value_name = "N", value_parser = units::within(1..=i32::MAX))]
    to: Option<i32>,
}

impl Count {
    /// How many there are to be where there are so many.
    fn after(&self, before: i32) -> i32 {
        self.to.unwrap_or(before.saturating_add(self.by.unwrap_or(0)))
    }
}

const DOING: &str = "cannot add partitions";

pub async fn run(add: &AddPartitions, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = add.topics.find(DOING, session).await?;
    let grows = |topic: &&Topic| add.count.after(count(topic)) > count(topic);
    let lost: Vec<String> = topics.iter().filter(grows).filter_map(named_loss).collect();
    if !lost.is_empty() {
        let lost = listed(lost.into_iter());
        let question = format!("Add partitions, which cannot be undone, to {lost}");
        outcomes.confirm(&add.destruction, &question, session).await?;
        if !add.destruction.asks() && !add.destruction.dry_run {
            note(&format!("this cannot be undone: {lost}"));
        }
    }
    let act = async |topic: &Topic| one(topic, add, session).await;
    let outcomes = match add.count.by {
        Some(_) => outcomes.again(
            "`riverrun topic describe` shows how many it has; after that, give the command only the topics that lack some",
        ),
        None => outcomes,
    };
    outcomes.change(&topics, |topic| &topic.name, act, session).await
}

fn count(topic: &Topic) -> i32 {
    i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
}

/// What is lost with another number of partitions: where something is kept is computed from its name and that number, and
/// nobody takes along what is there already.
fn loss(topic: &Topic) -> Option<&'static str> {
    Some(match topic.name.as_str() {
        "__consumer_offsets" => "most groups lose their offsets",
        "__transaction_state" => {
            "most transactional ids lose their transactions, of which open ones stay open"
        }
        "__share_group_state" => "most share groups lose their places",
        _ if topic.internal => "the cluster needs it as it is",
        _ => return None,
    })
}

fn named_loss(topic: &Topic) -> Option<String> {
    loss(topic).map(|loss| format!("{} ({loss})", topic.name))
}

async fn one(topic: &Topic, add: &AddPartitions, session: &Session) -> Result<Output, Failure> {
    let name = &topic.name;
    let before = count(topic);
    let after = add.count.after(before);
    let dry_run = add.destruction.dry_run;
    let has = partitions(topic.partitions.len());
    let value = json!({ "name": name, "before": before, "partitions": after, "dry_run": dry_run });
    let output = Output::new(value).names([name.as_str()]);
    if after == before {
        return Ok(output.line(format!("{name} has {has} already")));
    }
    if after < before {
        return Err(Failure::failed(format!("{name} has {has} already, and none can be taken away"))
            .next(format!("ask for more than {before}, or create another topic with fewer")));
    }
    if add.destruction.asks() && loss(topic).is_some() {
        still_the_same(name, topic.id, DOING, session).await?;
    }
    let added = session.admin.create_partitions(name, after, dry_run).await;
    let look = format!("riverrun topic describe {name}");
    added.map_err(|error| {
        Failure::of_change(error, DOING, &look).or_next(format!("`{look}` shows what it has"))
    })?;
    let verb = if dry_run { "could have" } else { "has" };
    let line = format!("{name} {verb} {} ({before} before)", partitions(after.unsigned_abs() as usize));
    // Who is asked has read it; who asks what would be done reads it here.
    Ok(output.line(match loss(topic).filter(|_| dry_run) {
        Some(loss) => format!("{line}; {loss}"),
        None => line,
    }))
}
