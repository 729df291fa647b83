//! ListGroups (key 16), versions 0 to 5.
//!
//! 1 throttle time · 3 flexible · 4 states (KIP-518) · 5 types (KIP-848)

use std::sync::Arc;

use coordinator::reply::ListedGroup;
use wire::messages::list_groups_request::ListGroupsRequestView;
use wire::messages::list_groups_response::ListGroupsResponse;

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = ListGroupsRequestView::decode(request.body(), request.version)?;
    let states: Vec<&str> = asked.states_filter.iter().collect();
    let types: Vec<&str> = asked.types_filter.iter().collect();
    let coordinators = node.groups.all();
    let groups = coordinators.iter().flat_map(|one| one.look(|shard, _| shard.list(&states, &types)));
    let groups = groups.map(ListedGroup::into_message).collect();
    request.reply(&ListGroupsResponse { groups, ..ListGroupsResponse::default() })
}
