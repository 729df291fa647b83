//! `riverrun group reset`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use client::admin::CommittedOffset;
use client::{Error, ErrorCode, Offset, TopicPartition};
use serde_json::{Value, json};

use super::has_members;
use crate::command::ask::Destruction;
use crate::command::place::{Where, partitions_of, resolve};
use crate::command::several::no_topic;
use crate::command::{Failure, Session, units};
use crate::print::{Output, table::Table};

/// Send a group elsewhere: to an offset, to a time, some records on or back. Its members have to be gone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group reset kitchen --to start --dry-run
  riverrun group reset kitchen --to @-2h --topic orders --undo-file undo.json
  riverrun group reset kitchen --by -100 --topic orders --partition 0 --yes
  riverrun group reset kitchen --from-file undo.json

Without --topic it is about all that the group has committed. It asks before it changes anything; without a terminal to
ask on, it needs --yes. What the group had before is printed, and kept in --undo-file, which --from-file takes.")]
pub struct Reset {
    /// The group.
    #[arg(value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    group: String,
    #[command(flatten)]
    target: Target,
    /// Only this topic; may be given several times.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only this partition.
    #[arg(long, short, value_name = "N")]
    partition: Option<i32>,
    /// Keep what the group had before in this file.
    #[arg(long, value_name = "FILE")]
    undo_file: Option<PathBuf>,
    #[command(flatten)]
    destruction: Destruction,
}

/// Where to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// To this place: start, end, an offset, or @TIME (milliseconds since 1970, 2026-01-31T12:30:00Z, or -15m).
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    to: Option<Where>,
    /// So many records on, or back if it is negative.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    by: Option<i64>,
    /// To what an --undo-file holds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topics", "partition"])]
    from_file: Option<PathBuf>,
}

const DOING: &str = "cannot reset the group";

/// What is to become of each partition; nothing for one about which the group should know nothing.
type Plan = BTreeMap<TopicPartition, Option<Offset>>;

pub async fn run(reset: &Reset, session: &Session) -> Result<(), Failure> {
    let name = &reset.group;
    let failed = |error| {
        let next = format!("`riverrun group describe {name}` shows where it is");
        Failure::of(error, DOING).or_next(next)
    };
    match session.admin.describe_group(name).await {
        Ok(group) if !group.members.is_empty() => {
            return Err(has_members(name, group.members.len()));
        }
        Ok(_) => {}
        // A group that has never committed can be given a place to begin, in topics that are named.
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) && !reset.topics.is_empty() => {}
        Err(error) => return Err(failed(error)),
    }
    let before = committed(name, session).await.map_err(failed)?;
    let plan = plan(reset, &before, session).await?;
    if plan.is_empty() {
        return Err(Failure::failed(format!("{name} has committed nothing that could be reset"))
            .next("name a topic: --topic TOPIC"));
    }
    let dry_run = reset.destruction.dry_run;
    if reset.destruction.asks() && io::stdin().is_terminal() {
        output(name, &plan, &before, dry_run).preview()?;
    }
    let where_to = units::counted(plan.len(), "partition");
    reset.destruction.confirm(&format!("Reset {name} so in {where_to}"), session)?;
    if !dry_run {
        if let Some(file) = &reset.undo_file {
            let text = format!("{:#}\n", undo(name, &plan, &before));
            // One that is there may be needed yet.
            let written = File::create_new(file).and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|error| {
                Failure::failed(format!("cannot write {}: {error}", file.display())).next(
                    match error.kind() {
                        io::ErrorKind::AlreadyExists => {
                            "nothing was changed; name a file that is not there yet"
                        }
                        _ => "nothing was changed; name a file that can be made, with room for it",
                    },
                )
            })?;
        }
        apply(name, &plan, session).await.map_err(failed)?;
    }
    session.show(&output(name, &plan, &before, dry_run))
}

type Before = BTreeMap<TopicPartition, CommittedOffset>;

async fn committed(group: &str, session: &Session) -> Result<Before, Error> {
    match session.admin.committed_offsets(group, None).await {
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => Ok(Before::new()),
        committed => committed,
    }
}

async fn plan(reset: &Reset, before: &Before, session: &Session) -> Result<Plan, Failure> {
    let failed = |error| Failure::of(error, DOING);
    if let Some(file) = &reset.target.from_file {
        let plan = kept(file, &reset.group)?;
        check_there(&plan, session).await?;
        return Ok(plan);
    }
    let mut names: Vec<TopicPartition> = Vec::new();
    let topics: BTreeSet<&String> = reset.topics.iter().collect();
    for topic in topics {
        let topic = session.admin.describe_topic(topic).await.map_err(failed)?;
        names.extend(partitions_of(&topic, reset.partition)?);
    }
    if reset.topics.is_empty() {
        let wanted =
            |name: &&TopicPartition| reset.partition.is_none_or(|partition| partition == name.partition);
        names.extend(before.keys().filter(wanted).cloned());
    }
    let offsets = match (reset.target.to, reset.target.by) {
        (Some(place), _) => resolve(&names, place, session).await.map_err(failed)?,
        (None, by) => shifted(&names, by.unwrap_or(0), before, session).await.map_err(failed)?,
    };
    Ok(offsets.into_iter().map(|(name, offset)| (name, Some(offset))).collect())
}

/// What an undo file holds for a group.
fn kept(file: &Path, group: &str) -> Result<Plan, Failure> {
    const NEXT: &str = "name a file that --undo-file has written";
    let path = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format!("cannot read {path}: {error}")).next(NEXT))?;
    let (of, plan) = read_undo(&text)
        .ok_or_else(|| Failure::failed(format!("{path} is not what --undo-file writes")).next(NEXT))?;
    if of != group {
        return Err(Failure::failed(format!("{path} holds what {of:?} had, and not {group:?}"))
            .next(format!("name the group {of:?}, or a file that --undo-file has written for {group:?}")));
    }
    match plan.is_empty() {
        true => Err(Failure::failed(format!("{path} holds no offsets")).next(NEXT)),
        false => Ok(plan),
    }
}

/// The client would wait for a topic that is not there, as it may be a new one, and be refused only then.
async fn check_there(plan: &Plan, session: &Session) -> Result<(), Failure> {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (name, _) in plan.iter().filter(|(_, offset)| offset.is_some()) {
        by_topic.entry(&name.topic).or_default().push(name.partition);
    }
    for (name, partitions) in by_topic {
        let topic = match session.admin.describe_topic(name).await {
            Ok(topic) => topic,
            Err(error) => return Err(no_topic(name, error, DOING, session).await),
        };
        for partition in partitions {
            partitions_of(&topic, Some(partition))?;
        }
    }
    Ok(())
}

/// So many records on from what was committed, within what is there.
async fn shifted(
    names: &[TopicPartition],
    by: i64,
    before: &Before,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    let starts = resolve(names, Where::Start, session).await?;
    let ends = resolve(names, Where::End, session).await?;
    let target = |(name, committed): (&TopicPartition, &CommittedOffset)| {
        let (start, end) = (starts.get(name)?, ends.get(name)?);
        Some((name.clone(), Offset(committed.offset.0.saturating_add(by)).min(*end).max(*start)))
    };
    Ok(before.iter().filter_map(target).collect())
}

async fn apply(group: &str, plan: &Plan, session: &Session) -> Result<(), Error> {
    let known = |(name, offset): (&TopicPartition, &Option<Offset>)| Some((name.clone(), (*offset)?.into()));
    let forgotten: Vec<TopicPartition> =
        plan.iter().filter(|(_, offset)| offset.is_none()).map(|(name, _)| name.clone()).collect();
    session.admin.alter_offsets(group, &plan.iter().filter_map(known).collect()).await?;
    match forgotten.is_empty() {
        true => Ok(()),
        false => session.admin.delete_offsets(group, &forgotten).await,
    }
}

/// What makes it as it was: for partitions that had nothing, nothing.
fn undo(group: &str, plan: &Plan, before: &Before) -> Value {
    let offset = |name: &TopicPartition| {
        let committed = before.get(name).map(|committed| committed.offset.0);
        json!({ "topic": name.topic.as_ref(), "partition": name.partition, "offset": committed })
    };
    json!({ "group": group, "offsets": plan.keys().map(offset).collect::<Vec<_>>() })
}

/// The group of an undo file, and what it had.
fn read_undo(text: &str) -> Option<(String, Plan)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let group = value.get("group")?.as_str()?.to_owned();
    let entry = |entry: &Value| {
        let topic = entry.get("topic")?.as_str()?;
        let partition = i32::try_from(entry.get("partition")?.as_i64()?).ok()?;
        let offset = match entry.get("offset")? {
            Value::Null => None,
            offset => Some(Offset(offset.as_i64().filter(|offset| *offset >= 0)?)),
        };
        Some((TopicPartition::new(topic, partition), offset))
    };
    let plan: Option<Plan> = value.get("offsets")?.as_array()?.iter().map(entry).collect();
    Some((group, plan?))
}

fn output(group: &str, plan: &Plan, before: &Before, dry_run: bool) -> Output {
    let mut table = Table::new(&["TOPIC", ">PARTITION", ">BEFORE", ">AFTER", ">CHANGE"]);
    let mut values = Vec::new();
    for (name, after) in plan {
        let (old, new) = (before.get(name).map(|committed| committed.offset.0), after.map(|offset| offset.0));
        let text = |offset: Option<i64>| offset.map_or_else(String::new, |offset| offset.to_string());
        let change = old.zip(new).map(|(old, new)| format!("{:+}", new - old));
        table.row([
            name.topic.to_string(),
            name.partition.to_string(),
            text(old),
            text(new),
            change.unwrap_or_default(),
        ]);
        values.push(json!({
            "topic": name.topic.as_ref(),
            "partition": name.partition,
            "before": old,
            "after": new,
        }));
    }
    let output = Output::new(json!({ "group": group, "dry_run": dry_run, "partitions": values }))
        .table(table)
        .names(plan.keys().map(ToString::to_string));
    if dry_run { output.hint("nothing was changed (--dry-run)") } else { output }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_makes_it_as_it_was() {
        let names = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
        let before: Before = [(names[0].clone(), Offset(7).into())].into();
        let plan: Plan = names.iter().map(|name| (name.clone(), Some(Offset(0)))).collect();
        let text = undo("g", &plan, &before).to_string();
        let expected: Plan = [(names[0].clone(), Some(Offset(7))), (names[1].clone(), None)].into();
        assert_eq!(read_undo(&text), Some(("g".to_owned(), expected)));
        for wrong in ["", "{}", r#"{"group":"g","offsets":[{"topic":"t","partition":0,"offset":-5}]}"#] {
            assert_eq!(read_undo(wrong), None, "{wrong}");
        }
    }
}
