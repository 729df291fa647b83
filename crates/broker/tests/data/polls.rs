//! Fetches that wait: for how much, for how long, and what wakes them.

use std::time::Duration;

use kernel::{ErrorCode, Uuid};
use wire::messages::fetch_request::FetchRequest;

use crate::client::{FETCH, batch, code, fetch_request, only, values};
use crate::support::{Client, Sent, TestNode};

/// Longer than any test takes: only what wakes a poll ends it in time.
const LONG: i32 = 60_000;

fn poll(topic: &str, offset: i64, min_bytes: i32) -> FetchRequest {
    FetchRequest { max_wait_ms: LONG, min_bytes, ..fetch_request(topic, offset) }
}

/// Sends a poll and makes sure that the node has begun it.
fn parked(client: &mut Client, topic: &str) -> Sent<FetchRequest> {
    client.send(FETCH, &poll(topic, 0, 1))
}

#[test]
fn a_poll_wakes_with_the_first_record() {
    let node = TestNode::start("poll-wakes");
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    for (offset, value) in (0..).zip(["a", "b", "c"]) {
        let polled = client.send(FETCH, &poll("t", offset, 1));
        other.append("t", batch(&[value]));
        assert_eq!(values(&only(client.receive(polled))), [value]);
    }
}

#[test]
fn a_poll_wakes_only_when_there_is_enough() {
    let node = TestNode::start("poll-enough");
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    let enough = i32::try_from(3 * batch(&["a"]).len()).unwrap();
    let polled = client.send(FETCH, &poll("t", 0, enough));
    for _ in 0..3 {
        other.append("t", batch(&["a"]));
    }
    assert_eq!(values(&only(client.receive(polled))).len(), 3);
}

#[test]
fn a_poll_wakes_once_records_are_durable_where_the_topic_asks_for_it() {
    let node = TestNode::start("poll-durable");
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[("flush.messages", "1")]);
    let polled = parked(&mut client, "t");
    other.append("t", batch(&["a"]));
    assert_eq!(values(&only(client.receive(polled))), ["a"]);
}

#[test]
fn a_poll_ends_with_its_time() {
    let node = TestNode::start("poll-time");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    let begun = node.node().now().mono;
    let request = FetchRequest { max_wait_ms: 50, min_bytes: 100_000, ..fetch_request("t", 0) };
    let data = only(client.call(FETCH, &request));
    let waited = node.node().now().mono.since(begun);
    assert!(waited >= Duration::from_millis(50), "{waited:?}");
    assert_eq!(values(&data), ["a"], "what there is, is given");
}

#[test]
fn more_bytes_than_may_be_given_are_not_waited_for() {
    let node = TestNode::start("poll-limits");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    client.append("t", batch(&["b"]));
    let one = i32::try_from(batch(&["a"]).len()).unwrap();
    // The answer as a whole may have one batch and a half.
    let request = FetchRequest { max_bytes: one + one / 2, ..poll("t", 0, LONG) };
    assert_eq!(values(&only(client.call(FETCH, &request))), ["a"]);
    // So may the partition, and that many bytes are asked for.
    let mut request = poll("t", 0, one + one / 2);
    request.topics[0].partitions[0].partition_max_bytes = one + one / 2;
    assert_eq!(values(&only(client.call(FETCH, &request))), ["a"]);
}

#[test]
fn the_end_of_a_segment_does_not_hold_up_who_wants_much() {
    let node = TestNode::start("poll-segments");
    let mut client = node.client();
    client.create("t", &[("segment.bytes", "1048576")]);
    let wide = "x".repeat(600_000);
    client.append("t", batch(&[&wide]));
    client.append("t", batch(&[&wide]));
    let mut request = FetchRequest { max_bytes: 10 << 20, ..poll("t", 0, 1_000_000) };
    request.topics[0].partitions[0].partition_max_bytes = 10 << 20;
    assert_eq!(values(&only(client.call(FETCH, &request))).len(), 1);
}

#[test]
fn a_deleted_topic_ends_the_poll_with_its_error() {
    let node = TestNode::start("poll-deleted");
    let (mut client, mut other) = (node.client(), node.client());
    let topic_id = client.create("t", &[]);
    let by_name = parked(&mut client, "t");
    let mut request = poll("", 0, 1);
    request.topics[0].topic_id = topic_id;
    let by_id = client.send(13, &request);
    other.delete("t");
    assert_eq!(code(only(client.receive(by_name)).error_code), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code(only(client.receive(by_id)).error_code), ErrorCode::UnknownTopicId);
    // A new topic of the same name has nothing to do with the old one.
    assert_ne!(other.create("t", &[]), topic_id);
    other.append("t", batch(&["new"]));
    assert_eq!(code(only(client.call(13, &request)).error_code), ErrorCode::UnknownTopicId);
    assert_eq!(values(&client.fetch("t", 0)), ["new"]);
    assert_ne!(topic_id, Uuid::ZERO);
}

#[test]
fn polls_of_clients_that_hung_up_are_forgotten() {
    let node = TestNode::start("poll-hung-up");
    let mut other = node.client();
    other.create("t", &[]);
    for _ in 0..50 {
        let mut client = node.client();
        drop(parked(&mut client, "t"));
    }
    other.append("t", batch(&["a"]));
    assert_eq!(values(&other.fetch("t", 0)), ["a"]);
}
