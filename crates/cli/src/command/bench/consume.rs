//! `riverrun bench consume`.

use std::time::Duration;

use clap::Args;
use client::Start;
use serde_json::json;
use tokio::time::Instant;

use super::figures::Count;
use super::load;
use super::scratch::torn;
use crate::command::consume::{RECORDS_MAX, is_at_end, left_until};
use crate::command::place::{Where, partitions_of, resolve_as};
use crate::command::watch::Watch;
use crate::command::{Failure, Session, session, units};
use crate::print::{Output, Progress};

/// Read the records of a topic as fast as it goes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun bench consume orders
  riverrun bench consume orders --time 30s -n 1000000

It reads all partitions from the start to where they end when it begins, commits nothing, and prints no record.")]
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

pub async fn run(consume: Consume, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot read the topic");
    let topic = session.admin.describe_topic(&consume.topic).await.map_err(failed)?;
    let partitions = partitions_of(&topic, None)?;
    let isolation = load::consumer_config(session)?.isolation_level;
    let ends = resolve_as(isolation, &partitions, Where::End, session).await.map_err(failed)?;
    let mut signals = session::signals()?;
    let mut consumer = load::consumer(session)?;
    consumer.assign(partitions.into_iter().map(|partition| (partition, Start::Earliest))).map_err(failed)?;
    let mut progress = Progress::of_run();
    let mut count = Count::default();
    let begun = Instant::now();
    let max = consume.number.unwrap_or(u64::MAX);
    let mut watch = Watch::begin(session, vec![consume.topic.clone()]);
    let mut failure = None;
    while begun.elapsed() < consume.time && count.records < max && !is_at_end(&mut consumer, &ends) {
        let left = usize::try_from(max - count.records).unwrap_or(usize::MAX);
        let records = tokio::select! {
            records = consumer.poll_up_to(left.min(RECORDS_MAX), POLL) => records.map_err(failed)?,
            _ = signals.next() => {
                failure = Some(torn());
                break;
            }
            topic = watch.deleted() => {
                failure = Some(Failure::not_there(format!("{topic} was deleted during the run"))
                    .next("`riverrun topic list` shows the topics that are there"));
                break;
            }
        };
        for record in &records {
            let bytes = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, bytes::Bytes::len) as u64;
            count.bytes += bytes(&record.key) + bytes(&record.value);
        }
        count.records += records.len() as u64;
        progress.show(count.records, left_until(&consumer, &ends).at_most(consume.number, count.records));
    }
    let took = begun.elapsed();
    drop(progress);
    consumer.close().await.map_err(failed)?;
    let printed = session
        .show(&count.show(Output::new(json!({ "topic": consume.topic })).names([&consume.topic]), took));
    Failure::all(failure.into_iter().chain(printed.err()).collect()).map_or(Ok(()), Err)
}
