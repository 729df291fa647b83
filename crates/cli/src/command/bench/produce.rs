//! `riverrun bench produce`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use clap::Args;
use client::{Delivery, Error, Producer, ProducerRecord};
use host::signal::StopSignals;
use serde_json::json;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::figures::{Count, Times};
use super::load::{self, Load, Values};
use super::lost::{Ended, Lost};
use super::scratch::{self, Measured};
use crate::command::waits::tell_of_waits;
use crate::command::{Failure, Session, session, units};
use crate::print::{Output, Progress};

/// Write records as fast as it goes, or at a rate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun bench produce
  riverrun bench produce --size 100 --time 30s --acks leader
  riverrun bench produce orders -n 100000 --rate 5000 --compression zstd

Without a topic one is made, and removed afterwards. How long records take to be acknowledged counts from when they were
given to the producer; at full speed they wait there most of the time, so give a --rate to see what the cluster takes. Beyond
some 20000 a second the time of one record in 64 is measured, and it is said of how many. A percentile is told where enough
were measured, for p99.9 1000; where not, it is null in JSON. With --acks none nobody acknowledges, and it is told how long
they take to be sent.")]
pub struct Produce {
    /// The topic to write to. What is written stays there.
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
    /// How many bytes a value has.
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = |text: &str| load::size(text, 0))]
    size: u32,
    /// How many records a second; without it, as many as go.
    #[arg(long, value_name = "N", value_parser = load::rate)]
    rate: Option<f64>,
    /// Up to how many bytes of records are gathered in a batch.
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = units::within(1..=64_u32 << 20))]
    batch_size: u32,
    /// How long a batch that is not full waits for more.
    #[arg(long, value_name = "DURATION", default_value = "5ms", value_parser = linger)]
    linger: Duration,
    #[command(flatten)]
    load: Load,
}

/// Records go in groups of so many. Of a group that goes fast the time of one record is taken, which stands for all of them: a
/// task for each would cost more than the record.
const GROUP: u64 = 64;

/// How long a group may have taken before one that goes fast.
const FAST: Duration = Duration::from_micros(GROUP * 1_000_000 / 20_000);

/// Reads a duration with its unit: as `linger.ms` a number alone is of milliseconds, and elsewhere it is of seconds.
fn linger(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(number) if number > 0 => Err(format!("the unit is missing: {number}ms, or {number}s")),
        _ => units::duration(text),
    }
}

/// How many records may be on their way before the oldest is waited for.
const DELIVERIES_MAX: usize = 100_000;

pub async fn run(mut produce: Produce, session: &Session) -> Result<(), Failure> {
    let (topic, partitions) = (produce.topic.take(), produce.load.partitions);
    produce.load.check_size(produce.size, session)?;
    scratch::measure(topic, partitions, produce.size, session, async |topic| {
        write(&produce, topic, session).await
    })
    .await
}

async fn write(
    produce: &Produce,
    topic: &mut scratch::Topic,
    session: &Session,
) -> Result<Measured, Failure> {
    let batch_size = usize::try_from(produce.batch_size).unwrap_or(usize::MAX);
    let producer = produce.load.producer(batch_size, produce.size, produce.linger, session)?;
    tokio::select! {
        never = tell_of_waits(&producer) => match never {},
        measured = measure(produce, topic, &producer) => measured,
    }
}

async fn measure(
    produce: &Produce,
    topic: &mut scratch::Topic,
    producer: &Producer,
) -> Result<Measured, Failure> {
    let mut run = Run {
        waiting: VecDeque::new(),
        timed: VecDeque::new(),
        count: Count::default(),
        times: Times::new()?,
        is_fast: false,
        lost: Lost::default(),
    };
    let mut signals = session::signals()?;
    let begun = Instant::now();
    let mut sent = run.send_all(produce, topic, producer, begun, &mut signals).await;
    let flush = async {
        producer.flush().await;
        Ok(())
    };
    if session::farewell(&mut signals, !matches!(sent, Ok(Ended::All)), flush).await.is_none() {
        // What is given up is told by its delivery.
        let _ = producer.close_within(Duration::ZERO).await;
        if matches!(sent, Ok(Ended::All)) {
            sent = Ok(Ended::Interrupted);
        }
    }
    let took = begun.elapsed();
    run.settle(produce.size).await;
    producer.close().await.map_err(failed)?;
    let output = run.count.show(Output::new(json!({ "topic": topic.name })).names([&topic.name]), took);
    let output = run.times.show(produce.load.delivered(), run.count.records, output);
    Ok((run.lost.show(output), run.lost.failure(sent)))
}

fn failed(error: Error) -> Failure {
    load::unwritten(error, "cannot write to the topic")
}

/// What is on its way, and what was written.
struct Run {
    waiting: VecDeque<Delivery>,
    timed: VecDeque<Timed>,
    count: Count,
    /// How long records took of which that is known.
    times: Times,
    /// Whether the last group went fast.
    is_fast: bool,
    lost: Lost,
}

/// A record that is on its way, whose time stands for so many.
struct Timed {
    count: u64,
    delivered: JoinHandle<Result<Duration, Error>>,
}

impl Run {
    async fn send_all(
        &mut self,
        produce: &Produce,
        topic: &mut scratch::Topic,
        producer: &Producer,
        begun: Instant,
        signals: &mut StopSignals,
    ) -> Result<Ended, Failure> {
        let mut progress = Progress::of_run();
        let mut values = Values::new(usize::try_from(produce.size).unwrap_or(usize::MAX));
        let name: Arc<str> = topic.name.as_str().into();
        while produce.load.goes_on(begun, self.count.records) {
            self.look();
            if self.lost.records() > 0 {
                return Ok(Ended::Lost);
            }
            tokio::select! {
                biased;
                _ = signals.next() => return Ok(Ended::Interrupted),
                failure = topic.deleted() => return Err(failure),
                sent = self.send_some(produce, &name, producer, &mut values, begun) => sent?,
            }
            progress.show(self.count.records, produce.load.left(begun, self.count.records));
        }
        Ok(Ended::All)
    }

    /// Sends a group of records.
    async fn send_some(
        &mut self,
        produce: &Produce,
        topic: &Arc<str>,
        producer: &Producer,
        values: &mut Values,
        begun: Instant,
    ) -> Result<(), Failure> {
        let group = Instant::now();
        let mut sent = 0;
        while sent < GROUP && self.lost.records() == 0 && produce.load.goes_on(begun, self.count.records) {
            if let Some(rate) = produce.rate
                && !produce.load.due(begun, self.count.records, rate).await
            {
                break;
            }
            let value = values.next();
            self.count.bytes += value.len() as u64;
            let given = Instant::now();
            let delivery =
                producer.send(ProducerRecord::new(topic.clone()).value(value)).await.map_err(failed)?;
            self.count.records += 1;
            match self.is_fast {
                true if sent > 0 => self.waiting.push_back(delivery),
                is_fast => {
                    let delivered = tokio::spawn(async move { delivery.await.map(|_| given.elapsed()) });
                    self.timed.push_back(Timed { count: if is_fast { GROUP } else { 1 }, delivered });
                    // Those who send what was gathered run on the same thread.
                    tokio::task::yield_now().await;
                    self.look();
                }
            }
            sent += 1;
            if self.waiting.len() >= DELIVERIES_MAX
                && let Some(oldest) = self.waiting.pop_front()
                && let Err(error) = oldest.await
            {
                self.lost.add(error);
            }
            if self.timed.len() >= DELIVERIES_MAX
                && let Some(oldest) = self.timed.front_mut()
            {
                // It is still the first, and known now.
                let delivered = (&mut oldest.delivered).await;
                let count = oldest.count;
                self.timed.pop_front();
                self.known(count, delivered);
            }
        }
        self.is_fast = sent == GROUP && group.elapsed() < FAST;
        Ok(())
    }

    /// Takes note of what is known by now.
    fn look(&mut self) {
        while let Some(first) = self.timed.front_mut()
            && let Poll::Ready(delivered) =
                Pin::new(&mut first.delivered).poll(&mut Context::from_waker(Waker::noop()))
        {
            let count = first.count;
            self.timed.pop_front();
            self.known(count, delivered);
        }
    }

    fn known(&mut self, count: u64, delivered: Result<Result<Duration, Error>, JoinError>) {
        match delivered {
            Ok(Ok(time)) => self.times.add_for(time, count),
            Ok(Err(error)) => self.lost.add(error),
            // It does not panic, and nobody ends it.
            Err(_) => self.lost.add(Error::Closed),
        }
    }

    /// Waits for what is on its way, and leaves out what was not written.
    async fn settle(&mut self, size: u32) {
        for delivery in std::mem::take(&mut self.waiting) {
            if let Err(error) = delivery.await {
                self.lost.add(error);
            }
        }
        for timed in std::mem::take(&mut self.timed) {
            self.known(timed.count, timed.delivered.await);
        }
        let records = self.lost.records();
        self.count.records = self.count.records.saturating_sub(records);
        self.count.bytes = self.count.bytes.saturating_sub(records * u64::from(size));
    }
}
