//! What was handed over, and what became of it.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, VecDeque};
use std::future::{IntoFuture, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use client::metadata::Topic;
use client::{Delivered, Delivery, Error, ErrorCode, Producer, RecordMetadata, TopicPartition};
use serde_json::{Value, json};

use super::Produce;
use super::input::{Input, record};
use super::unwritten::{Unwritten, ranges};
use crate::command::place::{not_internal, partitions_of};
use crate::command::{Failure, Format, Session};
use crate::print::{self, Output};

/// How many records may be on their way before the oldest is waited for.
const DELIVERIES_MAX: usize = 65_536;

/// What was written so far.
#[derive(Default)]
pub(super) struct Written {
    /// Where records may go, and how many would go there if nothing is written.
    topics: BTreeMap<Arc<str>, Target>,
    read: u64,
    records: u64,
    /// Whether nobody says what became of a record.
    pub unacknowledged: bool,
    /// What is on its way, by the number of the record. The first is looked at while the rest wait.
    first: Option<(u64, Delivered)>,
    waiting: VecDeque<(u64, Delivery)>,
    partitions: BTreeMap<TopicPartition, Range>,
    failed: Option<Failed>,
}

struct Target {
    topic: Topic,
    /// Records that would be written.
    records: u64,
}

/// The records of one partition.
struct Range {
    records: u64,
    first: Option<i64>,
    last: Option<i64>,
}

/// The records that were handed over and not written.
struct Failed {
    /// The one to blame.
    number: u64,
    error: Error,
    /// All of them. Nothing is read after the first that is known of, so that they are few.
    numbers: BTreeSet<u64>,
}

impl Written {
    /// A topic that records go to.
    pub async fn topic(&mut self, name: &str, session: &Session) -> Result<&Topic, Failure> {
        Ok(&self.target(&Arc::from(name), "cannot write to the topic", session).await?.topic)
    }

    async fn target(
        &mut self,
        name: &Arc<str>,
        doing: &str,
        session: &Session,
    ) -> Result<&mut Target, Failure> {
        match self.topics.entry(Arc::clone(name)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let topic = check_topic(name, doing, session).await?;
                Ok(unknown.insert(Target { topic, records: 0 }))
            }
        }
    }

    /// How many records were read from the input.
    pub fn records_read(&self) -> u64 {
        self.read
    }

    /// Whether a record was handed over and not written.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// How many records were written. Where none failed, they are the first ones of the input.
    pub fn records_written(&self) -> u64 {
        self.records
    }

    /// Topics that are gone or others now than when they were first written to, though records of theirs were acknowledged.
    pub async fn lost(&self, session: &Session) -> Vec<Failure> {
        let is_written = |name: &str| self.partitions.keys().any(|written| &*written.topic == name);
        let written = || self.topics.iter().filter(|(name, _)| is_written(name));
        let names: Vec<String> = written().map(|(name, _)| name.to_string()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        // Where nobody tells, nothing is known of them.
        let Ok(now) = session.client.fetch_metadata(Some(&names)).await else { return Vec::new() };
        let lost = |(name, target): (&Arc<str>, &Target)| {
            let anew = match now.topic(name) {
                Some(topic) if topic.id == target.topic.id => return None,
                Some(_) => " and made anew",
                None if now.error(name) == Some(ErrorCode::UnknownTopicOrPartition) => "",
                None => return None,
            };
            let failure = Failure::not_there(format!("{name} was deleted{anew} while it was written to"));
            Some(
                failure
                    .next("what was written before has gone with it; `riverrun consume` shows what is there"),
            )
        };
        written().filter_map(lost).collect()
    }

    /// Whether something is on its way.
    pub fn is_waiting(&self) -> bool {
        self.first.is_some() || !self.waiting.is_empty()
    }

    pub async fn send_all(
        &mut self,
        producer: &Producer,
        produce: &Produce,
        inputs: Vec<Input>,
        session: &Session,
    ) -> Result<(), Failure> {
        for input in inputs {
            self.send(producer, produce, input, session).await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        producer: &Producer,
        produce: &Produce,
        input: Input,
        session: &Session,
    ) -> Result<(), Failure> {
        self.read += 1;
        let number = self.read;
        let what = if produce.change.dry_run { "would not be written" } else { "was not written" };
        let record =
            record(produce, input).map_err(|problem| produce.wrong_record(number, what, &problem))?;
        let doing = format!("record {number} {what}");
        let target = self.target(&record.topic, &doing, session).await;
        let target = target.map_err(|failure| failure.and_next(produce.rest_from(number)))?;
        // The producer would wait for a partition that may still be made.
        if record.partition.is_some_and(|partition| !target.topic.partitions.contains_key(&partition)) {
            partitions_of(&target.topic, record.partition)
                .map_err(|failure| failure.about(&doing).and_next(produce.mend(number)))?;
        }
        if produce.change.dry_run {
            producer
                .check(&record)
                .map_err(|error| Failure::of(error, &doing).and_next(produce.mend(number)))?;
            target.records += 1;
            self.records += 1;
            return Ok(());
        }
        match producer.send(record).await {
            Ok(delivery) => self.waiting.push_back((number, delivery)),
            Err(error) => {
                self.settle(number, Err(error));
                return self.outcome();
            }
        }
        if self.waiting.len() >= DELIVERIES_MAX { self.settle_some().await } else { Ok(()) }
    }

    /// Waits until it is known what became of the oldest record that is on its way, and takes note of all that is known then.
    /// Without such a record it waits for ever. It fails, and says nothing yet, if a record was not written.
    pub async fn settle_some(&mut self) -> Result<(), Failure> {
        let Some((number, delivered)) = self.first_of_all() else {
            return pending().await;
        };
        let (number, delivered) = (*number, delivered.await);
        self.first = None;
        self.settle(number, delivered);
        while let Some((number, delivered)) = self.first_of_all() {
            let Poll::Ready(delivered) = Pin::new(delivered).poll(&mut Context::from_waker(Waker::noop()))
            else {
                break;
            };
            let number = *number;
            self.first = None;
            self.settle(number, delivered);
        }
        self.outcome()
    }

    /// What is still to be written, where a record that was handed over was not.
    pub fn unwritten(&self) -> Option<Unwritten> {
        let failed = self.failed.as_ref()?;
        let unanswered = matches!(failed.error, Error::DeliveryTimeout { .. } | Error::Uncertain { .. });
        Some(Unwritten {
            number: failed.number,
            may_be_there: unanswered || failed.error.retriable(),
            ranges: ranges(failed.numbers.iter().copied()).collect(),
            rest: self.read + 1,
        })
    }

    fn outcome(&self) -> Result<(), Failure> {
        self.failed.as_ref().map_or(Ok(()), |failed| Err(failed.failure()))
    }

    fn first_of_all(&mut self) -> Option<&mut (u64, Delivered)> {
        if self.first.is_none() {
            let (number, delivery) = self.waiting.pop_front()?;
            self.first = Some((number, delivery.into_future()));
        }
        self.first.as_mut()
    }

    fn settle(&mut self, number: u64, delivered: Result<RecordMetadata, Error>) {
        let metadata = match (delivered, &mut self.failed) {
            (Ok(metadata), _) => metadata,
            (Err(error), Some(failed)) => {
                failed.numbers.insert(number);
                let guilty = |error: &Error| !matches!(error, Error::RefusedWithAnother { .. });
                // Whatever came first, the record that is to blame is what there is to mend.
                let blames = guilty(&error) && !guilty(&failed.error);
                if blames || number < failed.number && guilty(&error) {
                    (failed.number, failed.error) = (number, error);
                }
                return;
            }
            (Err(error), failed) => {
                *failed = Some(Failed { number, error, numbers: [number].into() });
                return;
            }
        };
        self.records += 1;
        let offset = metadata.offset.map(|offset| offset.0);
        let range = self.partitions.entry(metadata.partition).or_insert(Range {
            records: 0,
            first: offset,
            last: None,
        });
        range.records += 1;
        range.last = offset.or(range.last);
    }

    /// Waits for all that is on its way; the first that was not written is told, and how many more there are.
    pub async fn settle_all(&mut self) -> Result<(), Failure> {
        while self.is_waiting() {
            // All of them are told together below.
            let _ = self.settle_some().await;
        }
        self.outcome()
    }

    /// Says what was written. For people it is no result, so that a pipe does not get it.
    pub fn report(&self, produce: &Produce, session: &Session) -> Result<(), Failure> {
        let dry_run = produce.change.dry_run;
        if matches!(session.format, Format::Table | Format::Wide) {
            print::note(&self.sentence(produce));
            return Ok(());
        }
        let range = |(name, range): (&TopicPartition, &Range)| {
            json!({
                "topic": name.topic.as_ref(),
                "partition": name.partition,
                "records": range.records,
                "first_offset": range.first,
                "last_offset": range.last,
            })
        };
        let partitions: Vec<Value> = self.partitions.iter().map(range).collect();
        let topics: BTreeMap<&str, u64> = self.by_topic(dry_run);
        let unwritten = self.failed.iter().flat_map(|failed| failed.numbers.iter().copied());
        let value = json!({
            "topic": produce.topic,
            "topics": topics,
            "read": self.read,
            "records": self.records,
            "failed": self.failed.as_ref().map_or(0, |failed| failed.numbers.len()),
            "unwritten": ranges(unwritten).map(|(first, last)| json!({ "first": first, "last": last })).collect::<Vec<_>>(),
            "dry_run": dry_run,
            "partitions": partitions,
        });
        let names: Vec<String> = match dry_run {
            true => topics.keys().map(ToString::to_string).collect(),
            false => self.partitions.keys().map(ToString::to_string).collect(),
        };
        session.show(&Output::new(value).line(self.sentence(produce)).names(names))
    }

    /// How many records went, or would go, to each topic.
    fn by_topic(&self, dry_run: bool) -> BTreeMap<&str, u64> {
        if dry_run {
            return self.topics.iter().map(|(name, target)| (&**name, target.records)).collect();
        }
        let mut topics: BTreeMap<&str, u64> = self.topics.keys().map(|name| (&**name, 0)).collect();
        for (name, range) in &self.partitions {
            *topics.entry(&name.topic).or_default() += range.records;
        }
        topics
    }

    fn sentence(&self, produce: &Produce) -> String {
        let dry_run = produce.change.dry_run;
        let only = match self.topics.len() {
            1 => self.topics.keys().next(),
            _ => None,
        };
        let records = if self.records == 1 { "record" } else { "records" };
        let written = match dry_run {
            true => "would be written",
            false if self.unacknowledged => "sent",
            false => "written",
        };
        let names = |name: &TopicPartition| match only {
            Some(_) => format!("partition {}", name.partition),
            None => name.to_string(),
        };
        let range = |(name, range): (&TopicPartition, &Range)| match (range.first, range.last) {
            (Some(first), Some(last)) if first != last => format!("{}: {first} to {last}", names(name)),
            (Some(first), _) => format!("{}: {first}", names(name)),
            _ => names(name),
        };
        let mut places: Vec<String> = self.partitions.iter().map(range).collect();
        if dry_run && only.is_none() {
            places = self.by_topic(true).iter().map(|(name, records)| format!("{name}: {records}")).collect();
        }
        let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
        let to = only.map_or_else(String::new, |name| format!(" to {name}"));
        let read = match &self.failed {
            Some(_) => format!("; the input was read up to record {}", self.read),
            None => String::new(),
        };
        format!("{} {records} {written}{to}{places}{read}", self.records)
    }
}

impl Failed {
    fn failure(&self) -> Failure {
        let doing = match self.numbers.len() {
            1 => format!("record {} was not written", self.number),
            2 => format!("record {} and another one were not written", self.number),
            all => format!("record {} and {} others were not written", self.number, all - 1),
        };
        Failure::of(self.error.clone(), &doing)
    }
}

/// Looks whether a topic can be written to, before one is: a topic that a typing error would create helps nobody.
async fn check_topic(name: &str, doing: &str, session: &Session) -> Result<Topic, Failure> {
    match session.admin.describe_topic(name).await {
        Ok(topic) => not_internal(topic, doing),
        Err(error) => {
            let unknown = error.code() == Some(ErrorCode::UnknownTopicOrPartition);
            let failure = Failure::of(error, doing);
            let advice = format!("`riverrun topic create {name}` makes it");
            Err(if unknown { failure.next(advice) } else { failure })
        }
    }
}
