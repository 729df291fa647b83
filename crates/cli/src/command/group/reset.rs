//! `riverrun group reset`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use client::{Error, ErrorCode, Offset, TopicPartition};
use serde_json::json;
use tokio::time::timeout;

use super::has_members;
use super::lag::{Bounds, bounds};
use super::undo::{Before, Offsets, keep, kept, undo};
use crate::command::ask::Destruction;
use crate::command::place::{Where, failed_somewhere, partitions_of, resolve};
use crate::command::session::changing;
use crate::command::several::{OtherGroup, no_group, no_topic, other_group};
use crate::command::{Failure, Format, Session, units};
use crate::print::text::visible;
use crate::print::{Output, table::Table};

/// Send a group elsewhere: to an offset, to a time, some records on or back. Its members have to be gone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group reset kitchen --to start --dry-run
  riverrun group reset kitchen --to @-2h --topic orders --undo-file undo.json
  riverrun group reset kitchen --by -100 --topic orders --partition 0 --yes
  riverrun group reset kitchen --from-file undo.json
  riverrun group reset kitchen --from-file undo.json --topic orders

Without --topic it is about all that the group has committed. It asks before it changes anything; without a terminal to
ask on, it needs --yes. What the group had before is printed, and kept in --undo-file, which --from-file takes; where
nothing was changed, there is no such file.
--format wide has where the partitions begin and end besides, and how far behind the group is then.")]
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
    #[arg(long, short, value_name = "N", value_parser = units::partition)]
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
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = records)]
    by: Option<i64>,
    /// To what an --undo-file holds, or what it holds of each --topic.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

const DOING: &str = "cannot reset the group";

/// How long is waited to see whether anything was changed, after a refusal.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads how many records it is on, or back.
fn records(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "a whole number of records is expected: 100 on, -100 back".to_owned())
}

/// What is to become of a group.
#[derive(Debug, PartialEq, Eq, Default)]
struct Plan {
    offsets: Offsets,
    /// Where something else was asked for, that is not there.
    out_of_range: BTreeMap<TopicPartition, OutOfRange>,
}

/// An offset that was asked for, where the nearest is taken that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OutOfRange {
    asked: i64,
    taken: Offset,
    is_past_end: bool,
}

pub async fn run(reset: &Reset, session: &Session) -> Result<(), Failure> {
    let name = &reset.group;
    let failed = |error| {
        let next = format!("`riverrun group describe {name}` shows where it is");
        Failure::of(error, DOING).or_next(next)
    };
    let mut near = None;
    // A group that is not there can be given a place to begin, in topics that are named, if only in a file.
    let names_topics = !reset.topics.is_empty() || reset.target.from_file.is_some();
    let is_new = match session.ask(async |admin| admin.describe_group(name).await).await {
        Ok(group) if !group.members.is_empty() => return Err(has_members(name, group.members.len())),
        Ok(_) => false,
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {
            match other_group(name, session).await {
                Some(OtherGroup::Near(other)) if names_topics => near = Some(other),
                None if names_topics => {}
                _ => return Err(no_group(name, error, DOING, session).await),
            }
            true
        }
        Err(error) => return Err(failed(error)),
    };
    let before = committed(name, session).await.map_err(failed)?;
    let plan = plan(reset, &before, session).await?;
    if plan.offsets.is_empty() {
        return Err(nothing(reset, is_new));
    }
    let bounds = match session.format {
        Format::Table | Format::Name => Bounds::new(),
        // Two questions more, which only who asks for more waits for.
        Format::Wide | Format::Json | Format::Yaml => {
            bounds(&plan.offsets.keys().cloned().collect(), session).await.map_err(failed)?.bounds
        }
    };
    let outcome = Outcome { group: name, plan: &plan, before: &before, bounds, is_new, near };
    let dry_run = reset.destruction.dry_run;
    if reset.destruction.asks() && io::stdin().is_terminal() {
        outcome.output(Stage::Asked).preview()?;
    }
    let partitions = units::counted(plan.offsets.len(), "partition");
    reset
        .destruction
        .confirm(
            &match is_new {
                true => format!("Make the group {name}, which is not there, with offsets in {partitions}"),
                false => format!("Reset {name} so in {partitions}"),
            },
            session,
        )
        .await?;
    if reset.destruction.asks() && committed(name, session).await.map_err(failed)? != before {
        return Err(Failure::failed(format!("{name} has committed meanwhile, and nothing was changed"))
            .next("the same command again shows what it has now"));
    }
    if !dry_run {
        change(reset, &plan, &before, session).await?;
    }
    session.show(&outcome.output(if dry_run { Stage::DryRun } else { Stage::Done }))
}

/// Does it. What the group had before is written first, as nobody knows it afterwards.
async fn change(reset: &Reset, plan: &Plan, before: &Before, session: &Session) -> Result<(), Failure> {
    let name = &reset.group;
    if let Some(file) = &reset.undo_file {
        keep(file, &undo(name, &plan.offsets, before))?;
    }
    let look = format!("riverrun group describe {name}");
    let done = changing(DOING, &look, apply(name, plan, session)).await;
    let (failure, is_refused) = match done {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) if error.code().is_some() => {
            (Failure::of(error, DOING).or_next(format!("`{look}` shows where it is")), true)
        }
        Ok(Err(error)) => (Failure::of_change(error, DOING, &look), false),
        Err(interrupted) => (interrupted, false),
    };
    let Some(file) = &reset.undo_file else { return Err(failure) };
    // A refusal may be of one partition alone, or come after an earlier attempt was done.
    let is_as_before = async { committed(name, session).await.is_ok_and(|now| now == *before) };
    let is_unchanged = is_refused && timeout(PATIENCE, is_as_before).await.unwrap_or(false);
    // Where it is of no use, it would only stand in the way of the next attempt.
    Err(match is_unchanged && fs::remove_file(file).is_ok() {
        true => failure,
        false => failure.and_next(format!("{} holds what the group had before", file.display())),
    })
}

impl Reset {
    /// Whether a partition is one of those that were named, or none was.
    fn is_about(&self, name: &TopicPartition) -> bool {
        (self.topics.is_empty() || self.topics.iter().any(|topic| *topic == *name.topic))
            && self.partition.is_none_or(|partition| partition == name.partition)
    }
}

/// Why there is nothing to do.
fn nothing(reset: &Reset, is_new: bool) -> Failure {
    let name = &reset.group;
    if let Some(file) = &reset.target.from_file {
        return Failure::not_there(format!("nothing of {} is left to do for {name}", file.display()))
            .next(format!("`riverrun group describe {name}` shows what it has"));
    }
    let partition =
        reset.partition.map_or_else(String::new, |partition| format!(" in partition {partition}"));
    let topics = reset.topics.join(" or ");
    let describe = format!("`riverrun group describe {name}` shows where it has");
    match (reset.topics.is_empty(), reset.partition) {
        (true, None) => Failure::failed(format!("{name} has committed nothing that could be reset"))
            .next("name a topic: --topic TOPIC"),
        (true, Some(_)) => {
            Failure::not_there(format!("{name} has no committed offset{partition}")).next(describe)
        }
        (false, _) if is_new => Failure::not_there(format!(
            "there is no group {name}, from which --by could count"
        ))
        .next("`riverrun group list` shows the groups that are there; --to says where a new one begins"),
        (false, _) => Failure::not_there(format!(
            "{name} has no committed offset in {topics}{partition}, from which --by could count"
        ))
        .next("--to says where to begin; ".to_owned() + &describe),
    }
}

async fn committed(group: &str, session: &Session) -> Result<Before, Error> {
    match session.ask(async |admin| admin.committed_offsets(group, None).await).await {
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => Ok(Before::new()),
        committed => committed,
    }
}

async fn plan(reset: &Reset, before: &Before, session: &Session) -> Result<Plan, Failure> {
    let failed = |error| failed_somewhere(error, DOING);
    if let Some(file) = &reset.target.from_file {
        let mut plan = Plan { offsets: kept(file, &reset.group)?, ..Plan::default() };
        let is_kept = |topic: &&String| plan.offsets.keys().any(|name| *name.topic == ***topic);
        if let Some(topic) = reset.topics.iter().find(|topic| !is_kept(topic)) {
            return Err(Failure::not_there(format!("{} holds nothing of {topic:?}", file.display()))
                .next("name topics that are in it"));
        }
        if !plan.offsets.keys().any(|name| reset.is_about(name)) {
            let partition = reset.partition.unwrap_or_default();
            return Err(Failure::not_there(format!(
                "{} holds nothing of partition {partition}",
                file.display()
            ))
            .next("name a partition that is in it"));
        }
        // What is to be forgotten, and is not known, is done already.
        let is_to_do = |name: &TopicPartition, offset: &mut Option<Offset>| {
            reset.is_about(name) && (offset.is_some() || before.contains_key(name))
        };
        plan.offsets.retain(is_to_do);
        check_there(&plan, session).await?;
        // Since it was written, records may have expired, and a topic may have been made anew.
        let known = plan.offsets.iter().filter_map(|(name, offset)| Some((name.clone(), (*offset)?.0)));
        let Plan { offsets, out_of_range } = within(known, session).await.map_err(failed)?;
        return Ok(Plan { offsets: plan.offsets.into_iter().chain(offsets).collect(), out_of_range });
    }
    let mut names: Vec<TopicPartition> = Vec::new();
    let topics: BTreeSet<&String> = reset.topics.iter().collect();
    for topic in topics {
        let topic = match session.admin.describe_topic(topic).await {
            Ok(topic) => topic,
            Err(error) => return Err(no_topic(topic, error, DOING, session).await),
        };
        names.extend(partitions_of(&topic, reset.partition)?);
    }
    if reset.topics.is_empty() {
        let wanted =
            |name: &&TopicPartition| reset.partition.is_none_or(|partition| partition == name.partition);
        names.extend(before.keys().filter(wanted).cloned());
    }
    let by = match (reset.target.to, reset.target.by) {
        (Some(Where::Offset(offset)), _) => {
            return within(names.into_iter().map(|name| (name, offset)), session).await.map_err(failed);
        }
        (Some(place), _) => {
            let offsets = resolve(&names, place, session).await.map_err(failed)?;
            let offsets = offsets.into_iter().map(|(name, offset)| (name, Some(offset))).collect();
            return Ok(Plan { offsets, ..Plan::default() });
        }
        (None, by) => by.unwrap_or(0),
    };
    let shifted = |name: TopicPartition| {
        let committed = before.get(&name)?;
        Some((name, committed.offset.0.saturating_add(by)))
    };
    within(names.into_iter().filter_map(shifted), session).await.map_err(failed)
}

/// The client would wait for a topic that is not there, as it may be a new one, and be refused only then.
async fn check_there(plan: &Plan, session: &Session) -> Result<(), Failure> {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (name, _) in plan.offsets.iter().filter(|(_, offset)| offset.is_some()) {
        by_topic.entry(&name.topic).or_default().push(name.partition);
    }
    let mut gone = None;
    let mut there = Vec::new();
    for (name, partitions) in by_topic {
        let topic = match session.admin.describe_topic(name).await {
            Ok(topic) => topic,
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                gone.get_or_insert((name, error));
                continue;
            }
            Err(error) => return Err(no_topic(name, error, DOING, session).await),
        };
        for partition in partitions {
            partitions_of(&topic, Some(partition))?;
        }
        there.push(name);
    }
    let Some((name, error)) = gone else { return Ok(()) };
    let failure = no_topic(name, error, DOING, session).await;
    if there.is_empty() {
        return Err(failure);
    }
    let topics = there.iter().take(NAMED_MAX).map(|name| format!(" --topic {name}")).collect::<String>();
    let more = if there.len() > NAMED_MAX { ", and so on" } else { "" };
    Err(failure.next(format!("to reset it in those that are there, name them:{topics}{more}")))
}

/// So many topics are named in one line of advice.
const NAMED_MAX: usize = 8;

/// What was asked for, or the nearest to it that is there.
async fn within(
    asked: impl Iterator<Item = (TopicPartition, i64)>,
    session: &Session,
) -> Result<Plan, Error> {
    let asked: BTreeMap<TopicPartition, i64> = asked.collect();
    let names: Vec<TopicPartition> = asked.keys().cloned().collect();
    let starts = resolve(&names, Where::Start, session).await?;
    let ends = resolve(&names, Where::End, session).await?;
    let mut plan = Plan::default();
    for (name, asked) in asked {
        let (Some(start), Some(end)) = (starts.get(&name), ends.get(&name)) else {
            continue;
        };
        let taken = Offset(asked).min(*end).max(*start);
        if taken.0 != asked {
            let out_of_range = OutOfRange { asked, taken, is_past_end: asked > end.0 };
            plan.out_of_range.insert(name.clone(), out_of_range);
        }
        plan.offsets.insert(name, Some(taken));
    }
    Ok(plan)
}

async fn apply(group: &str, plan: &Plan, session: &Session) -> Result<(), Error> {
    let known = |(name, offset): (&TopicPartition, &Option<Offset>)| Some((name.clone(), (*offset)?.into()));
    let forgotten: Vec<TopicPartition> =
        plan.offsets.iter().filter(|(_, offset)| offset.is_none()).map(|(name, _)| name.clone()).collect();
    session.admin.alter_offsets(group, &plan.offsets.iter().filter_map(known).collect()).await?;
    match forgotten.is_empty() {
        true => Ok(()),
        false => session.admin.delete_offsets(group, &forgotten).await,
    }
}

/// How far it has come when it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    DryRun,
    Done,
}

/// What becomes of a group.
struct Outcome<'r> {
    group: &'r str,
    plan: &'r Plan,
    before: &'r Before,
    /// Where the partitions begin and end; only for who asks for more.
    bounds: Bounds,
    is_new: bool,
    /// A group that is there, and may have been meant by the name of one that is not.
    near: Option<String>,
}

impl Outcome<'_> {
    fn output(&self, stage: Stage) -> Output {
        let dry_run = stage == Stage::DryRun;
        let mut table =
            Table::new(&["TOPIC", ">PARTITION", ">BEFORE", ">AFTER", ">CHANGE", "+>START", "+>END", "+>LAG"]);
        let mut values = Vec::new();
        for (name, after) in &self.plan.offsets {
            let old = self.before.get(name).map(|committed| committed.offset.0);
            let new = after.map(|offset| offset.0);
            let text = |offset: Option<i64>| offset.map_or_else(String::new, |offset| offset.to_string());
            let change = old.zip(new).map(|(old, new)| format!("{:+}", i128::from(new) - i128::from(old)));
            let (start, end) = self.bounds.get(name).map(|(start, end)| (start.0, end.0)).unzip();
            let lag = end.zip(new).map(|(end, new)| end.saturating_sub(new).max(0));
            table.row([
                name.topic.to_string(),
                name.partition.to_string(),
                text(old),
                text(new),
                change.unwrap_or_default(),
                text(start),
                text(end),
                text(lag),
            ]);
            let out_of_range = self.plan.out_of_range.get(name);
            values.push(json!({
                "topic": name.topic.as_ref(),
                "partition": name.partition,
                "before": old,
                "after": new,
                "start_offset": start,
                "end_offset": end,
                "lag": lag,
                "out_of_range": out_of_range.map(|out_of_range| out_of_range.asked),
            }));
        }
        let value = json!({
            "group": self.group,
            "is_new": self.is_new,
            "dry_run": dry_run,
            "partitions": values,
        });
        let output = Output::new(value).table(table).names(self.plan.offsets.keys().map(ToString::to_string));
        let output = self.warnings(stage).into_iter().fold(output, Output::hint);
        if dry_run { output.hint("nothing was changed (--dry-run)") } else { output }
    }

    /// What somebody who mistyped something would want to hear.
    fn warnings(&self, stage: Stage) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_new {
            let near = self.near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?"));
            let is = if stage == Stage::Done { "is new" } else { "is not there, and would be made" };
            warnings.push(format!("the group {} {is}{near}", visible(self.group)));
        }
        for (name, out_of_range) in &self.plan.out_of_range {
            let OutOfRange { asked, taken, is_past_end } = out_of_range;
            let side = if *is_past_end { "past the end" } else { "before the start" };
            warnings.push(format!("{name}: {asked} is {side}, which is {taken} and is taken instead"));
        }
        warnings
    }
}
