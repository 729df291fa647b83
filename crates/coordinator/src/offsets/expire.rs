//! Offsets that nobody has needed for the retention time, and groups that have none left.

use std::sync::Arc;

use kernel::Now;

use super::OffsetStore;
use super::delete::removal;
use crate::effects::{Effects, Event};
use crate::group::{Group, OffsetExpiry};
use crate::limits;
use crate::record::Change;
use crate::shard::{GroupShard, Parts};
use crate::turn::{Then, Turn};

impl GroupShard {
    /// Removes what has expired.
    pub fn expire_offsets(&mut self, now: Now) -> Effects {
        let Parts { groups, offsets, mut turn } = self.parts(now);
        for (id, group) in groups {
            let Some(mut changes) = expired(group, id, offsets, &turn) else {
                continue;
            };
            let nothing_left = offsets.group(id).is_none_or(|topics| {
                topics.values().map(|partitions| partitions.len()).sum::<usize>() == changes.len()
            });
            let removable = nothing_left && !offsets.has_open_transactions(id) && group.is_unused();
            if removable {
                remove_group(&mut turn, id, group, changes);
                continue;
            }
            while !changes.is_empty() {
                let rest = changes.split_off(changes.len().min(limits::CLEANUP_APPEND_RECORDS_MAX));
                turn.append_and_apply(changes);
                changes = rest;
            }
        }
        turn.out
    }
}

/// The tombstones for what has expired; nothing if the group's offsets are not to expire now.
fn expired(group: &Group, id: &Arc<str>, offsets: &OffsetStore, turn: &Turn<'_>) -> Option<Vec<Change>> {
    let Some(topics) = offsets.group(id) else {
        return Some(Vec::new());
    };
    let since: OffsetExpiry = group.offset_expiry()?;
    let retention_ms = i64::try_from(turn.config.offsets_retention.as_millis()).unwrap_or(i64::MAX);
    let mut changes = Vec::new();
    for (topic, partitions) in topics {
        if group.is_subscribed_to(topic) {
            continue;
        }
        for (partition, stored) in partitions {
            if since.has_expired(&stored.offset, turn.now.wall, retention_ms)
                && !offsets.has_open_transaction(id, topic, *partition)
            {
                changes.push(removal(id, topic, *partition));
            }
        }
    }
    Some(changes)
}

/// Removes an empty group with what is left of it. Until that is stored nobody may join.
fn remove_group(turn: &mut Turn<'_>, id: &Arc<str>, group: &mut Group, mut changes: Vec<Change>) {
    changes.extend(group.remove());
    turn.event(Event::Removed { group: Arc::clone(id) });
    turn.append(changes.clone(), Then::Removed { groups: vec![Arc::clone(id)], changes });
}
