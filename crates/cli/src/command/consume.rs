//! `riverrun consume`: prints records.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use client::admin::OffsetSpec;
use client::config::{IsolationLevel, OffsetReset};
use client::metadata::Topic;
use client::{Consumer, ConsumerConfig, ConsumerRecord, Offset, Start, TopicPartition};
use regex_lite::Regex;
use serde_json::{Map, Value};

use super::place::{Where, partitions_of, resolve};
use super::template::Template;
use super::{Failure, Format, Session, session, time};
use crate::print::{self, Progress};

/// Read records and print them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun consume orders --from start --until-end
  riverrun consume orders --from @-15m --print-key --print-timestamp
  riverrun consume orders --from 1200 --partition 0 -n 10
  riverrun consume orders --group kitchen --from start
  riverrun consume orders --from start --until-end --format json | jq .value
  riverrun consume orders payments --tail 5 --template '%t %d{date} %k: %v\\n'
  riverrun consume orders --from @-2h --until @-1h
  riverrun consume --regex '^orders-(eu|us)$' --group kitchen

With a group, --from counts only where the group has committed nothing yet. Fields that are printed before the value are
separated by tabs.

In a template %t is the topic, %p the partition, %o the offset, %e the leader epoch, %d the time (%d{date} as a date), %k
the key, %v the value, %h{%k=%v } each header, %i the count of what was printed; %T, %K and %V are lengths, %H the number
of headers. Forms stand in braces: hex, base64, json for bytes, hex64 to hex4, big64 to big8, little64 to little8 for
numbers. \\n, \\t, \\xHH and %% are what they are elsewhere.")]
pub struct Consume {
    /// The topics to read.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Take each TOPIC as a regular expression, and read all topics of which it matches a part; a group also those that are
    /// made later.
    #[arg(long, short = 'r')]
    regex: bool,
    /// Where to begin: start, end, an offset, or @TIME (milliseconds since 1970, 2026-01-31T12:30:00Z, or -15m).
    #[arg(long, value_name = "WHERE", default_value = "end")]
    from: Where,
    /// Read as a member of this group, and commit what was printed.
    #[arg(long, value_name = "GROUP", conflicts_with = "partition")]
    group: Option<String>,
    /// Read one partition only.
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Begin so many records before the end of each partition; where records are missing, it is fewer.
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "group"], value_parser = clap::value_parser!(u32).range(1..))]
    tail: Option<u32>,
    /// Stop where the topic ended when the command began.
    #[arg(long)]
    until_end: bool,
    /// Stop before this place, named as for --from.
    #[arg(long, value_name = "WHERE", conflicts_with_all = ["until_end", "group"])]
    until: Option<Where>,
    /// Stop after so many records.
    #[arg(short = 'n', long = "number", value_name = "N")]
    number: Option<u64>,
    /// Leave out records of transactions that are open or aborted.
    #[arg(long)]
    read_committed: bool,
    /// How a record is printed, instead of as a line with its value.
    #[arg(long, short = 'f', value_name = "TEMPLATE")]
    template: Option<Template>,
    #[command(flatten)]
    fields: Fields,
}

/// What is printed before the value.
#[derive(Debug, Args)]
struct Fields {
    /// Print each record's time (UTC).
    #[arg(long)]
    print_timestamp: bool,
    /// Print its partition.
    #[arg(long)]
    print_partition: bool,
    /// Print its offset.
    #[arg(long)]
    print_offset: bool,
    /// Print its headers, as name=value separated by commas.
    #[arg(long)]
    print_headers: bool,
    /// Print its key.
    #[arg(long)]
    print_key: bool,
}

/// How long one poll waits. Records are returned as soon as they are there; this only bounds the checks in between.
const POLL: Duration = Duration::from_millis(500);

/// The most records that are taken at a time.
pub(super) const RECORDS_MAX: usize = 500;

pub async fn run(consume: Consume, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot read the topic");
    let patterns = Patterns::of(&consume)?;
    let mut partitions = Vec::new();
    for topic in topics(&consume, patterns.as_ref(), session).await? {
        partitions.extend(partitions_of(&topic, consume.partition)?);
    }
    let mut signals = session::signals()?;
    let mut consumer = begin(&consume, patterns, &partitions, session).await?;
    let end = ends(&consume, &partitions, session).await.map_err(failed)?;
    let waits = consume.from == Where::End && consume.tail.is_none() && end.is_none();
    if waits && io::stderr().is_terminal() {
        print::note("waiting for new records; --from start reads those that are there, Ctrl-C ends");
    }
    let mut printer = Printer { consume: &consume, ends: end.as_ref(), format: session.format, printed: 0 };
    let mut progress = Progress::of_output();
    let max = consume.number.unwrap_or(u64::MAX);
    let read = loop {
        if printer.printed >= max || end.as_ref().is_some_and(|end| is_at_end(&mut consumer, end)) {
            break Ok(());
        }
        let left = usize::try_from(max - printer.printed).unwrap_or(usize::MAX);
        let polled = tokio::select! {
            polled = consumer.poll_up_to(left.min(RECORDS_MAX), POLL) => polled,
            _ = signals.next() => break Ok(()),
        };
        match polled.map_err(failed) {
            Ok(records) => {
                if let Err(error) = printer.print(&records) {
                    break Err(error.into());
                }
                progress.show(printer.printed);
            }
            Err(failure) => break Err(failure),
        }
    };
    drop(progress);
    let closed = consumer.close().await.map_err(|error| Failure::of(error, "cannot leave the group"));
    read.and(closed)
}

/// Regular expressions of which one has to match a topic's name.
struct Patterns(Vec<Regex>);

impl Patterns {
    /// Those that were given, if topics are named so.
    fn of(consume: &Consume) -> Result<Option<Self>, Failure> {
        let pattern = |text: &String| {
            Regex::new(text).map_err(|error| {
                Failure::wrong_use(format!("{text:?} is no regular expression: {error}"))
                    .next("a name as it is needs no --regex")
            })
        };
        let patterns = consume.topics.iter().filter(|_| consume.regex).map(pattern);
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        Ok(consume.regex.then_some(Self(patterns)))
    }

    fn want(&self, topic: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(topic))
    }
}

/// The topics that are to be read, as far as they are there.
async fn topics(
    consume: &Consume,
    patterns: Option<&Patterns>,
    session: &Session,
) -> Result<Vec<Topic>, Failure> {
    let failed = |error| Failure::of(error, "cannot read the topic");
    let Some(patterns) = patterns else {
        let mut topics = Vec::new();
        for name in &consume.topics {
            topics.push(session.admin.describe_topic(name).await.map_err(failed)?);
        }
        return Ok(topics);
    };
    let mut topics = session.admin.list_topics().await.map_err(failed)?;
    topics.retain(|topic| !topic.internal && patterns.want(&topic.name));
    if topics.is_empty() && (consume.group.is_none() || consume.until_end) {
        return Err(Failure::not_there(format!("no topic matches {}", consume.topics.join(" or ")))
            .next("`riverrun topic list` shows which there are"));
    }
    Ok(topics)
}

async fn begin(
    consume: &Consume,
    patterns: Option<Patterns>,
    partitions: &[TopicPartition],
    session: &Session,
) -> Result<Consumer, Failure> {
    let reset = match (consume.from, &consume.group) {
        (Where::Start, _) => OffsetReset::Earliest,
        (Where::End, _) | (_, None) => OffsetReset::Latest,
        (Where::Offset(_) | Where::At(_), Some(_)) => {
            return Err(Failure::wrong_use(
                "a group begins at the start, at the end, or where it has committed to",
            )
            .next("leave --group out to read from an offset or a time"));
        }
    };
    let isolation_level =
        if consume.read_committed { IsolationLevel::ReadCommitted } else { IsolationLevel::ReadUncommitted };
    let config = ConsumerConfig {
        group_id: consume.group.clone(),
        auto_offset_reset: reset,
        isolation_level,
        ..Default::default()
    };
    let failed = |error| Failure::of(error, "cannot read the topic");
    let mut consumer = Consumer::new(&session.client, config).map_err(failed)?;
    let start = match consume.from {
        Where::Start => Start::Earliest,
        Where::End => Start::Latest,
        Where::Offset(offset) => Start::Offset(Offset(offset)),
        Where::At(timestamp) => Start::At(timestamp),
    };
    match (&consume.group, consume.tail) {
        (Some(_), _) => match patterns {
            Some(patterns) => {
                consumer.subscribe_matching(move |topic| patterns.want(topic)).map_err(failed)?
            }
            None => consumer.subscribe(consume.topics.iter().map(String::as_str)).map_err(failed)?,
        },
        (None, None) => consumer.assign(partitions.iter().map(|partition| (partition.clone(), start))),
        (None, Some(tail)) => {
            let starts = resolve(partitions, Where::Start, session).await.map_err(failed)?;
            let ends = resolve(partitions, Where::End, session).await.map_err(failed)?;
            let place = |(name, end): (TopicPartition, Offset)| {
                let start = starts.get(&name).copied().unwrap_or_default();
                let offset = Offset(end.0.saturating_sub(i64::from(tail))).max(start);
                (name, Start::Offset(offset))
            };
            consumer.assign(ends.into_iter().map(place));
        }
    }
    Ok(consumer)
}

pub(super) type Ends = BTreeMap<TopicPartition, Offset>;

/// Where to stop in each partition, if anywhere.
async fn ends(
    consume: &Consume,
    partitions: &[TopicPartition],
    session: &Session,
) -> Result<Option<Ends>, client::Error> {
    if let Some(until) = consume.until {
        return resolve(partitions, until, session).await.map(Some);
    }
    if !consume.until_end {
        return Ok(None);
    }
    let isolation =
        if consume.read_committed { IsolationLevel::ReadCommitted } else { IsolationLevel::ReadUncommitted };
    let wanted: Vec<_> = partitions.iter().map(|name| (name.clone(), OffsetSpec::Latest)).collect();
    let listed = session.admin.list_offsets(&wanted, isolation).await?;
    Ok(Some(listed.into_iter().filter_map(|(name, listed)| Some((name, listed.offset?))).collect()))
}

/// Whether everything that is wanted has been read, as far as it is this consumer's to read. Partitions that are done are
/// not read on.
pub(super) fn is_at_end(consumer: &mut Consumer, ends: &Ends) -> bool {
    let is_done = |name: &&TopicPartition| {
        let end = ends.get(*name).copied().unwrap_or_default();
        consumer.position(name).is_some_and(|position| position >= end)
    };
    let done: Vec<TopicPartition> = consumer.assignment().filter(is_done).cloned().collect();
    consumer.pause(&done);
    consumer.has_assignment() && done.len() == consumer.assignment().count()
}

/// Prints records, and counts them.
struct Printer<'c> {
    consume: &'c Consume,
    ends: Option<&'c Ends>,
    format: Format,
    printed: u64,
}

impl Printer<'_> {
    /// Prints all but what is beyond the end, if there is to be one. What a group commits is printed anyhow.
    fn print(&mut self, records: &[ConsumerRecord]) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut bytes = Vec::new();
        for record in records {
            let name = TopicPartition { topic: record.topic.clone(), partition: record.partition };
            let late = self.ends.and_then(|ends| ends.get(&name)).is_some_and(|end| record.offset >= *end);
            if late && self.consume.group.is_none() {
                continue;
            }
            self.printed += 1;
            match (&self.consume.template, self.format) {
                (Some(template), _) => {
                    bytes.clear();
                    template.write(&mut bytes, record, self.printed);
                    out.write_all(&bytes)?;
                }
                (None, Format::Json) => writeln!(out, "{}", json(record))?,
                (None, Format::Yaml) => {
                    writeln!(out, "---\n{}", print::yaml::text(&json(record)).trim_end())?;
                }
                (None, Format::Name) => writeln!(out, "{name}@{}", record.offset)?,
                (None, Format::Table | Format::Wide) => text(&mut out, &self.consume.fields, record)?,
            }
        }
        out.flush()
    }
}

fn text(out: &mut impl Write, fields: &Fields, record: &ConsumerRecord) -> io::Result<()> {
    if fields.print_timestamp {
        write!(out, "{}\t", time::format(record.timestamp))?;
    }
    if fields.print_partition {
        write!(out, "{}\t", record.partition)?;
    }
    if fields.print_offset {
        write!(out, "{}\t", record.offset)?;
    }
    if fields.print_headers {
        for (place, (key, value)) in record.headers.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(out, "{comma}{key}=")?;
            out.write_all(value.as_deref().unwrap_or(NULL))?;
        }
        out.write_all(b"\t")?;
    }
    if fields.print_key {
        out.write_all(record.key.as_deref().unwrap_or(NULL))?;
        out.write_all(b"\t")?;
    }
    out.write_all(record.value.as_deref().unwrap_or(NULL))?;
    out.write_all(b"\n")
}

/// What stands for no key or value.
const NULL: &[u8] = b"null";

fn json(record: &ConsumerRecord) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), record.topic.as_ref().into());
    object.insert("partition".to_owned(), record.partition.into());
    object.insert("offset".to_owned(), record.offset.0.into());
    object.insert("timestamp".to_owned(), record.timestamp.0.into());
    print::json::bytes(&mut object, "key", record.key.as_deref());
    print::json::bytes(&mut object, "value", record.value.as_deref());
    let header = |(key, value): &(String, Option<bytes::Bytes>)| {
        let mut header = Map::new();
        header.insert("key".to_owned(), key.as_str().into());
        print::json::bytes(&mut header, "value", value.as_deref());
        Value::from(header)
    };
    object.insert("headers".to_owned(), record.headers.iter().map(header).collect());
    Value::from(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Timestamp;

    fn record() -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".into(),
            partition: 1,
            offset: Offset(7),
            timestamp: Timestamp(0),
            leader_epoch: None,
            key: Some("k".into()),
            value: None,
            headers: vec![("a".to_owned(), Some("1".into())), ("b".to_owned(), None)],
        }
    }

    #[test]
    fn fields_stand_before_the_value_in_a_fixed_order() {
        let all = Fields {
            print_timestamp: true,
            print_partition: true,
            print_offset: true,
            print_headers: true,
            print_key: true,
        };
        let mut out = Vec::new();
        text(&mut out, &all, &record()).expect("memory takes it");
        assert_eq!(String::from_utf8_lossy(&out), "1970-01-01T00:00:00.000Z\t1\t7\ta=1,b=null\tk\tnull\n");
    }

    #[test]
    fn json_has_one_object_for_each_record() {
        assert_eq!(
            json(&record()).to_string(),
            r#"{"headers":[{"key":"a","value":"1"},{"key":"b","value":null}],"key":"k","offset":7,"partition":1,"timestamp":0,"topic":"t","value":null}"#
        );
    }
}
