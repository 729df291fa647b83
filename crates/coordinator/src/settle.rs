//! What becomes of the shard when records are in the log: by a replay, or by an append of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kernel::{ErrorCode, Now, Offset, ProducerId};

use crate::effects::{Effects, Event};
use crate::group::{ClassicGroup, ForeignGroup, Group, Phase};
use crate::offsets::{OffsetStore, Stored};
use crate::record::{Change, ForeignKind, RecordError};
use crate::shard::{GroupShard, Parts};
use crate::turn::{Then, append_error};

impl GroupShard {
    /// Takes in a record from the log. A record of a type that is not known is skipped; one that cannot be read changes nothing
    /// and is reported.
    pub fn replay(
        &mut self,
        at: Offset,
        producer: ProducerId,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), RecordError> {
        if let Some(change) = Change::decode(key, value)? {
            apply(&mut self.groups, &mut self.offsets, at, producer, change);
        }
        Ok(())
    }

    /// The marker that ends a producer's transaction is in the log: its commits count now, or never.
    pub fn transaction_ended(&mut self, producer: ProducerId, commit: bool) {
        self.offsets.end_transaction(producer, commit);
    }

    pub(crate) fn settle(&mut self, now: Now, then: Then, outcome: Result<Offset, ErrorCode>) -> Effects {
        let Parts { groups, offsets, mut turn } = self.parts(now);
        match then {
            Then::Apply { producer, changes } => {
                if let Ok(base) = outcome {
                    apply_all(groups, offsets, base, producer, changes);
                }
            }
            Then::Removed { groups: ids, changes } => {
                for id in &ids {
                    if let Some(Group::Classic(group)) = groups.get_mut(id) {
                        match outcome {
                            Ok(_) => group.dissolve(&mut turn, ErrorCode::UnknownMemberId),
                            Err(_) => group.phase = Phase::Empty,
                        }
                    }
                }
                if let Ok(base) = outcome {
                    apply_all(groups, offsets, base, ProducerId::NONE, changes);
                }
            }
            Then::Created { group: id, instead_of } => {
                if let Err(error) = outcome {
                    let error = append_error(error);
                    turn.event(Event::StoreFailed { group: Arc::clone(&id), error });
                    if let Some(Group::Classic(mut group)) = groups.remove(&id) {
                        group.dissolve(&mut turn, error);
                    }
                    match instead_of {
                        Some(group) => drop(groups.insert(id, Group::Foreign(group))),
                        None => keep_for_offsets(groups, offsets, &id),
                    }
                }
            }
            Then::Emptied { group } => {
                if let Err(error) = outcome {
                    turn.event(Event::StoreFailed { group, error });
                }
            }
            Then::Assigned { group, generation, assignments } => {
                if let Some(Group::Classic(group)) = groups.get_mut(&group) {
                    group.assignment_stored(&mut turn, generation, assignments, outcome.map(drop));
                }
            }
            Then::Replaced { group, replaced } => {
                if let Some(Group::Classic(group)) = groups.get_mut(&group) {
                    group.replaced(&mut turn, *replaced, outcome.map(drop));
                }
            }
        }
        turn.out
    }
}

type Groups = BTreeMap<Arc<str>, Group>;

fn apply_all(
    groups: &mut Groups,
    offsets: &mut OffsetStore,
    base: Offset,
    producer: ProducerId,
    changes: Vec<Change>,
) {
    for (delta, change) in (0..).zip(changes) {
        apply(groups, offsets, base + delta, producer, change);
    }
}

/// The only place where what is stored becomes what is remembered.
fn apply(groups: &mut Groups, offsets: &mut OffsetStore, at: Offset, producer: ProducerId, change: Change) {
    match change {
        Change::OffsetStored { group, topic, partition, offset } => {
            let stored = Stored { at, offset };
            if producer.is_some() {
                offsets.put_pending(producer, &group, &topic, partition, stored);
            } else {
                offsets.put(&group, &topic, partition, stored);
            }
            keep_for_offsets(groups, offsets, &group);
        }
        Change::OffsetRemoved { group, topic, partition } => offsets.remove(&group, &topic, partition),
        Change::GroupStored { group, stored } => {
            groups.insert(Arc::clone(&group), Group::classic(ClassicGroup::restore(group, stored)));
        }
        Change::GroupRemoved { group } => {
            if let Some(Group::Classic(_)) = groups.get(&group) {
                groups.remove(&group);
                keep_for_offsets(groups, offsets, &group);
            }
        }
        Change::ForeignStored { kind, group, member, key } => store_foreign(groups, kind, group, member, key),
        Change::ForeignRemoved { kind, group: id, key, .. } => {
            if let Some(Group::Foreign(group)) = groups.get_mut(&id)
                && group.kind == kind
                && group.remove(&key)
            {
                groups.remove(&id);
                keep_for_offsets(groups, offsets, &id);
            }
        }
    }
}

fn store_foreign(groups: &mut Groups, kind: ForeignKind, id: Arc<str>, member: Option<Arc<str>>, key: Bytes) {
    match groups.get_mut(&id) {
        Some(Group::Foreign(group)) if group.kind == kind => group.store(key, member),
        _ => {
            let mut group = ForeignGroup::new(Arc::clone(&id), kind);
            group.store(key, member);
            groups.insert(id, Group::Foreign(group));
        }
    }
}

/// Offsets belong to a group. Where nobody has ever joined one, it is an empty classic group without a protocol.
fn keep_for_offsets(groups: &mut Groups, offsets: &OffsetStore, id: &Arc<str>) {
    if !groups.contains_key(id) && offsets.has_group(id) {
        groups.insert(Arc::clone(id), Group::classic(ClassicGroup::new(Arc::clone(id), None)));
    }
}
