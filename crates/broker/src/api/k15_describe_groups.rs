//! DescribeGroups (key 15), versions 0 to 6.
//!
//! 1 throttle time · 3 authorised operations (KIP-430) · 4 static members (KIP-345) · 5 flexible · 6 an error for groups that
//! do not exist, in words too (KIP-1043)

use std::sync::Arc;

use kernel::ErrorCode;
use wire::messages::describe_groups_request::DescribeGroupsRequestView;
use wire::messages::describe_groups_response::{DescribeGroupsResponse, DescribedGroup};

use super::k03_metadata::ALL_GROUP_OPERATIONS;
use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeGroupsRequestView::decode(request.body(), request.version)?;
    let groups = asked.groups.iter().map(|group| {
        let mut described = describe(&node, group, request.version);
        if asked.include_authorized_operations && described.error_code == ErrorCode::None.code() {
            described.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        described
    });
    let groups = groups.collect();
    request.reply(&DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() })
}

fn describe(node: &Node, group: &str, version: i16) -> DescribedGroup {
    match node.groups.find(group) {
        Ok(coordinator) => coordinator.look(|shard, _| shard.describe(version, group)).into_message(),
        Err(code) => DescribedGroup {
            group_id: group.to_owned(),
            error_code: code.code(),
            error_message: None,
            ..DescribedGroup::default()
        },
    }
}
