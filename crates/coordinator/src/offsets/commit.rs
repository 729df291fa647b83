//! OffsetCommit: versions 2 to 10, and TxnOffsetCommit: versions 0 to 6.
//!
//! Of OffsetCommit, 2 to 4 let the client choose the retention, 6 brings leader epochs, 7 static members, 9 the answer that a
//! group does not exist, and 10 names topics by their ids.

use std::sync::Arc;

use kernel::planted::{self, Bug};
use kernel::{ErrorCode, Now, ProducerEpoch, ProducerId, Timestamp};

use super::OffsetStore;
use crate::config::GroupConfig;
use crate::effects::{Effects, Token};
use crate::group::Group;
use crate::group::classic::Phase;
use crate::limits;
use crate::record::{Change, CommittedOffset};
use crate::reply::{CommittedTopic, OffsetCommitReply, Reply};
use crate::request::{CommitPartition, CommitTopic, OffsetCommitRequest, TxnOffsetCommitRequest};
use crate::shard::{GroupShard, Parts};
use crate::turn::Turn;

/// From these versions on a client understands that its group does not exist.
const GROUP_ID_NOT_FOUND_FROM: i16 = 9;
const TXN_GROUP_ID_NOT_FOUND_FROM: i16 = 6;
/// The retention of a client that leaves it to the broker.
const BROKER_RETENTION: i64 = -1;

impl GroupShard {
    /// Stores offsets. The answer comes when they are stored, and only then are they seen.
    pub fn on_offset_commit(&mut self, now: Now, request: &OffsetCommitRequest<'_>, token: Token) -> Effects {
        let Parts { groups, offsets, mut turn } = self.parts(now);
        let sender = Sender {
            group_id: request.group_id,
            member_id: request.member_id,
            instance_id: request.instance_id,
            generation: request.generation,
            knows_group_id_not_found: request.version >= GROUP_ID_NOT_FOUND_FROM,
            transactional: false,
        };
        let full = groups.len() >= limits::SHARD_GROUPS_MAX;
        if let Err(error) = sender.check(groups.get(request.group_id), full, &mut turn) {
            turn.reply(token, Reply::OffsetCommit(refused(&request.topics, error)));
            return turn.out;
        }
        let expire_timestamp = match request.retention_time_ms {
            BROKER_RETENTION => None,
            retention => Some(Timestamp(now.wall.millis().saturating_add(retention))),
        };
        let commit =
            Commit { group_id: request.group_id, now: now.wall, expire_timestamp, config: turn.config };
        let (reply, changes) = commit.decide(offsets, &request.topics);
        if !changes.is_empty() && !planted::on(Bug::LoseCommit) {
            turn.append_and_apply(changes);
        }
        turn.reply_when_stored(token, Reply::OffsetCommit(reply));
        turn.out
    }

    /// Stores offsets that count if the transaction commits. Whether the transaction covers the group is checked before.
    pub fn on_txn_offset_commit(
        &mut self,
        now: Now,
        request: &TxnOffsetCommitRequest<'_>,
        token: Token,
    ) -> Effects {
        let Parts { groups, offsets, mut turn } = self.parts(now);
        let sender = Sender {
            group_id: request.group_id,
            member_id: request.member_id,
            instance_id: request.instance_id,
            generation: request.generation,
            knows_group_id_not_found: request.version >= TXN_GROUP_ID_NOT_FOUND_FROM,
            transactional: true,
        };
        let producer = ProducerId(request.producer_id);
        let many = offsets.open_transactions() >= limits::SHARD_OPEN_TRANSACTIONS_MAX;
        let full = groups.len() >= limits::SHARD_GROUPS_MAX || (many && !offsets.has_transaction(producer));
        if let Err(error) = sender.check(groups.get(request.group_id), full, &mut turn) {
            turn.reply(token, Reply::TxnOffsetCommit(refused(&request.topics, error)));
            return turn.out;
        }
        let commit =
            Commit { group_id: request.group_id, now: now.wall, expire_timestamp: None, config: turn.config };
        let (reply, changes) = commit.decide(offsets, &request.topics);
        if !changes.is_empty() {
            turn.append_in_transaction(producer, ProducerEpoch(request.producer_epoch), changes);
        }
        turn.reply_when_stored(token, Reply::TxnOffsetCommit(reply));
        turn.out
    }
}

/// Who commits.
struct Sender<'a> {
    group_id: &'a str,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    generation: i32,
    knows_group_id_not_found: bool,
    transactional: bool,
}

impl Sender<'_> {
    fn check(&self, group: Option<&Group>, full: bool, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        if self.group_id.len() > limits::RECORD_STRING_BYTES_MAX {
            return Err(ErrorCode::InvalidGroupId);
        }
        match group {
            None if self.generation < 0 && full => Err(ErrorCode::CoordinatorNotAvailable),
            // Somebody without a group to be a member of: the group comes into being with its offsets.
            None if self.generation < 0 => Ok(()),
            None if self.knows_group_id_not_found => Err(ErrorCode::GroupIdNotFound),
            None => Err(ErrorCode::IllegalGeneration),
            Some(Group::Foreign(group)) if self.generation < 0 && group.check_empty().is_ok() => Ok(()),
            Some(Group::Foreign(_)) => Err(ErrorCode::UnknownMemberId),
            Some(Group::Classic(group)) => {
                let (generation, transactional) = (self.generation, self.transactional);
                group.check_offset_commit(self.member_id, self.instance_id, generation, transactional)?;
                if !self.transactional && matches!(group.phase, Phase::Stable(_) | Phase::Preparing(_)) {
                    group.expect_heartbeat(turn, self.member_id);
                }
                Ok(())
            }
        }
    }
}

/// What is common to everything that one request commits.
struct Commit<'a> {
    group_id: &'a str,
    now: Timestamp,
    expire_timestamp: Option<Timestamp>,
    config: &'a GroupConfig,
}

impl Commit<'_> {
    fn decide(&self, offsets: &OffsetStore, topics: &[CommitTopic<'_>]) -> (OffsetCommitReply, Vec<Change>) {
        let group: Arc<str> = Arc::from(self.group_id);
        let room = offsets.has_room(self.group_id);
        let mut reply = OffsetCommitReply { topics: Vec::with_capacity(topics.len()) };
        let mut changes = Vec::new();
        for topic in topics {
            let name: Arc<str> = Arc::from(topic.name);
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for commit in &topic.partitions {
                let fits = room || offsets.get(&group, &name, commit.partition).is_some();
                let error = if fits { self.check(topic, commit) } else { ErrorCode::InvalidCommitOffsetSize };
                partitions.push((commit.partition, error));
                if error.is_none() {
                    changes.push(Change::OffsetStored {
                        group: Arc::clone(&group),
                        topic: Arc::clone(&name),
                        partition: commit.partition,
                        offset: self.committed(topic, commit),
                    });
                }
            }
            reply.topics.push(CommittedTopic { name, topic_id: topic.topic_id, partitions });
        }
        (reply, changes)
    }

    fn check(&self, topic: &CommitTopic<'_>, commit: &CommitPartition<'_>) -> ErrorCode {
        let max = self.config.offset_metadata_max;
        let metadata = commit.metadata.unwrap_or_default();
        // Kafka counts as Java does, in UTF-16 units, of which there are never more than bytes.
        if metadata.len() > max && metadata.encode_utf16().count() > max {
            ErrorCode::OffsetMetadataTooLarge
        } else if topic.name.len() > limits::RECORD_STRING_BYTES_MAX {
            ErrorCode::UnknownTopicOrPartition
        } else {
            ErrorCode::None
        }
    }

    fn committed(&self, topic: &CommitTopic<'_>, commit: &CommitPartition<'_>) -> CommittedOffset {
        CommittedOffset {
            offset: commit.offset,
            leader_epoch: Some(commit.leader_epoch).filter(|epoch| *epoch >= 0),
            metadata: Arc::from(commit.metadata.unwrap_or_default()),
            commit_timestamp: self.now,
            expire_timestamp: self.expire_timestamp,
            topic_id: topic.topic_id,
        }
    }
}

/// The same code for everything that was asked.
fn refused(topics: &[CommitTopic<'_>], error: ErrorCode) -> OffsetCommitReply {
    let topics = topics.iter().map(|topic| CommittedTopic {
        name: Arc::from(topic.name),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|commit| (commit.partition, error)).collect(),
    });
    OffsetCommitReply { topics: topics.collect() }
}
