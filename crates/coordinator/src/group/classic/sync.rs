//! SyncGroup: versions 0 to 5. Version 3 brings static members; with version 5 the member says which protocol it means.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kernel::ErrorCode;

use super::{ClassicGroup, Phase, Stable};
use crate::effects::{Event, Token};
use crate::reply::{Reply, SyncReply};
use crate::request::SyncRequest;
use crate::turn::{Then, Turn, append_error};

impl ClassicGroup {
    pub fn sync(&mut self, turn: &mut Turn<'_>, request: &SyncRequest<'_>, token: Token) {
        if let Err(error) = self.check_sync(request) {
            return turn.reply(token, Reply::Sync(SyncReply::error(error)));
        }
        match &self.phase {
            Phase::Preparing(_) => {
                turn.reply(token, Reply::Sync(SyncReply::error(ErrorCode::RebalanceInProgress)));
            }
            Phase::Completing(completing) => {
                let storing = completing.storing;
                self.park_sync(turn, request.member_id, token);
                self.has_synced(turn, request.member_id);
                if self.is_leader(request.member_id) && !storing {
                    self.store_assignment(turn, request);
                }
            }
            Phase::Stable(_) => {
                self.has_synced(turn, request.member_id);
                let assignment = self.members.get(request.member_id).map(|member| member.assignment.clone());
                let reply = self.assigned(assignment.unwrap_or_default());
                turn.reply(token, Reply::Sync(reply));
            }
            Phase::Empty | Phase::Dead => {
                turn.reply(token, Reply::Sync(SyncReply::error(ErrorCode::UnknownMemberId)));
            }
        }
    }

    fn check_sync(&self, request: &SyncRequest<'_>) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Dead => return Err(ErrorCode::CoordinatorNotAvailable),
            Phase::Empty => return Err(ErrorCode::UnknownMemberId),
            _ => {}
        }
        self.check_member(request.member_id, request.instance_id)?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |theirs: Option<&str>, ours: &Option<Arc<str>>| {
            theirs.zip(ours.as_deref()).is_some_and(|(theirs, ours)| theirs != ours)
        };
        if differs(request.protocol_type, &self.protocol_type) || differs(request.protocol, &self.protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// Lets a sync wait at its member. One that waited there is from a connection its member has given up.
    fn park_sync(&mut self, turn: &mut Turn<'_>, id: &str, token: Token) {
        let earlier = self.members.get_mut(id).and_then(|member| member.awaiting_sync.replace(token));
        if let Some(earlier) = earlier {
            turn.reply(earlier, Reply::Sync(SyncReply::error(ErrorCode::RebalanceInProgress)));
        }
    }

    /// The assignment counts once it is stored: a coordinator that takes over must know it.
    fn store_assignment(&mut self, turn: &mut Turn<'_>, request: &SyncRequest<'_>) {
        let given = request.assignments.iter().filter(|(id, _)| self.members.contains(id));
        let assignments: BTreeMap<Arc<str>, Bytes> =
            given.map(|(id, assignment)| (Arc::from(*id), Bytes::copy_from_slice(assignment))).collect();
        let record = self.record(&assignments);
        if let Phase::Completing(completing) = &mut self.phase {
            completing.storing = true;
        }
        let then = Then::Assigned { group: Arc::clone(&self.id), generation: self.generation, assignments };
        turn.append(vec![record], then);
    }

    /// The assignment of a generation has been stored, or could not be. If the group has gone on meanwhile, nobody waits for it.
    pub fn assignment_stored(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        mut assignments: BTreeMap<Arc<str>, Bytes>,
        outcome: Result<(), ErrorCode>,
    ) {
        let Phase::Completing(completing) = &mut self.phase else {
            return;
        };
        if generation != self.generation {
            return;
        }
        if let Err(error) = outcome {
            let error = append_error(error);
            turn.event(Event::StoreFailed { group: Arc::clone(&self.id), error });
            self.refuse_assignment(turn, error);
            self.rebalance(turn, "the assignment could not be stored");
            return;
        }
        let pending_syncs = std::mem::take(&mut completing.pending_syncs);
        self.set_phase(turn, Phase::Stable(Stable { pending_syncs }));
        for id in self.members.ids() {
            let assignment = assignments.remove(&id).unwrap_or_default();
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment.clone();
            }
            let reply = self.assigned(assignment);
            self.answer_sync(turn, &id, reply);
        }
        turn.event(Event::Stable { group: Arc::clone(&self.id), generation });
    }

    fn assigned(&self, assignment: Bytes) -> SyncReply {
        SyncReply {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }
}
