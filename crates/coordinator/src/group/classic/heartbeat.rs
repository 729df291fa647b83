//! Heartbeat: versions 0 to 4. Version 3 brings static members.

use kernel::ErrorCode;

use super::{ClassicGroup, Phase};
use crate::request::HeartbeatRequest;
use crate::turn::Turn;

impl ClassicGroup {
    pub fn heartbeat(&self, turn: &mut Turn<'_>, request: &HeartbeatRequest<'_>) -> ErrorCode {
        if matches!(self.phase, Phase::Dead) {
            return ErrorCode::CoordinatorNotAvailable;
        }
        if let Err(error) = self.check_member(request.member_id, request.instance_id) {
            return error;
        }
        if request.generation != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        match self.phase {
            Phase::Empty | Phase::Dead => ErrorCode::UnknownMemberId,
            Phase::Preparing(_) => {
                self.expect_heartbeat(turn, request.member_id);
                ErrorCode::RebalanceInProgress
            }
            // A member may send heartbeats as soon as it has joined, before it has its assignment.
            Phase::Completing(_) | Phase::Stable(_) => {
                self.expect_heartbeat(turn, request.member_id);
                ErrorCode::None
            }
        }
    }
}
