//! Heartbeat (key 12), versions 0 to 4.
//!
//! 1 throttle time · 3 static members (KIP-345) · 4 flexible

use std::sync::Arc;

use coordinator::request::HeartbeatRequest;
use kernel::ErrorCode;
use wire::messages::heartbeat_request::HeartbeatRequestView;
use wire::messages::heartbeat_response::HeartbeatResponse;

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = HeartbeatRequestView::decode(request.body(), request.version)?;
    let heartbeat = HeartbeatRequest::from_view(&asked);
    let code = if heartbeat.group_id.is_empty() {
        ErrorCode::InvalidGroupId
    } else {
        match node.groups.find(heartbeat.group_id) {
            Ok(coordinator) => coordinator.look(|shard, now| shard.on_heartbeat(now, &heartbeat)),
            Err(code) => code,
        }
    };
    request.reply(&HeartbeatResponse { error_code: code.code(), ..HeartbeatResponse::default() })
}
