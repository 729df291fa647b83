//! SyncGroup (key 14), versions 0 to 5.
//!
//! 1 throttle time · 3 static members (KIP-345) · 4 flexible · 5 which protocol is meant (KIP-559)

use std::sync::Arc;

use coordinator::Reply;
use coordinator::request::SyncRequest;
use kernel::ErrorCode;
use wire::messages::sync_group_request::SyncGroupRequestView;
use wire::messages::sync_group_response::SyncGroupResponse;

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = SyncGroupRequestView::decode(request.body(), request.version)?;
    let told = match SyncRequest::from_view(request.version, &asked) {
        Err(code) => Err(code),
        Ok(sync) if sync.group_id.is_empty() => Err(ErrorCode::InvalidGroupId),
        Ok(sync) => {
            node.groups.ask(asked.group_id, |shard, now, token| shard.on_sync(now, &sync, token)).await
        }
    };
    let code = match told {
        Ok(Reply::Sync(reply)) => return request.reply(&reply.into_response()),
        Ok(_) => ErrorCode::UnknownServerError,
        Err(code) => code,
    };
    request.reply(&SyncGroupResponse { error_code: code.code(), ..SyncGroupResponse::default() })
}
