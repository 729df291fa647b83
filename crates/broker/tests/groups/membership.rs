//! Joining, staying and leaving.

use kernel::ErrorCode;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};

use crate::member::Member;
use crate::support::TestNode;

/// Two members of one generation, both with an assignment. The first is the leader.
fn pair(node: &TestNode, group: &str) -> (Member, Member) {
    let mut first = Member::alone(node, group);
    let mut second = Member::new(node, group);
    second.take_id();
    let second_join = second.begin_join();
    first.heartbeat_until(ErrorCode::RebalanceInProgress);
    let first_join = first.join();
    let second_join = second.end_join(second_join);
    assert_eq!((first_join.error_code, second_join.error_code), (0, 0));
    assert_eq!((first.generation, second.generation), (2, 2));
    assert_eq!((&first_join.leader, &second_join.leader), (&first.id, &first.id));
    assert_eq!((first_join.members.len(), second_join.members.len()), (2, 0));
    assert_eq!(&first_join.members[0].metadata[..], b"about me");
    let second_sync = second.begin_sync(&[]);
    let (a, b) = (first.id.clone(), second.id.clone());
    let first_sync = first.sync(&[(&a, "left half"), (&b, "right half")]);
    let second_sync = second.client.receive(second_sync);
    assert_eq!((first_sync.error_code, &first_sync.assignment[..]), (0, &b"left half"[..]));
    assert_eq!((second_sync.error_code, &second_sync.assignment[..]), (0, &b"right half"[..]));
    assert_eq!(second_sync.protocol_name.as_deref(), Some("range"));
    (first, second)
}

#[test]
fn two_members_share_a_group_until_one_leaves() {
    let node = TestNode::start("two-members");
    assert_eq!(node.client().topics(&["__consumer_offsets"]).topics[0].partitions.len(), 4);
    let (mut first, mut second) = pair(&node, "g");
    assert_eq!((first.heartbeat(), second.heartbeat()), (ErrorCode::None, ErrorCode::None));
    second.leave();
    assert_eq!(second.heartbeat(), ErrorCode::UnknownMemberId);
    assert_eq!(first.heartbeat(), ErrorCode::RebalanceInProgress);
    let joined = first.join();
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 3, 1));
}

#[test]
fn a_member_that_is_not_heard_of_is_removed() {
    let node = TestNode::start_with("silent-member", &["group.min.session.timeout.ms=100"]);
    node.client().topics(&["__consumer_offsets"]);
    let mut first = Member::alone(&node, "g");
    let mut silent = node.client();
    let mut join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 300,
        rebalance_timeout_ms: 300,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..JoinGroupRequest::default()
    };
    join.member_id = silent.call(4, &join).member_id;
    let joining = silent.send(4, &join);
    first.heartbeat_until(ErrorCode::RebalanceInProgress);
    assert_eq!(first.join().members.len(), 2);
    assert_eq!(silent.receive(joining).error_code, 0);
    let id = first.id.clone();
    assert_eq!(first.sync(&[(&id, "all")]).error_code, 0);
    // Nobody says a word on the other connection; the first one is told to join again.
    first.heartbeat_until(ErrorCode::RebalanceInProgress);
    assert_eq!(first.join().members.len(), 1);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let node = TestNode::start("static-member");
    node.client().topics(&["__consumer_offsets"]);
    let mut first = Member::with_instance(&node, "g", "one");
    let joined = first.join();
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 1, 1));
    assert_eq!(joined.members[0].group_instance_id.as_deref(), Some("one"));
    let id = first.id.clone();
    assert_eq!(first.sync(&[(&id, "mine")]).error_code, 0);

    let mut again = Member::with_instance(&node, "g", "one");
    let joined = again.join();
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert_ne!(again.id, first.id);
    assert!(joined.skip_assignment, "the assignment stays as it is");
    assert_eq!(&again.sync(&[]).assignment[..], b"mine");
    assert_eq!(first.heartbeat(), ErrorCode::FencedInstanceId);
    assert_eq!(again.heartbeat(), ErrorCode::None);
}

#[test]
fn a_static_member_keeps_its_assignment_when_the_node_is_killed() {
    let mut node = TestNode::start("static-member-killed");
    node.client().topics(&["__consumer_offsets"]);
    let mut first = Member::with_instance(&node, "g", "one");
    assert_eq!(first.join().error_code, 0);
    let id = first.id.clone();
    assert_eq!(first.sync(&[(&id, "mine")]).error_code, 0);
    node.kill();
    node.restart();
    first.client = node.client();
    assert_eq!(first.heartbeat(), ErrorCode::None);
    assert_eq!(&first.sync(&[]).assignment[..], b"mine");
}

#[test]
fn members_are_removed_by_their_instance_and_one_by_one_before_version_3() {
    let node = TestNode::start("leave-versions");
    node.client().topics(&["__consumer_offsets"]);
    let mut member = Member::with_instance(&node, "g", "one");
    assert_eq!(member.join().error_code, 0);
    let by_instance = |instance: &str| MemberIdentity {
        group_instance_id: Some(instance.to_owned()),
        ..MemberIdentity::default()
    };
    let leave = LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![by_instance("one"), by_instance("two")],
        ..LeaveGroupRequest::default()
    };
    let left = node.client().call(3, &leave);
    let codes: Vec<i16> = left.members.iter().map(|member| member.error_code).collect();
    assert_eq!((left.error_code, codes), (0, vec![0, ErrorCode::UnknownMemberId.code()]));

    let mut old = Member::alone(&node, "old");
    let leave = LeaveGroupRequest {
        group_id: "old".into(),
        member_id: old.id.clone(),
        ..LeaveGroupRequest::default()
    };
    assert_eq!(node.client().call(0, &leave).error_code, 0);
    assert_eq!(node.client().call(2, &leave).error_code, ErrorCode::UnknownMemberId.code());
    assert_eq!(old.heartbeat(), ErrorCode::UnknownMemberId);
}

#[test]
fn the_oldest_clients_can_join() {
    let node = TestNode::start("old-join");
    node.client().topics(&["__consumer_offsets"]);
    for version in 0..=9 {
        let mut client = node.client();
        let group = format!("v{version}");
        let mut join = JoinGroupRequest {
            group_id: group.clone(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: if version == 0 { -1 } else { 10_000 },
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
            ..JoinGroupRequest::default()
        };
        let mut joined = client.call(version, &join);
        if version >= 4 {
            assert_eq!(joined.error_code, ErrorCode::MemberIdRequired.code(), "version {version}");
            join.member_id = joined.member_id;
            joined = client.call(version, &join);
        }
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
        let heartbeat = HeartbeatRequest {
            group_id: group,
            generation_id: 1,
            member_id: joined.member_id,
            ..HeartbeatRequest::default()
        };
        // The leader has yet to bring the assignment.
        assert_eq!(client.call(version.min(4), &heartbeat).error_code, 0, "version {version}");
    }
}
