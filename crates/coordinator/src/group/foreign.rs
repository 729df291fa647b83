//! Groups of other types, as far as their records tell: enough to list them, to keep out of their way, and to remove them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use kernel::ErrorCode;

use crate::effects::Event;
use crate::limits;
use crate::record::{Change, ForeignKind};
use crate::timers::Timer;
use crate::turn::Turn;

/// A group that is known by its records only.
#[derive(Debug, Clone)]
pub(crate) struct ForeignGroup {
    pub id: Arc<str>,
    pub kind: ForeignKind,
    members: BTreeSet<Arc<str>>,
    /// The keys of the records that keep the group, with the member each makes known.
    keys: BTreeMap<Bytes, Option<Arc<str>>>,
}

impl ForeignGroup {
    pub fn new(id: Arc<str>, kind: ForeignKind) -> Self {
        Self { id, kind, members: BTreeSet::new(), keys: BTreeMap::new() }
    }

    pub fn store(&mut self, key: Bytes, member: Option<Arc<str>>) {
        if self.keys.len() >= limits::FOREIGN_GROUP_RECORDS_MAX {
            return;
        }
        self.members.extend(member.clone());
        self.keys.insert(key, member);
    }

    /// Forgets a record; whether that was the last.
    pub fn remove(&mut self, key: &Bytes) -> bool {
        if let Some(Some(member)) = self.keys.remove(key) {
            self.members.remove(&member);
        }
        self.keys.is_empty()
    }

    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() { "Empty" } else { "Stable" }
    }

    pub fn check_empty(&self) -> Result<(), ErrorCode> {
        if self.members.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether a classic member may take over the group, which a share group never allows.
    pub fn can_become_classic(&self) -> bool {
        self.members.is_empty() && self.kind != ForeignKind::Share
    }

    /// Starts the clock of the members that the log knows, as for those of a classic group. Nobody can be heard of here.
    pub fn loaded(&self, turn: &mut Turn<'_>) {
        if !self.members.is_empty() {
            let timer = Timer::ForeignSessions { group: Arc::clone(&self.id) };
            turn.schedule(timer, turn.config.foreign_session_timeout);
        }
    }

    /// All members have been silent for too long: they are removed as the broker that served them would have done it.
    pub fn sessions_are_over(&self, turn: &mut Turn<'_>) {
        // Should it not be stored, it is tried again; after that there is nothing to do.
        self.loaded(turn);
        for member in &self.members {
            turn.event(Event::MemberExpired { group: Arc::clone(&self.id), member: Arc::clone(member) });
        }
        if !self.members.is_empty() {
            let removed = self.tombstones().filter(Change::is_of_member).collect::<Vec<_>>();
            for chunk in removed.chunks(limits::CLEANUP_APPEND_RECORDS_MAX) {
                turn.append_and_apply(chunk.to_vec());
            }
        }
    }

    /// Tombstones for everything that keeps the group. The type of the record leads its key, and Kafka wants what a group is
    /// made of to go before the group: from the highest type to the lowest.
    pub fn tombstones(&self) -> impl Iterator<Item = Change> + '_ {
        self.keys.iter().rev().map(|(key, member)| Change::ForeignRemoved {
            kind: self.kind,
            group: Arc::clone(&self.id),
            member: member.clone(),
            key: key.clone(),
        })
    }
}
