//! Where a reader goes on whose place is gone, or was never said. What it does not get to see is told: the consumer itself
//! has `auto.offset.reset=none`, so that it asks here.
//!
//! *Invariant:* `--from` counts only in partitions that were there when the command began and of which the group has
//! committed nothing. Others are read from their start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::config::OffsetReset;
use client::metadata::Topic;
use client::{Consumer, ConsumerRecord, Error, Offset, Start, Timestamp, TopicPartition};
use host::RealClock;
use kernel::Uuid;
use kernel::port::Clock;
use tokio::time::timeout;

use super::end::Ends;
use super::failed;
use crate::command::place::{Where, resolve};
use crate::command::{Failure, Session};
use crate::print::note;

/// How long a leader is asked where its log begins and ends. Where it does not say, it is asked again after the next poll.
const PATIENCE: Duration = Duration::from_secs(3);

/// The places of a reader.
pub(super) struct Places<'c> {
    session: &'c Session,
    /// Where `--from` has partitions begin of which the group has committed nothing. With none, that is an error.
    from: OffsetReset,
    is_member: bool,
    /// Where it stops. What was to be read up to there is not in a topic that was made later.
    ends: Option<&'c Ends>,
    /// The partitions that were there when the command began, and the topics that they were of.
    known: BTreeMap<TopicPartition, Uuid>,
    /// The topics that are read, as there may be others of the same names by now.
    read_of: BTreeMap<TopicPartition, Uuid>,
    /// Of which topic it was told last that it was made anew.
    told: BTreeMap<String, Uuid>,
    /// Of which topics it was told that what is there is not read.
    skipped: BTreeSet<String>,
    /// Which topics were deleted.
    gone: BTreeSet<String>,
    generation: Option<i32>,
}

impl<'c> Places<'c> {
    pub fn new(session: &'c Session, from: OffsetReset, is_member: bool, topics: &[Topic]) -> Self {
        let partitions = |topic: &Topic| {
            let id = topic.id;
            let name = |number: &i32| (TopicPartition::new(topic.name.as_str(), *number), id);
            topic.partitions.keys().map(name).collect::<Vec<_>>()
        };
        let known: BTreeMap<TopicPartition, Uuid> = topics.iter().flat_map(partitions).collect();
        // What a group gives is of the topic that is there then.
        let read_of = if is_member { BTreeMap::new() } else { known.clone() };
        let (told, gone) = (BTreeMap::new(), BTreeSet::new());
        let skipped = BTreeSet::new();
        Self { session, from, is_member, ends: None, known, read_of, told, skipped, gone, generation: None }
    }

    /// Says that it stops somewhere.
    pub fn stop_at(&mut self, ends: Option<&'c Ends>) {
        self.ends = ends;
    }

    /// Sees to it that what a poll returned is of the topics that are read. Of one that was made anew the consumer has gone
    /// on at the offset where it was: it is sent to the start, and its records are left out.
    pub fn check(
        &mut self,
        consumer: &mut Consumer,
        records: &mut Vec<ConsumerRecord>,
    ) -> Result<(), Failure> {
        let looked_at = self.look_at(consumer, records);
        let mut checked = Ok(());
        for name in looked_at {
            let Some(now) = consumer.topic_id(&name) else {
                continue;
            };
            let before = *self.read_of.entry(name.clone()).or_insert(now);
            let is_of_it =
                |record: &ConsumerRecord| record.topic == name.topic && record.partition == name.partition;
            // What has been read to its end before is not read any more. A group commits it all the same.
            let was_done = !records.iter().any(is_of_it) && self.is_done(consumer, &name);
            if before.is_zero() || before == now || (was_done && !self.is_member) {
                continue;
            }
            records.retain(|record| !is_of_it(record));
            checked = checked.and(self.begin_anew(&name, now, consumer));
        }
        checked
    }

    /// A topic was deleted. Where it was not read up to where this reader stops, or no other topic is left to read from, more
    /// is waited for in vain.
    pub fn lose(&mut self, topic: &str, consumer: &Consumer) -> Result<(), Failure> {
        self.gone.insert(topic.to_owned());
        let mut of_it = consumer.assignment().filter(|name| *name.topic == *topic);
        let in_vain = match self.ends {
            Some(_) => self.is_member || of_it.any(|name| !self.is_done(consumer, name)),
            None => self.known.keys().all(|name| self.gone.contains(&*name.topic)),
        };
        if in_vain {
            return Err(Failure::not_there(format!("{topic} was deleted while it was read"))
                .next("`riverrun topic list` shows the topics that are there"));
        }
        note(&format!("{topic} was deleted"));
        Ok(())
    }

    /// The partitions that a poll has said something about.
    fn look_at(&mut self, consumer: &Consumer, records: &[ConsumerRecord]) -> Vec<TopicPartition> {
        if !records.is_empty() && self.generation == consumer.generation() {
            let of = |record: &ConsumerRecord| TopicPartition {
                topic: record.topic.clone(),
                partition: record.partition,
            };
            let runs = records.chunk_by(|a, b| a.partition == b.partition && a.topic == b.topic);
            return runs.filter_map(|run| run.first()).map(of).collect();
        }
        self.generation = consumer.generation();
        let all: BTreeSet<TopicPartition> = consumer.assignment().cloned().collect();
        if self.is_member {
            // Others may have read the new topic meanwhile, and committed what is given back.
            self.read_of.retain(|name, _| all.contains(name));
        }
        all.into_iter().collect()
    }

    fn is_done(&self, consumer: &Consumer, name: &TopicPartition) -> bool {
        let end = self.ends.and_then(|ends| ends.get(name));
        end.is_some_and(|end| consumer.position(name).is_some_and(|position| position >= *end))
    }

    /// A partition is of another topic than before.
    fn begin_anew(
        &mut self,
        name: &TopicPartition,
        now: Uuid,
        consumer: &mut Consumer,
    ) -> Result<(), Failure> {
        self.read_of.insert(name.clone(), now);
        self.gone.remove(&*name.topic);
        // Also where nothing is read any more: where it was must not be committed for the new one.
        go(consumer, name, Start::Earliest);
        let topic = name.topic.to_string();
        if self.ends.is_some() {
            return Err(Failure::not_there(format!("{topic} was deleted and made anew while it was read"))
                .next("the same command reads the new one"));
        }
        if self.told.get(&topic) != Some(&now) {
            note(&format!("{topic} was deleted and made anew: it is read from its start"));
            self.told.insert(topic, now);
        }
        Ok(())
    }

    /// Sends the consumer somewhere if that is what an error is about. One that is not ends the command.
    pub async fn find(&mut self, error: Error, consumer: &mut Consumer) -> Result<(), Failure> {
        let name = match (error.topic(), error.partition()) {
            (Some(topic), Some(partition)) if self.from != OffsetReset::None => {
                TopicPartition::new(topic, partition)
            }
            _ => return Err(failed(error)),
        };
        match error {
            Error::NoOffset { .. } => self.begin(&name, consumer),
            Error::OutOfRange { offset, .. } => self.come_back(&name, offset, consumer).await,
            Error::Truncated { offset, divergent: Some(divergent), .. } => {
                go(consumer, &name, Start::Offset(Offset(divergent)));
                note(&format!(
                    "{name} has lost what was read from offset {divergent} to {}: it goes on at {divergent}",
                    offset.saturating_sub(1)
                ));
                Ok(())
            }
            Error::Truncated { offset, .. } => self.begin_in_other_log(&name, offset, consumer).await,
            error => Err(failed(error)),
        }
    }

    /// The group has committed nothing.
    fn begin(&mut self, name: &TopicPartition, consumer: &mut Consumer) -> Result<(), Failure> {
        let now = self.session.client.metadata().topic(&name.topic).map(|topic| topic.id);
        let start = match (self.known.get(name).copied(), now) {
            (Some(before), Some(now)) if before != now && !before.is_zero() && !now.is_zero() => {
                return self.begin_anew(name, now, consumer);
            }
            (Some(before), _) => {
                // If it turns out to be another one, it is read from its start all the same.
                self.read_of.insert(name.clone(), before);
                self.tell_of_skipped(name);
                match self.from {
                    OffsetReset::Earliest => Start::Earliest,
                    OffsetReset::ByDuration(back) => Start::At(before_now(back)),
                    OffsetReset::Latest | OffsetReset::None => Start::Latest,
                }
            }
            (None, _) => Start::Earliest,
        };
        go(consumer, name, start);
        Ok(())
    }

    /// Whoever stops where the log ends reads nothing where it begins there.
    fn tell_of_skipped(&mut self, name: &TopicPartition) {
        let end = self.ends.and_then(|ends| ends.get(name));
        let has_records = end.is_some_and(|end| end.0 > 0);
        if self.from == OffsetReset::Latest && has_records && self.skipped.insert(name.topic.to_string()) {
            note(&format!(
                "the group has committed nothing of {name}: it begins and stops at the end; --from start reads what is there"
            ));
        }
    }

    /// The log has no such offset.
    async fn come_back(
        &mut self,
        name: &TopicPartition,
        offset: i64,
        consumer: &mut Consumer,
    ) -> Result<(), Failure> {
        let Some((start, end)) = self.bounds(name).await? else {
            return Ok(());
        };
        if offset < start.0 {
            go(consumer, name, Start::Offset(start));
            say_gone(name, offset, start);
        } else if offset > end.0 {
            if let Some(now) = self.made_anew(name).await {
                return self.begin_anew(name, now, consumer);
            }
            // A group is not to miss what was written since; others have not read anything here.
            let nearest = if self.is_member { start } else { end };
            go(consumer, name, Start::Offset(nearest));
            note(&format!("{name} ends at offset {end}, before {offset}: it goes on at {nearest}"));
        }
        // Otherwise it is there by now.
        Ok(())
    }

    /// All that the log has was written after what was read.
    async fn begin_in_other_log(
        &mut self,
        name: &TopicPartition,
        offset: i64,
        consumer: &mut Consumer,
    ) -> Result<(), Failure> {
        let Some((start, _)) = self.bounds(name).await? else {
            return Ok(());
        };
        go(consumer, name, Start::Offset(start));
        if offset < start.0 {
            say_gone(name, offset, start);
        } else if offset > start.0 {
            let last = offset.saturating_sub(1);
            note(&format!(
                "{name} has lost what was read from offset {start} to {last}: it goes on at {start}"
            ));
        }
        Ok(())
    }

    /// Where the log of a partition begins and ends; nothing if nobody says so now.
    async fn bounds(&self, name: &TopicPartition) -> Result<Option<(Offset, Offset)>, Failure> {
        let partitions = [name.clone()];
        let both = async {
            let start = resolve(&partitions, Where::Start, self.session).await?;
            Ok::<_, Error>((start, resolve(&partitions, Where::End, self.session).await?))
        };
        match timeout(PATIENCE, both).await {
            Ok(Ok((start, end))) => Ok(start.get(name).copied().zip(end.get(name).copied())),
            Ok(Err(error)) if error.code().is_some() && !error.retriable() => Err(failed(error)),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// The id of the topic if it is another one than was read. Who fetches by name learns of it only so.
    async fn made_anew(&self, name: &TopicPartition) -> Option<Uuid> {
        let before = self.read_of.get(name).filter(|id| !id.is_zero())?;
        let now = timeout(PATIENCE, self.session.admin.describe_topic(&name.topic)).await.ok()?.ok()?.id;
        (!now.is_zero() && now != *before).then_some(now)
    }
}

/// Goes elsewhere in a partition, also if it has been read to its end.
fn go(consumer: &mut Consumer, name: &TopicPartition, start: Start) {
    consumer.seek(name, start);
    consumer.resume([name]);
}

/// The time so long ago.
fn before_now(back: Duration) -> Timestamp {
    let back = i64::try_from(back.as_millis()).unwrap_or(i64::MAX);
    Timestamp(RealClock::new().now().wall.0.saturating_sub(back).max(0))
}

/// Says what was passed over.
pub(super) fn say_gone(name: &TopicPartition, offset: i64, start: Offset) {
    let last = start.0.saturating_sub(1);
    note(&format!("what was before offset {start} of {name} is gone: {offset} to {last} are passed over"));
}
