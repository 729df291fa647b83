//! LeaveGroup: versions 0 to 5. From version 3 on, several members can leave at once, and an operator can remove static ones
//! by their instance ids.

use std::sync::Arc;

use kernel::ErrorCode;

use super::{ClassicGroup, Phase};
use crate::effects::Token;
use crate::reply::{LeaveReply, LeftMember, Reply};
use crate::request::{LeaveRequest, LeavingMember};
use crate::turn::Turn;

impl ClassicGroup {
    pub fn leave(&mut self, turn: &mut Turn<'_>, request: &LeaveRequest<'_>, token: Token) {
        if matches!(self.phase, Phase::Dead) {
            let reply = LeaveReply { error: ErrorCode::CoordinatorNotAvailable, members: Vec::new() };
            return turn.reply(token, Reply::Leave(reply));
        }
        let mut members = Vec::with_capacity(request.members.len());
        for leaving in &request.members {
            let error = self.take_leave(turn, leaving).err().unwrap_or(ErrorCode::None);
            members.push(LeftMember::new(leaving, error));
        }
        if members.iter().any(|member| member.error.is_none()) {
            match self.phase {
                Phase::Completing(_) | Phase::Stable(_) => self.rebalance(turn, "members have left"),
                Phase::Preparing(_) => self.complete_join_if_all_are_here(turn),
                Phase::Empty | Phase::Dead => {}
            }
        }
        turn.reply_when_stored(token, Reply::Leave(LeaveReply { error: ErrorCode::None, members }));
    }

    fn take_leave(&mut self, turn: &mut Turn<'_>, leaving: &LeavingMember<'_>) -> Result<(), ErrorCode> {
        let id: Arc<str> = match leaving.instance_id {
            // An operator does not know the member id.
            Some(instance_id) if leaving.member_id.is_empty() => {
                Arc::clone(self.members.static_id(instance_id).ok_or(ErrorCode::UnknownMemberId)?)
            }
            None if leaving.member_id.is_empty() => return Err(ErrorCode::UnknownMemberId),
            _ => Arc::from(leaving.member_id),
        };
        if !self.members.pending.contains(&id) && !leaving.member_id.is_empty() {
            self.check_member(&id, leaving.instance_id)?;
        }
        self.remove_member(turn, &id);
        Ok(())
    }
}
