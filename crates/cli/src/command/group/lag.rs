//! How far a group is behind: in records, in seconds, and whether it catches up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::admin::{CommittedOffset, OffsetSpec};
use client::config::{IsolationLevel, OffsetReset};
use client::{Consumer, ConsumerConfig, Error, Offset, Start, Timestamp, TopicPartition};
use tokio::time::Instant;

use crate::command::Session;

/// How long is waited for records, whose times are only a courtesy.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a group has committed, and where its partitions end, at one moment.
#[derive(Debug)]
pub struct Standing {
    pub at: Instant,
    pub committed: BTreeMap<TopicPartition, CommittedOffset>,
    pub ends: BTreeMap<TopicPartition, Offset>,
}

impl Standing {
    /// Of all partitions that the group has committed for, and those of `assigned`.
    pub async fn now(
        group: &str,
        assigned: &BTreeSet<TopicPartition>,
        session: &Session,
    ) -> Result<Standing, Error> {
        let committed = session.admin.committed_offsets(group, None).await?;
        let partitions: BTreeSet<TopicPartition> = committed.keys().chain(assigned).cloned().collect();
        let ends = ends(&partitions, session).await?;
        Ok(Standing { at: Instant::now(), committed, ends })
    }

    pub fn committed(&self, partition: &TopicPartition) -> Option<i64> {
        self.committed.get(partition).map(|committed| committed.offset.0)
    }

    pub fn end(&self, partition: &TopicPartition) -> Option<i64> {
        self.ends.get(partition).map(|offset| offset.0)
    }

    /// How many records the group has still to read.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        Some(self.end(partition)?.saturating_sub(self.committed(partition)?).max(0))
    }

    pub fn total_lag(&self) -> i64 {
        self.committed.keys().filter_map(|partition| self.lag(partition)).sum()
    }
}

/// Where partitions end now. What is gone, or has no leader, has no end; the rest is shown all the same.
async fn ends(
    partitions: &BTreeSet<TopicPartition>,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    let topics: BTreeSet<String> = partitions.iter().map(|name| name.topic.to_string()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let metadata = session.client.fetch_metadata(Some(&topics)).await?;
    let has_leader = |name: &&TopicPartition| {
        metadata.partition(&name.topic, name.partition).is_some_and(|partition| partition.leader.is_some())
    };
    let wanted: Vec<_> =
        partitions.iter().filter(has_leader).map(|name| (name.clone(), OffsetSpec::Latest)).collect();
    let listed = session.admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?;
    Ok(listed.into_iter().filter_map(|(name, listed)| Some((name, listed.offset?))).collect())
}

/// When the first record that the group has not read was written, where there is one.
pub async fn first_unread(
    standing: &Standing,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Timestamp>, Error> {
    let behind: Vec<(TopicPartition, Start)> = standing
        .committed
        .iter()
        .filter(|(name, _)| standing.lag(name).is_some_and(|lag| lag > 0))
        .map(|(name, committed)| (name.clone(), Start::Offset(committed.offset)))
        .collect();
    let wanted = behind.len();
    let mut found = BTreeMap::new();
    let config = ConsumerConfig {
        // The first batch is sent whatever its size; more is not wanted.
        max_partition_fetch_bytes: 1,
        auto_offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(&session.client, config)?;
    consumer.assign(behind);
    let deadline = Instant::now() + PATIENCE;
    while found.len() < wanted && Instant::now() < deadline {
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
    pub read: f64,
    /// In how many seconds nothing will be left; infinite if never.
    pub caught_up_in: f64,
}

impl Trend {
    pub fn between(before: &Standing, after: &Standing) -> Trend {
        let seconds = after.at.duration_since(before.at).as_secs_f64().max(0.001);
        let moved = |value: fn(&Standing, &TopicPartition) -> Option<i64>| {
            let names = after.committed.keys();
            let change = |name| Some(value(after, name)?.saturating_sub(value(before, name)?));
            names.filter_map(change).sum::<i64>() as f64 / seconds
        };
        let (written, read) = (moved(Standing::end), moved(Standing::committed));
        let lag = after.total_lag();
        let caught_up_in = match (lag, read > written) {
            (0, _) => 0.0,
            (lag, true) => lag as f64 / (read - written),
            (_, false) => f64::INFINITY,
        };
        Trend { written, read, caught_up_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(at: Instant, committed: i64, end: i64) -> Standing {
        let name = TopicPartition::new("t", 0);
        Standing {
            at,
            committed: [(name.clone(), Offset(committed).into())].into(),
            ends: [(name, Offset(end))].into(),
        }
    }

    #[tokio::test]
    async fn a_trend_says_when_there_will_be_nothing_left() {
        let now = Instant::now();
        let later = now + Duration::from_secs(2);
        let trend = |committed, end| Trend::between(&standing(now, 0, 100), &standing(later, committed, end));
        assert_eq!(trend(60, 120), Trend { written: 10.0, read: 30.0, caught_up_in: 3.0 });
        assert_eq!(trend(10, 120).caught_up_in, f64::INFINITY);
        assert_eq!(trend(120, 120).caught_up_in, 0.0);
    }
}
