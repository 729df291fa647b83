//! Replicas that a client places by hand.

use std::collections::BTreeSet;

use kernel::{ErrorCode, NodeId};

use super::Refusal;
use crate::image::{Image, Partition};

/// Checks one partition's replicas and makes the partition of them.
///
/// `replication_factor` is that of the topic's other partitions, if there are any.
pub(super) fn partition_by_hand(
    image: &Image,
    index: i32,
    brokers: &[i32],
    replication_factor: Option<usize>,
) -> Result<Partition, Refusal> {
    if brokers.is_empty() {
        return Err(invalid(format!("The assignment of partition {index} is empty.")));
    }
    let mut seen = BTreeSet::new();
    for id in brokers {
        let broker = image.brokers.get(NodeId(*id));
        let broker =
            broker.ok_or_else(|| invalid(format!("Broker {id} of partition {index} is not registered.")))?;
        if !broker.takes_new_replicas() {
            return Err(invalid(format!("All log directories of broker {id} are cordoned.")));
        }
        if !seen.insert(id) {
            return Err(invalid(format!("Broker {id} appears more than once in partition {index}.")));
        }
    }
    if let Some(expected) = replication_factor.filter(|expected| *expected != brokers.len()) {
        return Err(invalid(format!(
            "Partition {index} has {} replica(s), while the topic's other partitions have {expected}.",
            brokers.len()
        )));
    }
    let replicas = brokers.iter().copied().map(NodeId).collect();
    new_partition(image, replicas)
        .ok_or_else(|| invalid(format!("All brokers of partition {index} are fenced or about to shut down.")))
}

/// A partition on these brokers; nothing if none of them can lead it.
pub(super) fn new_partition(image: &Image, replicas: Vec<NodeId>) -> Option<Partition> {
    let isr: Vec<NodeId> = replicas.iter().copied().filter(|id| image.brokers.is_active(*id)).collect();
    if isr.is_empty() {
        return None;
    }
    let directory = |id: &NodeId| image.brokers.get(*id).map(|broker| broker.default_directory());
    let directories = replicas.iter().map(|id| directory(id).unwrap_or_default()).collect();
    Some(Partition::new(replicas, directories, isr))
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidReplicaAssignment, message)
}
