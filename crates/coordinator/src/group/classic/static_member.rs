//! Static members: who comes back with its instance id takes the place it had, under a new member id.

use std::sync::Arc;

use kernel::ErrorCode;

use super::join::because;
use super::members::Protocol;
use super::{ClassicGroup, Phase};
use crate::effects::{Event, Token};
use crate::reply::{JoinReply, Reply, SyncReply};
use crate::request::JoinRequest;
use crate::turn::{Then, Turn, append_error};

/// From this version on a leader can be told to leave the assignment as it is.
const SKIP_ASSIGNMENT_FROM: i16 = 9;

/// What has to be known when the new id of a static member is stored, or is not.
#[derive(Debug)]
pub(crate) struct ReplacedMember {
    old_id: Arc<str>,
    new_id: Arc<str>,
    /// What the member was before, to be restored if its new self cannot be stored.
    protocols: Vec<Protocol>,
    rebalance_timeout_ms: i32,
    session_timeout_ms: i32,
    leader: Option<Arc<str>>,
    can_skip_assignment: bool,
}

impl ClassicGroup {
    pub(super) fn replace_static_member(
        &mut self,
        turn: &mut Turn<'_>,
        request: &JoinRequest<'_>,
        old_id: &Arc<str>,
        new_id: Arc<str>,
        token: Token,
    ) {
        let leader = self.leader.clone();
        self.rename_member(turn, old_id, &new_id);
        self.expect_heartbeat(turn, &new_id);
        let Some(member) = self.members.get(&new_id) else {
            return super::join::refuse(turn, token, ErrorCode::UnknownMemberId, "");
        };
        let replaced = ReplacedMember {
            old_id: Arc::clone(old_id),
            new_id: Arc::clone(&new_id),
            protocols: member.protocols().to_vec(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            leader,
            can_skip_assignment: request.version >= SKIP_ASSIGNMENT_FROM,
        };
        self.update_member(request, &new_id);
        self.park_join(turn, &new_id, token);
        match self.phase {
            Phase::Stable(_) if self.protocol == self.members.vote(self.leader.as_deref()) => {
                // Nothing changes for anybody else: it is enough to remember the new id.
                let assignments =
                    self.members.iter().map(|member| (Arc::clone(&member.id), member.assignment.clone()));
                let record = self.record(&assignments.collect());
                let then = Then::Replaced { group: Arc::clone(&self.id), replaced: Box::new(replaced) };
                turn.append(vec![record], then);
            }
            // The leader may have assigned to the old id already; the new one would go without.
            Phase::Stable(_) | Phase::Completing(_) => {
                self.prepare_rebalance(turn, &because("a static member is back", request));
            }
            Phase::Preparing(_) => self.complete_join_if_all_are_here(turn),
            Phase::Empty | Phase::Dead => {}
        }
    }

    /// Goes on under a new id, and fences whoever still uses the old one.
    fn rename_member(&mut self, turn: &mut Turn<'_>, old_id: &Arc<str>, new_id: &Arc<str>) {
        self.answer_join(turn, old_id, |id| JoinReply::error(ErrorCode::FencedInstanceId, id));
        self.answer_sync(turn, old_id, SyncReply::error(ErrorCode::FencedInstanceId));
        turn.timers.cancel(&self.session_timer(old_id));
        let Some(mut member) = self.members.remove(old_id) else {
            return;
        };
        member.id = Arc::clone(new_id);
        member.is_new = false;
        self.members.add(member);
        if self.is_leader(old_id) {
            self.leader = Some(Arc::clone(new_id));
        }
        if let Some(pending) = self.phase.pending_syncs()
            && pending.remove(old_id)
        {
            pending.insert(Arc::clone(new_id));
        }
    }

    /// The new id of a static member has been stored, or could not be.
    pub fn replaced(
        &mut self,
        turn: &mut Turn<'_>,
        replaced: ReplacedMember,
        outcome: Result<(), ErrorCode>,
    ) {
        if !matches!(self.phase, Phase::Stable(_)) {
            // A rebalance has begun meanwhile; the member has joined it, and is answered with everybody else.
            return;
        }
        match outcome {
            Ok(()) => self.replacement_stored(turn, &replaced),
            Err(error) => self.undo_replacement(turn, replaced, append_error(error)),
        }
    }

    fn replacement_stored(&mut self, turn: &mut Turn<'_>, replaced: &ReplacedMember) {
        let mut reply = self.joined(&replaced.new_id);
        if replaced.can_skip_assignment {
            reply.skip_assignment = self.is_leader(&replaced.new_id);
        } else {
            // An old client that learned it leads would assign anew. It is told of its former self.
            reply.members = Vec::new();
            reply.leader = replaced.leader.clone().unwrap_or_else(|| Arc::from(""));
        }
        self.answer_join(turn, &replaced.new_id, |_| reply);
    }

    fn undo_replacement(&mut self, turn: &mut Turn<'_>, replaced: ReplacedMember, error: ErrorCode) {
        turn.event(Event::StoreFailed { group: Arc::clone(&self.id), error });
        let Some(token) = self.members.take_join(&replaced.new_id) else {
            return;
        };
        let ReplacedMember {
            old_id,
            new_id,
            protocols,
            rebalance_timeout_ms,
            session_timeout_ms,
            leader,
            ..
        } = replaced;
        self.members.update(&new_id, protocols, rebalance_timeout_ms, session_timeout_ms);
        self.rename_member(turn, &new_id, &old_id);
        self.expect_heartbeat(turn, &old_id);
        let reply = JoinReply {
            error,
            leader: leader.unwrap_or_else(|| Arc::from("")),
            member_id: Arc::from(""),
            members: Vec::new(),
            ..self.joined(&old_id)
        };
        turn.reply(token, Reply::Join(reply));
    }
}
