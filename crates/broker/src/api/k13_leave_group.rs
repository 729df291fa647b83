//! LeaveGroup (key 13), versions 0 to 5.
//!
//! 1 throttle time · 3 several members, also by instance id (KIP-345) · 4 flexible · 5 a reason (KIP-800)

use std::sync::Arc;

use coordinator::Reply;
use coordinator::request::LeaveRequest;
use kernel::ErrorCode;
use wire::messages::leave_group_request::LeaveGroupRequestView;
use wire::messages::leave_group_response::LeaveGroupResponse;

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let version = request.version;
    let asked = LeaveGroupRequestView::decode(request.body(), version)?;
    let leave = LeaveRequest::from_view(version, &asked);
    let told = if leave.group_id.is_empty() {
        Err(ErrorCode::InvalidGroupId)
    } else {
        node.groups.ask(leave.group_id, |shard, now, token| shard.on_leave(now, &leave, token)).await
    };
    let code = match told {
        Ok(Reply::Leave(reply)) => return request.reply(&reply.into_response(version)),
        Ok(_) => ErrorCode::UnknownServerError,
        Err(code) => code,
    };
    request.reply(&LeaveGroupResponse { error_code: code.code(), ..LeaveGroupResponse::default() })
}
