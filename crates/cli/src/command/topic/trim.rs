//! `riverrun topic trim`.

use std::collections::BTreeMap;

use clap::Args;
use client::admin::OffsetSpec;
use client::config::IsolationLevel;
use client::{ErrorCode, Offset, TopicPartition};
use serde_json::{Value, json};

use crate::command::ask::Destruction;
use crate::command::place::{Where, partitions_of, resolve};
use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

/// Delete records from the front of a topic.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic trim orders --before @-30d
  riverrun topic trim orders --before 1200 --partition 0 --yes
  riverrun topic trim orders --before end --dry-run

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Trim {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    name: String,
    /// Delete what is before this: an offset, @TIME (as for consume), or end for all that is there.
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    before: Where,
    /// Only in this partition.
    #[arg(long, short, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    destruction: Destruction,
}

pub async fn run(trim: &Trim, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot trim the topic");
    let topic = session.admin.describe_topic(&trim.name).await.map_err(failed)?;
    let names = partitions_of(&topic, trim.partition)?;
    let specs = |spec| names.iter().map(|name| (name.clone(), spec)).collect::<Vec<_>>();
    let isolation = IsolationLevel::ReadUncommitted;
    let starts = session.admin.list_offsets(&specs(OffsetSpec::Earliest), isolation).await.map_err(failed)?;
    let wanted = resolve(&names, trim.before, session).await.map_err(failed)?;
    let mut targets: BTreeMap<TopicPartition, Option<Offset>> = BTreeMap::new();
    let mut rows = Vec::new();
    for name in &names {
        let start = starts.get(name).and_then(|listed| listed.offset).unwrap_or_default();
        let target = wanted.get(name).copied().unwrap_or(start).max(start);
        rows.push((name.clone(), start, target));
        targets.insert(name.clone(), Some(target));
    }
    let records: i64 = rows.iter().map(|(_, start, target)| target.0 - start.0).sum();
    let dry_run = trim.destruction.dry_run;
    trim.destruction.confirm(&format!("Delete up to {records} records of {}", topic.name), session)?;
    if !dry_run {
        let deleted = session.admin.delete_records(&targets).await;
        let begins = deleted.map_err(|error| {
            let keeps = error.code() == Some(ErrorCode::PolicyViolation);
            let failure = failed(error);
            let advice = "records can be deleted only where cleanup.policy has delete";
            if keeps { failure.next(advice) } else { failure }
        })?;
        for (name, _, target) in &mut rows {
            *target = begins.get(name).copied().unwrap_or(*target);
        }
    }
    session.show(&output(&topic.name, &rows, dry_run))
}

fn output(topic: &str, rows: &[(TopicPartition, Offset, Offset)], dry_run: bool) -> Output {
    let mut table = Table::new(&[">PARTITION", ">BEGAN", ">BEGINS", ">DELETED"]);
    let mut partitions = Vec::new();
    for (name, start, target) in rows {
        let deleted = target.0 - start.0;
        table.row([name.partition.to_string(), start.to_string(), target.to_string(), deleted.to_string()]);
        partitions.push(json!({
            "partition": name.partition,
            "began": start.0,
            "begins": target.0,
            "deleted": deleted,
        }));
    }
    let deleted: i64 = rows.iter().map(|(_, start, target)| target.0 - start.0).sum();
    let value = json!({
        "name": topic,
        "deleted": deleted,
        "dry_run": dry_run,
        "partitions": Value::from(partitions),
    });
    let words = if dry_run { "would be deleted from" } else { "deleted from" };
    // Where a log was compacted, there were fewer records than offsets.
    Output::new(value)
        .line(format!("{deleted} offsets {words} {topic}"))
        .table(table)
        .names(rows.iter().map(|(name, ..)| name.to_string()))
}
