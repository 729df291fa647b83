//! What a fetch finds, by offset, by size and by version.

use kernel::{ErrorCode, Uuid};
use wire::Records;
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::fetch_response::{FetchResponse, PartitionData};
use wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use crate::client::{FETCH, batch, code, fetch_request, only, records, values};
use crate::support::{Client, TestNode};

/// A request for the first partitions of several topics, from their start.
fn from_all(topics: &[&str], partition_max_bytes: i32) -> FetchRequest {
    let topics = topics.iter().map(|topic| FetchTopic {
        topic: (*topic).to_owned(),
        partitions: vec![FetchPartition { partition_max_bytes, ..FetchPartition::default() }],
        ..FetchTopic::default()
    });
    FetchRequest { topics: topics.collect(), ..fetch_request("", 0) }
}

fn sizes(response: &FetchResponse) -> Vec<usize> {
    response.responses.iter().flat_map(|topic| &topic.partitions).map(|data| data.records.len()).collect()
}

fn filled(client: &mut Client, topics: &[&str]) -> usize {
    for topic in topics {
        client.create(topic, &[]);
        for _ in 0..3 {
            client.append(topic, batch(&["a"]));
        }
    }
    batch(&["a"]).len()
}

#[test]
fn the_whole_batch_that_has_the_offset_is_given() {
    let node = TestNode::start("mid-batch");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a", "b", "c"]));
    client.append("t", batch(&["d"]));
    let found = records(&client.fetch("t", 1));
    assert_eq!(found.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(records(&client.fetch("t", 3)), [(3, "d".to_owned())]);
}

#[test]
fn an_empty_answer_has_empty_records_and_where_the_log_stands() {
    let node = TestNode::start("empty");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a", "b"]));
    for version in 4..=12 {
        let data = only(client.call(version, &fetch_request("t", 2)));
        assert_eq!(data.records, Records::EMPTY, "not null in version {version}");
        assert_eq!((data.high_watermark, data.last_stable_offset), (2, 2), "version {version}");
        assert_eq!(data.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert_eq!((data.aborted_transactions, data.preferred_read_replica), (None, -1));
    }
    let committed = FetchRequest { isolation_level: 1, ..fetch_request("t", 0) };
    let data = only(client.call(FETCH, &committed));
    assert_eq!((values(&data).len(), data.aborted_transactions), (2, Some(Vec::new())));
}

#[test]
fn offsets_outside_the_log_are_out_of_range() {
    let node = TestNode::start("out-of-range");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    for offset in [-1, 2, i64::MAX] {
        let data = client.fetch("t", offset);
        assert_eq!(code(data.error_code), ErrorCode::OffsetOutOfRange, "{offset}");
        assert_eq!((data.high_watermark, data.log_start_offset), (-1, -1), "as Kafka has it");
        assert_eq!((data.records, data.aborted_transactions), (Records::EMPTY, None));
    }
}

#[test]
fn the_first_batch_is_given_however_large_it_is() {
    let node = TestNode::start("kip-74");
    let mut client = node.client();
    client.create("empty", &[]);
    let size = filled(&mut client, &["t", "u"]);
    let all = ["empty", "t", "u"];
    let mut ask = |partition_max: i32, max_bytes: i32| {
        sizes(&client.call(FETCH, &FetchRequest { max_bytes, ..from_all(&all, partition_max) }))
    };
    let big = 1 << 20;
    assert_eq!(ask(big, big), [0, 3 * size, 3 * size]);
    assert_eq!(ask(1, big), [0, size, 0], "the first partition that has records gives one batch");
    assert_eq!(ask(0, 0), [0, size, 0]);
    assert_eq!(ask(big, 1), [0, size, 0]);
    let batches = |count: usize| i32::try_from(count * size).unwrap();
    assert_eq!(ask(batches(2), big), [0, 2 * size, 2 * size], "each partition has its own limit");
    assert_eq!(ask(batches(3) - 1, big), [0, 2 * size, 2 * size], "whole batches only");
    assert_eq!(ask(big, batches(4)), [0, 3 * size, size], "what is left goes to the next");
    assert_eq!(ask(big, batches(4) - 1), [0, 3 * size, 0]);
}

#[test]
fn unknown_topics_and_partitions_have_their_codes_by_version() {
    let node = TestNode::start("fetch-unknown");
    let mut client = node.client();
    let id = client.create("t", &[]);
    assert_eq!(code(client.fetch("gone", 0).error_code), ErrorCode::UnknownTopicOrPartition);
    let by_id = |topic_id: Uuid, partition: i32| {
        let mut request = fetch_request("", 0);
        request.topics[0].topic_id = topic_id;
        request.topics[0].partitions[0].partition = partition;
        request
    };
    let data = only(client.call(13, &by_id(Uuid::from_bytes([7; 16]), 0)));
    assert_eq!(code(data.error_code), ErrorCode::UnknownTopicId);
    let data = only(client.call(18, &by_id(id, 9)));
    assert_eq!(code(data.error_code), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(data.high_watermark, -1);
    assert_eq!(data.aborted_transactions.as_deref(), Some(&[][..]), "empty, as nothing is known");
    assert_eq!(only(client.call(17, &by_id(id, 0))).error_code, 0);
}

#[test]
fn a_wrong_leader_epoch_is_told_in_every_version_that_has_one() {
    let node = TestNode::start("fetch-epochs");
    let mut client = node.client();
    let topic_id = client.create("t", &[]);
    let with_epoch = |current_leader_epoch: i32| {
        let mut request = fetch_request("t", 0);
        request.topics[0].topic_id = topic_id;
        request.topics[0].partitions[0].current_leader_epoch = current_leader_epoch;
        request
    };
    for version in 9..=18 {
        let mut ask = |epoch: i32| {
            let mut request = with_epoch(epoch);
            if version >= 13 {
                request.topics[0].topic.clear();
            } else {
                request.topics[0].topic_id = Uuid::ZERO;
            }
            code(only(client.call(version, &request)).error_code)
        };
        assert_eq!(ask(0), ErrorCode::None, "version {version}");
        assert_eq!(ask(1), ErrorCode::UnknownLeaderEpoch, "version {version}");
        assert_eq!(
            (ask(-1), ask(-2)),
            (ErrorCode::None, ErrorCode::None),
            "version {version}: none is meant"
        );
    }
}

#[test]
fn an_isolation_level_that_does_not_exist_is_refused() {
    let node = TestNode::start("wrong-level");
    let mut client = node.client();
    let topic_id = client.create("t", &[]);
    client.append("t", batch(&["a"]));
    for isolation_level in [2, -1] {
        let request = FetchRequest { isolation_level, ..fetch_request("t", 0) };
        let told = client.call(12, &request);
        let data = &told.responses[0].partitions[0];
        assert_eq!([told.error_code, data.error_code].map(code), [ErrorCode::InvalidRequest; 2]);
        assert_eq!((data.records.len(), data.high_watermark), (0, -1));
        let mut by_id = request;
        by_id.topics[0].topic = String::new();
        by_id.topics[0].topic_id = topic_id;
        let told = client.call(18, &by_id);
        assert_eq!((code(told.error_code), told.responses.len()), (ErrorCode::InvalidRequest, 0));
    }
}

#[test]
fn a_batch_larger_than_what_is_left_comes_without_a_list_of_aborted_transactions() {
    let node = TestNode::start("left-out");
    let mut client = node.client();
    let one = filled(&mut client, &["a", "b"]);
    let mut second = |left: usize| {
        let max_bytes = i32::try_from(one + left).expect("it is small");
        let request = FetchRequest { max_bytes, isolation_level: 1, ..from_all(&["a", "b"], 10) };
        let response: FetchResponse = client.call(FETCH, &request);
        assert_eq!(sizes(&response), [one, 0]);
        response.responses[1].partitions[0].aborted_transactions.clone()
    };
    assert_eq!(second(7), None);
    assert_eq!(second(0), Some(Vec::new()), "where nothing is left, nothing is looked for");
}

#[test]
fn what_a_batch_that_does_not_fit_would_begin_with_is_not_left_for_other_partitions() {
    const REST: usize = 20;
    let node = TestNode::start("rest");
    let mut client = node.client();
    let one = filled(&mut client, &["a", "b"]);
    let number = |bytes: usize| i32::try_from(bytes).expect("it is small");
    let mut second = |max_bytes: usize| {
        let of_both = from_all(&["a", "b"], number(one + REST));
        let request = FetchRequest { max_bytes: number(max_bytes), isolation_level: 1, ..of_both };
        let response: FetchResponse = client.call(FETCH, &request);
        let aborted = response.responses[1].partitions[0].aborted_transactions.clone();
        (sizes(&response), aborted)
    };
    assert_eq!(second(one + REST), (vec![one, 0], Some(Vec::new())), "nothing is left to look for");
    assert_eq!(second(one + REST + one - 1), (vec![one, 0], None), "a batch is there and does not fit");
    assert_eq!(second(one + REST + one), (vec![one, one], Some(Vec::new())));
}

#[test]
fn a_node_that_does_not_belong_here_replicates_nothing() {
    let node = TestNode::start("follower");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    let data = only(client.call(FETCH, &FetchRequest { replica_id: 9, ..fetch_request("t", 0) }));
    assert_eq!((code(data.error_code), data.records.len()), (ErrorCode::NotLeaderOrFollower, 0));
}

fn diverging(client: &mut Client, last_fetched_epoch: i32, fetch_offset: i64) -> PartitionData {
    let mut request = fetch_request("t", fetch_offset);
    request.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
    request.isolation_level = 1;
    only(client.call(FETCH, &request))
}

#[test]
fn who_followed_another_history_is_told_where_it_ends_here() {
    let node = TestNode::start("diverging");
    let mut client = node.client();
    client.create("t", &[]);
    // The epoch of a leader that appended nothing yet is known all the same.
    let data = diverging(&mut client, 0, 0);
    assert_eq!((data.error_code, data.diverging_epoch.epoch), (0, -1));
    client.append("t", batch(&["a"]));
    let data = diverging(&mut client, 0, 5);
    assert_eq!((data.diverging_epoch.epoch, data.diverging_epoch.end_offset), (0, 1));
    assert_eq!((data.records.len(), data.aborted_transactions), (0, None));
    let data = diverging(&mut client, 7, 1);
    assert_eq!(code(data.error_code), ErrorCode::OffsetOutOfRange, "an epoch that nobody knows");
}

#[test]
fn the_end_of_an_epoch_is_known_before_anything_is_appended() {
    let node = TestNode::start("epoch-end");
    let mut client = node.client();
    client.create("t", &[]);
    let mut end_of = |leader_epoch: i32| {
        let partitions =
            vec![OffsetForLeaderPartition { partition: 0, current_leader_epoch: -1, leader_epoch }];
        let topics = vec![OffsetForLeaderTopic { topic: "t".to_owned(), partitions }];
        let asked = OffsetForLeaderEpochRequest { topics, ..OffsetForLeaderEpochRequest::default() };
        let end = client.call(4, &asked).topics.remove(0).partitions.remove(0);
        (code(end.error_code), end.leader_epoch, end.end_offset)
    };
    assert_eq!(end_of(0), (ErrorCode::None, 0, 0));
    assert_eq!(end_of(1), (ErrorCode::None, -1, -1));
    assert_eq!(end_of(-1), (ErrorCode::None, -1, -1), "no epoch");
    assert_eq!(
        end_of(-2),
        (ErrorCode::None, -2, 0),
        "one before all that are known ends where the first begins"
    );
}
