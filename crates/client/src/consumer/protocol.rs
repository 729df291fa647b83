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
    ConsumerProtocolSubscription, ConsumerProtocolSubscriptionView, TopicPartition as OwnedTopic,
};
use wire::{Message, Writer};

/// The type of group that consumers form.
pub(crate) const CONSUMER: &str = "consumer";

/// The version that is written: with owned partitions, their generation and the rack.
const SUBSCRIPTION_VERSION: i16 = 3;
/// The version that is written. Later ones add nothing.
const ASSIGNMENT_VERSION: i16 = 0;

/// The version from which a subscription says what the member reads.
const OWNED_FROM: i16 = 1;
/// The version from which it says in which generation that was given.
const GENERATION_FROM: i16 = 2;

/// What a member wants, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub topics: Vec<String>,
    pub owned: Vec<TopicPartition>,
    /// Of what it owns; -1 if it got nothing yet.
    pub generation: i32,
}

impl Subscription {
    /// In the form that other members read. Members of before the generation had a field look for it in the data of
    /// the cooperative assignor: four bytes, in `with_user_data`.
    pub fn write(&self, with_user_data: bool) -> Bytes {
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.clone(),
            user_data: with_user_data.then(|| Bytes::copy_from_slice(&self.generation.to_be_bytes())),
            owned_partitions: by_topic(&self.owned)
                .into_iter()
                .map(|(topic, partitions)| OwnedTopic { topic, partitions })
                .collect(),
            generation_id: self.generation,
            rack_id: None,
        };
        write(&subscription, SUBSCRIPTION_VERSION)
    }

    /// What another member wrote.
    pub fn read(bytes: &[u8]) -> Result<Subscription, String> {
        let (version, body) = version_of(bytes, ConsumerProtocolSubscription::MAX_VERSION)?;
        let view =
            ConsumerProtocolSubscriptionView::decode(body, version).map_err(|error| error.to_string())?;
        let mut owned = Vec::new();
        if version >= OWNED_FROM {
            for topic in view.owned_partitions {
                owned.extend(
                    topic.partitions.iter().map(|partition| TopicPartition::new(topic.topic, partition)),
                );
            }
        }
        let in_data = || Some(i32::from_be_bytes(view.user_data?.try_into().ok()?));
        let generation = match version >= GENERATION_FROM && view.generation_id >= 0 {
            true => view.generation_id,
            false => in_data().unwrap_or(-1),
        };
        Ok(Subscription { topics: view.topics.to_vec(), owned, generation })
    }
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for name in partitions {
        topics.entry(name.topic.to_string()).or_default().push(name.partition);
    }
    topics
}

/// What a member gets.
pub(super) fn write_assignment(partitions: &[TopicPartition]) -> Bytes {
    let assigned_partitions = by_topic(partitions)
        .into_iter()
        .map(|(topic, partitions)| AssignedTopic { topic, partitions })
        .collect();
    write(&ConsumerProtocolAssignment { assigned_partitions, user_data: None }, ASSIGNMENT_VERSION)
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

fn write<M: Message>(message: &M, version: i16) -> Bytes {
    let mut out = Writer::new();
    out.i16(version);
    // Names come from the cluster, which has none that are too long.
    let written = message.encode(&mut out, version).map(|()| out.into_bytes());
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
        let partitions =
            vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2), TopicPartition::new("b", 1)];
        let topics = vec!["a".to_owned(), "b".to_owned()];
        let subscription = Subscription { topics, owned: partitions.clone(), generation: 7 };
        assert_eq!(Subscription::read(&subscription.write(true)), Ok(subscription.clone()));
        assert_eq!(Subscription::read(&subscription.write(false)), Ok(subscription));
        assert_eq!(read_assignment(&write_assignment(&partitions)), Ok(partitions));
        assert_eq!(read_assignment(&[]), Ok(Vec::new()));
    }

    #[test]
    fn subscriptions_of_older_clients_are_read() {
        let old = |version: i16, user_data: Option<&'static [u8]>| {
            let subscription = ConsumerProtocolSubscription {
                topics: vec!["a".to_owned()],
                user_data: user_data.map(Bytes::from_static),
                owned_partitions: vec![OwnedTopic { topic: "a".to_owned(), partitions: vec![1] }],
                ..Default::default()
            };
            Subscription::read(&write(&subscription, version)).expect("it is valid")
        };
        let eager = old(0, None);
        assert_eq!((eager.owned, eager.generation), (Vec::new(), -1));
        let cooperative = old(1, Some(&[0, 0, 0, 9]));
        assert_eq!((cooperative.owned, cooperative.generation), (vec![TopicPartition::new("a", 1)], 9));
        assert_eq!(old(1, Some(&[1, 2])).generation, -1, "another assignor's data means nothing here");
    }

    #[test]
    fn what_another_client_wrote_wrong_is_an_error() {
        for bytes in [&[0][..], &[0xff, 0xff], &[0, 0, 0x7f, 0xff, 0xff, 0xff], &[0, 1, 0, 0, 0, 1]] {
            assert!(read_assignment(bytes).is_err(), "{bytes:?}");
            assert!(Subscription::read(bytes).is_err(), "{bytes:?}");
        }
    }
}
