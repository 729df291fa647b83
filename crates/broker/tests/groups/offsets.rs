//! Committed offsets.

use std::io::ErrorKind;

use kernel::{ErrorCode, Uuid};
use sim::{Fault, Op, SimDisk, When};
use wire::messages::delete_topics_request::DeleteTopicsRequest;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};

use crate::member::Member;
use crate::support::{Client, TestNode};

pub fn commit_of(group: &str, topic: &str, topic_id: Uuid, offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let partitions =
        offsets.iter().map(|&(partition_index, committed_offset)| OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(format!("at {committed_offset}")),
        });
    let topic =
        OffsetCommitRequestTopic { name: topic.to_owned(), topic_id, partitions: partitions.collect() };
    OffsetCommitRequest { group_id: group.to_owned(), topics: vec![topic], ..OffsetCommitRequest::default() }
}

/// Commits at an older version; the codes by partition.
pub fn commit(client: &mut Client, group: &str, topic: &str, offsets: &[(i32, i64)]) -> Vec<(i32, i16)> {
    let answer = client.call(8, &commit_of(group, topic, Uuid::ZERO, offsets));
    let codes = answer.topics[0].partitions.iter().map(|one| (one.partition_index, one.error_code));
    codes.collect()
}

/// Everything that a group has committed, as `topic-partition@offset metadata`.
pub fn committed(client: &mut Client, group: &str) -> Vec<String> {
    let groups =
        vec![OffsetFetchRequestGroup { group_id: group.to_owned(), topics: None, ..Default::default() }];
    let answer = client.call(9, &OffsetFetchRequest { groups, ..Default::default() });
    assert_eq!((answer.groups[0].error_code, &*answer.groups[0].group_id), (0, group));
    let mut shown = Vec::new();
    for topic in &answer.groups[0].topics {
        for one in &topic.partitions {
            let metadata = one.metadata.as_deref().unwrap_or_default();
            shown.push(format!("{}-{}@{} {metadata}", topic.name, one.partition_index, one.committed_offset));
        }
    }
    shown
}

#[test]
fn offsets_survive_that_the_node_is_killed() {
    let mut node = TestNode::start_with("offsets-killed", &["num.partitions=2"]);
    node.client().topics(&["__consumer_offsets", "t"]);
    for round in 0..3 {
        let mut client = node.client();
        assert_eq!(commit(&mut client, "g", "t", &[(0, 5 + round), (1, 7)]), [(0, 0), (1, 0)]);
        // From now on the group is only what the log remembers of it.
        node.kill();
        node.restart();
        let expected = [format!("t-0@{} at {}", 5 + round, 5 + round), "t-1@7 at 7".to_owned()];
        assert_eq!(committed(&mut node.client(), "g"), expected);
    }
    node.stop();
    node.restart();
    assert_eq!(committed(&mut node.client(), "g").len(), 2);
}

#[test]
fn who_cannot_read_what_a_group_committed_does_not_say_that_it_is_nothing() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on_with(&disk, &["offsets.topic.num.partitions=1"]);
    node.client().topics(&["__consumer_offsets", "t"]);
    assert_eq!(commit(&mut node.client(), "g", "t", &[(0, 5)]), [(0, 0)]);
    node.kill();
    disk.crash_process();
    disk.fail(Fault::new(Op::Write, When::Every(1)).on("__consumer_offsets-0").with(ErrorKind::StorageFull));
    node.restart();
    let groups = vec![OffsetFetchRequestGroup { group_id: "g".to_owned(), ..Default::default() }];
    let answer = node.client().call(9, &OffsetFetchRequest { groups, ..Default::default() });
    assert_eq!(answer.groups[0].error_code, ErrorCode::NotCoordinator.code());
    node.kill();
    disk.crash_process();
    disk.clear_faults();
    node.restart();
    assert_eq!(committed(&mut node.client(), "g"), ["t-0@5 at 5"]);
}

#[test]
fn offsets_survive_with_a_sync_for_each_of_them() {
    let mut node = TestNode::start_with("offsets-synced", &["log.flush.interval.messages=1"]);
    node.client().topics(&["__consumer_offsets", "t"]);
    let mut clients: Vec<Client> = (0..8).map(|_| node.client()).collect();
    for round in 0..5 {
        // All at once, so that syncs cover several and end in any order.
        let sent: Vec<_> = clients
            .iter_mut()
            .map(|client| client.send(8, &commit_of("g", "t", Uuid::ZERO, &[(0, round)])))
            .collect();
        for (client, sent) in clients.iter_mut().zip(sent) {
            assert_eq!(client.receive(sent).topics[0].partitions[0].error_code, 0);
        }
    }
    node.kill();
    node.restart();
    assert_eq!(committed(&mut node.client(), "g"), ["t-0@4 at 4"]);
}

#[test]
fn what_does_not_exist_is_told_apart_from_what_does() {
    let node = TestNode::start("offsets-unknown");
    let mut client = node.client();
    let id = client.topics(&["__consumer_offsets", "t"]).topics[1].topic_id;
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(commit(&mut client, "g", "t", &[(0, 1), (9, 1)]), [(9, unknown), (0, 0)]);
    assert_eq!(commit(&mut client, "g", "missing", &[(0, 1)]), [(0, unknown)]);
    assert_eq!(committed(&mut client, "g"), ["t-0@1 at 1"]);

    let answer = client.call(10, &commit_of("g", "", id, &[(0, 2), (9, 2)]));
    assert_eq!((answer.topics.len(), answer.topics[0].topic_id), (1, id));
    let codes: Vec<_> = answer.topics[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [unknown, 0]);
    let stranger = Uuid::from_bytes([7; 16]);
    let answer = client.call(10, &commit_of("g", "", stranger, &[(0, 2)]));
    assert_eq!(answer.topics[0].topic_id, stranger);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::UnknownTopicId.code());
    assert_eq!(committed(&mut client, "g"), ["t-0@2 at 2"]);
}

#[test]
fn offsets_are_fetched_in_every_version() {
    let node = TestNode::start("offsets-versions");
    let mut client = node.client();
    let id = client.topics(&["__consumer_offsets", "t"]).topics[1].topic_id;
    for version in 2..=10 {
        let answer =
            client.call(version, &commit_of("g", "t", if version < 10 { Uuid::ZERO } else { id }, &[(0, 3)]));
        assert_eq!(answer.topics[0].partitions[0].error_code, 0, "version {version}");
    }
    for version in 1..=7 {
        let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 1] };
        let request =
            OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
        let answer = client.call(version, &request);
        let offsets: Vec<_> =
            answer.topics[0].partitions.iter().map(|one| (one.error_code, one.committed_offset)).collect();
        assert_eq!((answer.error_code, offsets), (0, vec![(0, 3), (0, -1)]), "version {version}");
        if version >= 2 {
            let all = client.call(version, &OffsetFetchRequest { topics: None, ..request });
            assert_eq!((all.topics.len(), &*all.topics[0].name), (1, "t"), "version {version}");
        }
    }
    for version in 8..=10 {
        let topic = |name: &str, topic_id| OffsetFetchRequestTopics {
            name: name.into(),
            topic_id,
            partition_indexes: vec![0],
        };
        let stranger = Uuid::from_bytes([7; 16]);
        let topics = match version {
            10 => vec![topic("", id), topic("", stranger)],
            _ => vec![topic("t", Uuid::ZERO), topic("missing", Uuid::ZERO)],
        };
        let group = |group_id: &str, topics| OffsetFetchRequestGroup {
            group_id: group_id.into(),
            topics,
            ..Default::default()
        };
        let groups = vec![group("g", Some(topics)), group("other", None), group("g", None)];
        let answer = client.call(version, &OffsetFetchRequest { groups, ..Default::default() });
        let ids: Vec<_> = answer.groups.iter().map(|group| (&*group.group_id, group.topics.len())).collect();
        assert_eq!(ids, [("g", 2), ("other", 0), ("g", 1)], "version {version}");
        let [known, unknown] = &answer.groups[0].topics[..] else { panic!("two topics") };
        assert_eq!(known.partitions[0].committed_offset, 3, "version {version}");
        let code = if version == 10 { ErrorCode::UnknownTopicId } else { ErrorCode::None };
        let told = &unknown.partitions[0];
        assert_eq!((told.error_code, told.committed_offset), (code.code(), -1), "version {version}");
        let everything = &answer.groups[2].topics[0];
        let named = if version == 10 { everything.topic_id == id } else { everything.name == "t" };
        assert!(named, "version {version}");
    }
}

#[test]
fn only_members_of_the_generation_commit_for_a_group_that_has_members() {
    let node = TestNode::start("offsets-members");
    node.client().topics(&["__consumer_offsets", "t"]);
    let mut member = Member::alone(&node, "g");
    let mut request = commit_of("g", "t", Uuid::ZERO, &[(0, 4)]);
    let mut code =
        |request: &OffsetCommitRequest| member.client.call(9, request).topics[0].partitions[0].error_code;
    assert_eq!(code(&request), ErrorCode::UnknownMemberId.code());
    request.member_id = member.id.clone();
    request.generation_id_or_member_epoch = 7;
    assert_eq!(code(&request), ErrorCode::IllegalGeneration.code());
    request.generation_id_or_member_epoch = 1;
    assert_eq!(code(&request), ErrorCode::None.code());
    request.group_id = "no such group".into();
    assert_eq!(code(&request), ErrorCode::GroupIdNotFound.code());
}

#[test]
fn offsets_are_deleted_one_by_one() {
    let node = TestNode::start_with("offsets-deleted", &["num.partitions=2"]);
    let mut client = node.client();
    client.topics(&["__consumer_offsets", "t"]);
    commit(&mut client, "g", "t", &[(0, 1), (1, 2)]);
    let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
    let topic = |name: &str, partitions: &[i32]| OffsetDeleteRequestTopic {
        name: name.to_owned(),
        partitions: partitions.iter().copied().map(partition).collect(),
    };
    let mut request = OffsetDeleteRequest {
        group_id: "g".into(),
        topics: vec![topic("t", &[0, 9]), topic("missing", &[0])],
    };
    let answer = client.call(0, &request);
    assert_eq!(answer.error_code, 0);
    let codes = |name: &str| {
        let topic = answer.topics.iter().find(|topic| topic.name == name).expect("it is answered");
        topic.partitions.iter().map(|one| (one.partition_index, one.error_code)).collect::<Vec<_>>()
    };
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!((codes("t"), codes("missing")), (vec![(9, unknown), (0, 0)], vec![(0, unknown)]));
    assert_eq!(committed(&mut client, "g"), ["t-1@2 at 2"]);
    for (group, code) in [("nobody", ErrorCode::GroupIdNotFound), ("", ErrorCode::InvalidGroupId)] {
        request.group_id = group.into();
        let answer = client.call(0, &request);
        assert_eq!((answer.error_code, answer.topics.len()), (code.code(), 0));
    }
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten_for_good() {
    let mut node = TestNode::start("offsets-topic-deleted");
    let mut client = node.client();
    client.topics(&["__consumer_offsets", "t", "stays"]);
    commit(&mut client, "g", "t", &[(0, 1)]);
    commit(&mut client, "g", "stays", &[(0, 2)]);
    let delete = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.call(5, &delete).responses[0].error_code, 0);
    // They are gone once the tombstones are durable, which the deletion does not wait for.
    let forgotten = (0..10_000).any(|_| committed(&mut client, "g") == ["stays-0@2 at 2"]);
    assert!(forgotten, "{:?}", committed(&mut client, "g"));
    // A new topic of the same name begins without offsets, in the memory and in the log.
    client.topics(&["t"]);
    assert_eq!(committed(&mut client, "g"), ["stays-0@2 at 2"]);
    node.kill();
    node.restart();
    assert_eq!(committed(&mut node.client(), "g"), ["stays-0@2 at 2"]);
}

#[test]
fn without_the_offsets_topic_groups_begin_anew() {
    let node = TestNode::start("offsets-topic-itself-deleted");
    let mut client = node.client();
    client.topics(&["__consumer_offsets", "t"]);
    commit(&mut client, "g", "t", &[(0, 1)]);
    let delete = DeleteTopicsRequest {
        topic_names: vec!["__consumer_offsets".into()],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.call(5, &delete).responses[0].error_code, 0);
    assert_eq!(commit(&mut client, "g", "t", &[(0, 1)]), [(0, ErrorCode::NotCoordinator.code())]);
    let found = client.call(3, &FindCoordinatorRequest { key: "g".into(), ..Default::default() });
    assert_eq!(found.error_code, 0);
    assert_eq!(committed(&mut client, "g"), [] as [&str; 0]);
    assert_eq!(commit(&mut client, "g", "t", &[(0, 7)]), [(0, 0)]);
}

#[test]
fn offsets_are_the_same_after_their_topic_was_compacted() {
    // One partition, so that all groups are in a log that is rolled: its segments have a MiB at least.
    let settings =
        ["offsets.topic.segment.bytes=1048576", "offsets.topic.num.partitions=1", "log.cleaner.backoff.ms=5"];
    let mut node = TestNode::start_with("offsets-compacted", &settings);
    let mut client = node.client();
    client.topics(&["__consumer_offsets", "t"]);
    for group in ["a", "b", "c"] {
        for offset in 0..20 {
            assert_eq!(commit(&mut client, group, "t", &[(0, offset)]), [(0, 0)]);
        }
    }
    // Of what this one has committed only a tombstone tells.
    assert_eq!(commit(&mut client, "forgetful", "t", &[(0, 7)]), [(0, 0)]);
    delete(&mut client, "forgetful", "t");
    for offset in 0..600 {
        let mut request = commit_of("busy", "t", Uuid::ZERO, &[(0, offset)]);
        request.topics[0].partitions[0].committed_metadata = Some(format!("{offset} {}", "x".repeat(4000)));
        assert_eq!(client.call(8, &request).topics[0].partitions[0].error_code, 0);
    }
    let groups = ["a", "b", "c", "forgetful", "busy"];
    let expected = groups.map(|group| committed(&mut client, group));
    assert_eq!((&*expected[0], &*expected[3]), (&["t-0@19 at 19".to_owned()][..], &[][..]));
    assert!(expected[4][0].starts_with("t-0@599 599 x"));
    let cleaned = |node: &TestNode| {
        let status = node.node().cleaner.status();
        status.cleanings() > 0 && status.cleanable() == 0 && status.running.is_empty()
    };
    assert!((0..1500).any(|_| {
        pause();
        cleaned(&node)
    }));
    assert!(
        node.node()
            .cleaner
            .status()
            .last
            .is_some_and(|last| last.partition.starts_with("__consumer_offsets-"))
    );
    for _ in 0..2 {
        node.kill();
        node.restart();
        let mut client = node.client();
        client.topics(&["__consumer_offsets"]);
        assert_eq!(groups.map(|group| committed(&mut client, group)), expected);
    }
}

fn delete(client: &mut Client, group: &str, topic: &str) {
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: topic.to_owned(), partitions }];
    let request = OffsetDeleteRequest { group_id: group.to_owned(), topics };
    assert_eq!(client.call(0, &request).topics[0].partitions[0].error_code, 0);
}

#[expect(clippy::disallowed_methods, reason = "a test waits for what happens in the background")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}
