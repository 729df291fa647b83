//! Metadata, and the topics that it creates by the way.

use kernel::{ErrorCode, Uuid};
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::metadata_response::MetadataResponse;

use super::topics::{create, topic};
use crate::support::{Client, TestNode};

fn by_name(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic { name: Some(name.into()), topic_id: Uuid::ZERO }
}

fn by_id(topic_id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic { name: None, topic_id }
}

fn ask(
    client: &mut Client,
    version: i16,
    topics: Option<Vec<MetadataRequestTopic>>,
    creates: bool,
) -> MetadataResponse {
    let request =
        MetadataRequest { topics, allow_auto_topic_creation: creates, ..MetadataRequest::default() };
    client.call(version, &request)
}

fn told(response: &MetadataResponse) -> Vec<(Option<&str>, ErrorCode, usize)> {
    let topics = response.topics.iter();
    topics
        .map(|topic| {
            let code = ErrorCode::from_code(topic.error_code).unwrap();
            (topic.name.as_deref(), code, topic.partitions.len())
        })
        .collect()
}

#[test]
fn all_topics_none_and_some_are_told_apart_at_every_version() {
    let node = TestNode::start("metadata-which");
    let mut client = node.client();
    create(&mut client, vec![topic("a", 1), topic("b", 2)]);
    for version in 0..=13 {
        let all = if version == 0 { Some(Vec::new()) } else { None };
        let response = ask(&mut client, version, all, true);
        let both = [(Some("a"), ErrorCode::None, 1), (Some("b"), ErrorCode::None, 2)];
        assert_eq!(told(&response), both, "v{version}");
        assert_eq!(response.brokers.len(), 1, "v{version}");
        if version > 0 {
            assert!(ask(&mut client, version, Some(Vec::new()), true).topics.is_empty(), "v{version}");
        }
        let some = ask(&mut client, version, Some(vec![by_name("b"), by_name("b")]), true);
        assert_eq!(told(&some), [(Some("b"), ErrorCode::None, 2)], "v{version}: each once");
    }
}

#[test]
fn a_topic_is_created_by_asking_for_it_only_where_client_and_node_agree() {
    let node = TestNode::start_with("metadata-creates", &["num.partitions=3"]);
    let mut client = node.client();
    let asked = vec![by_name("new"), by_name("not valid")];
    let refused = (Some("not valid"), ErrorCode::InvalidTopicException, 0);
    let unknown = |name| (Some(name), ErrorCode::UnknownTopicOrPartition, 0);
    for _ in 0..2 {
        let without = ask(&mut client, 12, Some(asked.clone()), false);
        assert_eq!(told(&without), [unknown("new"), refused]);
    }
    // It is unknown to the answer that begins its creation, and to those before its end.
    let with = ask(&mut client, 12, Some(asked.clone()), true);
    assert_eq!(told(&with), [unknown("new"), refused]);
    client.topics(&["new"]);
    assert_eq!(told(&ask(&mut client, 12, Some(asked), true)), [(Some("new"), ErrorCode::None, 3), refused]);
    // Before version 4 there was nothing to say.
    let old = ask(&mut client, 3, Some(vec![by_name("old")]), true);
    assert_eq!(told(&old), [unknown("old")]);
    assert_eq!(client.topics(&["old"]).topics[0].partitions.len(), 3);
}

#[test]
fn a_topic_that_cannot_be_created_by_asking_stays_unknown() {
    let node = TestNode::start("metadata-collides");
    let mut client = node.client();
    client.topics(&["x.y"]);
    for _ in 0..2 {
        let collides = ask(&mut client, 12, Some(vec![by_name("x_y")]), true);
        assert_eq!(told(&collides), [(Some("x_y"), ErrorCode::UnknownTopicOrPartition, 0)]);
        // What is created later in the same order shows that the attempt is over.
        client.topics(&["z"]);
    }
}

#[test]
fn a_node_that_creates_nothing_by_itself_does_not() {
    let node = TestNode::start_with("metadata-no-create", &["auto.create.topics.enable=false"]);
    let response = ask(&mut node.client(), 12, Some(vec![by_name("new")]), true);
    assert_eq!(told(&response), [(Some("new"), ErrorCode::UnknownTopicOrPartition, 0)]);
}

#[test]
fn the_offsets_topic_that_a_client_names_is_created_as_the_node_needs_it() {
    let node = TestNode::start("metadata-internal");
    let mut client = node.client();
    ask(&mut client, 12, Some(vec![by_name("__consumer_offsets")]), true);
    let response = client.topics(&["__consumer_offsets"]);
    assert_eq!(told(&response), [(Some("__consumer_offsets"), ErrorCode::None, 4)]);
    assert!(response.topics[0].is_internal);
    let image = node.node().image();
    let resource = metadata::image::ConfigResource::topic("__consumer_offsets");
    assert_eq!(image.configs.value(&resource, "cleanup.policy"), Some("compact"));
}

#[test]
fn what_may_be_done_with_a_topic_is_told_also_where_there_is_none() {
    let node = TestNode::start("metadata-rights");
    let mut client = node.client();
    let mut told = |include_topic_authorized_operations| {
        let request = MetadataRequest {
            topics: Some(vec![by_name("gone")]),
            allow_auto_topic_creation: false,
            include_topic_authorized_operations,
            ..MetadataRequest::default()
        };
        client.call(9, &request).topics[0].topic_authorized_operations
    };
    assert_eq!(told(false), i32::MIN);
    assert_eq!(told(true), 3576);
}

#[test]
fn topics_are_found_by_id_from_version_12_on() {
    let node = TestNode::start("metadata-ids");
    let mut client = node.client();
    let id = create(&mut client, vec![topic("t", 1)]).topics[0].topic_id;
    let unknown = Uuid::from_bytes([9; 16]);
    for version in 12..=13 {
        let response = ask(&mut client, version, Some(vec![by_id(id), by_id(unknown), by_id(id)]), true);
        let mut answers = told(&response);
        answers.sort_by_key(|(name, ..)| *name);
        assert_eq!(answers, [(None, ErrorCode::UnknownTopicId, 0), (Some("t"), ErrorCode::None, 1)]);
    }
    for version in 12..=13 {
        let response = ask(&mut client, version, Some(vec![by_name("t"), by_id(Uuid::ZERO)]), true);
        let refused = ErrorCode::InvalidRequest;
        assert_eq!(told(&response), [(Some("t"), refused, 0), (Some(""), refused, 0)], "v{version}");
        assert_eq!(response.error_code, if version > 12 { refused.code() } else { 0 });
    }
    for version in 10..=11 {
        let response = ask(&mut client, version, Some(vec![by_id(id)]), true);
        assert_eq!(told(&response), [(Some(""), ErrorCode::InvalidRequest, 0)], "v{version}");
    }
}
