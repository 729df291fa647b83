//! Whether the log still has what was read: after each change of its leader, a position is compared with the log of the new
//! one before more is fetched (KIP-320).
//!
//! *Invariant:* a position whose last record's epoch is known is fetched from no leader that was not asked where that epoch
//! ends in its log, unless the leader is too old to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{ErrorCode, LeaderEpoch, NodeId, Offset, TopicPartition, Uuid};
use tokio::time::Instant;
use wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use wire::messages::offset_for_leader_epoch_response::EpochEndOffset;

use super::Consumer;
use super::position::{self, At, Position};
use super::work::Done;
use crate::cluster::Lane;
use crate::metadata::Metadata;
use crate::{BrokerError, Client, Error};

/// The version from which consumers may ask: before, it took the rights of a broker.
const FOR_CONSUMERS_FROM: i16 = 3;

/// How a consumer is told from a replica.
const CONSUMER: i32 = -1;

/// Who leads a partition, of which topic, and since when: what a position is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reign {
    pub topic_id: Uuid,
    pub leader: NodeId,
    pub epoch: LeaderEpoch,
}

impl Reign {
    /// Nothing while there is no leader.
    pub fn of(metadata: &Metadata, name: &TopicPartition) -> Option<Reign> {
        let topic = metadata.topic(&name.topic)?;
        let partition = topic.partitions.get(&name.partition)?;
        Some(Reign { topic_id: topic.id, leader: partition.leader?, epoch: partition.leader_epoch })
    }

    /// Whether it is over another topic that has the same name.
    fn is_elsewhere(&self, other: &Reign) -> bool {
        !self.topic_id.is_zero() && !other.topic_id.is_zero() && self.topic_id != other.topic_id
    }
}

/// A position to be compared with the log of its leader.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    pub name: TopicPartition,
    pub token: u64,
    /// Of the record before the position.
    pub epoch: LeaderEpoch,
    /// Of the leader who is asked.
    pub current: LeaderEpoch,
}

/// What a leader said of a position.
#[derive(Debug)]
pub(super) struct Checked {
    name: TopicPartition,
    token: u64,
    /// The largest epoch up to that of the position, and the offset where it ends; nothing if the leader is too old to say.
    end: Result<Option<(LeaderEpoch, Offset)>, BrokerError>,
}

/// Asks a leader, once, where the epochs of positions end in its log.
async fn ask(client: Client, leader: NodeId, doubts: Vec<Doubt>) -> Result<Vec<Checked>, Error> {
    let connection = client.broker(leader, Lane::General).await?;
    let version = match connection.version::<OffsetForLeaderEpochRequest>() {
        Ok(version) if version >= FOR_CONSUMERS_FROM => version,
        Ok(_) | Err(Error::Unsupported { .. }) => {
            let unknown = |doubt: Doubt| Checked { name: doubt.name, token: doubt.token, end: Ok(None) };
            return Ok(doubts.into_iter().map(unknown).collect());
        }
        Err(error) => return Err(error),
    };
    let answer = connection.ask_in(&request(&doubts), version, connection.request_timeout()).await?;
    let mut doubts: BTreeMap<TopicPartition, u64> =
        doubts.into_iter().map(|doubt| (doubt.name, doubt.token)).collect();
    let mut checked = Vec::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            let name = TopicPartition::new(topic.topic.as_str(), partition.partition);
            if let Some(token) = doubts.remove(&name) {
                let end = read(&name, &partition).map(Some);
                checked.push(Checked { name, token, end });
            }
        }
    }
    Ok(checked)
}

fn request(doubts: &[Doubt]) -> OffsetForLeaderEpochRequest {
    let mut topics: BTreeMap<&str, Vec<OffsetForLeaderPartition>> = BTreeMap::new();
    for doubt in doubts {
        topics.entry(&doubt.name.topic).or_default().push(OffsetForLeaderPartition {
            partition: doubt.name.partition,
            current_leader_epoch: doubt.current.0,
            leader_epoch: doubt.epoch.0,
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetForLeaderTopic { topic: name.to_owned(), partitions };
    OffsetForLeaderEpochRequest { replica_id: CONSUMER, topics: topics.into_iter().map(topic).collect() }
}

fn read(name: &TopicPartition, end: &EpochEndOffset) -> Result<(LeaderEpoch, Offset), BrokerError> {
    BrokerError::check(end.error_code)
        .map_err(|error| error.partition(name.topic.as_ref(), name.partition))?;
    Ok((LeaderEpoch(end.leader_epoch), Offset(end.end_offset)))
}

impl Position {
    /// Takes note of who leads. Returns whether what was asked and fetched for the position before is of no use since.
    pub fn follow(&mut self, reign: Reign) -> bool {
        let At::Known(offset, epoch) = self.at else {
            return false;
        };
        let before = self.reign.replace(reign);
        if before == Some(reign) {
            return false;
        }
        self.preferred = None;
        let elsewhere = before.is_some_and(|before| before.is_elsewhere(&reign));
        if elsewhere {
            // The epochs of the topic that was there before say nothing about this one.
            self.at = At::Known(offset, None);
        }
        self.doubted = epoch.is_some() && !elsewhere && reign.epoch != LeaderEpoch::NONE;
        // Also without a doubt: what the leader before sent could not be compared with this one's log any more.
        self.doubted || before.is_some()
    }
}

impl Consumer {
    /// Notices changes of leaders. What was fetched from the one before is dropped, as is what is on its way.
    pub(super) fn follow_leaders(&mut self) {
        let metadata = self.client.metadata();
        if Arc::ptr_eq(&metadata, &self.followed) {
            return;
        }
        for (name, position) in &mut self.positions {
            if Reign::of(&metadata, name).is_some_and(|reign| position.follow(reign)) {
                self.next_token += 1;
                position.token = self.next_token;
                position.asked = false;
                position.went_well();
            }
            if position.leaderless && Reign::of(&metadata, name).is_some() {
                position.went_well();
            }
        }
        let positions = &self.positions;
        self.buffered.retain(|fetched| {
            positions.get(&fetched.name).is_some_and(|position| position.token == fetched.token)
        });
        self.followed = metadata;
        // Others that use the client may have asked, and a topic that was deleted is there again. What an earlier share was
        // reckoned from says nothing while the next one is on its way.
        if self.assigned {
            self.notice_growth();
        }
    }

    pub(super) fn validate(&mut self, leader: NodeId, doubts: Vec<Doubt>) {
        let asked = doubts.iter().map(|doubt| (doubt.name.clone(), doubt.token)).collect();
        let client = self.client.clone();
        self.running
            .spawn(async move { Done::Validated { asked, result: ask(client, leader, doubts).await } });
    }

    /// Goes by what a leader said, where it said anything.
    pub(super) fn validated(&mut self, asked: &[(TopicPartition, u64)], result: Result<Vec<Checked>, Error>) {
        match result {
            Ok(checked) => {
                // Those that are not settled by the answer are asked for again.
                self.back_off(asked);
                checked.into_iter().for_each(|checked| self.settle(checked));
            }
            Err(error) => self.failed(asked, error),
        }
    }

    fn settle(&mut self, checked: Checked) {
        let token = self.token();
        let Some(position) = self.positions.get_mut(&checked.name).filter(|p| p.token == checked.token)
        else {
            return;
        };
        let At::Known(offset, _) = position.at else {
            return;
        };
        let end = match checked.end {
            Ok(end) => end.filter(|(epoch, end)| epoch.0 < 0 || end.0 < offset.0),
            Err(error) if error.code == ErrorCode::TopicAuthorizationFailed => {
                return self.failures.of(checked.name, checked.token, error.into());
            }
            Err(error) => {
                tracing::debug!(%error, "trying again to compare a position with the log");
                self.refresh();
                return;
            }
        };
        let Some((epoch, end)) = end else {
            position.doubted = false;
            position.went_well();
            return;
        };
        let divergent = (epoch.0 >= 0 && end.0 >= 0).then_some(end);
        let Some(restart) = position::restart(&self.config, &self.client) else {
            let error = Error::Truncated {
                topic: checked.name.topic.to_string(),
                partition: checked.name.partition,
                offset: offset.0,
                divergent: divergent.map(|end| end.0),
            };
            return self.failures.of(checked.name, checked.token, error);
        };
        let partition = &checked.name;
        match divergent {
            Some(end) => {
                tracing::info!(%partition, %offset, %end, "the log was truncated; going to where it parts");
                position.at = At::Known(end, Some(epoch));
                position.doubted = false;
                position.went_well();
            }
            None => {
                tracing::info!(%partition, %offset, "the log was truncated; going to auto.offset.reset");
                *position = Position { paused: position.paused, ..Position::new(restart, token) };
            }
        }
    }

    /// Whether the metadata is older than what somebody else knows of a partition. A newer one is asked for then, and the
    /// position waits a moment for it.
    pub(super) fn wait_for_newer(&mut self, name: &TopicPartition, seen: LeaderEpoch) {
        let known = self.client.metadata().partition(&name.topic, name.partition).map(|p| p.leader_epoch);
        if known.is_some_and(|known| known != LeaderEpoch::NONE && known < seen) {
            let not_before = Instant::now() + self.client.backoff() * 2;
            if let Some(position) = self.positions.get_mut(name) {
                position.not_before = Some(not_before);
            }
            self.refresh();
        }
    }
}
