//! OffsetFetch: versions 1 to 10. Version 2 lets a client ask for everything the group has, 7 for stable offsets only, 8 for
//! several groups at once (each is one call here), and 10 names topics by their ids.

use std::sync::Arc;

use kernel::{ErrorCode, Uuid};

use super::store::Stored;
use crate::group::Group;
use crate::group::classic::Phase;
use crate::record::Change;
use crate::reply::{FetchedPartition, FetchedTopic, OffsetFetchReply};
use crate::request::{FetchTopic, OffsetFetchRequest};
use crate::shard::GroupShard;

/// What is answered where nothing is committed.
const NO_OFFSET: i64 = -1;
const NO_LEADER_EPOCH: i32 = -1;

impl GroupShard {
    /// The offsets of a group. To ask about a group that does not exist is no mistake: it has no offsets.
    pub fn fetch_offsets(&self, request: &OffsetFetchRequest<'_>) -> OffsetFetchReply {
        let group = self.groups.get(request.group_id);
        if let (Some(Group::Foreign(group)), Some(member_id)) = (group, request.member_id)
            && (!member_id.is_empty() || request.member_epoch >= 0)
            && group.check_empty().is_err()
        {
            // Its members are not known here.
            return OffsetFetchReply { error: ErrorCode::UnknownMemberId, topics: Vec::new() };
        }
        let dead = matches!(group, Some(Group::Classic(group)) if group.phase == Phase::Dead);
        let exists = group.is_some() && !dead;
        let topics = match &request.topics {
            Some(topics) => topics.iter().map(|topic| self.fetch_topic(request, topic, exists)).collect(),
            None if exists => self.fetch_all(request),
            None => Vec::new(),
        };
        OffsetFetchReply { error: ErrorCode::None, topics }
    }

    fn fetch_topic(
        &self,
        request: &OffsetFetchRequest<'_>,
        topic: &FetchTopic<'_>,
        exists: bool,
    ) -> FetchedTopic {
        let name: Arc<str> = Arc::from(topic.name);
        let partitions = topic.partitions.iter().map(|partition| {
            let stored = self.offsets.get(request.group_id, topic.name, *partition).filter(|_| exists);
            let stored = stored.filter(|stored| !other_topic(stored.offset.topic_id, topic.topic_id));
            self.fetched(request, &name, *partition, stored)
        });
        FetchedTopic { partitions: partitions.collect(), topic_id: topic.topic_id, name }
    }

    fn fetch_all(&self, request: &OffsetFetchRequest<'_>) -> Vec<FetchedTopic> {
        let topics = self.offsets.group(request.group_id).into_iter().flatten();
        let fetched = topics.map(|(name, partitions)| {
            let fetched = partitions.iter();
            let fetched =
                fetched.map(|(partition, stored)| self.fetched(request, name, *partition, Some(stored)));
            // A topic that was deleted and created again has other offsets: the ids are left to whoever knows the topics.
            FetchedTopic { partitions: fetched.collect(), topic_id: Uuid::ZERO, name: Arc::clone(name) }
        });
        fetched.collect()
    }

    fn fetched(
        &self,
        request: &OffsetFetchRequest<'_>,
        topic: &Arc<str>,
        partition: i32,
        stored: Option<&Stored>,
    ) -> FetchedPartition {
        let unstable = request.require_stable && self.is_unstable(request.group_id, topic, partition);
        match stored.map(|stored| &stored.offset) {
            Some(offset) if !unstable => FetchedPartition {
                partition,
                error: ErrorCode::None,
                offset: offset.offset,
                leader_epoch: offset.leader_epoch.unwrap_or(NO_LEADER_EPOCH),
                metadata: Arc::clone(&offset.metadata),
            },
            _ => FetchedPartition {
                partition,
                error: if unstable { ErrorCode::UnstableOffsetCommit } else { ErrorCode::None },
                offset: NO_OFFSET,
                leader_epoch: NO_LEADER_EPOCH,
                metadata: Arc::from(""),
            },
        }
    }

    /// Whether a newer offset may be about to take the place of the one that is known.
    fn is_unstable(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.offsets.has_open_transaction(group, topic, partition)
            || self.pending_changes().any(|change| match change {
                Change::OffsetStored { group: g, topic: t, partition: p, .. }
                | Change::OffsetRemoved { group: g, topic: t, partition: p } => {
                    **g == *group && **t == *topic && *p == partition
                }
                _ => false,
            })
    }
}

/// Whether the offset is of an earlier topic of the same name. Where an id is not known it is taken to fit.
fn other_topic(stored: Uuid, asked: Uuid) -> bool {
    !stored.is_zero() && !asked.is_zero() && stored != asked
}
