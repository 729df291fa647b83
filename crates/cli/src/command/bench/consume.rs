//! `riverrun bench consume`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use client::{Consumer, Offset, Start, TopicPartition};
use host::signal::StopSignals;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::figures::Count;
use super::load;
use super::scratch::torn;
use crate::command::consume::{RECORDS_MAX, is_at_end, left_until};
use crate::command::place::{Where, partitions_of, resolve_as};
use crate::command::watch::Watch;
use crate::command::{Failure, Session, session, units};
use crate::print::{Left, Output, Progress, note};

/// Read the records of a topic as fast as it goes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun bench consume orders
  riverrun bench consume orders --time 30s -n 1000000

It reads all partitions from the start to where they end when it begins, commits nothing, and prints no record. Where the
time is up before, it says how many records were left, and it fails if no broker answers any more.")]
pub struct Consume {
    /// The topic to read.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// How long to go on at most.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = units::some_time)]
    time: Duration,
    /// Stop after so many records.
    #[arg(short = 'n', long = "number", value_name = "N", value_parser = units::count)]
    number: Option<u64>,
}

/// How long one poll waits at most.
const POLL: Duration = Duration::from_millis(200);

/// How long nothing may come until it is said.
const QUIET: Duration = Duration::from_secs(1);

/// How long a broker that sends no records may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(3);

/// How reading came to its end.
enum Ended {
    Time,
    Number,
    End,
    Interrupted,
    Deleted(Failure),
}

impl Ended {
    fn name(&self) -> &'static str {
        match self {
            Ended::Time => "time",
            Ended::Number => "number",
            Ended::End => "end",
            Ended::Interrupted => "interrupted",
            Ended::Deleted(_) => "deleted",
        }
    }
}

/// What was read, and what was not.
struct Run {
    count: Count,
    took: Duration,
    /// What was still to be read, if that is known.
    left: Left,
    /// For how long nothing had come when it ended.
    quiet: Duration,
}

pub async fn run(consume: Consume, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot read the topic");
    let topic = session.admin.describe_topic(&consume.topic).await.map_err(failed)?;
    let partitions = partitions_of(&topic, None)?;
    let isolation = load::consumer_config(session)?.isolation_level;
    let ends = resolve_as(isolation, &partitions, Where::End, session).await.map_err(failed)?;
    let mut signals = session::signals()?;
    let mut consumer = load::consumer(session)?;
    consumer.assign(partitions.into_iter().map(|partition| (partition, Start::Earliest))).map_err(failed)?;
    let (run, ended) = read(&consume, &mut consumer, &ends, &mut signals, session).await?;
    let silent = match ended {
        Ended::Time => run.silent(&consume, &mut signals, session).await,
        _ => None,
    };
    consumer.close().await.map_err(failed)?;
    let printed = session.show(&run.show(&consume.topic, &ended));
    if silent.is_none() {
        run.tell(&consume.topic, &ended);
    }
    let failure = match ended {
        Ended::Interrupted => Some(torn()),
        Ended::Deleted(failure) => Some(failure),
        Ended::Time | Ended::Number | Ended::End => silent,
    };
    Failure::all(failure.into_iter().chain(printed.err()).collect()).map_or(Ok(()), Err)
}

async fn read(
    consume: &Consume,
    consumer: &mut Consumer,
    ends: &BTreeMap<TopicPartition, Offset>,
    signals: &mut StopSignals,
    session: &Session,
) -> Result<(Run, Ended), Failure> {
    let mut progress = Progress::of_run();
    let mut count = Count::default();
    let max = consume.number.unwrap_or(u64::MAX);
    let mut watch = Watch::begin(session, vec![consume.topic.clone()]);
    let begun = Instant::now();
    let (mut left, mut came) = (Left::Unknown, begun);
    let ended = loop {
        match () {
            () if is_at_end(consumer, ends) => break Ended::End,
            () if count.records >= max => break Ended::Number,
            () if begun.elapsed() >= consume.time => break Ended::Time,
            () => {}
        }
        let some = usize::try_from(max - count.records).unwrap_or(usize::MAX).min(RECORDS_MAX);
        let records = tokio::select! {
            records = consumer.poll_up_to(some, POLL) => {
                records.map_err(|error| Failure::of(error, "cannot read the topic"))?
            }
            _ = signals.next() => break Ended::Interrupted,
            topic = watch.deleted() => {
                break Ended::Deleted(Failure::not_there(format!("{topic} was deleted during the run"))
                    .next("`riverrun topic list` shows the topics that are there"));
            }
        };
        for record in &records {
            let bytes = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, bytes::Bytes::len) as u64;
            count.bytes += bytes(&record.key) + bytes(&record.value);
        }
        count.records += records.len() as u64;
        // Offsets without records, as those of aborted transactions, are passed by as well.
        let now_left = left_until(consumer, ends).at_most(consume.number, count.records);
        if now_left != left || !records.is_empty() {
            (left, came) = (now_left, Instant::now());
        }
        progress.show(count.records, now_left);
    };
    let left = left_until(consumer, ends).at_most(consume.number, count.records);
    Ok((Run { count, took: begun.elapsed(), left, quiet: came.elapsed() }, ended))
}

impl Run {
    /// Why nothing came at last, if it is that nobody answers.
    async fn silent(
        &self,
        consume: &Consume,
        signals: &mut StopSignals,
        session: &Session,
    ) -> Option<Failure> {
        if self.quiet < POLL.min(consume.time / 2) {
            return None;
        }
        let answered = tokio::select! {
            answered = timeout(ANSWER, session.admin.describe_cluster()) => answered,
            _ = signals.next() => return Some(torn()),
        };
        let quiet = units::span(self.quiet.as_secs_f64());
        let doing = format!("{} not read: nothing came for the last {quiet}", self.unread(&consume.topic));
        match answered {
            Ok(Ok(_)) => None,
            // It refuses, and is there.
            Ok(Err(error)) if error.code().is_some() => None,
            Ok(Err(error)) => Some(Failure::of(error, &doing)),
            Err(_) => Some(
                Failure::failed(format!("{doing}, and no broker answers at {}", session.place))
                    .next("look whether the broker is alive, and measure again"),
            ),
        }
    }

    /// What the figures are not of.
    fn unread(&self, topic: &str) -> String {
        match self.left {
            Left::Records(1) => format!("1 record of {topic} was"),
            Left::Records(left) => format!("{left} records of {topic} were"),
            Left::Unknown | Left::Time(_) => format!("{topic} was"),
        }
    }

    fn show(&self, topic: &str, ended: &Ended) -> Output {
        let left = match self.left {
            Left::Records(left) => Some(left),
            Left::Unknown | Left::Time(_) => None,
        };
        let output = Output::new(json!({ "topic": topic })).names([topic]);
        let output = self
            .count
            .show(output, self.took)
            .member("ended", ended.name())
            .member("left", left)
            .member("quiet_seconds", self.quiet.as_secs_f64());
        match (ended, left) {
            (Ended::End | Ended::Number | Ended::Deleted(_), _) => output,
            (Ended::Time | Ended::Interrupted, Some(left)) => output.fact("left", format!("{left} records")),
            (Ended::Time | Ended::Interrupted, None) => output.fact("left", "not known"),
        }
    }

    /// Says what figures alone do not.
    fn tell(&self, topic: &str, ended: &Ended) {
        if !matches!(ended, Ended::Time) {
            return;
        }
        let left = self.unread(topic);
        note(&match self.quiet >= QUIET {
            false => format!("{left} not read when the time was up; --time gives it more"),
            true => format!(
                "{left} not read when the time was up: nothing came for the last {}; `riverrun topic describe {topic}` shows \
                 whether each partition has a leader",
                units::span(self.quiet.as_secs_f64())
            ),
        });
    }
}
