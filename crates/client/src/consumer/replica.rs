//! Which replica a partition is read from: its leader may name one that is nearer to the consumer (KIP-392).

use kernel::{NodeId, TopicPartition};
use tokio::time::Instant;

use super::Consumer;
use super::position::Position;
use crate::metadata::Metadata;

/// A replica that the leader has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preferred {
    node: NodeId,
    until: Instant,
}

impl Position {
    /// Reads from the replica that the leader has named. One that is named again stays for no longer, so that at last it is
    /// the leader who is asked again.
    pub fn prefer(&mut self, node: NodeId, until: Instant) {
        if self.preferred.is_none_or(|preferred| preferred.node != node) {
            self.preferred = Some(Preferred { node, until });
        }
    }

    /// Whom it is fetched from as things stand, to be counted and not to be asked.
    pub fn likely_source(&self, leader: NodeId) -> NodeId {
        self.preferred.map_or(leader, |preferred| preferred.node)
    }

    /// Whom to fetch from; nobody for the moment if the replica that was named is not there, which leaves the leader.
    pub fn source(
        &mut self,
        leader: NodeId,
        metadata: &Metadata,
        name: &TopicPartition,
        now: Instant,
    ) -> Option<NodeId> {
        self.preferred.take_if(|preferred| preferred.until <= now);
        let Some(Preferred { node, .. }) = self.preferred else {
            return Some(leader);
        };
        let partition = metadata.partition(&name.topic, name.partition);
        let keeps = partition.is_some_and(|p| p.replicas.contains(&node) && !p.offline.contains(&node));
        if keeps && metadata.brokers.contains_key(&node) {
            return Some(node);
        }
        self.preferred = None;
        None
    }
}

impl Consumer {
    /// After a fetch failed as a whole, those partitions are read from their leaders again.
    pub(super) fn leave_replicas(&mut self, asked: &[(TopicPartition, u64)]) {
        for (name, token) in asked {
            if let Some(position) = self.positions.get_mut(name).filter(|position| position.token == *token) {
                position.preferred = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Start;

    #[test]
    fn a_replica_that_is_named_again_stays_for_no_longer() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut position = Position::new(Start::Earliest, 1);
        position.prefer(NodeId(2), after(5));
        position.prefer(NodeId(2), after(9));
        let name = TopicPartition::new("t", 0);
        assert_eq!(position.source(NodeId(1), &Metadata::default(), &name, after(7)), Some(NodeId(1)));
    }
}
