//! JoinGroup (key 11), versions 0 to 9.
//!
//! 1 the rebalance timeout · 2 throttle time · 4 a new member comes back with the id it was given (KIP-394) · 5 static
//! members (KIP-345) · 6 flexible · 7 the type of protocol in the reply (KIP-559) · 8 a reason (KIP-800) · 9 the leader may
//! leave the assignment as it is (KIP-814)

use std::sync::Arc;

use coordinator::Reply;
use coordinator::request::JoinRequest;
use kernel::ErrorCode;
use wire::messages::join_group_request::JoinGroupRequestView;
use wire::messages::join_group_response::JoinGroupResponse;

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let version = request.version;
    let asked = JoinGroupRequestView::decode(request.body(), version)?;
    let host = request.peer.host();
    let mut entropy = [0; 16];
    node.entropy.fill(&mut entropy);
    let join = JoinRequest::from_view(version, &asked, request.client_id(), &host, entropy);
    let told = if join.group_id.is_empty() {
        Err(ErrorCode::InvalidGroupId)
    } else {
        node.groups.ask(join.group_id, |shard, now, token| shard.on_join(now, &join, token)).await
    };
    let code = match told {
        Ok(Reply::Join(reply)) => return request.reply(&reply.into_response(version)),
        Ok(_) => ErrorCode::UnknownServerError,
        Err(code) => code,
    };
    request.reply(&JoinGroupResponse {
        error_code: code.code(),
        // Null came with version 7.
        protocol_name: (version < 7).then(String::new),
        member_id: asked.member_id.to_owned(),
        ..JoinGroupResponse::default()
    })
}
