//! Who leads: elections by request, and those that follow when a broker comes or goes.
//!
//! Only a replica that holds every committed record is elected by itself: one in sync, or eligible (KIP-966). A
//! replica that lacks some is elected only when somebody asks for an unclean election.

use kernel::{ErrorCode, NodeId, Uuid};

use super::{Decision, Refusal};
use crate::image::{Image, Partition, numbers};
use crate::record::{MetadataRecord, PartitionChangeRecord};

/// ElectLeaders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectLeaders {
    pub election: ElectionType,
    /// Topics and partitions; nothing for all whose election would change something.
    pub partitions: Option<Vec<(String, Vec<i32>)>>,
}

/// Which replica is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica that is there, where no other can lead. Records may be lost.
    Unclean,
}

/// What became of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectionReply {
    pub topic: String,
    pub partition: i32,
    pub result: Result<(), Refusal>,
}

/// Elects leaders.
pub fn elect_leaders(image: &Image, command: &ElectLeaders) -> Decision<Vec<ElectionReply>> {
    let mut records = Vec::new();
    let mut replies = Vec::new();
    let mut elect = |topic: &str, partition: i32, report_not_needed: bool| {
        let result = elect_one(image, command.election, topic, partition).map(|record| records.push(record));
        let not_needed = matches!(&result, Err(refusal) if refusal.code == ErrorCode::ElectionNotNeeded);
        if report_not_needed || !not_needed {
            replies.push(ElectionReply { topic: topic.to_owned(), partition, result });
        }
    };
    match &command.partitions {
        Some(topics) => {
            for (topic, partitions) in topics {
                partitions.iter().for_each(|partition| elect(topic, *partition, true));
            }
        }
        None => {
            for topic in image.topics.iter() {
                topic.partitions.keys().for_each(|partition| elect(&topic.name, *partition, false));
            }
        }
    }
    Decision::in_steps(records, replies)
}

fn elect_one(
    image: &Image,
    election: ElectionType,
    topic: &str,
    index: i32,
) -> Result<MetadataRecord, Refusal> {
    let found = image.topics.get(topic).and_then(|topic| Some((topic.id, topic.partition(index)?)));
    let (id, partition) = found.ok_or_else(|| {
        let message = format!("There is no partition {topic}-{index}.");
        Refusal::new(ErrorCode::UnknownTopicOrPartition, message)
    })?;
    let not_needed = |message: &str| Err(Refusal::new(ErrorCode::ElectionNotNeeded, message));
    match election {
        ElectionType::Preferred => {
            let preferred = partition.replicas.first().copied();
            if preferred == partition.leader {
                return not_needed("The preferred replica leads already.");
            }
            preferred
                .filter(|id| partition.isr.contains(id) && image.brokers.is_active(*id))
                .map(|leader| {
                    change(id, index, PartitionChangeRecord { leader: leader.0, ..Default::default() })
                })
                .ok_or_else(|| {
                    let message = "The preferred replica is not in sync or not available.";
                    Refusal::new(ErrorCode::PreferredLeaderNotAvailable, message)
                })
        }
        ElectionType::Unclean => {
            if partition.leader.is_some() {
                return not_needed("The partition has a leader.");
            }
            if let Some(clean) = clean_leader(image, partition, None) {
                return Ok(change(id, index, led_by(partition, clean)));
            }
            let any = partition.replicas.iter().copied().find(|id| image.brokers.is_active(*id));
            any.map(|leader| change(id, index, unclean(leader))).ok_or_else(|| {
                Refusal::new(ErrorCode::EligibleLeadersNotAvailable, "No replica is available.")
            })
        }
    }
}

/// The changes that are due when a broker no longer leads, nor counts as in sync.
pub(super) fn without(image: &Image, broker: NodeId) -> Vec<MetadataRecord> {
    changes(image, broker, |partition| {
        let leads = partition.leader == Some(broker);
        if !leads && !partition.isr.contains(&broker) {
            return None;
        }
        let remaining: Vec<NodeId> = partition.isr.iter().copied().filter(|id| *id != broker).collect();
        let mut change = PartitionChangeRecord::default();
        if !remaining.is_empty() {
            // The last in-sync replica stays so while it is away: it alone is known to have every record.
            change.isr = Some(numbers(&remaining));
        }
        if leads {
            change.leader = clean_leader(image, partition, Some(broker)).map_or(-1, |id| id.0);
        }
        (leads || change.isr.is_some()).then_some(change)
    })
}

/// The changes that are due when a broker cannot serve some of its replicas any more. Those that no other can take over stay.
pub(super) fn away(image: &Image, broker: NodeId, fails: impl Fn(&Partition) -> bool) -> Vec<MetadataRecord> {
    changes(
        image,
        broker,
        |partition| {
            if fails(partition) { successor(image, broker, partition) } else { None }
        },
    )
}

/// The change by which another replica in sync takes over from a broker's, if there is one.
pub(super) fn successor(
    image: &Image,
    broker: NodeId,
    partition: &Partition,
) -> Option<PartitionChangeRecord> {
    let others: Vec<NodeId> = partition.isr.iter().copied().filter(|id| *id != broker).collect();
    if others.is_empty() || others.len() == partition.isr.len() {
        return None;
    }
    let mut change = PartitionChangeRecord { isr: Some(numbers(&others)), ..Default::default() };
    if partition.leader == Some(broker) {
        change.leader = clean_leader(image, partition, Some(broker))?.0;
    }
    Some(change)
}

/// The changes that are due when a broker may lead from now on.
pub(super) fn with(image: &Image, broker: NodeId) -> Vec<MetadataRecord> {
    changes(image, broker, |partition| {
        let wanted = partition.leader.is_none() && holds_all(partition, broker);
        wanted.then(|| led_by(partition, broker))
    })
}

/// The changes that are due when a broker's process was replaced by another that may lead at once: what it led it goes
/// on leading, in a new epoch, unless another replica in sync can take over.
pub(super) fn replaced(image: &Image, broker: NodeId) -> Vec<MetadataRecord> {
    changes(image, broker, |partition| match partition.leader {
        Some(leader) if leader == broker => {
            let others: Vec<NodeId> = partition.isr.iter().copied().filter(|id| *id != broker).collect();
            match clean_leader(image, partition, Some(broker)) {
                Some(successor) => Some(PartitionChangeRecord {
                    leader: successor.0,
                    isr: Some(numbers(&others)),
                    ..Default::default()
                }),
                None => Some(PartitionChangeRecord { leader: broker.0, ..Default::default() }),
            }
        }
        None if holds_all(partition, broker) => Some(led_by(partition, broker)),
        Some(_) if partition.isr.contains(&broker) && partition.isr.len() > 1 => {
            let others: Vec<NodeId> = partition.isr.iter().copied().filter(|id| *id != broker).collect();
            Some(PartitionChangeRecord { isr: Some(numbers(&others)), ..Default::default() })
        }
        _ => None,
    })
}

fn changes(
    image: &Image,
    broker: NodeId,
    decide: impl Fn(&Partition) -> Option<PartitionChangeRecord>,
) -> Vec<MetadataRecord> {
    let held = image.topics.replicas_of(broker);
    held.filter_map(|(topic, index, partition)| Some(change(topic.id, index, decide(partition)?))).collect()
}

fn change(topic: Uuid, index: i32, change: PartitionChangeRecord) -> MetadataRecord {
    PartitionChangeRecord { topic_id: topic, partition_id: index, ..change }.into()
}

/// The first replica in order of preference that is there and holds every committed record.
fn clean_leader(image: &Image, partition: &Partition, but: Option<NodeId>) -> Option<NodeId> {
    let eligible =
        |id: &NodeId| Some(*id) != but && image.brokers.is_active(*id) && holds_all(partition, *id);
    partition.replicas.iter().copied().find(eligible)
}

/// Whether a replica is known to hold every committed record.
fn holds_all(partition: &Partition, replica: NodeId) -> bool {
    let nobody_in_sync = partition.isr.is_empty();
    partition.isr.contains(&replica)
        || (nobody_in_sync && partition.elr.contains(&replica))
        // The only replica there is holds all that is left.
        || (nobody_in_sync && partition.elr.is_empty() && partition.replicas == [replica])
}

/// The change that makes a replica lead which is in sync, or becomes so by leading.
fn led_by(partition: &Partition, leader: NodeId) -> PartitionChangeRecord {
    let mut change = PartitionChangeRecord { leader: leader.0, ..Default::default() };
    if !partition.isr.contains(&leader) {
        change.isr = Some(vec![leader.0]);
    }
    if partition.elr.contains(&leader) {
        let others: Vec<NodeId> = partition.elr.iter().copied().filter(|id| *id != leader).collect();
        change.eligible_leader_replicas = Some(numbers(&others));
    }
    change
}

fn unclean(leader: NodeId) -> PartitionChangeRecord {
    let recovering = 1;
    PartitionChangeRecord {
        leader: leader.0,
        isr: Some(vec![leader.0]),
        leader_recovery_state: recovering,
        ..Default::default()
    }
}
