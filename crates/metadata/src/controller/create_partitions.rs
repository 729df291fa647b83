//! CreatePartitions.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{ErrorCode, Uuid};

use super::assignment::{invalid, new_partition, partition_by_hand};
use super::placement::place;
use super::{Decision, RECORDS_PER_DECISION_MAX, Refusal};
use crate::image::{Image, Partition, Topic};
use crate::record::MetadataRecord;

/// Topics that are to have more partitions, each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatePartitions {
    pub topics: Vec<MorePartitions>,
    /// Say what would happen, and do nothing.
    pub validate_only: bool,
}

/// One topic that is to have more partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MorePartitions {
    pub name: String,
    /// How many partitions the topic is to have in all.
    pub count: i32,
    /// The brokers of each partition that is added, placed by hand.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// What became of one topic. A name that was asked for more than once has one reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionsReply {
    pub name: String,
    pub result: Result<(), Refusal>,
}

/// Adds partitions to topics.
pub fn create_partitions(image: &Image, command: &CreatePartitions) -> Decision<Vec<PartitionsReply>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &command.topics {
        *counts.entry(&topic.name).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    let mut records = Vec::new();
    let mut replies = Vec::new();
    for topic in command.topics.iter().filter(|topic| seen.insert(topic.name.as_str())) {
        let duplicate = counts.get(topic.name.as_str()).is_some_and(|count| *count > 1);
        let added = if duplicate {
            Err(Refusal::invalid_request("Duplicate topic name."))
        } else {
            more_partitions(image, topic, RECORDS_PER_DECISION_MAX.saturating_sub(records.len()))
        };
        let result = added.map(|mut added| records.append(&mut added));
        replies.push(PartitionsReply { name: topic.name.clone(), result });
    }
    if command.validate_only {
        records.clear();
    }
    Decision::atomic(records, replies)
}

fn more_partitions(
    image: &Image,
    command: &MorePartitions,
    records_max: usize,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let topic = image.topics.get(&command.name).ok_or_else(|| {
        Refusal::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.")
    })?;
    let current = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let additional = command.count.saturating_sub(current);
    if additional <= 0 {
        return Err(Refusal::new(
            ErrorCode::InvalidPartitions,
            format!(
                "Topic '{}' has {current} partition(s) already: {} would not be an increase.",
                command.name, command.count
            ),
        ));
    }
    if usize::try_from(additional).is_ok_and(|additional| additional > records_max) {
        return Err(Refusal::too_large());
    }
    let partitions = match &command.assignments {
        Some(assignments) => by_hand(image, topic, current, additional, assignments)?,
        None => by_placement(image, topic, current, additional)?,
    };
    let level = image.features.record_level();
    let record = |(index, partition): (i32, Partition)| partition.to_record(topic.id, index, level).into();
    Ok((current..).zip(partitions).map(record).collect())
}

fn by_hand(
    image: &Image,
    topic: &Topic,
    first: i32,
    additional: i32,
    assignments: &[Vec<i32>],
) -> Result<Vec<Partition>, Refusal> {
    if usize::try_from(additional) != Ok(assignments.len()) {
        return Err(invalid(format!(
            "{additional} partition(s) are to be added, but {} are assigned.",
            assignments.len()
        )));
    }
    let replication_factor = Some(topic.replication_factor());
    (first..)
        .zip(assignments)
        .map(|(index, brokers)| partition_by_hand(image, index, brokers, replication_factor))
        .collect()
}

fn by_placement(
    image: &Image,
    topic: &Topic,
    first: i32,
    additional: i32,
) -> Result<Vec<Partition>, Refusal> {
    let replication_factor = i16::try_from(topic.replication_factor()).unwrap_or(i16::MAX);
    let existing = topic.partitions.values().map(AsRef::as_ref);
    let id: Uuid = topic.id;
    let placed = place(image, id, existing, first, additional, replication_factor)?;
    let placed = placed.into_iter().map(|replicas| {
        new_partition(image, replicas).ok_or_else(|| {
            Refusal::new(ErrorCode::InvalidReplicationFactor, "All brokers are fenced or shutting down.")
        })
    });
    placed.collect()
}
