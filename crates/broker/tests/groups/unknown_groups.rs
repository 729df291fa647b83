//! What is answered while nobody coordinates a group, and to group ids that no group can have.

use kernel::{ErrorCode, Uuid};
use wire::messages::delete_groups_request::DeleteGroupsRequest;
use wire::messages::describe_groups_request::DescribeGroupsRequest;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::join_group_request::JoinGroupRequest;
use wire::messages::leave_group_request::LeaveGroupRequest;
use wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use wire::messages::sync_group_request::SyncGroupRequest;

use crate::offsets::commit_of;
use crate::support::{Client, TestNode};

/// The codes of everything that concerns membership.
fn membership(client: &mut Client, group: &str) -> [i16; 4] {
    let group_id = group.to_owned();
    let protocol = Some(String::from("consumer"));
    let join =
        JoinGroupRequest { group_id: group_id.clone(), session_timeout_ms: 10_000, ..Default::default() };
    let sync = SyncGroupRequest {
        group_id: group_id.clone(),
        protocol_type: protocol.clone(),
        protocol_name: protocol,
        ..Default::default()
    };
    let heartbeat = HeartbeatRequest { group_id: group_id.clone(), ..Default::default() };
    let leave = LeaveGroupRequest { group_id, ..Default::default() };
    [
        client.call(9, &join).error_code,
        client.call(5, &sync).error_code,
        client.call(4, &heartbeat).error_code,
        client.call(5, &leave).error_code,
    ]
}

#[test]
fn without_a_coordinator_every_answer_sends_the_client_to_look_for_it() {
    let node = TestNode::start("no-coordinator");
    let mut client = node.client();
    let code = ErrorCode::NotCoordinator.code();
    assert_eq!(membership(&mut client, "g"), [code; 4]);
    client.topics(&["t"]);
    let answer = client.call(8, &commit_of("g", "t", Uuid::ZERO, &[(0, 1)]));
    assert_eq!(answer.topics[0].partitions[0].error_code, code);
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0] };
    let fetch = OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
    assert_eq!(client.call(1, &fetch).topics[0].partitions[0].error_code, code);
    assert_eq!(client.call(2, &fetch).error_code, code);
    let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let fetch = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    assert_eq!(client.call(10, &fetch).groups[0].error_code, code);
    let describe = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    assert_eq!(client.call(6, &describe).groups[0].error_code, code);
    let delete = DeleteGroupsRequest { groups_names: vec!["g".into()] };
    assert_eq!(client.call(3, &delete).results[0].error_code, code);
}

#[test]
fn a_group_without_a_name_has_offsets_but_no_members() {
    let node = TestNode::start("no-name");
    let mut client = node.client();
    client.topics(&["__consumer_offsets", "t"]);
    assert_eq!(membership(&mut client, ""), [ErrorCode::InvalidGroupId.code(); 4]);
    let answer = client.call(8, &commit_of("", "t", Uuid::ZERO, &[(0, 1)]));
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    let describe = DescribeGroupsRequest { groups: vec!["".into()], ..Default::default() };
    assert_eq!(&*client.call(5, &describe).groups[0].group_state, "Empty");
}

#[test]
fn a_session_that_is_too_short_or_too_long_is_refused() {
    let node = TestNode::start("session-bounds");
    let mut client = node.client();
    client.topics(&["__consumer_offsets"]);
    for session_timeout_ms in [-1, 0, 5_999, 1_800_001] {
        let join = JoinGroupRequest { group_id: "g".into(), session_timeout_ms, ..Default::default() };
        assert_eq!(client.call(9, &join).error_code, ErrorCode::InvalidSessionTimeout.code());
    }
}
