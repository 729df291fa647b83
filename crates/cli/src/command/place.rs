//! Places in a topic, as people name them: start, end, an offset, a time.

use std::collections::BTreeMap;
use std::str::FromStr;

use client::admin::OffsetSpec;
use client::config::IsolationLevel;
use client::metadata::Topic;
use client::{BrokerError, Error, ErrorCode, Offset, TopicPartition};
use host::RealClock;
use kernel::port::Clock;

use super::time::{self, Time};
use super::{Failure, Session};

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Start,
    End,
    Offset(i64),
    /// At the first record of this time or later.
    At(Time),
}

impl FromStr for Where {
    type Err = String;

    fn from_str(text: &str) -> Result<Where, String> {
        match text {
            // What Kafka and kcat call them is understood as well.
            "start" | "beginning" | "earliest" => Ok(Where::Start),
            "end" | "latest" => Ok(Where::End),
            text => match text.strip_prefix('@') {
                Some(time) => time::parse(time, RealClock::new().now().wall).map(Where::At),
                // A sign would mean something else, as -3 does to a reader.
                None => match text.parse::<i64>() {
                    Ok(offset) if text.starts_with(|c: char| c.is_ascii_digit()) => Ok(Where::Offset(offset)),
                    _ => Err("start, end, an offset from 0 on, or @TIME is expected".to_owned()),
                },
            },
        }
    }
}

/// Refuses to write to what only the cluster writes to.
pub fn not_internal(topic: Topic, doing: &str) -> Result<Topic, Failure> {
    match topic.internal {
        false => Ok(topic),
        true => Err(Failure::failed(format!("{doing}: {} is what the cluster keeps for itself", topic.name))
            .next("write to a topic of your own: `riverrun topic list` shows them")),
    }
}

/// What it means that a command which takes --partition failed in one.
pub fn failed_somewhere(error: Error, doing: &str) -> Failure {
    let is_of_one = error.code() == Some(ErrorCode::LeaderNotAvailable) && error.partition().is_some();
    let failure = Failure::of(error, doing);
    if is_of_one { failure.and_next("--partition names others") } else { failure }
}

/// The offset that a place has in each partition: within what is there; the end where no record is late enough. It fails at
/// once where a partition is known to have no leader, which may last.
pub async fn resolve(
    partitions: &[TopicPartition],
    place: Where,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    resolve_as(IsolationLevel::ReadUncommitted, partitions, place, session).await
}

/// As [`resolve`], with the end as such a reader has it: one who reads what is committed gets no further than to the first
/// open transaction.
pub async fn resolve_as(
    isolation: IsolationLevel,
    partitions: &[TopicPartition],
    place: Where,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    let metadata = session.client.metadata();
    let leaderless = partitions.iter().find(|name| metadata.is_leaderless(&name.topic, name.partition));
    if let Some(name) = leaderless {
        return Err(Error::Broker(BrokerError {
            code: ErrorCode::LeaderNotAvailable,
            message: None,
            topic: Some(name.topic.to_string()),
            partition: Some(name.partition),
            group: None,
        }));
    }
    let ask = async |spec| {
        let wanted: Vec<_> = partitions.iter().map(|name| (name.clone(), spec)).collect();
        let listed = session.ask(async |admin| admin.list_offsets(&wanted, isolation).await).await?;
        let found = listed.into_iter().filter_map(|(name, listed)| Some((name, listed.offset?)));
        Ok::<BTreeMap<TopicPartition, Offset>, Error>(found.collect())
    };
    match place {
        Where::Start => ask(OffsetSpec::Earliest).await,
        Where::End => ask(OffsetSpec::Latest).await,
        Where::At(time) => {
            let mut found = ask(OffsetSpec::Latest).await?;
            found.extend(ask(OffsetSpec::AtOrAfter(session.zone.instant(time))).await?);
            Ok(found)
        }
        Where::Offset(offset) => {
            let (starts, ends) = (ask(OffsetSpec::Earliest).await?, ask(OffsetSpec::Latest).await?);
            let within = |(name, end): (TopicPartition, Offset)| {
                let start = starts.get(&name).copied().unwrap_or_default();
                (name, Offset(offset).min(end).max(start))
            };
            Ok(ends.into_iter().map(within).collect())
        }
    }
}

/// The partitions of a topic, or the one that was named.
pub fn partitions_of(topic: &Topic, wanted: Option<i32>) -> Result<Vec<TopicPartition>, Failure> {
    let named = topic.partitions.keys().filter(|partition| wanted.is_none_or(|wanted| wanted == **partition));
    let names: Vec<TopicPartition> =
        named.map(|partition| TopicPartition::new(topic.name.as_str(), *partition)).collect();
    if names.is_empty() {
        let partition = wanted.unwrap_or_default();
        return Err(Failure::not_there(format!("{} has no partition {partition}", topic.name))
            .next(format!("it has {}, counted from 0", topic.partitions.len())));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Timestamp;

    #[test]
    fn a_place_is_read_in_each_form() {
        assert_eq!("start".parse(), Ok(Where::Start));
        assert_eq!("earliest".parse(), Ok(Where::Start));
        assert_eq!("12".parse(), Ok(Where::Offset(12)));
        assert_eq!("@12".parse(), Ok(Where::At(Time::Instant(Timestamp(12)))));
        for wrong in ["", "-1", "-0", "+3", "@", "@soon", "begin"] {
            assert!(wrong.parse::<Where>().is_err(), "{wrong}");
        }
    }
}
