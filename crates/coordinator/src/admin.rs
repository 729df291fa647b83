//! ListGroups, DescribeGroups and DeleteGroups.

use std::sync::Arc;

use kernel::{ErrorCode, Now};

use crate::effects::{Effects, Event, Token};
use crate::group::Group;
use crate::group::classic::Phase;
use crate::offsets::remove_all;
use crate::reply::{DescribedGroup, ListedGroup, Reply};
use crate::shard::{GroupShard, Parts};
use crate::turn::Then;

/// From this version of DescribeGroups on, it is an error that a group does not exist.
const GROUP_ID_NOT_FOUND_FROM: i16 = 6;

impl GroupShard {
    /// The groups in any of the states and of any of the types; no state, or no type, stands for all of them. Upper and lower
    /// case are the same, and names that mean nothing match nothing.
    pub fn list(&self, states: &[&str], types: &[&str]) -> Vec<ListedGroup> {
        let names =
            |names: &[&str], name: &str| names.iter().any(|asked| asked.trim().eq_ignore_ascii_case(name));
        let matching = self.groups.iter().filter(|(_, group)| {
            (states.is_empty() || names(states, group.state_name()))
                && (types.is_empty() || names(types, group.type_name()))
        });
        let listed = matching.map(|(id, group)| ListedGroup {
            group_id: Arc::clone(id),
            protocol_type: Arc::from(group.protocol_type()),
            state: group.state_name(),
            group_type: group.type_name(),
        });
        listed.collect()
    }

    /// The states of all groups, one for each.
    pub fn states(&self) -> impl Iterator<Item = &'static str> {
        self.groups.values().map(Group::state_name)
    }

    /// A classic group in full. What does not exist is described as dead.
    pub fn describe(&self, version: i16, group_id: &str) -> DescribedGroup {
        let problem = match self.groups.get(group_id) {
            Some(Group::Classic(group)) => return group.describe(),
            Some(Group::Foreign(_)) => format!("Group {group_id} is not a classic group."),
            None => format!("Group {group_id} not found."),
        };
        let is_error = version >= GROUP_ID_NOT_FOUND_FROM;
        DescribedGroup {
            error: if is_error { ErrorCode::GroupIdNotFound } else { ErrorCode::None },
            error_message: is_error.then_some(problem),
            group_id: Arc::from(group_id),
            state: Phase::Dead.name(),
            protocol_type: Arc::from(""),
            protocol: Arc::from(""),
            members: Vec::new(),
        }
    }

    /// Removes groups without members, with all their offsets.
    pub fn on_delete_groups(&mut self, now: Now, group_ids: &[&str], token: Token) -> Effects {
        let Parts { groups, offsets, mut turn } = self.parts(now);
        let mut results = Vec::with_capacity(group_ids.len());
        let mut removed = Vec::new();
        let mut changes = Vec::new();
        for id in group_ids {
            let id: Arc<str> = Arc::from(*id);
            let group = groups.get_mut(&id).ok_or(ErrorCode::GroupIdNotFound);
            match group.and_then(|group| group.check_delete().map(|()| group)) {
                Ok(group) => {
                    remove_all(offsets, &id, &mut changes);
                    changes.extend(group.remove());
                    turn.event(Event::Removed { group: Arc::clone(&id) });
                    removed.push(Arc::clone(&id));
                    results.push((id, ErrorCode::None));
                }
                Err(error) => results.push((id, error)),
            }
        }
        if !changes.is_empty() {
            turn.append(changes.clone(), Then::Removed { groups: removed, changes });
        }
        turn.reply_when_stored(token, Reply::DeleteGroups(results));
        turn.out
    }
}
