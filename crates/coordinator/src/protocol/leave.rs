//! LeaveGroup.

use kernel::ErrorCode;
use wire::messages::leave_group_request::LeaveGroupRequestView;
use wire::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};

use super::join::owned;
use crate::reply::LeaveReply;
use crate::request::{LeaveRequest, LeavingMember};

/// From this version on, several members can leave at once.
const SEVERAL_FROM: i16 = 3;

impl<'a> LeaveRequest<'a> {
    pub fn from_view(version: i16, view: &LeaveGroupRequestView<'a>) -> Self {
        let members = if version >= SEVERAL_FROM {
            let members = view.members.iter();
            members
                .map(|one| LeavingMember { member_id: one.member_id, instance_id: one.group_instance_id })
                .collect()
        } else {
            vec![LeavingMember { member_id: view.member_id, instance_id: None }]
        };
        Self { group_id: view.group_id, members }
    }
}

impl LeaveReply {
    pub fn into_response(self, version: i16) -> LeaveGroupResponse {
        if version < SEVERAL_FROM {
            // The one member's code is the answer's.
            let member = self.members.first().map(|member| member.error);
            let error = if self.error.is_none() { member.unwrap_or(ErrorCode::None) } else { self.error };
            return LeaveGroupResponse { error_code: error.code(), ..LeaveGroupResponse::default() };
        }
        let members = self.members.into_iter().map(|member| MemberResponse {
            member_id: member.member_id.to_string(),
            group_instance_id: owned(member.instance_id),
            error_code: member.error.code(),
        });
        LeaveGroupResponse { throttle_time_ms: 0, error_code: self.error.code(), members: members.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::LeftMember;

    #[test]
    fn before_version_3_the_members_code_is_the_answers() {
        let member =
            LeftMember { member_id: "a".into(), instance_id: None, error: ErrorCode::UnknownMemberId };
        let reply = LeaveReply { error: ErrorCode::None, members: vec![member] };
        let old = reply.clone().into_response(2);
        assert_eq!((old.error_code, old.members.len()), (ErrorCode::UnknownMemberId.code(), 0));
        let new = reply.into_response(3);
        assert_eq!((new.error_code, new.members[0].error_code), (0, ErrorCode::UnknownMemberId.code()));
        let failed = LeaveReply { error: ErrorCode::NotCoordinator, members: Vec::new() };
        assert_eq!(failed.into_response(2).error_code, ErrorCode::NotCoordinator.code());
    }
}
