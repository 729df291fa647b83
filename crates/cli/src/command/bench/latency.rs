//! `riverrun bench latency`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::{Consumer, Error, Producer, ProducerRecord, Start, TopicPartition};
use serde_json::json;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::figures::{Count, Times};
use super::load::{self, Load, Values};
use super::lost::{Ended, Lost};
use super::scratch::{self, Measured};
use crate::command::place::{Where, partitions_of, resolve};
use crate::command::session::FAREWELL;
use crate::command::waits::tell_of_waits;
use crate::command::{Failure, Session, session, units};
use crate::print::{Output, Progress};

/// Write records at a rate and read them again: how long until they are acknowledged, and until they arrive.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun bench latency
  riverrun bench latency --rate 1000 --size 100 --acks leader
  riverrun bench latency orders --rate 10 --time 5s

Without a topic one is made, and removed afterwards. It begins once its reader has had an answer for every partition, which
may take twice fetch.max.wait.ms where nothing is written. Each record is sent at once, without waiting for others. Times
count from when a record was due, so that a stall is felt by all that were due meanwhile. What is due in that time is
written up to a second later; beyond that it is said how many were not, and of those that were how many nobody has
acknowledged, as their times are in no figure. A run ends with the first record of which that is known.")]
pub struct Latency {
    /// The topic to write to and to read. What is written stays there.
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
    /// How many bytes a value has; the first eight are its number.
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = |text: &str| load::size(text, 8))]
    size: u32,
    /// How many records a second.
    #[arg(long, value_name = "N", default_value = "100", value_parser = load::rate)]
    rate: f64,
    #[command(flatten)]
    load: Load,
}

/// How long records may take to arrive after the last was sent.
const LATE: Duration = Duration::from_secs(10);

/// How long one poll waits at most.
const POLL: Duration = Duration::from_millis(50);

/// How long what was due in time is written later.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// How many records may be on their way. What is due while that many are waits, and its time goes on.
const UNDER_WAY_MAX: usize = 10_000;

pub async fn run(mut latency: Latency, session: &Session) -> Result<(), Failure> {
    let (topic, partitions) = (latency.topic.take(), latency.load.partitions);
    latency.load.check_size(latency.size, session)?;
    scratch::measure(topic, partitions, latency.size, session, async |topic| {
        measure(&latency, topic, session).await
    })
    .await
}

async fn measure(
    latency: &Latency,
    topic: &mut scratch::Topic,
    session: &Session,
) -> Result<Measured, Failure> {
    let described = session.admin.describe_topic(&topic.name).await.map_err(failed)?;
    let partitions = partitions_of(&described, None)?;
    // It fails at once where one has no leader, who would be waited for.
    resolve(&partitions, Where::End, session).await.map_err(failed)?;
    let mut consumer = load::consumer(session)?;
    consumer.assign(partitions.iter().map(|partition| (partition.clone(), Start::Latest))).map_err(failed)?;
    await_reader(&partitions, &mut consumer, topic, session).await?;
    let producer = latency.load.producer(16_384, latency.size, Duration::ZERO, session)?;
    let begun = Instant::now();
    let mut run = Run {
        begun,
        last_known: begun,
        sent: BTreeMap::new(),
        acknowledged: Times::new()?,
        arrived: Times::new()?,
        records: 0,
        wrote: Duration::ZERO,
        unwritten: 0,
        under_way: JoinSet::new(),
        lost: Lost::default(),
    };
    let ended = tokio::select! {
        never = tell_of_waits(&producer) => match never {},
        ended = run.measure(latency, topic, &producer, &mut consumer) => ended,
    };
    if !matches!(ended, Ok(Ended::All)) {
        if run.wrote.is_zero() {
            run.ends_writing(latency);
        }
        run.forget_what_is_under_way();
    }
    // What is given up is told by its delivery.
    let _ = producer.close_within(FAREWELL).await;
    run.settle().await;
    let output = run.output(&topic.name, latency);
    let closed = consumer.close().await.map_err(failed);
    let missing = match &ended {
        Ok(Ended::All) => run.missing(&topic.name),
        _ => None,
    };
    let failures = [run.lost.failure(ended), missing, closed.err()];
    Ok((output, Failure::all(failures.into_iter().flatten().collect())))
}

/// Waits until the reader has every partition in one fetch, so that no record waits for its turn to be asked for. It has once
/// each was answered: those that came late, as a new topic's may, wait for the answer to the others.
async fn await_reader(
    partitions: &[TopicPartition],
    consumer: &mut Consumer,
    topic: &mut scratch::Topic,
    session: &Session,
) -> Result<(), Failure> {
    // Where nothing is written an answer takes as long as it may: that of the first, and that of all.
    let patience = LATE + load::consumer_config(session)?.fetch_max_wait * 2;
    let deadline = Instant::now() + patience;
    let mut signals = session::signals()?;
    while !partitions.iter().all(|partition| consumer.high_watermark(partition).is_some()) {
        if Instant::now() > deadline {
            let within = units::span(patience.as_secs_f64());
            return Err(Failure::failed(format!("the topic has not become readable within {within}")).next(
                format!("`riverrun topic describe {}` shows whether each partition has a leader", topic.name),
            ));
        }
        tokio::select! {
            read = consumer.poll(POLL) => drop(read.map_err(failed)?),
            failure = topic.deleted() => return Err(failure),
            _ = signals.next() => return Err(scratch::too_early()),
        }
    }
    Ok(())
}

fn failed(error: Error) -> Failure {
    load::unwritten(error, "cannot measure")
}

struct Run {
    begun: Instant,
    /// When the records that have not arrived were due, by what their values begin with.
    sent: BTreeMap<u64, Instant>,
    acknowledged: Times,
    arrived: Times,
    records: u64,
    /// How long records were written.
    wrote: Duration,
    /// How many were due meanwhile and were not.
    unwritten: u64,
    /// When it was last heard what became of a record.
    last_known: Instant,
    /// The records of which nobody knows yet whether they were acknowledged.
    under_way: JoinSet<Result<Duration, Error>>,
    lost: Lost,
}

impl Run {
    async fn measure(
        &mut self,
        latency: &Latency,
        topic: &mut scratch::Topic,
        producer: &Producer,
        consumer: &mut Consumer,
    ) -> Result<Ended, Failure> {
        let mut signals = session::signals()?;
        let mut values =
            Values::new(usize::try_from(latency.size).unwrap_or_default().saturating_sub(size_of::<u64>()));
        // Tells the records of this run from those of others.
        let mark = u64::from(std::process::id()) << 32;
        let mut progress = Progress::of_run();
        let name: Arc<str> = topic.name.as_str().into();
        let mut more = true;
        loop {
            if more && !self.goes_on(latency) {
                more = false;
                self.ends_writing(latency);
            }
            progress.show(self.records, latency.load.left(self.begun, self.records));
            // A record may be read as soon as it is acknowledged, which may be long after it was due.
            let late = (self.begun + self.wrote).max(self.last_known) + LATE;
            if !more && self.under_way.is_empty() && (self.sent.is_empty() || Instant::now() > late) {
                return Ok(Ended::All);
            }
            let due = self.begun + self.due(latency);
            tokio::select! {
                _ = signals.next() => return Ok(Ended::Interrupted),
                failure = topic.deleted() => return Err(failure),
                () = load::due(self.begun, self.records, latency.rate), if more && self.under_way.len().max(self.sent.len()) < UNDER_WAY_MAX => {
                    let number = mark | self.records;
                    let value = Bytes::from([&number.to_be_bytes()[..], &values.next()].concat());
                    let record = ProducerRecord::new(Arc::clone(&name)).value(value);
                    let delivery = tokio::select! {
                        sent = producer.send(record) => sent.map_err(failed)?,
                        // It may wait for the topic.
                        failure = topic.deleted() => return Err(failure),
                        _ = signals.next() => return Ok(Ended::Interrupted),
                    };
                    self.under_way.spawn(async move { delivery.await.map(|_| due.elapsed()) });
                    self.sent.insert(number, due);
                    self.records += 1;
                }
                Some(done) = self.under_way.join_next() => {
                    self.known(done);
                    if self.lost.records() > 0 {
                        return Ok(Ended::Lost);
                    }
                }
                records = consumer.poll(POLL) => {
                    for record in records.map_err(failed)? {
                        let number = record.value.as_deref().and_then(|value| value.first_chunk::<8>());
                        let number = number.map(|bytes| u64::from_be_bytes(*bytes));
                        if let Some(due) = number.and_then(|number| self.sent.remove(&number)) {
                            self.arrived.add(due.elapsed());
                        }
                    }
                }
            }
        }
    }

    /// When the next record is due, counted from the beginning.
    fn due(&self, latency: &Latency) -> Duration {
        Duration::from_secs_f64(self.records as f64 / latency.rate)
    }

    /// Whether one more record is due in time, and it is not too late for it.
    fn goes_on(&self, latency: &Latency) -> bool {
        let Load { time, number, .. } = latency.load;
        let is_wanted = number.is_none_or(|number| self.records < number);
        is_wanted && self.due(latency) < time && self.begun.elapsed() < time + BEHIND_MAX
    }

    /// Takes note of how far writing has come when it ends.
    fn ends_writing(&mut self, latency: &Latency) {
        // The last record has its share of the time, so that a rate that was kept is told as the one that it is.
        self.wrote = self.begun.elapsed().max(self.due(latency).min(latency.load.time));
        let elapsed = self.begun.elapsed();
        // What came due in the moment in which somebody ended it is not behind.
        let until =
            if elapsed < latency.load.time { elapsed.saturating_sub(POLL) } else { latency.load.time };
        let due = (until.as_secs_f64() * latency.rate).ceil() as u64;
        self.unwritten = due.min(latency.load.number.unwrap_or(u64::MAX)).saturating_sub(self.records);
    }

    fn known(&mut self, done: Result<Result<Duration, Error>, JoinError>) {
        self.last_known = Instant::now();
        match done {
            Ok(Ok(time)) => self.acknowledged.add(time),
            Ok(Err(error)) => self.lost.add(error),
            // It does not panic, and nobody ends it.
            Err(_) => self.lost.add(Error::Closed),
        }
    }

    /// Waits until it is known what became of each record that is on its way at an early end, which only counts if it is lost.
    async fn settle(&mut self) {
        while let Some(done) = self.under_way.join_next().await {
            if !matches!(done, Ok(Ok(_))) {
                self.known(done);
            }
        }
    }

    /// What it means that not all has arrived.
    fn missing(&self, topic: &str) -> Option<Failure> {
        let records = match self.sent.len() {
            0 => return None,
            1 => "1 record has".to_owned(),
            records => format!("{records} records have"),
        };
        let within = units::span(LATE.as_secs_f64());
        Some(
            Failure::failed(format!(
                "{records} not arrived within {within} of the last acknowledgement, and may have later"
            ))
            .next(format!("`riverrun topic describe {topic}` shows whether each partition has a leader")),
        )
    }

    /// What is under way at an early end does not arrive, but nobody waits for it either.
    fn forget_what_is_under_way(&mut self) {
        self.records = self.records.saturating_sub(u64::try_from(self.sent.len()).unwrap_or(0));
        self.sent.clear();
    }

    fn output(&self, topic: &str, latency: &Latency) -> Output {
        let missing = self.sent.len();
        let value = json!({ "topic": topic, "missing": missing, "not_written": self.unwritten });
        let count = Count { records: self.records, bytes: self.records * u64::from(latency.size) };
        let output = count.show(Output::new(value).names([topic]), self.wrote);
        let output = self.acknowledged.show(latency.load.delivered(), self.records, output);
        let output = self.arrived.show("arrived", self.records, output);
        let mut output = self.lost.show(output);
        if self.unwritten > 0 {
            output = output.fact(
                "not written",
                format!(
                    "{} that were due at {} a second; their times are in no figure here",
                    self.unwritten, latency.rate
                ),
            );
        }
        if missing > 0 {
            output = output.fact("missing", format!("{missing} did not arrive within 10 s"));
        }
        output
    }
}
