//! OffsetDelete, and what the deletion of a topic does to the offsets of groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{ErrorCode, Now, Uuid};

use super::OffsetStore;
use crate::effects::{Effects, Token};
use crate::limits;
use crate::record::Change;
use crate::reply::{DeletedTopic, OffsetDeleteReply, Reply};
use crate::request::OffsetDeleteRequest;
use crate::shard::{GroupShard, Parts};

impl GroupShard {
    /// Forgets offsets of a group, except of topics that it reads.
    pub fn on_offset_delete(&mut self, now: Now, request: &OffsetDeleteRequest<'_>, token: Token) -> Effects {
        let Parts { groups, offsets, mut turn } = self.parts(now);
        let group = groups.get(request.group_id).ok_or(ErrorCode::GroupIdNotFound);
        let group = match group.and_then(|group| group.check_offset_delete().map(|()| group)) {
            Ok(group) => group,
            Err(error) => {
                turn.reply(token, Reply::OffsetDelete(OffsetDeleteReply { error, topics: Vec::new() }));
                return turn.out;
            }
        };
        let group_id: Arc<str> = Arc::from(request.group_id);
        let mut topics = Vec::with_capacity(request.topics.len());
        let mut changes = Vec::new();
        for (topic, partitions) in &request.topics {
            let topic: Arc<str> = Arc::from(*topic);
            let subscribed = group.is_subscribed_to(&topic);
            let error = if subscribed { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
            for partition in partitions.iter().filter(|_| !subscribed) {
                if offsets.get(&group_id, &topic, *partition).is_some()
                    || offsets.has_open_transaction(&group_id, &topic, *partition)
                {
                    changes.push(removal(&group_id, &topic, *partition));
                }
            }
            let partitions = partitions.iter().map(|partition| (*partition, error)).collect();
            topics.push(DeletedTopic { name: topic, partitions });
        }
        if !changes.is_empty() {
            turn.append_and_apply(changes);
        }
        turn.reply_when_stored(
            token,
            Reply::OffsetDelete(OffsetDeleteReply { error: ErrorCode::None, topics }),
        );
        turn.out
    }

    /// Topics are gone, and with them the meaning of the offsets that groups have in them.
    pub fn topics_deleted(&mut self, now: Now, topics: &[(&str, Uuid)]) -> Effects {
        let Parts { offsets, mut turn, .. } = self.parts(now);
        // What a transaction is about to commit may be committed already.
        let mut gone = BTreeSet::new();
        for (name, id) in topics {
            for (group, topic, partition, stored) in offsets.all_in(name) {
                let stored_id = stored.offset.topic_id;
                // Offsets of a topic that has been created again meanwhile are kept.
                if stored_id.is_zero() || stored_id == *id {
                    gone.insert((group, topic, partition));
                }
            }
        }
        let changes: Vec<Change> =
            gone.into_iter().map(|(group, topic, partition)| removal(group, topic, partition)).collect();
        for chunk in changes.chunks(limits::CLEANUP_APPEND_RECORDS_MAX) {
            turn.append_and_apply(chunk.to_vec());
        }
        turn.out
    }
}

/// Tombstones for everything a group has committed, or is about to.
pub(crate) fn remove_all(offsets: &OffsetStore, group: &Arc<str>, changes: &mut Vec<Change>) {
    for (topic, partitions) in offsets.group(group).into_iter().flatten() {
        changes.extend(partitions.keys().map(|partition| removal(group, topic, *partition)));
    }
    for (topic, partition) in offsets.open_partitions(group) {
        if offsets.get(group, topic, partition).is_none() {
            changes.push(removal(group, topic, partition));
        }
    }
}

pub(super) fn removal(group: &Arc<str>, topic: &Arc<str>, partition: i32) -> Change {
    Change::OffsetRemoved { group: Arc::clone(group), topic: Arc::clone(topic), partition }
}
