//! Incremental fetches (KIP-227).

use kernel::{ErrorCode, Uuid};
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use wire::messages::fetch_response::FetchResponse;

use crate::client::{FETCH, batch, code, fetch_request, values};
use crate::support::{Client, TestNode};

fn topic(name: &str, fetch_offset: i64) -> FetchTopic {
    let partition =
        FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    FetchTopic { topic: name.to_owned(), partitions: vec![partition], ..FetchTopic::default() }
}

fn request(session_id: i32, session_epoch: i32, topics: Vec<FetchTopic>) -> FetchRequest {
    FetchRequest { session_id, session_epoch, topics, ..fetch_request("", 0) }
}

/// Begins a session for some topics. Returns its id.
fn begin(client: &mut Client, topics: &[&str]) -> i32 {
    let topics = topics.iter().map(|name| topic(name, 0)).collect();
    let answer = client.call(FETCH, &request(0, 0, topics));
    assert_eq!(answer.error_code, 0);
    assert_ne!(answer.session_id, 0);
    answer.session_id
}

/// The topics of an answer, and how many records each has.
fn told(answer: &FetchResponse) -> Vec<(&str, usize)> {
    assert_eq!(code(answer.error_code), ErrorCode::None);
    let topics = answer.responses.iter();
    topics.map(|topic| (topic.topic.as_str(), values(&topic.partitions[0]).len())).collect()
}

#[test]
fn only_what_is_new_is_told() {
    let node = TestNode::start("session");
    let mut client = node.client();
    client.create("t", &[]);
    client.create("u", &[]);
    let session = begin(&mut client, &["t", "u"]);
    let answer = client.call(FETCH, &request(session, 1, vec![]));
    assert_eq!((told(&answer), answer.session_id), (vec![], session));
    client.append("u", batch(&["a"]));
    assert_eq!(told(&client.call(FETCH, &request(session, 2, vec![]))), [("u", 1)]);
    // Its position is remembered until the client names another.
    assert_eq!(told(&client.call(FETCH, &request(session, 3, vec![]))), [("u", 1)]);
    assert_eq!(told(&client.call(FETCH, &request(session, 4, vec![topic("u", 1)]))), []);
    client.append("t", batch(&["a"]));
    client.delete_records("u", 1);
    let answer = client.call(FETCH, &request(session, 5, vec![]));
    assert_eq!(told(&answer), [("t", 1), ("u", 0)], "the start of a log is news, too");
}

#[test]
fn forgotten_topics_are_not_told_of_and_new_ones_can_join() {
    let node = TestNode::start("session-forget");
    let mut client = node.client();
    client.create("t", &[]);
    client.create("u", &[]);
    let session = begin(&mut client, &["t"]);
    client.append("t", batch(&["a"]));
    let mut changed = request(session, 1, vec![topic("u", 0)]);
    let gone = ForgottenTopic { topic: "t".to_owned(), partitions: vec![0], ..ForgottenTopic::default() };
    changed.forgotten_topics_data = vec![gone];
    assert_eq!(told(&client.call(FETCH, &changed)), [("u", 0)]);
    let mut last = request(session, 2, vec![]);
    let gone = ForgottenTopic { topic: "u".to_owned(), partitions: vec![0], ..ForgottenTopic::default() };
    last.forgotten_topics_data = vec![gone];
    let answer = client.call(FETCH, &last);
    assert_eq!((told(&answer), answer.session_id), (vec![], 0), "a session without partitions ends");
}

#[test]
fn a_session_is_used_by_one_request_after_the_other() {
    let node = TestNode::start("session-epochs");
    let mut client = node.client();
    client.create("t", &[]);
    let session = begin(&mut client, &["t"]);
    let mut refused = |request: FetchRequest, version: i16| code(client.call(version, &request).error_code);
    assert_eq!(refused(request(session ^ 1, 1, vec![]), FETCH), ErrorCode::FetchSessionIdNotFound);
    assert_eq!(refused(request(session, 2, vec![]), FETCH), ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(refused(request(session, 1, vec![]), 13), ErrorCode::FetchSessionTopicIdError);
    assert_eq!(refused(request(session, 1, vec![]), FETCH), ErrorCode::None);
    assert_eq!(refused(request(session, 1, vec![]), FETCH), ErrorCode::InvalidFetchSessionEpoch);
    // A final request ends it.
    assert_eq!(refused(request(session, -1, vec![]), FETCH), ErrorCode::None);
    assert_eq!(refused(request(session, 2, vec![]), FETCH), ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn a_topic_that_was_created_anew_is_unknown_to_a_session_by_id() {
    let node = TestNode::start("session-recreated");
    let mut client = node.client();
    let by_id = |session: i32, epoch: i32, topic_id: Uuid| {
        let mut request = request(session, epoch, vec![topic("", 0)]);
        request.topics[0].topic_id = topic_id;
        request
    };
    let old = client.create("t", &[]);
    let session = client.call(13, &by_id(0, 0, old)).session_id;
    client.delete("t");
    let new = client.create("t", &[]);
    client.append("t", batch(&["new"]));
    let answer = client.call(13, &request(session, 1, vec![]));
    let partition = &answer.responses[0].partitions[0];
    assert_eq!((answer.responses[0].topic_id, code(partition.error_code)), (old, ErrorCode::UnknownTopicId));
    // The client replaces the old topic by the new one, as it is told to.
    let mut replaced = by_id(session, 2, new);
    replaced.forgotten_topics_data =
        vec![ForgottenTopic { topic_id: old, partitions: vec![0], ..ForgottenTopic::default() }];
    let answer = client.call(13, &replaced);
    assert_eq!(answer.responses.len(), 1);
    assert_eq!(values(&answer.responses[0].partitions[0]), ["new"]);
}

#[test]
fn without_room_for_sessions_every_fetch_is_answered_in_full() {
    let node = TestNode::start_with("session-none", &["max.incremental.fetch.session.cache.slots=0"]);
    let mut client = node.client();
    client.create("t", &[]);
    for _ in 0..2 {
        let answer = client.call(FETCH, &request(0, 0, vec![topic("t", 0)]));
        assert_eq!((told(&answer), answer.session_id), (vec![("t", 0)], 0));
    }
}
