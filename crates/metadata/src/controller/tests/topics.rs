//! Creating and deleting topics.

use kernel::{ErrorCode, LeaderEpoch, NodeId, Uuid};

use super::code;
use crate::MetadataRecord;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::{ConfigResource, Image, Partition};
use crate::record::{ConfigRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};

fn create(image: &Image, topics: Vec<NewTopic>) -> Decision<Vec<TopicReply>> {
    let command = CreateTopics {
        topics,
        defaults: TopicDefaults { partitions: 2, replication_factor: 1 },
        validate_only: false,
    };
    create_topics(image, &Rules, &mut (1..).map(uuid), &command)
}

fn refused(image: &Image, change: impl FnOnce(&mut NewTopic)) -> ErrorCode {
    let mut topic = NewTopic::new("t");
    change(&mut topic);
    let decision = create(image, vec![topic]);
    assert_eq!(decision.records, [], "what is refused leaves no record");
    code(&decision.reply[0].result)
}

#[test]
fn a_topic_is_its_record_then_its_configs_then_its_partitions() {
    let image = cluster([broker(1)]);
    let mut topic = NewTopic::new("t");
    topic.configs = vec![("retention.ms".to_owned(), Some("5".to_owned()))];
    let decision = create(&image, vec![topic]);
    let id = uuid(1);
    let partition = |index| {
        PartitionRecord {
            partition_id: index,
            topic_id: id,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![directory(1)],
            ..Default::default()
        }
        .into()
    };
    let config = ConfigRecord {
        resource_type: 2,
        resource_name: "t".to_owned(),
        name: "retention.ms".to_owned(),
        value: Some("5".to_owned()),
    };
    let head = TopicRecord { name: "t".to_owned(), topic_id: id };
    let expected: [MetadataRecord; 4] = [head.into(), config.into(), partition(0), partition(1)];
    assert_eq!(decision.records, expected);
    assert!(decision.atomic);
    let created = decision.reply[0].result.clone().expect("it is created");
    assert_eq!((created.id, created.partitions, created.replication_factor), (id, 2, 1));

    let image = apply(&image, &decision.records);
    let replayed = image.topics.partition("t", 1).expect("it exists");
    let mut new = Partition::new(vec![NodeId(1)], vec![directory(1)], vec![NodeId(1)]);
    new.leader_epoch = LeaderEpoch(0);
    assert_eq!(**replayed, new);
    assert_eq!(image.configs.value(&ConfigResource::topic("t"), "retention.ms"), Some("5"));
}

#[test]
fn validate_only_answers_the_same_and_records_nothing() {
    let image = cluster([broker(1)]);
    let command =
        CreateTopics { topics: vec![NewTopic::new("t")], validate_only: true, ..Default::default() };
    let decision = create_topics(&image, &Rules, &mut (1..).map(uuid), &command);
    assert_eq!(decision.records, []);
    assert_eq!(decision.reply[0].result.as_ref().map(|created| created.partitions), Ok(1));
}

#[test]
fn a_name_must_be_legal_and_free() {
    let image = with_topic(&cluster([broker(1)]), "a.b_c", &[&[1]]);
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "a/b", "ä", &long] {
        let code = refused(&image, |topic| topic.name = name.to_owned());
        assert_eq!(code, ErrorCode::InvalidTopicException, "{name}");
    }
    let outcomes = [
        ("a.b_c", ErrorCode::TopicAlreadyExists),
        ("a_b.c", ErrorCode::InvalidTopicException),
        ("a.b.c", ErrorCode::InvalidTopicException),
        ("__cluster_metadata", ErrorCode::InvalidRequest),
    ];
    for (name, expected) in outcomes {
        assert_eq!(refused(&image, |topic| topic.name = name.to_owned()), expected, "{name}");
    }
    let free = create(&image, vec![NewTopic::new("a-b-c"), NewTopic::new("a"), NewTopic::new(&long[1..])]);
    assert!(free.reply.iter().all(|reply| reply.result.is_ok()), "{:?}", free.reply);
}

#[test]
fn topics_of_one_request_stand_for_themselves() {
    let image = cluster([broker(1)]);
    let names = ["ok", "twice", "bad name", "twice", "o.k", "o_k"];
    let decision = create(&image, names.map(NewTopic::new).to_vec());
    let outcomes: Vec<(&str, ErrorCode)> =
        decision.reply.iter().map(|reply| (reply.name.as_str(), code(&reply.result))).collect();
    let expected = [
        ("ok", ErrorCode::None),
        ("twice", ErrorCode::InvalidRequest),
        ("bad name", ErrorCode::InvalidTopicException),
        ("o.k", ErrorCode::None),
        ("o_k", ErrorCode::InvalidTopicException),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(apply(&image, &decision.records).topics.len(), 2);
}

#[test]
fn counts_must_be_positive_and_replicas_few_enough() {
    let image = cluster([broker(1)]);
    for partitions in [0, -2] {
        assert_eq!(refused(&image, |topic| topic.partitions = partitions), ErrorCode::InvalidPartitions);
    }
    for replicas in [0, -2, 2] {
        let code = refused(&image, |topic| topic.replication_factor = replicas);
        assert_eq!(code, ErrorCode::InvalidReplicationFactor);
    }
    assert_eq!(refused(&image, |topic| topic.partitions = 10_001), ErrorCode::PolicyViolation);
    assert_eq!(refused(&image, |topic| topic.partitions = i32::MAX), ErrorCode::PolicyViolation);
    let fenced = cluster([broker(1).fenced()]);
    assert_eq!(refused(&fenced, |_| ()), ErrorCode::InvalidReplicationFactor);
}

#[test]
fn an_assignment_by_hand_is_checked() {
    let image = cluster([broker(1), broker(2), broker(3).fenced()]);
    let cases: [(&[(i32, &[i32])], ErrorCode); 8] = [
        (&[(0, &[1, 2]), (1, &[2, 1])], ErrorCode::None),
        (&[(0, &[3, 2])], ErrorCode::None),
        (&[(0, &[3])], ErrorCode::InvalidReplicaAssignment),
        (&[(0, &[])], ErrorCode::InvalidReplicaAssignment),
        (&[(0, &[9])], ErrorCode::InvalidReplicaAssignment),
        (&[(0, &[1, 1])], ErrorCode::InvalidReplicaAssignment),
        (&[(0, &[1]), (1, &[1, 2])], ErrorCode::InvalidReplicaAssignment),
        (&[(0, &[1]), (2, &[1])], ErrorCode::InvalidReplicaAssignment),
    ];
    for (assignments, expected) in cases {
        let mut topic = NewTopic::new("t");
        topic.assignments = assignments.iter().map(|(index, brokers)| (*index, brokers.to_vec())).collect();
        let decision = create(&image, vec![topic]);
        assert_eq!(code(&decision.reply[0].result), expected, "{assignments:?}");
    }
    let code = refused(&image, |topic| {
        topic.assignments = vec![(0, vec![1])];
        topic.partitions = 1;
    });
    assert_eq!(code, ErrorCode::InvalidRequest);
    let created = with_topic(&image, "t", &[&[3, 2]]);
    let partition = created.topics.partition("t", 0).expect("it exists");
    assert_eq!((partition.leader, &partition.isr[..]), (Some(NodeId(2)), &[NodeId(2)][..]));
}

#[test]
fn configs_of_a_new_topic_are_checked() {
    let image = cluster([broker(1)]);
    for value in [None, Some("bad".to_owned()), Some("x".repeat(40_000))] {
        let code = refused(&image, |topic| topic.configs = vec![("retention.ms".to_owned(), value)]);
        assert_eq!(code, ErrorCode::InvalidConfig);
    }
}

#[test]
fn an_identifier_that_is_reserved_or_taken_is_skipped() {
    let image = with_topic(&cluster([broker(1)]), "old", &[&[1]]);
    let taken = image.topics.id_of("old").expect("it was created");
    let command = CreateTopics { topics: vec![NewTopic::new("t")], ..Default::default() };
    let mut ids = [Uuid::ZERO, Uuid::METADATA_TOPIC, taken, uuid(8)].into_iter();
    let decision = create_topics(&image, &Rules, &mut ids, &command);
    assert_eq!(decision.reply[0].result.as_ref().map(|created| created.id), Ok(uuid(8)));
    let decision = create_topics(&image, &Rules, &mut std::iter::empty(), &command);
    assert_eq!(code(&decision.reply[0].result), ErrorCode::UnknownServerError);
}

#[test]
fn a_topic_is_deleted_by_name_or_id_but_only_if_named_once() {
    let mut image = cluster([broker(1)]);
    for name in ["a", "b", "c"] {
        image = with_topic(&image, name, &[&[1]]);
    }
    let id = |name: &str| image.topics.id_of(name).expect("it was created");
    let name = |name: &str| TopicRef::Name(name.to_owned());
    let topics = vec![
        name("a"),
        TopicRef::Id(id("b")),
        name("c"),
        TopicRef::Id(id("c")),
        name("none"),
        TopicRef::Id(uuid(99)),
    ];
    let decision = delete_topics(&image, &DeleteTopics { topics: topics.clone(), enabled: true });
    let removed = |name: &str| MetadataRecord::from(RemoveTopicRecord { topic_id: id(name) });
    assert_eq!(decision.records, [removed("a"), removed("b")]);
    let codes: Vec<ErrorCode> = decision.reply.iter().map(|reply| code(&reply.result)).collect();
    let expected = [
        ErrorCode::None,
        ErrorCode::None,
        ErrorCode::InvalidRequest,
        ErrorCode::InvalidRequest,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
    ];
    assert_eq!(codes, expected);
    assert_eq!((decision.reply[1].name.as_deref(), decision.reply[0].id), (Some("b"), id("a")));

    let disabled = delete_topics(&image, &DeleteTopics { topics, enabled: false });
    assert_eq!(disabled.records, []);
    assert!(disabled.reply.iter().all(|reply| code(&reply.result) == ErrorCode::TopicDeletionDisabled));
}

#[test]
fn a_topic_takes_its_configuration_with_it() {
    let mut image = with_topic(&cluster([broker(1)]), "t", &[&[1]]);
    let resource = ConfigResource::topic("t");
    image = apply(&image, &[configs::config_record(&resource, "retention.ms", Some("1"))]);
    let deletion = DeleteTopics { topics: vec![TopicRef::Name("t".to_owned())], enabled: true };
    let image = apply(&image, &delete_topics(&image, &deletion).records);
    assert!(image.topics.is_empty());
    assert_eq!(image.configs.get(&resource), None);
}
