//! What happens in a group when nothing is heard.

use std::sync::Arc;

use kernel::ErrorCode;

use super::{ClassicGroup, Phase};
use crate::effects::Event;
use crate::reply::JoinReply;
use crate::turn::Turn;

impl ClassicGroup {
    /// A member has been silent for its session timeout, or has not used the id it was given.
    pub fn session_is_over(&mut self, turn: &mut Turn<'_>, id: &Arc<str>) {
        if self.members.pending.contains(id) {
            self.remove_member(turn, id);
            self.complete_join_after_removal(turn);
            return;
        }
        let Some(member) = self.members.get(id) else {
            return;
        };
        if member.may_be_silent() {
            // The clock starts again with the answer it waits for.
            return;
        }
        turn.event(Event::MemberExpired { group: Arc::clone(&self.id), member: Arc::clone(id) });
        self.remove_member(turn, id);
        match self.phase {
            Phase::Completing(_) | Phase::Stable(_) => self.rebalance(turn, "a member's session has ended"),
            _ => self.complete_join_after_removal(turn),
        }
    }

    fn complete_join_after_removal(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Preparing(_)) && self.members.have_all_joined() {
            self.complete_join(turn);
        }
    }

    /// Members that joined and then never asked for their assignment hold up everybody who could read their partitions.
    pub fn sync_timer_fired(&mut self, turn: &mut Turn<'_>) {
        let Some(pending) = self.phase.pending_syncs() else {
            return;
        };
        let missing: Vec<Arc<str>> = pending.iter().cloned().collect();
        if missing.is_empty() {
            return;
        }
        for id in &missing {
            turn.event(Event::MemberExpired { group: Arc::clone(&self.id), member: Arc::clone(id) });
            self.remove_member(turn, id);
        }
        self.prepare_rebalance(turn, "members have not asked for their assignment");
    }

    /// The group is no more, or has never been: nobody may go on waiting in it.
    pub fn dissolve(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        for id in self.members.ids() {
            self.answer_join(turn, &id, |_| JoinReply::error(error, ""));
            self.remove_member(turn, &id);
        }
        let pending: Vec<Arc<str>> = self.members.pending.iter().cloned().collect();
        for id in &pending {
            self.remove_member(turn, id);
        }
        turn.timers.cancel(&self.join_timer());
        turn.timers.cancel(&self.sync_timer());
    }
}
