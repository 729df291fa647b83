//! What members of a group tell each other through it: subscriptions and assignments.
//!
//! Each is a 16-bit version and a message of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel::TopicPartition;
use wire::records::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, ConsumerProtocolAssignmentView, TopicPartition as AssignedTopic,
};
use wire::records::consumer_protocol_subscription::{
    ConsumerProtocolSubscription, ConsumerProtocolSubscriptionView,
};
use wire::{Message, Writer};

/// The type of group that consumers form.
pub(crate) const CONSUMER: &str = "consumer";

/// The version that is written: without owned partitions, which an eager member has none of.
const VERSION: i16 = 0;

/// What a member wants.
pub(super) fn write_subscription(topics: &[String]) -> Bytes {
    let subscription = ConsumerProtocolSubscription { topics: topics.to_vec(), ..Default::default() };
    write(&subscription)
}

/// The topics that a member wants.
pub(super) fn read_subscription(bytes: &[u8]) -> Result<Vec<String>, String> {
    let (version, body) = version_of(bytes, ConsumerProtocolSubscription::MAX_VERSION)?;
    let view = ConsumerProtocolSubscriptionView::decode(body, version).map_err(|error| error.to_string())?;
    Ok(view.topics.to_vec())
}

/// What a member gets.
pub(super) fn write_assignment(partitions: &[TopicPartition]) -> Bytes {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for name in partitions {
        topics.entry(&name.topic).or_default().push(name.partition);
    }
    let assigned_partitions = topics
        .into_iter()
        .map(|(topic, partitions)| AssignedTopic { topic: topic.to_owned(), partitions })
        .collect();
    write(&ConsumerProtocolAssignment { assigned_partitions, user_data: None })
}

/// What a member got. An empty one is no partitions.
pub(crate) fn read_assignment(bytes: &[u8]) -> Result<Vec<TopicPartition>, String> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let (version, body) = version_of(bytes, ConsumerProtocolAssignment::MAX_VERSION)?;
    let view = ConsumerProtocolAssignmentView::decode(body, version).map_err(|error| error.to_string())?;
    let mut partitions = Vec::new();
    for topic in view.assigned_partitions {
        partitions
            .extend(topic.partitions.iter().map(|partition| TopicPartition::new(topic.topic, partition)));
    }
    Ok(partitions)
}

fn write<M: Message>(message: &M) -> Bytes {
    let mut out = Writer::new();
    out.i16(VERSION);
    // Names come from the cluster, which has none that are too long.
    let written = message.encode(&mut out, VERSION).map(|()| out.into_bytes());
    written.ok().and_then(Result::ok).unwrap_or_default()
}

/// A newer version is read as the newest known: later ones only add at the end.
fn version_of(bytes: &[u8], max: i16) -> Result<(i16, &[u8]), String> {
    match bytes.split_first_chunk::<2>() {
        Some((version, body)) => match i16::from_be_bytes(*version) {
            version if version < 0 => Err(format!("version {version} cannot be")),
            version => Ok((version.min(max), body)),
        },
        None => Err("it has no version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let topics = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(read_subscription(&write_subscription(&topics)), Ok(topics));
        let partitions =
            vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2), TopicPartition::new("b", 1)];
        assert_eq!(read_assignment(&write_assignment(&partitions)), Ok(partitions));
        assert_eq!(read_assignment(&[]), Ok(Vec::new()));
    }

    #[test]
    fn what_another_client_wrote_wrong_is_an_error() {
        for bytes in [&[0][..], &[0xff, 0xff], &[0, 0, 0x7f, 0xff, 0xff, 0xff], &[0, 1, 0, 0, 0, 1]] {
            assert!(read_assignment(bytes).is_err(), "{bytes:?}");
            assert!(read_subscription(bytes).is_err(), "{bytes:?}");
        }
    }
}
