//! `riverrun consume`: prints records.

mod asked;
mod end;
mod growth;
mod meant;
mod places;
mod print;
mod range;
mod starts;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use client::config::{IsolationLevel, OffsetReset};
use client::metadata::Topic;
use client::{Consumer, ConsumerConfig, ConsumerRecord, Offset, Start, TopicPartition};
use host::signal::StopSignals;

use super::place::{Where, failed_somewhere, resolve_as};
use super::several::{Patterns, no_topic, once};
use super::template::Template;
use super::watch::Watch;
use super::{Failure, Format, Session, session, units};
use crate::print::{Left, Progress, nobody_reads, note};
use asked::{Asked, asked, without_leader};
use end::{Ends, Hindrance, Idle, Joining, Share, ends};
pub use end::{is_at_end, left_until};
use growth::Growth;
use places::Places;
use print::{Printer, Unwritten};
use range::{Begin, Range};
use starts::starts;

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
  riverrun consume orders --from @-1h:end
  riverrun consume --regex '^orders-(eu|us)$' --group kitchen
  riverrun consume readings --tail 9 --until-end -f '%d{strftime[%F %T]} %k{unpack[Q]} %v{unpack[hxi]}\\n'

With a group, --from counts only where the group has committed nothing yet; -X auto.offset.reset says so in Kafka's
words, and may be none (that is an error) or by_duration:PT1H as well. Partitions and topics that are made while the
command runs are read from their start. What is deleted before it could be read is told, and reading goes on at what is
there. Fields that are printed before the value are separated by tabs.

In a template %t is the topic, %p the partition, %o the offset, %e the leader epoch, %d the time (%d{date} as a date),
%k the key, %v the value, %h{%k=%v } each header, %i the count of what was printed; %T, %K and %V are lengths of what
comes after, in the form that it has there, and -1 for null; %H is the number of headers; %x is the producer's id and %y
its epoch, -1 where it has none; %[ is where the partition begins, %| its last stable offset, %] its high watermark;
%a{compression}, %a{timestamp-type}, %a{transactional-bit} and %a{control-bit} are of the batch, and
%a{compression;number} is one as a number. Forms stand in braces: hex, base64, base64raw, json (null, a string, or
{\"base64\":\"...\"} for what is no text), unpack[...] for bytes, hex, hex64 to hex4, big64 to big8, little64 to
little8, bool for numbers, strftime[%F %T] and go[2006-01-02 15:04] for times (UTC, unless --local). What unpack reads:
b h i q are numbers of 1, 2, 4, 8 bytes, capital ones without a sign; after < the lowest byte comes first, as at the
beginning, after > the highest; c is a byte, s the rest, $ the end, x a blank between. \\n, \\t, \\xHH and %% are what
they are elsewhere.")]
pub struct Consume {
    /// The topics to read.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Take each TOPIC as a regular expression, and read all topics of which it matches a part; where nothing says where to
    /// stop, also those that are made later, which are noticed within metadata.max.age.ms.
    #[arg(long, short = 'r')]
    regex: bool,
    /// Where to begin: start, end, an offset, @TIME (milliseconds since 1970, 2026-01-31T12:30:00Z, or -15m), -N for N
    /// records before the end, or +N for N after the start. After a colon may follow where to stop, as for --until.
    #[arg(long, short = 'o', value_name = "WHERE", default_value = "end", allow_hyphen_values = true)]
    from: Range,
    /// Read as a member of this group, and commit what was printed.
    #[arg(long, short, value_name = "GROUP", conflicts_with = "partition", value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Read one partition only.
    #[arg(long, short, value_name = "N", value_parser = units::partition)]
    partition: Option<i32>,
    /// Begin so many records before the end of each partition; where records are missing, it is fewer.
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "group"], value_parser = units::within(1..=u32::MAX))]
    tail: Option<u32>,
    /// Stop where the topic ended when the command began; --from or --tail says where to begin. A member of a group waits
    /// until the group has shared out all partitions, and stops when it has read its own.
    #[arg(long, short = 'e')]
    until_end: bool,
    /// Stop before this place, named as for --from. An offset that is not there yet is waited for; a time that has not come
    /// yet is the end as it is now.
    #[arg(long, value_name = "WHERE", conflicts_with_all = ["until_end", "group"], allow_hyphen_values = true, value_parser = range::place)]
    until: Option<Begin>,
    /// Stop after so many records.
    #[arg(short = 'n', long = "number", value_name = "N", value_parser = units::count)]
    number: Option<u64>,
    /// Leave out records of transactions that are open or aborted; the end is where the first open one begins.
    #[arg(long)]
    read_committed: bool,
    /// How a record is printed, instead of as a line with its value.
    #[arg(long, short = 'f', value_name = "TEMPLATE")]
    template: Option<Template>,
    #[command(flatten)]
    fields: Fields,
}

/// What is printed before the value.
#[derive(Debug, Default, Args)]
struct Fields {
    /// Print the topic of each record.
    #[arg(long)]
    print_topic: bool,
    /// Print its time, in UTC or with --local in the local time zone.
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
    /// What `--format wide` prints.
    const ALL: Fields = Fields {
        print_topic: true,
        print_timestamp: true,
        print_partition: true,
        print_offset: true,
        print_headers: true,
        print_key: true,
    };

    fn any(&self) -> bool {
        self.print_topic
            || self.print_timestamp
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

pub async fn run(mut consume: Consume, session: &Session) -> Result<(), Failure> {
    consume.adopt(&session.settings)?;
    consume.check(session.format)?;
    consume.settle(&session.zone)?;
    if session.format == Format::Wide {
        consume.fields = Fields::ALL;
    }
    let patterns = if consume.regex { Some(Arc::new(Patterns::of(&consume.topics)?)) } else { None };
    let topics = session.wait_for(topics(&consume, patterns.as_deref(), session)).await?;
    let mut asked = asked(&consume, &topics)?;
    let names: BTreeSet<String> = asked.partitions.iter().map(|name| name.topic.to_string()).collect();
    // Already where reading begins it may be waited for a broker.
    let mut watch = Watch::begin(session, names.into_iter().collect());
    let begun = set_out(&consume, patterns.as_ref(), &mut asked, session);
    let (mut consumer, from, end) = session.wait_for(begun).await?;
    let Asked { partitions, left_out } = asked;
    if let (Some(end), true) = (&end, consume.begins_at_end()) {
        refuse_if_there(end, &consume, &partitions, session).await?;
    }
    let mut places = Places::new(session, from, consume.group.is_some(), &topics);
    places.stop_at(end.as_ref());
    let growth = Growth::begin(session, &consume, patterns.as_ref(), &topics);
    let waits = consume.from.begin == Begin::At(Where::End)
        && from == OffsetReset::Latest
        && consume.tail.is_none()
        && end.is_none();
    let idle = Idle::new(&consume, end.is_some(), waits);
    if waits && io::stderr().is_terminal() {
        note("waiting for new records; --from start reads those that are there, Ctrl-C ends");
    }
    let on_terminal = io::stdout().is_terminal();
    // Whoever waits for a number of records waits in vain once nothing is left that they could come from.
    if end.is_none() && (consume.number.is_none() || consume.regex) {
        watch.only_tell();
    }
    let mut printer = Printer { consume: &consume, ends: end.clone(), session, printed: 0, on_terminal };
    let mut signals = session::signals()?;
    let mut follows = Follows { places, growth, watch, idle };
    let read = read(&mut consumer, end.as_ref(), &mut printer, &mut follows, &mut signals, session).await;
    let printed = printer.printed;
    let interrupted = matches!(read, Ok(Ended::Interrupted));
    let close = async { consumer.close().await.map_err(uncommitted) };
    let closed = session::farewell(&mut signals, interrupted, close).await.unwrap_or_else(|| {
        Err(Failure::failed("the group was not told that this member is gone")
            .next("what was printed last may not be committed, and is printed again by the next member"))
    });
    if printed == 0 && end.is_some() && matches!(read, Ok(Ended::All)) && io::stderr().is_terminal() {
        note("there is no record in what was to be read");
    }
    let read = read.and_then(|ended| match ended {
        // Whoever reads without an end ends so.
        Ended::Interrupted if end.is_some() || consume.number.is_some() => {
            let records = if printed == 1 { "record" } else { "records" };
            Err(Failure::interrupted(format!("interrupted after {printed} {records}"))
                .next("there is more of what was asked for"))
        }
        // Who wanted all that is there has not got it.
        _ if end.is_some() && !left_out.is_empty() => Err(unread(&left_out)),
        _ => Ok(()),
    });
    Failure::all([read.err(), closed.err()].into_iter().flatten().collect()).map_or(Ok(()), Err)
}

fn unread(partitions: &[TopicPartition]) -> Failure {
    Failure::failed(format!("not all was read: {}", without_leader(partitions)))
        .next("`riverrun cluster health` shows why")
}

fn unanswered(patience: Duration, session: &Session) -> Failure {
    let patience = units::span(patience.as_secs_f64());
    Failure::failed(format!("not all was read: no broker has answered at {} for {patience}", session.place))
        .next(
            "look whether the brokers are alive; -X default.api.timeout.ms says how long they are waited for",
        )
}

/// A member could not commit, or not leave.
fn uncommitted(error: client::Error) -> Failure {
    let doing = "what was printed last may not be committed, and be printed again by the next member: cannot leave the group";
    Failure::of(error, doing)
}

/// How reading came to its end.
enum Ended {
    All,
    Interrupted,
}

const DOING: &str = "cannot read the topic";

fn failed(error: client::Error) -> Failure {
    failed_somewhere(error, DOING)
}

/// What goes by what becomes of topics while they are read.
struct Follows<'c> {
    places: Places<'c>,
    growth: Option<Growth<'c>>,
    watch: Watch,
    idle: Idle,
}

/// Reads and prints until there is enough, the end is reached, somebody interrupts it, or nobody reads what is printed.
async fn read(
    consumer: &mut Consumer,
    end: Option<&Ends>,
    printer: &mut Printer<'_>,
    Follows { places, growth, watch, idle }: &mut Follows<'_>,
    signals: &mut StopSignals,
    session: &Session,
) -> Result<Ended, Failure> {
    let mut progress = Progress::of_output();
    let max = printer.consume.number.unwrap_or(u64::MAX);
    let group = printer.consume.group.as_deref();
    let mut joining = group.map(Joining::new);
    let mut hindrance = Hindrance::none();
    let (mut silence, patience) = (watch.silence(), session.client.config().default_api_timeout);
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
                _ = signals.next() => return Ok(Ended::Interrupted),
            }
        }
        let left = usize::try_from(max - printer.printed).unwrap_or(usize::MAX);
        let mut records = tokio::select! {
            records = poll(consumer, left.min(RECORDS_MAX), places) => records?,
            topic = watch.deleted() => {
                places.lose(&topic, consumer)?;
                continue;
            }
            // Who reads without an end waits without one.
            () = silence.lasts(patience), if end.is_some() => return Err(unanswered(patience, session)),
            _ = signals.next() => return Ok(Ended::Interrupted),
        };
        if let Err(failure) = places.check(consumer, &mut records) {
            put_back(consumer, &records);
            return Err(failure);
        }
        if let Some(growth) = growth {
            growth.follow(consumer)?;
        }
        if printer.consume.regex {
            // Also of what has come to match it is told when it is deleted.
            watch.look_after(consumer.assignment().map(|name| &*name.topic));
        }
        if let Err((unwritten, why)) = printer.print(&records, consumer, signals).await {
            put_back(consumer, unwritten);
            return match why {
                Unwritten::Failed(error) => Err(Failure::of_output(error, printer.printed)),
                Unwritten::Interrupted if printer.printed >= max => Ok(Ended::All),
                Unwritten::Interrupted | Unwritten::Stuck => Ok(Ended::Interrupted),
            };
        }
        hindrance.look(consumer);
        idle.look(consumer, !records.is_empty());
        joining.take_if(|joining| joining.is_over(consumer));
        let left = end.map_or(Left::Unknown, |end| left_until(consumer, end));
        progress.show(printer.printed, left.at_most(printer.consume.number, printer.printed));
        // Where nothing is written, nothing tells that `| head` has had enough.
        if records.is_empty() && nobody_reads() {
            break;
        }
    }
    Ok(Ended::All)
}

/// The next records. None come where a place had to be found first.
async fn poll(
    consumer: &mut Consumer,
    max: usize,
    places: &mut Places<'_>,
) -> Result<Vec<ConsumerRecord>, Failure> {
    match consumer.poll_up_to(max, POLL).await {
        Ok(records) => Ok(records),
        Err(error) => places.find(error, consumer).await.map(|()| Vec::new()),
    }
}

/// Goes back to what nobody got to see, so that a group does not commit it.
fn put_back(consumer: &mut Consumer, unwritten: &[ConsumerRecord]) {
    let mut first: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
    for record in unwritten {
        let name = TopicPartition { topic: record.topic.clone(), partition: record.partition };
        first.entry(name).or_insert(record.offset);
    }
    for (name, offset) in first {
        consumer.seek(&name, Start::Offset(offset));
    }
}

impl Consume {
    /// Which records it sees, and with that what the end is to it.
    fn isolation(&self) -> IsolationLevel {
        if self.read_committed { IsolationLevel::ReadCommitted } else { IsolationLevel::ReadUncommitted }
    }

    /// Whether leaders have to say where something is before anything is read.
    fn asks_for_offsets(&self) -> bool {
        let begins = matches!(self.from.begin, Begin::At(Where::Start | Where::End));
        self.until_end || self.until.is_some() || self.tail.is_some() || !begins
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
            match session.admin.describe_topic(name).await {
                Ok(topic) => topics.push(topic),
                Err(error) => return Err(no_topic(name, error, DOING, session).await),
            }
        }
        return Ok(topics);
    };
    let mut topics = session.admin.list_topics().await.map_err(failed)?;
    topics.retain(|topic| !topic.internal && patterns.want(&topic.name));
    if topics.is_empty() {
        if consume.until_end || consume.until.is_some() {
            return Err(patterns.nothing("topic"));
        }
        let within = units::span(session.client.config().metadata_max_age.as_secs_f64());
        note(&format!(
            "no topic matches yet; one that is made is noticed within {within} (metadata.max.age.ms)"
        ));
    }
    Ok(topics)
}

/// Who begins at the end has nothing to read where every partition has the place already at which it would stop.
async fn refuse_if_there(
    end: &Ends,
    consume: &Consume,
    partitions: &[TopicPartition],
    session: &Session,
) -> Result<(), Failure> {
    let there = resolve_as(consume.isolation(), partitions, Where::End, session).await.map_err(failed)?;
    let is_there = |(name, there)| end.get(name).is_some_and(|end| there >= end);
    match !there.is_empty() && there.iter().all(is_there) {
        true => Err(meant::stops_at_once()),
        false => Ok(()),
    }
}

/// A consumer, where it is to begin if its group does not say, and where it is to stop. What has lost its leader since it was
/// looked at is left out.
async fn set_out(
    consume: &Consume,
    patterns: Option<&Arc<Patterns>>,
    asked: &mut Asked,
    session: &Session,
) -> Result<(Consumer, OffsetReset, Option<Ends>), Failure> {
    let (consumer, from) = loop {
        match begin(consume, patterns, &asked.partitions, session).await {
            Err(_) if asked.leave_out_lost(consume, session) => {}
            begun => break begun?,
        }
    };
    loop {
        match ends(consume, &asked.partitions, session).await {
            Err(_) if asked.leave_out_lost(consume, session) => {}
            end => return Ok((consumer, from, end.map_err(failed)?)),
        }
    }
}

/// A consumer, and where it is to begin in partitions of which its group has committed nothing.
async fn begin(
    consume: &Consume,
    patterns: Option<&Arc<Patterns>>,
    partitions: &[TopicPartition],
    session: &Session,
) -> Result<(Consumer, OffsetReset), Failure> {
    let reset = match (consume.from.begin, &consume.group) {
        (Begin::At(Where::Start), _) => OffsetReset::Earliest,
        (Begin::At(Where::End), _) | (_, None) => OffsetReset::Latest,
        (_, Some(_)) => {
            return Err(Failure::wrong_use(
                "a group begins at the start, at the end, or where it has committed to",
            )
            .next("leave --group out to read from an offset or a time"));
        }
    };
    let mut config = ConsumerConfig {
        group_id: consume.group.clone(),
        auto_offset_reset: reset,
        isolation_level: consume.isolation(),
        ..Default::default()
    };
    if consume.until_end {
        config.heartbeat_interval = HEARTBEAT;
    }
    session.settings.set_consumer(&mut config)?;
    // It says where it cannot go on, and is told where to.
    let from = std::mem::replace(&mut config.auto_offset_reset, OffsetReset::None);
    let mut consumer = Consumer::new(&session.client, config).map_err(failed)?;
    if consume.group.is_some() {
        match patterns {
            Some(patterns) => {
                let patterns = Arc::clone(patterns);
                consumer.subscribe_matching(move |topic| patterns.want(topic)).map_err(failed)?;
            }
            None => consumer.subscribe(consume.topics.iter().map(String::as_str)).map_err(failed)?,
        }
    } else {
        consumer.assign(starts(consume, partitions, session).await?).map_err(failed)?;
    }
    Ok((consumer, from))
}
