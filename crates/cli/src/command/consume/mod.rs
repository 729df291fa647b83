//! `riverrun consume`: prints records.

mod end;
mod print;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use client::config::{IsolationLevel, OffsetReset};
use client::metadata::Topic;
use client::{Consumer, ConsumerConfig, Offset, Start, TopicPartition};

use super::place::{Where, partitions_of, resolve};
use super::several::{Patterns, once};
use super::template::Template;
use super::{Failure, Format, Session, session};
use crate::print::{Left, Progress, nobody_reads, note};
use end::{Ends, Share, ends};
pub use end::{is_at_end, left_until};
use print::Printer;

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
  riverrun consume readings --tail 9 --until-end -f '%d{strftime[%F %T]} %k{unpack[Q]} %v{unpack[hxi]}\\n'

With a group, --from counts only where the group has committed nothing yet. Fields that are printed before the value are
separated by tabs.

In a template %t is the topic, %p the partition, %o the offset, %e the leader epoch, %d the time (%d{date} as a date), %k
the key, %v the value, %h{%k=%v } each header, %i the count of what was printed; %T, %K and %V are lengths, %H the number
of headers. Forms stand in braces: hex, base64, base64raw, json, unpack[...] for bytes, hex64 to hex4, big64 to big8,
little64 to little8, bool for numbers, strftime[%F %T] and go[2006-01-02 15:04] for times (UTC, unless --local). What unpack reads: b h i q
are numbers of 1, 2, 4, 8 bytes, capital ones without a sign; after < the lowest byte comes first, as at the beginning, after
> the highest; c is a byte, s the rest, $ the end, x a blank between. \\n, \\t, \\xHH and %% are what they are elsewhere.")]
pub struct Consume {
    /// The topics to read.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Take each TOPIC as a regular expression, and read all topics of which it matches a part; a group also those that are
    /// made later.
    #[arg(long, short = 'r')]
    regex: bool,
    /// Where to begin: start, end, an offset, or @TIME (milliseconds since 1970, 2026-01-31T12:30:00Z, or -15m).
    #[arg(long, short = 'o', value_name = "WHERE", default_value = "end", allow_hyphen_values = true)]
    from: Where,
    /// Read as a member of this group, and commit what was printed.
    #[arg(long, short, value_name = "GROUP", conflicts_with = "partition")]
    group: Option<String>,
    /// Read one partition only.
    #[arg(long, short, value_name = "N")]
    partition: Option<i32>,
    /// Begin so many records before the end of each partition; where records are missing, it is fewer.
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "group"], value_parser = clap::value_parser!(u32).range(1..))]
    tail: Option<u32>,
    /// Stop where the topic ended when the command began. A member of a group waits until the group has shared out all
    /// partitions, and stops when it has read its own.
    #[arg(long, short = 'e')]
    until_end: bool,
    /// Stop before this place, named as for --from.
    #[arg(long, value_name = "WHERE", conflicts_with_all = ["until_end", "group"], allow_hyphen_values = true)]
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
    /// Print each record's time, in UTC or with --local in the local time zone.
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

impl Fields {
    fn any(&self) -> bool {
        self.print_timestamp
            || self.print_partition
            || self.print_offset
            || self.print_headers
            || self.print_key
    }
}

/// How long one poll waits. Records are returned as soon as they are there; this only bounds the checks in between.
const POLL: Duration = Duration::from_millis(500);

/// The most records that are taken at a time.
pub(super) const RECORDS_MAX: usize = 500;

/// How often a member says that it is there while it waits for an end: so soon it learns of a rebalance.
const HEARTBEAT: Duration = Duration::from_millis(500);

pub async fn run(consume: Consume, session: &Session) -> Result<(), Failure> {
    consume.check(session.format)?;
    let patterns = if consume.regex { Some(Patterns::of(&consume.topics)?) } else { None };
    let mut partitions = Vec::new();
    for topic in topics(&consume, patterns.as_ref(), session).await? {
        partitions.extend(partitions_of(&topic, consume.partition)?);
    }
    let mut consumer = begin(&consume, patterns, &partitions, session).await?;
    let end = ends(&consume, &partitions, session).await.map_err(failed)?;
    let waits = consume.from == Where::End && consume.tail.is_none() && end.is_none();
    if waits && io::stderr().is_terminal() {
        note("waiting for new records; --from start reads those that are there, Ctrl-C ends");
    }
    let mut printer = Printer { consume: &consume, ends: end.clone(), session, printed: 0 };
    let read = read(&mut consumer, end.as_ref(), &mut printer, session).await;
    let closed = consumer.close().await.map_err(|error| Failure::of(error, "cannot leave the group"));
    read.and(closed)
}

fn failed(error: client::Error) -> Failure {
    Failure::of(error, "cannot read the topic")
}

/// Reads and prints until there is enough, the end is reached, somebody interrupts it, or nobody reads what is printed.
async fn read(
    consumer: &mut Consumer,
    end: Option<&Ends>,
    printer: &mut Printer<'_>,
    session: &Session,
) -> Result<(), Failure> {
    let mut signals = session::signals()?;
    let mut progress = Progress::of_output();
    let max = printer.consume.number.unwrap_or(u64::MAX);
    let group = printer.consume.group.as_deref();
    let mut share = group.zip(end).map(|(group, end)| Share::new(group, end));
    while printer.printed < max {
        if end.is_some_and(|end| is_at_end(consumer, end)) {
            let Some(share) = &mut share else {
                break;
            };
            tokio::select! {
                settled = share.is_settled(consumer, session) => {
                    if settled? {
                        break;
                    }
                }
                _ = signals.next() => break,
            }
        }
        let left = usize::try_from(max - printer.printed).unwrap_or(usize::MAX);
        let records = tokio::select! {
            polled = consumer.poll_up_to(left.min(RECORDS_MAX), POLL) => polled.map_err(failed)?,
            _ = signals.next() => break,
        };
        printer.print(&records)?;
        let left = end.map_or(Left::Unknown, |end| left_until(consumer, end));
        progress.show(printer.printed, left);
        // Where nothing is written, nothing tells that `| head` has had enough.
        if records.is_empty() && nobody_reads() {
            break;
        }
    }
    Ok(())
}

impl Consume {
    /// What would go unheard is refused.
    fn check(&self, format: Format) -> Result<(), Failure> {
        let is_text = matches!(format, Format::Table | Format::Wide);
        let refused = |message: &str, next: &str| Err(Failure::wrong_use(message).next(next));
        match (&self.template, is_text, self.fields.any()) {
            (Some(_), false, _) => refused(
                "--template says how records are printed, and so does --format",
                "leave one of them out",
            ),
            (Some(_), _, true) => refused(
                "--template says what is printed, and so do the --print options",
                "leave one of them out",
            ),
            (None, false, true) => {
                refused("the --print options are for lines of text", "json and yaml have all of a record")
            }
            _ => Ok(()),
        }
    }
}

/// The topics that are to be read, as far as they are there.
async fn topics(
    consume: &Consume,
    patterns: Option<&Patterns>,
    session: &Session,
) -> Result<Vec<Topic>, Failure> {
    let Some(patterns) = patterns else {
        let mut topics: Vec<Topic> = Vec::new();
        for name in once(&consume.topics) {
            topics.push(session.admin.describe_topic(name).await.map_err(failed)?);
        }
        return Ok(topics);
    };
    let mut topics = session.admin.list_topics().await.map_err(failed)?;
    topics.retain(|topic| !topic.internal && patterns.want(&topic.name));
    if topics.is_empty() && (consume.group.is_none() || consume.until_end) {
        return Err(patterns.nothing("topic"));
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
    let mut config = ConsumerConfig {
        group_id: consume.group.clone(),
        auto_offset_reset: reset,
        isolation_level,
        ..Default::default()
    };
    if consume.until_end {
        config.heartbeat_interval = HEARTBEAT;
    }
    let mut consumer = Consumer::new(&session.client, config).map_err(failed)?;
    let start = match consume.from {
        Where::Start => Start::Earliest,
        Where::End => Start::Latest,
        Where::Offset(offset) => Start::Offset(Offset(offset)),
        Where::At(time) => Start::At(session.zone.instant(time)),
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
