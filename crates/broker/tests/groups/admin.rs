//! Listing, describing and deleting groups.

use kernel::ErrorCode;
use wire::messages::delete_groups_request::DeleteGroupsRequest;
use wire::messages::describe_groups_request::DescribeGroupsRequest;
use wire::messages::list_groups_request::ListGroupsRequest;

use crate::member::Member;
use crate::offsets::{commit, committed};
use crate::support::{Client, TestNode};

fn list(client: &mut Client, version: i16, states: &[&str], types: &[&str]) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let request = ListGroupsRequest { states_filter: owned(states), types_filter: owned(types) };
    let answer = client.call(version, &request);
    assert_eq!(answer.error_code, 0);
    let groups = answer.groups.into_iter().map(|group| {
        format!("{} {:?} {} {}", group.group_id, group.protocol_type, group.group_state, group.group_type)
    });
    let mut groups: Vec<String> = groups.collect();
    groups.sort();
    groups
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let node = TestNode::start("groups-listed");
    let mut client = node.client();
    assert_eq!(list(&mut client, 5, &[], &[]), [] as [&str; 0]);
    client.topics(&["__consumer_offsets", "t"]);
    let _member = Member::alone(&node, "alive");
    commit(&mut client, "empty", "t", &[(0, 1)]);
    let (alive, empty) = ("alive \"consumer\" Stable classic", "empty \"\" Empty classic");
    assert_eq!(list(&mut client, 5, &[], &[]), [alive, empty]);
    assert_eq!(list(&mut client, 5, &["stable"], &[]), [alive]);
    assert_eq!(list(&mut client, 5, &["Empty", "Nonsense"], &["Classic"]), [empty]);
    assert_eq!(list(&mut client, 5, &[], &["consumer"]), [] as [&str; 0]);
    assert_eq!(list(&mut client, 5, &["Nonsense"], &[]), [] as [&str; 0]);
    assert_eq!(list(&mut client, 4, &["Stable"], &[]), ["alive \"consumer\" Stable "]);
    for version in 0..=3 {
        assert_eq!(list(&mut client, version, &[], &[]), ["alive \"consumer\"  ", "empty \"\"  "]);
    }
}

#[test]
fn groups_are_described_in_every_version() {
    let node = TestNode::start("groups-described");
    let mut client = node.client();
    client.topics(&["__consumer_offsets"]);
    let member = Member::alone(&node, "g");
    for version in 0..=6 {
        let request = DescribeGroupsRequest {
            groups: vec!["g".into(), "nobody".into()],
            include_authorized_operations: version >= 3,
        };
        let answer = client.call(version, &request);
        let [known, missing] = &answer.groups[..] else { panic!("two groups") };
        assert_eq!((known.error_code, &*known.group_state, &*known.protocol_data), (0, "Stable", "range"));
        let described = &known.members[0];
        assert_eq!((&described.member_id, &*described.client_id), (&member.id, "test"));
        assert_eq!(&*described.client_host, "/127.0.0.1");
        assert_eq!(
            (&described.member_metadata[..], &described.member_assignment[..]),
            (&b"about me"[..], &b"everything"[..])
        );
        let operations = if version >= 3 { 0b1101_0100_1000 } else { i32::MIN };
        assert_eq!(known.authorized_operations, operations, "version {version}");
        let (code, message) = match version {
            6 => (ErrorCode::GroupIdNotFound, Some("Group nobody not found.")),
            _ => (ErrorCode::None, None),
        };
        assert_eq!((missing.error_code, &*missing.group_state), (code.code(), "Dead"), "version {version}");
        assert_eq!(missing.error_message.as_deref(), message, "version {version}");
    }
}

#[test]
fn only_groups_without_members_are_deleted() {
    let mut node = TestNode::start("groups-deleted");
    let mut client = node.client();
    client.topics(&["__consumer_offsets", "t"]);
    let mut member = Member::alone(&node, "alive");
    for group in ["a", "b", "c", "d"] {
        commit(&mut client, group, "t", &[(0, 1)]);
    }
    let mut delete = |version: i16, groups: &[&str]| {
        let groups_names = groups.iter().map(|&group| group.to_owned()).collect();
        let answer = client.call(version, &DeleteGroupsRequest { groups_names });
        let mut results: Vec<_> =
            answer.results.into_iter().map(|result| (result.group_id, result.error_code)).collect();
        results.sort();
        results
    };
    let result = |group: &str, code: ErrorCode| (group.to_owned(), code.code());
    assert_eq!(
        delete(3, &["a", "alive", "nobody", "a"]),
        [
            result("a", ErrorCode::None),
            result("alive", ErrorCode::NonEmptyGroup),
            result("nobody", ErrorCode::GroupIdNotFound)
        ]
    );
    for (version, group) in [(0, "b"), (1, "c"), (2, "d")] {
        assert_eq!(delete(version, &[group]), [result(group, ErrorCode::None)]);
    }
    member.leave();
    assert_eq!(delete(3, &["alive"]), [result("alive", ErrorCode::None)]);
    assert_eq!(list(&mut client, 5, &[], &[]), [] as [&str; 0]);
    assert_eq!(committed(&mut client, "a"), [] as [&str; 0]);
    node.kill();
    node.restart();
    let mut client = node.client();
    assert_eq!(list(&mut client, 5, &[], &[]), [] as [&str; 0]);
    assert_eq!(committed(&mut client, "a"), [] as [&str; 0]);
}
