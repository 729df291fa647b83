//! Groups, seen from a client's side of the connection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::TestNode;
use wire::messages::api_versions_request::ApiVersionsRequest;

#[test]
fn a_node_that_was_killed_starts_again_on_what_it_left() {
    let mut node = TestNode::start("killed");
    let created = node.client().topics(&["t"]);
    assert_eq!(created.topics[0].error_code, 0);
    node.kill();
    node.restart();
    let known = node.client().topics(&["t"]);
    assert_eq!(known.topics[0].topic_id, created.topics[0].topic_id);
    assert_eq!(node.client().call(0, &ApiVersionsRequest::default()).error_code, 0);
}
