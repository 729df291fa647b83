//! `riverrun topic trim`.

use std::collections::BTreeMap;

use clap::Args;
use client::metadata::Topic;
use client::{Error, ErrorCode, Offset, TopicPartition};
use kernel::Uuid;
use serde_json::{Value, json};

use crate::command::ask::{Destruction, listed};
use crate::command::place::{Where, partitions_of, resolve};
use crate::command::several::{Done, Topics, still_the_same};
use crate::command::{Failure, Session, units};
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
    #[arg(long, short, value_name = "N", value_parser = units::partition)]
    partition: Option<i32>,
    #[command(flatten)]
    destruction: Destruction,
}

/// A partition, where it begins, and where it is to begin.
type Row = (TopicPartition, Offset, Offset);

/// What is to be deleted of a topic.
struct Plan {
    topic: String,
    id: Uuid,
    rows: Vec<Row>,
    /// Those of which everything goes because they end before the offset that was named.
    emptied: Vec<i32>,
}

const DOING: &str = "cannot trim the topic";

fn failed(error: Error) -> Failure {
    let keeps = error.code() == Some(ErrorCode::PolicyViolation);
    let failure = Failure::of(error, DOING);
    if keeps { failure.next(ONLY_DELETED) } else { failure }
}

const ONLY_DELETED: &str = "records can be deleted only where cleanup.policy has delete";

pub async fn run(trim: &Trim, session: &Session) -> Result<(), Failure> {
    let (topics, mut outcomes) = trim.topics.find(DOING, session).await?;
    let mut plans = Vec::new();
    for topic in topics {
        match plan(&topic, trim, session).await {
            Ok(plan) => plans.push(plan),
            Err(failure) => outcomes.push(&topic.name, Err(failure)),
        }
    }
    let records: i64 = plans.iter().map(|plan| count(&plan.rows)).sum();
    let asks = records > 0 && trim.destruction.asks();
    if records > 0 {
        let all = listed(plans.iter().map(|plan| match plan.all_of(trim.before) {
            Some(words) => format!("{} ({words})", plan.topic),
            None => plan.topic.clone(),
        }));
        let question = format!("Delete up to {records} records of {all}");
        outcomes.confirm(&trim.destruction, &question, session).await?;
    }
    let act = async |plan: &Plan| {
        if asks {
            still_the_same(&plan.topic, plan.id, DOING, session).await?;
        }
        one(plan, trim, session).await
    };
    outcomes.change(&plans, |plan| &plan.topic, act, session).await
}

/// How many offsets are before where the partitions are to begin.
fn count(rows: &[Row]) -> i64 {
    rows.iter().map(|(_, start, target)| target.0 - start.0).sum()
}

impl Plan {
    /// Which partitions lose everything though an offset was named, for whoever did not know that they are so short.
    fn all_of(&self, before: Where) -> Option<String> {
        let Where::Offset(offset) = before else { return None };
        let numbers: Vec<String> = self.emptied.iter().map(ToString::to_string).collect();
        match numbers.as_slice() {
            [] => None,
            [one] => Some(format!("all of partition {one}, which ends before {offset}")),
            all => Some(format!("all of partitions {}, which end before {offset}", all.join(", "))),
        }
    }
}

/// What a broker would refuse is known before anybody is asked, and to those who only ask what would be done.
async fn check(topic: &Topic, session: &Session) -> Result<(), Failure> {
    let name = &topic.name;
    if topic.internal {
        return Err(Failure::failed(format!(
            "{DOING}: {name} is the cluster's own, and no broker takes this"
        ))
        .next("the cluster itself deletes what it no longer needs there"));
    }
    let configs = match session.ask(async |admin| admin.describe_topic_configs(name).await).await {
        Ok(configs) => configs,
        // Who may not read them, or asks an old broker, hears it when the broker refuses.
        Err(error) if error.code().is_some() || matches!(error, Error::Unsupported { .. }) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let policy = configs.into_iter().find(|config| config.name == "cleanup.policy");
    let policy = policy.and_then(|config| config.value).unwrap_or_default();
    let has = |wanted: &str| policy.split(',').any(|one| one.trim() == wanted);
    if has("compact") && !has("delete") {
        let refused = format!("{DOING}: {name} is only compacted (cleanup.policy={policy})");
        return Err(Failure::failed(refused).next(ONLY_DELETED));
    }
    Ok(())
}

async fn plan(topic: &Topic, trim: &Trim, session: &Session) -> Result<Plan, Failure> {
    let names = partitions_of(topic, trim.partition)?;
    check(topic, session).await?;
    // First, as it fails at once where a partition has no leader.
    let wanted = resolve(&names, trim.before, session).await.map_err(failed)?;
    let starts = resolve(&names, Where::Start, session).await.map_err(failed)?;
    let emptied = match trim.before {
        Where::Offset(offset) => {
            ended_before(offset, &resolve(&names, Where::End, session).await.map_err(failed)?, &starts)?
        }
        _ => Vec::new(),
    };
    let row = |name: TopicPartition| {
        let start = starts.get(&name).copied().unwrap_or_default();
        let target = wanted.get(&name).copied().unwrap_or(start).max(start);
        (name, start, target)
    };
    let rows = names.into_iter().map(row).collect();
    Ok(Plan { topic: topic.name.clone(), id: topic.id, rows, emptied })
}

/// The partitions that have records, but fewer than up to this offset. All of them would be a digit too many.
fn ended_before(
    offset: i64,
    ends: &BTreeMap<TopicPartition, Offset>,
    starts: &BTreeMap<TopicPartition, Offset>,
) -> Result<Vec<i32>, Failure> {
    let last = ends.iter().max_by_key(|(_, end)| **end);
    if let Some((name, end)) = last.filter(|(_, end)| offset > end.0) {
        let furthest = if ends.len() > 1 { ", and no other partition has more" } else { "" };
        return Err(Failure::failed(format!(
            "offset {offset} is past the end of {name}, which is {end}{furthest}"
        ))
        .next("--before end deletes all that is there"));
    }
    let begins = |name| starts.get(name).copied().unwrap_or_default();
    let emptied = ends.iter().filter(|(name, end)| offset > end.0 && begins(name) < **end);
    Ok(emptied.map(|(name, _)| name.partition).collect())
}

async fn one(plan: &Plan, trim: &Trim, session: &Session) -> Result<Done, Failure> {
    let dry_run = trim.destruction.dry_run;
    let (rows, lack) = match dry_run {
        true => (plan.rows.clone(), None),
        false => {
            let targets = plan.rows.iter().map(|(name, _, target)| (name.clone(), Some(*target)));
            plan.outcome(session.admin.delete_records_each(&targets.collect()).await)
        }
    };
    match (lack, plan.all_of(trim.before)) {
        (Some(failure), _) if rows.is_empty() => Err(failure),
        (None, Some(words)) => Ok(output(&plan.topic, &rows, dry_run).hint(words).into()),
        (lack, _) => Ok(Done { output: output(&plan.topic, &rows, dry_run), lack }),
    }
}

impl Plan {
    /// What was trimmed, and what it means that the rest was not; what went wrong alike is told once.
    fn outcome(
        &self,
        mut each: BTreeMap<TopicPartition, Result<Offset, Error>>,
    ) -> (Vec<Row>, Option<Failure>) {
        let mut rows = Vec::new();
        let mut failed: Vec<(Error, &TopicPartition, usize)> = Vec::new();
        for (name, start, target) in &self.rows {
            match each.remove(name).unwrap_or(Ok(*target)) {
                Ok(begins) => rows.push((name.clone(), *start, begins)),
                Err(error) => {
                    let is_alike = |other: &Error| match error.code() {
                        Some(code) => other.code() == Some(code),
                        None => *other == error,
                    };
                    match failed.iter_mut().find(|(other, ..)| is_alike(other)) {
                        Some((_, _, count)) => *count += 1,
                        None => failed.push((error, name, 1)),
                    }
                }
            }
        }
        let failures = failed.into_iter().map(|(error, first, count)| self.refused(error, first, count));
        (rows, Failure::all(failures.collect()))
    }

    fn refused(&self, error: Error, first: &TopicPartition, count: usize) -> Failure {
        let doing = if count > 1 { format!("{DOING} in {count} partitions") } else { DOING.to_owned() };
        // Of a connection that fails nobody else says what it was about.
        let doing = if error.topic().is_none() { format!("{doing}: {first}") } else { doing };
        let look = format!("riverrun topic describe {}", self.topic);
        match error.code() {
            _ if Failure::is_unknown(&error) => Failure::of_change(error, &doing, &look),
            Some(ErrorCode::PolicyViolation) => Failure::of(error, &doing).next(ONLY_DELETED),
            Some(ErrorCode::OffsetOutOfRange) => Failure::of(error, &doing)
                .next(format!("the topic may have become another one meanwhile: `{look}` shows its offsets")),
            _ => Failure::of(error, &doing),
        }
    }
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
    Output::new(value).line(format!("{deleted} offsets {words} {topic}")).table(table).names([topic])
}

#[cfg(test)]
mod tests {
    use client::BrokerError;

    use super::*;

    /// What became of partitions that began at 0 and were to begin at 5.
    fn outcome(each: Vec<Result<i64, Error>>) -> (Vec<i32>, Option<Failure>) {
        let name = |partition| TopicPartition::new("q", partition);
        let each: BTreeMap<TopicPartition, _> =
            (0..).zip(each).map(|(partition, result)| (name(partition), result.map(Offset))).collect();
        let rows = each.keys().map(|name| (name.clone(), Offset(0), Offset(5))).collect();
        let plan = Plan { topic: "q".to_owned(), id: Uuid::ZERO, rows, emptied: Vec::new() };
        let (rows, failure) = plan.outcome(each);
        (rows.iter().map(|(name, ..)| name.partition).collect(), failure)
    }

    fn lost(address: &str) -> Result<i64, Error> {
        Err(Error::Protocol { address: address.to_owned(), reason: "it is cut".to_owned() })
    }

    fn refused(code: ErrorCode, partition: i32) -> Result<i64, Error> {
        let topic = Some("q".to_owned());
        let partition = Some(partition);
        Err(Error::Broker(BrokerError { code, message: None, topic, partition, group: None }))
    }

    #[test]
    fn partitions_that_were_trimmed_are_told_of_beside_those_that_were_not() {
        assert_eq!(outcome(vec![Ok(5), Ok(5)]), (vec![0, 1], None));
        let out_of_range = |partition| refused(ErrorCode::OffsetOutOfRange, partition);
        let (trimmed, failure) =
            outcome(vec![out_of_range(0), Ok(5), out_of_range(2), lost("h:1"), lost("h:2")]);
        assert_eq!(trimmed, [1]);
        let two = Failure::failed("cannot trim the topic in 2 partitions: q-0: OFFSET_OUT_OF_RANGE (1)");
        let two = two.next(
            "the topic may have become another one meanwhile: `riverrun topic describe q` shows its offsets",
        );
        let lost = |first, address| {
            let cut = format!("{address} does not speak the protocol: it is cut");
            let next = "`riverrun cluster health` shows whether the brokers and controllers are there, and \
                 `riverrun topic describe q` whether it was done";
            Failure::failed(format!("{DOING}: {first}: {cut}; it may have been done all the same")).next(next)
        };
        assert_eq!(failure, Failure::all(vec![two, lost("q-3", "h:1"), lost("q-4", "h:2")]));
    }
}
