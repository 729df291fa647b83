//! Frames, their order, and what ends a connection.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};

use kernel::ErrorCode;
use wire::frame::encode_request;
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::api_versions_response::ApiVersionsResponse;
use wire::messages::fetch_request::FetchRequest;
use wire::messages::metadata_request::MetadataRequest;

use crate::client::{
    FETCH, PRODUCE, batch, code, create_request, fetch_request, only, produce_request, values,
};
use crate::support::{Client, TestNode};

fn versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
        ..ApiVersionsRequest::default()
    }
}

/// The node must end this connection, and serve others as before.
fn assert_ends(node: &TestNode, mut client: Client, why: &str) {
    match client.frame() {
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
            "{why}: {error}"
        ),
        Ok(frame) => panic!("{why}: answered with {} bytes", frame.len()),
    }
    assert_eq!(node.client().call(0, &versions()).error_code, 0, "{why}: another client");
}

#[test]
fn pipelined_requests_are_answered_in_order_though_later_ones_are_done_first() {
    let node = TestNode::start("pipelined");
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    let mut poll = fetch_request("t", 0);
    poll.max_wait_ms = 20_000;
    let polled = client.send(FETCH, &poll);
    let asked: Vec<_> = (0..20).map(|_| client.send(3, &versions())).collect();
    // Only once the poll ends can anything be answered; the client checks the correlation ids.
    other.append("t", batch(&["a"]));
    assert_eq!(values(&only(client.receive(polled))), ["a"]);
    for sent in asked {
        assert_eq!(client.receive(sent).error_code, 0);
    }
}

#[test]
fn more_requests_than_may_be_under_way_wait_their_turn() {
    let node = TestNode::start("many-in-flight");
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    let mut poll = fetch_request("t", 0);
    poll.max_wait_ms = 20_000;
    let polled: Vec<_> = (0..200).map(|_| client.send(FETCH, &poll)).collect();
    other.append("t", batch(&["a"]));
    for sent in polled {
        assert_eq!(values(&only(client.receive(sent))), ["a"]);
    }
}

#[test]
fn a_topic_can_be_used_right_behind_its_creation() {
    let node = TestNode::start("pipelined-creation");
    let mut client = node.client();
    let created = client.send(7, &create_request("t", &[]));
    let produced = client.send(PRODUCE, &produce_request("t", -1, batch(&["a"])));
    let poll = FetchRequest { max_wait_ms: 60_000, ..fetch_request("t", 0) };
    let fetched = client.send(FETCH, &poll);
    assert_eq!(client.receive(created).topics[0].error_code, 0);
    assert_eq!(client.receive(produced).responses[0].partition_responses[0].error_code, 0);
    assert_eq!(values(&only(client.receive(fetched))), ["a"]);
}

#[test]
fn a_produce_request_without_acknowledgement_leaves_no_slot() {
    let node = TestNode::start("acks-0");
    let mut client = node.client();
    client.create("t", &[]);
    for _ in 0..3 {
        drop(client.send(PRODUCE, &produce_request("t", 0, batch(&["a"]))));
    }
    // Its answer is the next one.
    assert_eq!(client.append("t", batch(&["b"])), 3);
    assert_eq!(client.all("t"), ["a", "a", "a", "b"]);
}

#[test]
fn a_failure_without_acknowledgement_ends_the_connection_after_what_was_asked_before() {
    let node = TestNode::start("acks-0-fails");
    let mut client = node.client();
    client.create("t", &[]);
    let before = client.send(3, &versions());
    drop(client.send(PRODUCE, &produce_request("nowhere", 0, batch(&["a"]))));
    drop(client.send(PRODUCE, &produce_request("t", 1, batch(&["later"]))));
    assert_eq!(client.receive(before).error_code, 0);
    assert_ends(&node, client, "acks=0 to an unknown topic");
    assert!(node.client().all("t").is_empty(), "what came after the failure is not done");
}

#[test]
fn an_end_of_the_connection_is_not_forgotten_while_others_wait() {
    let node = TestNode::start("closing");
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    let mut poll = fetch_request("t", 0);
    poll.max_wait_ms = 20_000;
    let polled = client.send(FETCH, &poll);
    drop(client.send(PRODUCE, &produce_request("nowhere", 0, batch(&["a"]))));
    other.append("t", batch(&["a"]));
    assert_eq!(values(&only(client.receive(polled))), ["a"]);
    assert_ends(&node, client, "acks=0 behind a poll");
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_the_form_of_version_0() {
    let node = TestNode::start("api-versions");
    let mut client = node.client();
    // Key 18, version 99, correlation id 7, client id "x", no tags, and a body that nobody knows.
    let request = [0, 18, 0, 99, 0, 0, 0, 7, 0, 1, b'x', 0, 1, 2, 3];
    client.send_bytes(&(request.len() as i32).to_be_bytes());
    client.send_bytes(&request);
    let frame = client.frame().expect("an answer");
    assert_eq!(frame[..4], [0, 0, 0, 7]);
    let answer = ApiVersionsResponse::decode(&frame[4..], 0).expect("version 0");
    assert_eq!(code(answer.error_code), ErrorCode::UnsupportedVersion);
    let own: Vec<_> =
        answer.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
    assert_eq!(own, [(18, 0, 5)]);
    assert_eq!(client.call(5, &versions()).error_code, 0, "the connection goes on");
}

#[test]
fn produce_is_advertised_from_version_0_and_refused_below_3() {
    let node = TestNode::start("produce-0");
    let mut client = node.client();
    let answer = client.call(4, &versions());
    let produce = answer.api_keys.iter().find(|api| api.api_key == 0).unwrap();
    assert_eq!((produce.min_version, produce.max_version), (0, 13));
    let request = [0, 0, 0, 2, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    client.send_bytes(&(request.len() as i32).to_be_bytes());
    client.send_bytes(&request);
    assert_ends(&node, client, "produce version 2");
}

#[test]
fn what_is_no_request_ends_its_own_connection_only() {
    let node = TestNode::start("garbage");
    let unknown_api = [0, 0, 0, 10, 3, 232, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let cut_off_body = [0, 0, 0, 12, 0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0, 9];
    let too_long = (200_i32 << 20).to_be_bytes();
    let cases: [(&str, &[u8]); 6] = [
        ("an unknown API", &unknown_api),
        ("a body that ends early", &cut_off_body),
        ("an empty frame", &[0, 0, 0, 0]),
        ("a negative length", &[0xff, 0xff, 0xff, 0xff]),
        ("a length above the limit", &too_long),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n"),
    ];
    for (why, bytes) in cases {
        let mut client = node.client();
        client.send_bytes(bytes);
        assert_ends(&node, client, why);
    }
}

#[test]
fn a_frame_may_come_byte_by_byte_and_several_at_once() {
    let node = TestNode::start("partial");
    let mut client = node.client();
    let frame = encode_request(&MetadataRequest::default(), 12, 1, Some("slow")).unwrap();
    for byte in frame.iter() {
        client.send_bytes(&[*byte]);
    }
    assert_eq!(client.frame().expect("an answer")[..4], [0, 0, 0, 1]);
    client.send_bytes(&[&frame[..], &frame[..], &frame[..10]].concat());
    client.frame().expect("the first");
    client.frame().expect("the second");
    client.send_bytes(&frame[10..]);
    client.frame().expect("the third, once it is whole");
}

#[test]
fn the_limit_of_a_frame_is_the_configured_one() {
    let node = TestNode::start_with("frame-limit", &["socket.request.max.bytes=2000"]);
    let mut client = node.client();
    client.create("t", &[]);
    let wide = "x".repeat(1500);
    client.append("t", batch(&[&wide]));
    let wide = "x".repeat(2000);
    drop(client.send(PRODUCE, &produce_request("t", 1, batch(&[&wide]))));
    assert_ends(&node, client, "2,000 bytes and more");
}

#[test]
fn what_was_sent_before_a_client_hung_up_is_done() {
    let node = TestNode::start("hung-up");
    node.client().create("t", &[("flush.messages", "1")]);
    for acks in [0, 1] {
        let mut stream = TcpStream::connect(node.address()).unwrap();
        let request = produce_request("t", acks, batch(&["a"]));
        stream.write_all(&encode_request(&request, PRODUCE, 1, None).unwrap()).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    // Another client sees both, although nobody waited for their sync.
    let mut poll = fetch_request("t", 0);
    poll.max_wait_ms = 20_000;
    poll.min_bytes = i32::try_from(2 * batch(&["a"]).len()).unwrap();
    let mut client = node.client();
    assert_eq!(values(&only(client.call(FETCH, &poll))), ["a", "a"]);
}

#[test]
fn an_idle_connection_ends_and_one_that_waits_for_an_answer_does_not() {
    let node = TestNode::start_with("idle", &["connections.max.idle.ms=200"]);
    node.client().create("t", &[]);
    let idle = node.client();
    let mut poll = fetch_request("t", 0);
    poll.max_wait_ms = 600;
    assert!(values(&only(node.client().call(FETCH, &poll))).is_empty());
    assert_ends(&node, idle, "nothing came for 200 ms");
}
