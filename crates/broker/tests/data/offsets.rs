//! ListOffsets and DeleteRecords.

use kernel::ErrorCode;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

use crate::client::{EARLIEST, LATEST, batch, code, delete_records_request, values};
use crate::support::TestNode;

#[test]
fn each_sentinel_is_answered_from_the_version_that_knows_it() {
    let node = TestNode::start("sentinels");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a", "b", "c"]));
    client.append("t", batch(&["d", "e"]));
    // Sentinel, first version, offset, timestamp, epoch.
    let expected = [
        (LATEST, 1, 5, -1, 0),
        (EARLIEST, 1, 0, -1, 0),
        (-3, 7, 2, 1002, 0),
        (-4, 8, 0, -1, 0),
        (-5, 9, -1, -1, -1),
        (-6, 11, -1, -1, -1),
    ];
    for (sentinel, since, offset, timestamp, epoch) in expected {
        for version in 1..=11 {
            let found = client.offset_at(version, "t", sentinel);
            let known = version >= since;
            let code = code(found.error_code);
            assert_eq!(code == ErrorCode::UnsupportedVersion, !known, "{sentinel} in {version}: {code}");
            let told = (found.offset, found.timestamp, found.leader_epoch);
            let epoch = if version >= 4 { epoch } else { -1 };
            let expected = if known { (offset, timestamp, epoch) } else { (-1, -1, -1) };
            assert_eq!(told, expected, "{sentinel} in {version}");
        }
    }
    assert_eq!(code(client.offset("t", -7).error_code), ErrorCode::UnsupportedVersion);
}

#[test]
fn a_time_finds_the_first_record_that_is_not_older() {
    let node = TestNode::start("by-time");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a", "b", "c"]));
    client.append("t", batch(&["d", "e", "f", "g"]));
    let mut at = |timestamp: i64| {
        let found = client.offset("t", timestamp);
        (found.offset, found.timestamp)
    };
    assert_eq!(at(0), (0, 1000));
    assert_eq!(at(1000), (0, 1000));
    assert_eq!(at(1002), (2, 1002));
    assert_eq!(at(1003), (6, 1003), "the records in between are older");
    assert_eq!(at(1004), (-1, -1), "there is none");
}

#[test]
fn an_empty_log_has_a_beginning_an_end_and_nothing_in_between() {
    let node = TestNode::start("empty-offsets");
    let mut client = node.client();
    client.create("t", &[]);
    for sentinel in [EARLIEST, LATEST, -4] {
        let found = client.offset("t", sentinel);
        assert_eq!((found.error_code, found.offset, found.leader_epoch), (0, 0, 0), "{sentinel}");
    }
    for timestamp in [-3, 0] {
        let found = client.offset("t", timestamp);
        assert_eq!((found.error_code, found.offset, found.leader_epoch), (0, -1, -1), "{timestamp}");
    }
}

#[test]
fn wrong_questions_are_refused_one_by_one() {
    let node = TestNode::start("wrong-offsets");
    let mut client = node.client();
    client.create("t", &[]);
    let ask = |partition_index: i32, current_leader_epoch: i32| ListOffsetsPartition {
        partition_index,
        current_leader_epoch,
        timestamp: LATEST,
    };
    let partitions = vec![ask(0, 1), ask(5, -1), ask(7, -1), ask(7, -1)];
    let topics = vec![ListOffsetsTopic { name: "t".to_owned(), partitions }];
    let asked = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    let answer = client.call(11, &asked);
    let codes: Vec<_> = answer.topics[0].partitions.iter().map(|found| code(found.error_code)).collect();
    let twice = ErrorCode::InvalidRequest;
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(codes, [ErrorCode::UnknownLeaderEpoch, unknown, twice, twice]);
    let older = vec![ListOffsetsTopic { name: "t".to_owned(), partitions: vec![ask(0, -2)] }];
    let asked = ListOffsetsRequest { replica_id: -1, topics: older, ..ListOffsetsRequest::default() };
    let fenced = client.call(11, &asked).topics[0].partitions[0].error_code;
    assert_eq!(code(fenced), ErrorCode::FencedLeaderEpoch, "an epoch below none is older than any");
    assert_eq!(code(client.offset("gone", LATEST).error_code), unknown);
}

#[test]
fn an_isolation_level_that_does_not_exist_is_not_taken_for_another() {
    let node = TestNode::start("wrong-level");
    let mut client = node.client();
    client.create("t", &[]);
    for isolation_level in [2, -1] {
        let wanted = ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: LATEST };
        let topics = vec![ListOffsetsTopic { name: "t".to_owned(), partitions: vec![wanted] }];
        let asked = ListOffsetsRequest { replica_id: -1, isolation_level, topics, ..Default::default() };
        let found = client.call(11, &asked).topics.remove(0).partitions.remove(0);
        assert_eq!((code(found.error_code), found.offset), (ErrorCode::InvalidRequest, -1));
    }
}

#[test]
fn deleted_records_are_out_of_range_and_stay_so_after_a_kill() {
    let mut node = TestNode::start("delete-records");
    let mut client = node.client();
    client.create("t", &[]);
    for value in ["a", "b", "c"] {
        client.append("t", batch(&[value]));
    }
    let deleted = client.delete_records("t", 2);
    assert_eq!((deleted.error_code, deleted.low_watermark), (0, 2));
    let check = |node: &TestNode| {
        let mut client = node.client();
        assert_eq!(code(client.fetch("t", 1).error_code), ErrorCode::OffsetOutOfRange);
        assert_eq!(values(&client.fetch("t", 2)), ["c"]);
        assert_eq!(client.offset("t", EARLIEST).offset, 2);
        assert_eq!(client.offset("t", 0).offset, 2, "by time, too");
    };
    check(&node);
    node.kill();
    node.restart();
    check(&node);
    node.stop();
    node.restart();
    check(&node);
    // Everything goes; new records follow where the old ones ended.
    let mut client = node.client();
    assert_eq!(client.delete_records("t", -1).low_watermark, 3);
    assert_eq!((client.offset("t", EARLIEST).offset, client.offset("t", LATEST).offset), (3, 3));
    assert_eq!(client.append("t", batch(&["d"])), 3);
}

#[test]
fn records_are_deleted_only_where_and_up_to_where_there_are_any() {
    let node = TestNode::start("delete-wrong");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    let mut refused = |topic: &str, offset: i64| {
        let result = client.delete_records(topic, offset);
        assert_eq!(result.low_watermark, -1);
        code(result.error_code)
    };
    assert_eq!(refused("t", 2), ErrorCode::OffsetOutOfRange);
    assert_eq!(refused("t", -2), ErrorCode::OffsetOutOfRange);
    assert_eq!(refused("gone", 0), ErrorCode::UnknownTopicOrPartition);
    client.create("compacted", &[("cleanup.policy", "compact")]);
    assert_eq!(code(client.delete_records("compacted", 0).error_code), ErrorCode::PolicyViolation);
    client.create("both", &[("cleanup.policy", "compact,delete")]);
    assert_eq!(client.delete_records("both", 0).error_code, 0);
    // A start that has passed is not moved back.
    assert_eq!(client.delete_records("t", 1).low_watermark, 1);
    assert_eq!(client.delete_records("t", 0).low_watermark, 1);
}

#[test]
fn many_may_delete_records_at_once() {
    let node = TestNode::start("delete-at-once");
    let mut client = node.client();
    let topics: Vec<String> = (0..8).map(|number| format!("t{number}")).collect();
    for topic in &topics {
        client.create(topic, &[]);
        client.append(topic, batch(&["a", "b"]));
    }
    let mut clients: Vec<_> = topics.iter().map(|_| node.client()).collect();
    for _ in 0..5 {
        let asked = clients.iter_mut().zip(&topics).map(|(client, topic)| {
            let sent = client.send(2, &delete_records_request(topic, 1));
            (client, sent)
        });
        for (client, sent) in asked.collect::<Vec<_>>() {
            assert_eq!(client.receive(sent).topics[0].partitions[0].error_code, 0);
        }
    }
    for topic in &topics {
        assert_eq!(client.offset(topic, EARLIEST).offset, 1);
    }
}
