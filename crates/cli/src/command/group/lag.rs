//! How far a group is behind: in records, in seconds, and whether it catches up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::admin::{CommittedOffset, OffsetSpec};
use client::config::{IsolationLevel, OffsetReset};
use client::{Consumer, ConsumerConfig, Error, ErrorCode, Offset, Start, Timestamp, TopicPartition};
use tokio::time::Instant;

use crate::command::Session;

/// How long is waited for records, whose times are only a courtesy.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a group has committed, and where its partitions begin and end, at one moment.
#[derive(Debug)]
pub struct Standing {
    pub at: Instant,
    /// Those that the group has committed for, and those of its members.
    pub partitions: BTreeSet<TopicPartition>,
    pub committed: BTreeMap<TopicPartition, CommittedOffset>,
    pub bounds: BTreeMap<TopicPartition, (Offset, Offset)>,
    /// Of these nothing is left that could be read.
    pub gone: BTreeSet<TopicPartition>,
    /// Of these nothing is known but what the group has committed, and why.
    pub silent: BTreeMap<TopicPartition, Error>,
}

/// How many records a group has still to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TotalLag {
    /// In the partitions of which it is known.
    pub known: i64,
    /// In so many partitions it cannot be told.
    pub unknown: usize,
    /// Whether there is a partition of which it is known.
    pub is_any: bool,
}

impl TotalLag {
    /// The number, where it is one: what is not known is not nothing.
    pub fn total(&self) -> Option<i64> {
        (self.is_any && self.unknown == 0).then_some(self.known)
    }
}

impl Standing {
    /// Of all partitions that the group has committed for, and those of `assigned`.
    pub async fn now(
        group: &str,
        assigned: &BTreeSet<TopicPartition>,
        session: &Session,
    ) -> Result<Standing, Error> {
        let committed = session.ask(async |admin| admin.committed_offsets(group, None).await).await?;
        let partitions: BTreeSet<TopicPartition> = committed.keys().chain(assigned).cloned().collect();
        let Known { bounds, gone, silent } = bounds(&partitions, session).await?;
        Ok(Standing { at: Instant::now(), partitions, committed, bounds, gone, silent })
    }

    pub fn committed(&self, partition: &TopicPartition) -> Option<i64> {
        self.committed.get(partition).map(|committed| committed.offset.0)
    }

    pub fn start(&self, partition: &TopicPartition) -> Option<i64> {
        self.bounds.get(partition).map(|(start, _)| start.0)
    }

    pub fn end(&self, partition: &TopicPartition) -> Option<i64> {
        self.bounds.get(partition).map(|(_, end)| end.0)
    }

    /// How many records the group has still to read. Where it has committed nothing, that is known of a partition without any:
    /// members may begin at its start or at its end.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let (start, end) = (self.start(partition)?, self.end(partition)?);
        match self.committed(partition) {
            Some(committed) => Some(end.saturating_sub(committed).max(0)),
            None => (start == end).then_some(0),
        }
    }

    pub fn total_lag(&self) -> TotalLag {
        let mut total = TotalLag { known: 0, unknown: 0, is_any: false };
        for partition in self.partitions.difference(&self.gone) {
            match self.lag(partition) {
                Some(lag) => {
                    total.known = total.known.saturating_add(lag);
                    total.is_any = true;
                }
                None => total.unknown += 1,
            }
        }
        total
    }

    /// What has been committed, but is not there: members begin where they are told to if there is no offset.
    pub fn out_of_range(&self) -> impl Iterator<Item = String> + '_ {
        self.committed.iter().filter_map(|(name, committed)| {
            let (start, end) = self.bounds.get(name)?;
            let committed = committed.offset;
            let (side, bound) = match committed < *start {
                true => ("before its start", start),
                false if committed > *end => ("past its end", end),
                false => return None,
            };
            Some(format!("{name}: the committed offset {committed} is {side}, which is {bound}"))
        })
    }
}

pub type Bounds = BTreeMap<TopicPartition, (Offset, Offset)>;

/// What is known of partitions.
#[derive(Debug)]
pub struct Known {
    pub bounds: Bounds,
    /// Those that are not there.
    pub gone: BTreeSet<TopicPartition>,
    /// Those whose leaders did not answer.
    pub silent: BTreeMap<TopicPartition, Error>,
}

/// Where partitions begin and end now. What is gone, or has no leader, has no bounds; the rest is shown all the same. A broker
/// that is gone is waited for until the cluster knows, and its partitions only where another one takes over.
pub async fn bounds(partitions: &BTreeSet<TopicPartition>, session: &Session) -> Result<Known, Error> {
    let (there, gone) = led(partitions, session).await?;
    let mut silent = BTreeMap::new();
    let starts = listed(there.iter(), OffsetSpec::Earliest, &mut silent, session).await?;
    let ends = listed(starts.keys(), OffsetSpec::Latest, &mut silent, session).await?;
    let both = |(name, start): (TopicPartition, Offset)| {
        let end = ends.get(&name)?;
        Some((name, (start, *end)))
    };
    Ok(Known { bounds: starts.into_iter().filter_map(both).collect(), gone, silent })
}

/// What their leaders say, but for those that have lost theirs, or whose leader is silent.
async fn listed(
    partitions: impl Iterator<Item = &TopicPartition>,
    spec: OffsetSpec,
    silent: &mut BTreeMap<TopicPartition, Error>,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    let wanted: Vec<_> = partitions.map(|name| (name.clone(), spec)).collect();
    let begun = Instant::now();
    let each = session.asking().list_offsets_each(&wanted, IsolationLevel::ReadUncommitted).await;
    let mut offsets = BTreeMap::new();
    for (name, listed) in each {
        match listed {
            Ok(listed) => offsets.extend(listed.offset.map(|offset| (name, offset))),
            Err(error) if error.code() == Some(ErrorCode::LeaderNotAvailable) => {}
            Err(error) if error.retriable() => drop(silent.insert(name, error)),
            Err(error) => return Err(error),
        }
    }
    if !silent.is_empty() {
        session.waited_in_vain(begun);
    }
    Ok(offsets)
}

/// Those of the partitions that have a leader, and those that are not there.
async fn led(
    partitions: &BTreeSet<TopicPartition>,
    session: &Session,
) -> Result<(BTreeSet<TopicPartition>, BTreeSet<TopicPartition>), Error> {
    let topics: BTreeSet<String> = partitions.iter().map(|name| name.topic.to_string()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let metadata = session.client.fetch_metadata(Some(&topics)).await?;
    let (mut there, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for name in partitions {
        match metadata.partition(&name.topic, name.partition) {
            Some(partition) if partition.leader.is_some() => drop(there.insert(name.clone())),
            Some(_) => {}
            None => drop(gone.insert(name.clone())),
        }
    }
    Ok((there, gone))
}

/// When the first record that the group has not read was written, where there is one.
pub async fn first_unread(
    standing: &Standing,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Timestamp>, Error> {
    // What was trimmed away, or expired, nobody waits for.
    let first = |(name, committed): (&TopicPartition, &CommittedOffset)| {
        let (start, end) = standing.bounds.get(name).copied()?;
        let first = committed.offset.max(start);
        (first < end).then(|| (name.clone(), Start::Offset(first)))
    };
    let behind: Vec<(TopicPartition, Start)> = standing.committed.iter().filter_map(first).collect();
    let names: Vec<TopicPartition> = behind.iter().map(|(name, _)| name.clone()).collect();
    let mut found = BTreeMap::new();
    let config = ConsumerConfig {
        // The first batch is sent whatever its size; more is not wanted.
        max_partition_fetch_bytes: 1,
        auto_offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(&session.client, config)?;
    consumer.assign(behind)?;
    let deadline = Instant::now() + PATIENCE;
    // Not every offset has a record: some mark the ends of transactions, some were compacted away.
    let is_passed = |consumer: &Consumer, name: &TopicPartition| {
        let position = consumer.position(name);
        position.zip(standing.end(name)).is_some_and(|(position, end)| position.0 >= end)
    };
    while names.iter().any(|name| !found.contains_key(name) && !is_passed(&consumer, name))
        && Instant::now() < deadline
    {
        for record in consumer.poll(deadline.saturating_duration_since(Instant::now())).await? {
            let name = TopicPartition { topic: record.topic, partition: record.partition };
            found.entry(name).or_insert(record.timestamp);
        }
        consumer.pause(found.keys());
    }
    consumer.close().await?;
    Ok(found)
}

/// What changes in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    pub written: f64,
    /// Nothing where a first offset was committed meanwhile, as who reads may have read before, nor for a group that was set back.
    pub read: Option<f64>,
    /// Whether the group was sent back meanwhile, in any partition: what it has committed does not tell then how much it reads.
    pub set_back: bool,
    /// In how many seconds nothing will be left, where it is known how much is left and anything was committed meanwhile;
    /// infinite if never.
    pub caught_up_in: Option<f64>,
}

impl Trend {
    pub fn between(before: &Standing, after: &Standing) -> Trend {
        let seconds = after.at.duration_since(before.at).as_secs_f64().max(0.001);
        let moved = |value: fn(&Standing, &TopicPartition) -> Option<i64>| {
            let names = after.committed.keys();
            let change = |name| Some(value(after, name)?.saturating_sub(value(before, name)?));
            names.filter_map(change).sum::<i64>() as f64 / seconds
        };
        let is_known = after.committed.keys().all(|name| before.committed(name).is_some());
        let set_back = after.committed.keys().any(|name| after.committed(name) < before.committed(name));
        let read = (is_known && !set_back).then(|| moved(Standing::committed));
        let written = moved(Standing::end);
        let caught_up_in = after.total_lag().total().and_then(|lag| match (lag, read) {
            (0, _) => Some(0.0),
            (lag, Some(read)) if read > written => Some(lag as f64 / (read - written)),
            (_, Some(read)) if read > 0.0 => Some(f64::INFINITY),
            // Who reads commits only now and then.
            _ => None,
        });
        Trend { written, read, set_back, caught_up_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(at: Instant, committed: i64, end: i64) -> Standing {
        let name = TopicPartition::new("t", 0);
        Standing {
            at,
            partitions: [name.clone()].into(),
            committed: [(name.clone(), Offset(committed).into())].into(),
            bounds: [(name, (Offset(0), Offset(end)))].into(),
            gone: BTreeSet::new(),
            silent: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn a_trend_says_when_there_will_be_nothing_left() {
        let now = Instant::now();
        let later = now + Duration::from_secs(2);
        let trend = |committed, end| Trend::between(&standing(now, 0, 100), &standing(later, committed, end));
        let reads = Trend { written: 10.0, read: Some(30.0), set_back: false, caught_up_in: Some(3.0) };
        assert_eq!(trend(60, 120), reads);
        assert_eq!(trend(0, 120).caught_up_in, None, "nothing was committed");
        assert_eq!(trend(10, 120).caught_up_in, Some(f64::INFINITY));
        assert_eq!(trend(120, 120).caught_up_in, Some(0.0));
        let mut unknown = standing(now, 0, 100);
        unknown.committed.clear();
        let first = Trend::between(&unknown, &standing(later, 120, 120));
        assert_eq!(
            first,
            Trend { written: 10.0, read: None, set_back: false, caught_up_in: Some(0.0) },
            "it was the first commit"
        );
    }

    #[tokio::test]
    async fn of_a_group_that_is_set_back_nobody_says_how_fast_it_reads() {
        let now = Instant::now();
        let (mut before, mut after) =
            (standing(now, 50, 100), standing(now + Duration::from_secs(2), 0, 120));
        let back = Trend { written: 10.0, read: None, set_back: true, caught_up_in: None };
        assert_eq!(Trend::between(&before, &after), back);
        for (standing, committed) in [(&mut before, 10), (&mut after, 90)] {
            let other = TopicPartition::new("t", 1);
            standing.bounds.insert(other.clone(), (Offset(0), Offset(100)));
            standing.committed.insert(other, Offset(committed).into());
        }
        assert_eq!(Trend::between(&before, &after), back, "what it reads elsewhere does not hide it");
    }

    #[tokio::test]
    async fn what_is_not_known_is_not_counted_as_nothing() {
        let mut standing = standing(Instant::now(), 7, 10);
        assert_eq!(standing.total_lag().total(), Some(3));
        let [empty, full, gone] = [1, 2, 3].map(|partition| TopicPartition::new("t", partition));
        standing.partitions.insert(empty.clone());
        standing.bounds.insert(empty.clone(), (Offset(5), Offset(5)));
        standing.partitions.insert(gone.clone());
        standing.gone.insert(gone);
        assert_eq!(standing.lag(&empty), Some(0), "nothing can be read there");
        assert_eq!(standing.total_lag().total(), Some(3));
        standing.partitions.insert(full.clone());
        standing.bounds.insert(full.clone(), (Offset(0), Offset(50)));
        assert_eq!(standing.lag(&full), None, "a member may begin at the start or at the end");
        assert_eq!(standing.total_lag(), TotalLag { known: 3, unknown: 1, is_any: true });
        assert_eq!(
            (standing.total_lag().total(), Trend::between(&standing, &standing).caught_up_in),
            (None, None)
        );
        standing.partitions.clear();
        assert_eq!(
            standing.total_lag().total(),
            None,
            "a group that has nothing is not known to be behind or not"
        );
    }

    #[tokio::test]
    async fn an_offset_that_is_not_there_is_told() {
        let mut standing = standing(Instant::now(), 0, 5);
        assert_eq!(standing.out_of_range().count(), 0);
        standing.bounds.insert(TopicPartition::new("t", 0), (Offset(2), Offset(5)));
        let told: Vec<String> = standing.out_of_range().collect();
        assert_eq!(told, ["t-0: the committed offset 0 is before its start, which is 2"]);
    }
}
