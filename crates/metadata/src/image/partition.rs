//! One partition: who holds it, who leads it, who is in sync.

use kernel::{LeaderEpoch, NodeId, Uuid};

use super::directory_id;
use crate::record::{PartitionChangeRecord, PartitionRecord};
use crate::version::MetadataVersion;

/// The state of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The replicas in order of preference: the first is the preferred leader.
    pub replicas: Vec<NodeId>,
    /// The log directory of each replica, in the same order (KIP-858).
    pub directories: Vec<Uuid>,
    /// The in-sync replicas.
    pub isr: Vec<NodeId>,
    /// Replicas that a reassignment takes away.
    pub removing: Vec<NodeId>,
    /// Replicas that a reassignment brings.
    pub adding: Vec<NodeId>,
    pub leader: Option<NodeId>,
    /// The leader was elected outside the in-sync replicas and has not caught up with what was lost.
    pub recovering: bool,
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of this partition, so that a stale proposal is recognized.
    pub partition_epoch: i32,
    /// The eligible leader replicas (KIP-966).
    pub elr: Vec<NodeId>,
    pub last_known_elr: Vec<NodeId>,
}

/// What `PartitionChangeRecord` says where the leader stays.
const LEADER_UNCHANGED: i32 = -2;

impl Partition {
    /// A new partition, led by the first of its in-sync replicas.
    pub fn new(replicas: Vec<NodeId>, directories: Vec<Uuid>, isr: Vec<NodeId>) -> Self {
        Self {
            leader: isr.first().copied(),
            replicas,
            directories,
            isr,
            removing: Vec::new(),
            adding: Vec::new(),
            recovering: false,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }

    /// Whether this node holds a replica.
    pub fn has_replica(&self, node: NodeId) -> bool {
        self.replicas.contains(&node)
    }

    /// The directory in which a node holds its replica.
    pub fn directory(&self, node: NodeId) -> Option<Uuid> {
        let position = self.replicas.iter().position(|replica| *replica == node)?;
        self.directories.get(position).copied()
    }

    /// Whether a reassignment is under way.
    pub fn reassigning(&self) -> bool {
        !self.removing.is_empty() || !self.adding.is_empty()
    }

    pub(crate) fn from_record(record: &PartitionRecord) -> Self {
        let replicas = nodes(&record.replicas);
        Self {
            directories: directories_of(&record.directories, replicas.len()),
            replicas,
            isr: nodes(&record.isr),
            removing: nodes(&record.removing_replicas),
            adding: nodes(&record.adding_replicas),
            leader: leader(record.leader),
            recovering: record.leader_recovery_state == 1,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            elr: record.eligible_leader_replicas.as_deref().map(nodes).unwrap_or_default(),
            last_known_elr: record.last_known_elr.as_deref().map(nodes).unwrap_or_default(),
        }
    }

    pub(crate) fn apply(&mut self, change: &PartitionChangeRecord) {
        if let Some(replicas) = &change.replicas {
            self.replicas = nodes(replicas);
        }
        if let Some(directories) = &change.directories {
            self.directories = directories.clone();
        }
        self.directories = directories_of(&self.directories, self.replicas.len());
        for (target, new) in [
            (&mut self.isr, &change.isr),
            (&mut self.removing, &change.removing_replicas),
            (&mut self.adding, &change.adding_replicas),
            (&mut self.elr, &change.eligible_leader_replicas),
            (&mut self.last_known_elr, &change.last_known_elr),
        ] {
            if let Some(new) = new {
                *target = nodes(new);
            }
        }
        if change.leader != LEADER_UNCHANGED {
            self.leader = leader(change.leader);
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
        }
        match change.leader_recovery_state {
            0 => self.recovering = false,
            1 => self.recovering = true,
            _ => {}
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }

    /// The record that creates this partition as it is, with what a cluster at `level` can say.
    pub(crate) fn to_record(&self, topic: Uuid, index: i32, level: MetadataVersion) -> PartitionRecord {
        let sayable = |replicas: &[NodeId]| (level.elr() && !replicas.is_empty()).then(|| numbers(replicas));
        PartitionRecord {
            partition_id: index,
            topic_id: topic,
            replicas: numbers(&self.replicas),
            isr: numbers(&self.isr),
            removing_replicas: numbers(&self.removing),
            adding_replicas: numbers(&self.adding),
            leader: self.leader.map_or(-1, |leader| leader.0),
            leader_recovery_state: i8::from(self.recovering),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: if level.directories() { self.directories.clone() } else { Vec::new() },
            eligible_leader_replicas: sayable(&self.elr),
            last_known_elr: sayable(&self.last_known_elr),
        }
    }
}

fn leader(number: i32) -> Option<NodeId> {
    (number >= 0).then_some(NodeId(number))
}

fn nodes(numbers: &[i32]) -> Vec<NodeId> {
    numbers.iter().copied().map(NodeId).collect()
}

pub(crate) fn numbers(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

/// A cluster that did not record directories, or a record that lists another number of them, says nothing about any.
fn directories_of(directories: &[Uuid], replicas: usize) -> Vec<Uuid> {
    if directories.len() == replicas { directories.to_vec() } else { vec![directory_id::MIGRATING; replicas] }
}
