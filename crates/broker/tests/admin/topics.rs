//! Topics: created, given more partitions, described, deleted.

use kernel::{ErrorCode, Uuid};
use wire::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use wire::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};

use crate::support::{Client, TestNode};

pub fn topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: -1,
        ..CreatableTopic::default()
    }
}

pub fn create(client: &mut Client, topics: Vec<CreatableTopic>) -> CreateTopicsResponse {
    client.call(7, &CreateTopicsRequest { topics, ..CreateTopicsRequest::default() })
}

fn code(result: &CreatableTopicResult) -> ErrorCode {
    ErrorCode::from_code(result.error_code).unwrap()
}

#[test]
fn a_created_topic_is_told_with_every_option_and_where_it_comes_from() {
    let node = TestNode::start_with("create-echo", &["log.retention.ms=5000"]);
    let mut wanted = topic("t", 3);
    let set = [("segment.bytes", "2000000"), ("preallocate", "TRUE")];
    wanted.configs =
        set.map(|(name, value)| CreatableTopicConfig { name: name.into(), value: Some(value.into()) }).into();
    let created = create(&mut node.client(), vec![wanted]);
    let [created] = created.topics.as_slice() else { panic!("one topic: {created:?}") };
    assert_eq!((code(created), created.num_partitions, created.replication_factor), (ErrorCode::None, 3, 1));
    assert_ne!(created.topic_id, Uuid::ZERO);
    assert_eq!(created.error_message, None);
    let configs = created.configs.as_ref().unwrap();
    assert!(configs.is_sorted_by(|a, b| a.name < b.name));
    let of = |name: &str| {
        let found = configs.iter().find(|config| config.name == name).unwrap();
        (found.value.as_deref().unwrap(), found.config_source)
    };
    assert_eq!(of("segment.bytes"), ("2000000", 1), "set on the topic");
    assert_eq!(of("preallocate"), ("TRUE", 1), "as it was written");
    assert_eq!(of("retention.ms"), ("5000", 4), "set in the node's file");
    assert_eq!(of("cleanup.policy"), ("delete", 5), "a default");
}

#[test]
fn each_version_of_create_topics_is_answered() {
    let node = TestNode::start("create-versions");
    let mut client = node.client();
    for version in 2..=7 {
        let request = CreateTopicsRequest {
            topics: vec![topic(&format!("v{version}"), 1)],
            ..CreateTopicsRequest::default()
        };
        let created = client.call(version, &request).topics.remove(0);
        assert_eq!(created.error_code, 0, "v{version}");
        assert_eq!(created.configs.is_some_and(|configs| !configs.is_empty()), version >= 5, "v{version}");
        assert_eq!(created.topic_id.is_zero(), version < 7, "v{version}");
    }
}

#[test]
fn topics_that_cannot_be_are_refused_with_kafkas_codes_and_do_not_hinder_others() {
    let node = TestNode::start("create-refused");
    let mut client = node.client();
    let mut by_hand = topic("by-hand", 2);
    by_hand.assignments = vec![CreatableReplicaAssignment { partition_index: 0, broker_ids: vec![1] }];
    let mut elsewhere = topic("elsewhere", -1);
    elsewhere.assignments = vec![CreatableReplicaAssignment { partition_index: 0, broker_ids: vec![7] }];
    let mut null = topic("null", 1);
    null.configs = vec![CreatableTopicConfig { name: "retention.ms".into(), value: None }];
    let mut wrong = topic("wrong", 1);
    wrong.configs = vec![CreatableTopicConfig { name: "retention.ms".into(), value: Some("soon".into()) }];
    let topics = vec![
        topic("good", 1),
        topic("bad!", 1),
        topic("twice", 1),
        topic("twice", 1),
        topic("zero", 0),
        CreatableTopic { replication_factor: 3, ..topic("three", 1) },
        CreatableTopic { replication_factor: 0, ..topic("none", 1) },
        topic("a.b", 1),
        topic("a_b", 1),
        topic("__cluster_metadata", 1),
        by_hand,
        elsewhere,
        null,
        wrong,
    ];
    let created = create(&mut client, topics);
    let codes: Vec<_> = created.topics.iter().map(|one| (one.name.as_str(), code(one))).collect();
    assert_eq!(
        codes,
        [
            ("good", ErrorCode::None),
            ("bad!", ErrorCode::InvalidTopicException),
            ("twice", ErrorCode::InvalidRequest),
            ("zero", ErrorCode::InvalidPartitions),
            ("three", ErrorCode::InvalidReplicationFactor),
            ("none", ErrorCode::InvalidReplicationFactor),
            ("a.b", ErrorCode::None),
            ("a_b", ErrorCode::InvalidTopicException),
            ("__cluster_metadata", ErrorCode::InvalidRequest),
            ("by-hand", ErrorCode::InvalidRequest),
            ("elsewhere", ErrorCode::InvalidReplicaAssignment),
            ("null", ErrorCode::InvalidConfig),
            ("wrong", ErrorCode::InvalidConfig),
        ]
    );
    assert!(created.topics.iter().all(|one| one.error_message.is_some() == (one.error_code != 0)));
    let again = create(&mut client, vec![topic("good", 1)]);
    assert_eq!(code(&again.topics[0]), ErrorCode::TopicAlreadyExists);
    let too_many = create(&mut client, vec![topic("huge", 2_000_000_000)]);
    assert_eq!(code(&too_many.topics[0]), ErrorCode::PolicyViolation);
}

#[test]
fn a_dry_run_creates_nothing() {
    let node = TestNode::start("create-dry");
    let mut client = node.client();
    let request = CreateTopicsRequest {
        topics: vec![topic("t", 4)],
        validate_only: true,
        ..CreateTopicsRequest::default()
    };
    let told = client.call(7, &request).topics.remove(0);
    assert_eq!((told.error_code, told.num_partitions), (0, 4));
    assert!(node.node().image().topic("t").is_none());
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut node = TestNode::start("delete");
    let mut client = node.client();
    let created = create(&mut client, ["a", "b", "c", "d"].map(|name| topic(name, 1)).into());
    let id = |name: &str| created.topics.iter().find(|one| one.name == name).unwrap().topic_id;
    let by_name = |name: &str| DeleteTopicState { name: Some(name.into()), topic_id: Uuid::ZERO };
    let by_id = |topic_id: Uuid| DeleteTopicState { name: None, topic_id };
    let unknown = Uuid::from_bytes([7; 16]);
    let topics = vec![
        by_name("a"),
        by_id(id("b")),
        by_name("c"),
        by_name("c"),
        DeleteTopicState { name: Some("d".into()), topic_id: id("d") },
        by_id(Uuid::ZERO),
        by_name("nope"),
        by_id(unknown),
    ];
    let deleted = client.call(6, &DeleteTopicsRequest { topics, ..DeleteTopicsRequest::default() });
    let code_of = |name: Option<&str>, id: Option<Uuid>| {
        let mut all = deleted.responses.iter();
        let found = all.find(|one| one.name.as_deref() == name && id.is_none_or(|id| one.topic_id == id));
        ErrorCode::from_code(found.unwrap().error_code).unwrap()
    };
    assert_eq!(code_of(Some("a"), None), ErrorCode::None);
    assert_eq!(code_of(Some("b"), Some(id("b"))), ErrorCode::None);
    assert_eq!(code_of(Some("c"), None), ErrorCode::InvalidRequest);
    assert_eq!(code_of(Some("d"), None), ErrorCode::InvalidRequest);
    assert_eq!(code_of(None, Some(Uuid::ZERO)), ErrorCode::InvalidRequest);
    assert_eq!(code_of(Some("nope"), None), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code_of(None, Some(unknown)), ErrorCode::UnknownTopicId);
    assert_eq!(deleted.responses.len(), 7, "what was named twice is answered once");
    let left = |node: &TestNode| -> Vec<String> {
        node.node().image().topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    assert_eq!(left(&node), ["c", "d"]);
    let request = DeleteTopicsRequest { topic_names: vec!["c".into()], ..DeleteTopicsRequest::default() };
    for (version, code) in [(1, 0), (5, ErrorCode::UnknownTopicOrPartition.code())] {
        assert_eq!(client.call(version, &request).responses[0].error_code, code, "v{version}");
    }
    node.kill();
    node.restart();
    assert_eq!(left(&node), ["d"], "deletions survive");
}

#[test]
fn each_contradiction_in_a_deletion_is_answered_by_itself() {
    let node = TestNode::start("delete-contradictions");
    let both = || DeleteTopicState { name: Some("t".into()), topic_id: Uuid::from_bytes([7; 16]) };
    let request = DeleteTopicsRequest { topics: vec![both(), both()], ..DeleteTopicsRequest::default() };
    let answer = node.client().call(6, &request);
    let codes: Vec<_> = answer.responses.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::InvalidRequest.code(); 2]);
}

#[test]
fn a_node_that_deletes_nothing_says_so_in_words_the_client_knows() {
    let node = TestNode::start_with("delete-disabled", &["delete.topic.enable=false"]);
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1)]);
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..DeleteTopicsRequest::default() };
    let mut code = |version| client.call(version, &request).responses[0].error_code;
    assert_eq!(code(2), ErrorCode::InvalidRequest.code());
    assert_eq!(code(3), ErrorCode::TopicDeletionDisabled.code());
    assert!(node.node().image().topic("t").is_some());
}

#[test]
fn partitions_are_added_and_lead_at_once() {
    let node = TestNode::start("partitions");
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1), topic("u", 2)]);
    let more = |name: &str, count: i32, assignments: Option<Vec<i32>>| CreatePartitionsTopic {
        name: name.into(),
        count,
        assignments: assignments.map(|brokers| {
            brokers.into_iter().map(|id| CreatePartitionsAssignment { broker_ids: vec![id] }).collect()
        }),
    };
    let topics = vec![
        more("t", 3, None),
        more("u", 2, None),
        more("nope", 2, None),
        more("twice", 2, None),
        more("twice", 3, None),
    ];
    let request = CreatePartitionsRequest { topics, ..CreatePartitionsRequest::default() };
    let added = client.call(3, &request);
    let codes: Vec<_> = added.results.iter().map(|one| (one.name.as_str(), one.error_code)).collect();
    assert_eq!(
        codes,
        [
            ("t", 0),
            ("u", ErrorCode::InvalidPartitions.code()),
            ("nope", ErrorCode::UnknownTopicOrPartition.code()),
            ("twice", ErrorCode::InvalidRequest.code()),
        ]
    );
    for version in 0..=3 {
        let request = CreatePartitionsRequest {
            topics: vec![more("u", 3 + i32::from(version), Some(vec![1]))],
            ..CreatePartitionsRequest::default()
        };
        assert_eq!(client.call(version, &request).results[0].error_code, 0, "v{version}");
    }
    let known = client.topics(&["t", "u"]);
    let leaders = known.topics.iter().map(|topic| {
        assert!(topic.partitions.iter().all(|partition| partition.leader_id == 1));
        topic.partitions.len()
    });
    assert_eq!(leaders.collect::<Vec<_>>(), [3, 6]);
}

#[test]
fn partitions_are_described_in_pages() {
    let node = TestNode::start_with("pages", &["max.request.partition.size.limit=4"]);
    let mut client = node.client();
    create(&mut client, vec![topic("a", 3), topic("b", 3), topic("c", 1)]);
    let mut cursor = None;
    let mut pages = Vec::new();
    loop {
        let request = DescribeTopicPartitionsRequest { cursor, ..DescribeTopicPartitionsRequest::default() };
        let page = client.call(0, &request);
        pages.push(
            page.topics
                .iter()
                .map(|topic| {
                    assert!(topic.partitions.iter().all(|p| p.eligible_leader_replicas == Some(vec![])));
                    let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
                    (topic.name.clone().unwrap(), partitions.collect::<Vec<_>>())
                })
                .collect::<Vec<_>>(),
        );
        let Some(next) = page.next_cursor else { break };
        cursor = Some(Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
        assert!(pages.len() < 10, "{pages:?}");
    }
    let topic = |name: &str, partitions: &[i32]| (name.to_owned(), partitions.to_vec());
    assert_eq!(
        pages,
        [vec![topic("a", &[0, 1, 2]), topic("b", &[0])], vec![topic("b", &[1, 2]), topic("c", &[0])],]
    );
}

#[test]
fn named_topics_are_described_with_errors_for_those_that_are_not() {
    let node = TestNode::start("describe-named");
    let mut client = node.client();
    create(&mut client, vec![topic("b", 2)]);
    let mut ask = |names: &[&str], limit: i32, cursor: Option<(&str, i32)>| {
        let topics = names.iter().map(|name| TopicRequest { name: (*name).to_owned() });
        let response = client.call(
            0,
            &DescribeTopicPartitionsRequest {
                topics: topics.collect(),
                response_partition_limit: limit,
                cursor: cursor
                    .map(|(name, index)| Cursor { topic_name: name.into(), partition_index: index }),
            },
        );
        let told = response.topics.iter().map(|topic| {
            let code = ErrorCode::from_code(topic.error_code).unwrap();
            (topic.name.clone().unwrap(), code, topic.partitions.len())
        });
        (told.collect::<Vec<_>>(), response.next_cursor.map(|next| (next.topic_name, next.partition_index)))
    };
    let named = |name: &str, code, partitions| (name.to_owned(), code, partitions);
    assert_eq!(
        ask(&["b", "a", "c!", "b"], 2000, None),
        (
            vec![
                named("a", ErrorCode::UnknownTopicOrPartition, 0),
                named("b", ErrorCode::None, 2),
                named("c!", ErrorCode::InvalidTopicException, 0),
            ],
            None
        )
    );
    assert_eq!(ask(&["b"], 1, None), (vec![named("b", ErrorCode::None, 1)], Some(("b".into(), 1))));
    assert_eq!(ask(&["b"], 0, Some(("b", 1))), (vec![named("b", ErrorCode::None, 1)], None));
    assert_eq!(ask(&["b"], 1, Some(("a", 0))), (vec![named("b", ErrorCode::InvalidRequest, 0)], None));
    assert_eq!(ask(&["b"], 1, Some(("b", -1))), (vec![named("b", ErrorCode::InvalidRequest, 0)], None));
}

#[test]
fn a_client_that_hangs_up_leaves_the_node_knowing_what_its_log_says() {
    let mut node = TestNode::start("hang-up");
    for number in 0..20 {
        let mut client = node.client();
        let request = CreateTopicsRequest {
            topics: vec![topic(&format!("t{number}"), 1)],
            ..CreateTopicsRequest::default()
        };
        let _ = client.send(7, &request);
    }
    let names = |node: &TestNode| {
        node.node().image().topics.iter().map(|topic| topic.name.to_string()).collect::<Vec<_>>()
    };
    create(&mut node.client(), vec![topic("last", 1)]);
    let before = names(&node);
    node.stop();
    node.restart();
    let after = names(&node);
    assert!(before.iter().all(|name| after.contains(name)));
    // What was still on its way when it was looked at may have come in since; nothing is there twice.
    let again = create(&mut node.client(), after.iter().map(|name| topic(name, 1)).collect());
    assert!(again.topics.iter().all(|one| code(one) == ErrorCode::TopicAlreadyExists));
}
