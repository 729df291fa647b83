//! `riverrun topic trim`.

use std::collections::BTreeMap;

use clap::Args;
use client::admin::OffsetSpec;
use client::config::IsolationLevel;
use client::metadata::Topic;
use client::{Error, ErrorCode, Offset, TopicPartition};
use serde_json::{Value, json};

use crate::command::ask::{Destruction, listed};
use crate::command::place::{Where, partitions_of, resolve};
use crate::command::several::Topics;
use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

/// Delete records from the front of topics.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic trim orders --before @-30d
  riverrun topic trim orders --before 1200 --partition 0 --yes
  riverrun topic trim orders payments --before end --dry-run

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Trim {
    #[command(flatten)]
    topics: Topics,
    /// Delete what is before this: an offset, @TIME (as for consume), or end for all that is there.
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    before: Where,
    /// Only in this partition.
    #[arg(long, short, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    destruction: Destruction,
}

/// A partition, where it begins, and where it is to begin.
type Row = (TopicPartition, Offset, Offset);

fn failed(error: Error) -> Failure {
    let keeps = error.code() == Some(ErrorCode::PolicyViolation);
    let failure = Failure::of(error, "cannot trim the topic");
    let advice = "records can be deleted only where cleanup.policy has delete";
    if keeps { failure.next(advice) } else { failure }
}

pub async fn run(trim: &Trim, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = trim.topics.find("cannot trim the topic", session).await?;
    let mut plans = Vec::new();
    for topic in topics {
        match plan(&topic, trim, session).await {
            Ok(rows) => plans.push((topic.name, rows, topic.internal)),
            Err(failure) => outcomes.push(&topic.name, Err(failure)),
        }
    }
    if !plans.is_empty() {
        let records: i64 = plans.iter().map(|(_, rows, _)| count(rows)).sum();
        let all = listed(plans.iter().map(|(name, _, internal)| match internal {
            true => format!("{name} (the cluster needs them)"),
            false => name.clone(),
        }));
        trim.destruction.confirm(&format!("Delete up to {records} records of {all}"), session)?;
    }
    for (name, rows, _) in plans {
        let trimmed = one(&name, rows, trim.destruction.dry_run, session).await;
        outcomes.push(&name, trimmed);
    }
    outcomes.show(session)
}

/// How many offsets are before where the partitions are to begin.
fn count(rows: &[Row]) -> i64 {
    rows.iter().map(|(_, start, target)| target.0 - start.0).sum()
}

async fn plan(topic: &Topic, trim: &Trim, session: &Session) -> Result<Vec<Row>, Failure> {
    let names = partitions_of(topic, trim.partition)?;
    let specs = names.iter().map(|name| (name.clone(), OffsetSpec::Earliest)).collect::<Vec<_>>();
    let isolation = IsolationLevel::ReadUncommitted;
    let starts = session.admin.list_offsets(&specs, isolation).await.map_err(failed)?;
    let wanted = resolve(&names, trim.before, session).await.map_err(failed)?;
    if let Where::Offset(offset) = trim.before {
        // One digit too many would empty the topic. Partitions that have fewer are another matter: they differ.
        let ends = resolve(&names, Where::End, session).await.map_err(failed)?;
        let end = ends.values().max().copied().unwrap_or_default();
        if offset > end.0 {
            let topic = &topic.name;
            return Err(Failure::failed(format!(
                "offset {offset} is past the end of {topic}, which is {end}"
            ))
            .next("--before end deletes all that is there"));
        }
    }
    let row = |name: TopicPartition| {
        let start = starts.get(&name).and_then(|listed| listed.offset).unwrap_or_default();
        let target = wanted.get(&name).copied().unwrap_or(start).max(start);
        (name, start, target)
    };
    Ok(names.into_iter().map(row).collect())
}

async fn one(topic: &str, mut rows: Vec<Row>, dry_run: bool, session: &Session) -> Result<Output, Failure> {
    if !dry_run {
        let targets: BTreeMap<TopicPartition, Option<Offset>> =
            rows.iter().map(|(name, _, target)| (name.clone(), Some(*target))).collect();
        let begins = session.admin.delete_records(&targets).await.map_err(failed)?;
        for (name, _, target) in &mut rows {
            *target = begins.get(name).copied().unwrap_or(*target);
        }
    }
    Ok(output(topic, &rows, dry_run))
}

fn output(topic: &str, rows: &[Row], dry_run: bool) -> Output {
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
    let deleted = count(rows);
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
