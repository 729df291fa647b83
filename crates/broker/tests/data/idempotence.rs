//! The window of five batches that makes a producer's retries harmless.

use kernel::ErrorCode;
use wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::messages::init_producer_id_request::InitProducerIdRequest;

use crate::client::{PRODUCE, code, from_producer, produce_request};
use crate::support::{Client, TestNode};

fn try_append(client: &mut Client, id: i64, epoch: i16, sequence: i32) -> (ErrorCode, i64) {
    let answer = client.produce("t", from_producer(id, epoch, sequence, &["a"]));
    (code(answer.error_code), answer.base_offset)
}

/// Ten batches of one producer, and what it may and may not send after them.
fn check_window(client: &mut Client, id: i64) {
    for sequence in 5..10 {
        assert_eq!(try_append(client, id, 0, sequence), (ErrorCode::None, i64::from(sequence)), "a retry");
    }
    assert_eq!(try_append(client, id, 0, 4).0, ErrorCode::OutOfOrderSequenceNumber, "older than the window");
    assert_eq!(try_append(client, id, 0, 11).0, ErrorCode::OutOfOrderSequenceNumber, "a gap");
    assert_eq!(
        try_append(client, id, 1, 5).0,
        ErrorCode::OutOfOrderSequenceNumber,
        "a new epoch begins at 0"
    );
}

#[test]
fn retries_get_their_first_offset_and_gaps_are_refused() {
    let node = TestNode::start("window");
    let mut client = node.client();
    client.create("t", &[]);
    let id = client.producer_id();
    for sequence in 0..10 {
        assert_eq!(try_append(&mut client, id, 0, sequence), (ErrorCode::None, i64::from(sequence)));
    }
    check_window(&mut client, id);
    assert_eq!(try_append(&mut client, id, 1, 0), (ErrorCode::None, 10), "a new epoch");
    assert_eq!(
        try_append(&mut client, id, 0, 10).0,
        ErrorCode::InvalidProducerEpoch,
        "the old epoch is fenced"
    );
    assert_eq!(client.all("t").len(), 11);
}

#[test]
fn the_window_outlives_a_stop_and_a_kill() {
    let mut node = TestNode::start("window-restart");
    let mut client = node.client();
    client.create("t", &[]);
    let id = client.producer_id();
    for sequence in 0..10 {
        try_append(&mut client, id, 0, sequence);
    }
    node.kill();
    node.restart();
    check_window(&mut node.client(), id);
    node.stop();
    node.restart();
    // A snapshot of Kafka's form has the last batch of each producer.
    let mut client = node.client();
    assert_eq!(try_append(&mut client, id, 0, 9), (ErrorCode::None, 9));
    assert_eq!(try_append(&mut client, id, 0, 11).0, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(try_append(&mut client, id, 0, 10), (ErrorCode::None, 10));
    let other = node.client().producer_id();
    assert_ne!(other, id, "no id is given twice");
}

#[test]
fn five_batches_in_flight_are_appended_in_their_order() {
    let node = TestNode::start("window-pipelined");
    let mut client = node.client();
    client.create("t", &[("flush.messages", "1")]);
    let id = client.producer_id();
    for round in 0..4 {
        let requests = (0..5).map(|step| from_producer(id, 0, round * 5 + step, &["a"]));
        let sent: Vec<_> =
            requests.map(|records| client.send(PRODUCE, &produce_request("t", -1, records))).collect();
        for (step, sent) in (0..).zip(sent) {
            let answered = client.receive(sent);
            let answer = &answered.responses[0].partition_responses[0];
            assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(round) * 5 + step));
        }
    }
}

#[test]
fn the_producers_of_a_partition_can_be_looked_at() {
    let node = TestNode::start("producers");
    let mut client = node.client();
    client.create("t", &[]);
    let id = client.producer_id();
    try_append(&mut client, id, 0, 0);
    try_append(&mut client, id, 0, 1);
    let topics = vec![TopicRequest { name: "t".to_owned(), partition_indexes: vec![0, 3] }];
    let described = client.call(0, &DescribeProducersRequest { topics });
    let partitions = &described.topics[0].partitions;
    let seen: Vec<_> = partitions[0]
        .active_producers
        .iter()
        .map(|producer| (producer.producer_id, producer.producer_epoch, producer.last_sequence))
        .collect();
    assert_eq!(seen, [(id, 0, 1)]);
    assert_eq!(code(partitions[1].error_code), ErrorCode::UnknownTopicOrPartition);
    assert!(partitions[1].error_message.as_deref().is_some_and(|text| text.contains("does not host")));
}

#[test]
fn ids_are_given_to_idempotent_producers_only() {
    let node = TestNode::start("ids");
    let mut client = node.client();
    let mut ask = |request: InitProducerIdRequest| code(client.call(4, &request).error_code);
    let plain = || InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    assert_eq!(ask(plain()), ErrorCode::None);
    assert_eq!(ask(InitProducerIdRequest { producer_id: 7, ..plain() }), ErrorCode::InvalidRequest);
    assert_eq!(ask(InitProducerIdRequest { producer_id: 7, producer_epoch: 1, ..plain() }), ErrorCode::None);
    let transactional = InitProducerIdRequest { transactional_id: Some("tx".to_owned()), ..plain() };
    assert_eq!(ask(transactional), ErrorCode::UnsupportedVersion);
}
