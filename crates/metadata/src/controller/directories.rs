//! Log directories (KIP-858): which of them are online, which are closed to new replicas (KIP-1066), and which replica is
//! where.

use std::collections::BTreeSet;

use kernel::{ErrorCode, NodeId, Uuid};

use super::brokers::check_epoch;
use super::{Decision, Refusal, elect};
use crate::image::{Image, Partition};
use crate::record::{BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord};

/// Takes down which of its log directories a broker closes to new replicas (KIP-1066). What is known already, and what a
/// cluster of this level cannot say, makes no record.
pub fn cordon_directories(
    image: &Image,
    id: NodeId,
    epoch: i64,
    cordoned: &[Uuid],
) -> Result<Decision<()>, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let wanted: BTreeSet<&Uuid> = cordoned.iter().collect();
    let known = broker.cordoned_log_dirs.as_ref().map(|known| known.iter().collect::<BTreeSet<_>>());
    if known.as_ref() == Some(&wanted) || !image.features.record_level().cordoned_directories() {
        return Ok(Decision::reply(()));
    }
    let record = BrokerRegistrationChangeRecord {
        broker_id: id.0,
        broker_epoch: epoch,
        cordoned_log_dirs: Some(wanted.into_iter().copied().collect()),
        ..Default::default()
    };
    Ok(Decision::atomic([record.into()], ()))
}

/// Takes down that log directories of a broker failed. Where another replica in sync can lead, it does; a replica that is the
/// only one goes on leading, because nobody else has its records and what is safe of them can still be read.
///
/// The last directory stays in the registration: a record cannot say that there is none.
pub fn directories_offline(
    image: &Image,
    id: NodeId,
    epoch: i64,
    offline: &[Uuid],
) -> Result<Decision<()>, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let (failed, online): (Vec<Uuid>, Vec<Uuid>) =
        broker.log_dirs.iter().copied().partition(|directory| offline.contains(directory));
    if failed.is_empty() || !image.features.record_level().directories() {
        return Ok(Decision::reply(()));
    }
    let mut records = elect::away(image, id, |partition| {
        partition.directory(id).is_some_and(|directory| failed.contains(&directory))
    });
    if !online.is_empty() {
        let change = BrokerRegistrationChangeRecord {
            broker_id: id.0,
            broker_epoch: epoch,
            log_dirs: online,
            ..Default::default()
        };
        records.push(change.into());
    }
    Ok(Decision::in_steps(records, ()))
}

/// A replica of a broker, and the log directory that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryAssignment {
    pub topic: Uuid,
    pub partition: i32,
    pub directory: Uuid,
}

/// Takes down in which log directories a broker's replicas are. The reply has one result for each assignment.
pub fn assign_replicas_to_dirs(
    image: &Image,
    id: NodeId,
    epoch: i64,
    assignments: &[DirectoryAssignment],
) -> Result<Decision<Vec<Result<(), ErrorCode>>>, Refusal> {
    if !image.features.record_level().directories() {
        return Err(Refusal::new(
            ErrorCode::UnsupportedVersion,
            "Directory assignment is not supported yet.",
        ));
    }
    let broker = check_epoch(image, id, epoch)?;
    let mut records = Vec::new();
    let mut replies = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let online = broker.log_dirs.is_empty() || broker.log_dirs.contains(&assignment.directory);
        replies.push(assign(image, id, assignment, online).map(|changes| records.extend(changes)));
    }
    Ok(Decision::in_steps(records, replies))
}

fn assign(
    image: &Image,
    id: NodeId,
    wanted: &DirectoryAssignment,
    online: bool,
) -> Result<impl Iterator<Item = MetadataRecord> + use<>, ErrorCode> {
    let topic = image.topics.by_id(wanted.topic).ok_or(ErrorCode::UnknownTopicId)?;
    let partition = topic.partition(wanted.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let held = partition.replicas.iter().position(|replica| *replica == id);
    let held = held.ok_or(ErrorCode::NotLeaderOrFollower)?;
    let moved = moved(partition, held, wanted.directory)
        .map(|directories| PartitionChangeRecord { directories: Some(directories), ..Default::default() });
    let left = if online { None } else { elect::successor(image, id, partition) };
    let (topic_id, partition_id) = (wanted.topic, wanted.partition);
    let changes = moved.into_iter().chain(left);
    Ok(changes.map(move |change| PartitionChangeRecord { topic_id, partition_id, ..change }.into()))
}

/// The directories of a partition's replicas once this one is elsewhere; nothing if it is there already.
fn moved(partition: &Partition, replica: usize, to: Uuid) -> Option<Vec<Uuid>> {
    let mut directories = partition.directories.clone();
    let directory = directories.get_mut(replica)?;
    (std::mem::replace(directory, to) != to).then_some(directories)
}
