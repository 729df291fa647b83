//! Adding partitions.

use kernel::ErrorCode;

use super::code;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::Image;

fn more(image: &Image, count: i32, assignments: Option<&[&[i32]]>) -> Decision<Vec<PartitionsReply>> {
    let assignments = assignments.map(|lists| lists.iter().map(|brokers| brokers.to_vec()).collect());
    let topics = vec![MorePartitions { name: "t".to_owned(), count, assignments }];
    create_partitions(image, &CreatePartitions { topics, validate_only: false })
}

#[test]
fn partitions_are_added_behind_those_that_are_there() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1, 2]]);
    let decision = more(&image, 3, None);
    let image = apply(&image, &decision.records);
    let topic = image.topics.get("t").expect("it exists");
    assert_eq!(topic.partitions.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert!(topic.partitions.values().all(|partition| partition.replicas.len() == 2));
    assert_eq!(topic.partitions[&1].leader, Some(kernel::NodeId(2)), "leaders are evened out");
}

#[test]
fn the_count_must_grow_and_assignments_must_fit() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1], &[2]]);
    let cases: [(i32, Option<&[&[i32]]>, ErrorCode); 8] = [
        (2, None, ErrorCode::InvalidPartitions),
        (1, None, ErrorCode::InvalidPartitions),
        (-1, None, ErrorCode::InvalidPartitions),
        (i32::MAX, None, ErrorCode::PolicyViolation),
        (3, Some(&[&[1], &[2]]), ErrorCode::InvalidReplicaAssignment),
        (3, Some(&[&[1, 2]]), ErrorCode::InvalidReplicaAssignment),
        (3, Some(&[&[9]]), ErrorCode::InvalidReplicaAssignment),
        (3, Some(&[&[2]]), ErrorCode::None),
    ];
    for (count, assignments, expected) in cases {
        let decision = more(&image, count, assignments);
        assert_eq!(code(&decision.reply[0].result), expected, "{count} {assignments:?}");
        assert_eq!(decision.records.len(), usize::from(expected == ErrorCode::None));
    }
}

#[test]
fn an_unknown_topic_a_duplicate_and_validate_only_change_nothing() {
    let image = with_topic(&cluster([broker(1)]), "t", &[&[1]]);
    let topic = |name: &str| MorePartitions { name: name.to_owned(), count: 2, assignments: None };
    let topics = vec![topic("none"), topic("t"), topic("t")];
    let decision = create_partitions(&image, &CreatePartitions { topics, validate_only: false });
    let codes: Vec<ErrorCode> = decision.reply.iter().map(|reply| code(&reply.result)).collect();
    assert_eq!(codes, [ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidRequest]);
    assert_eq!(decision.records, []);
    let command = CreatePartitions { topics: vec![topic("t")], validate_only: true };
    let decision = create_partitions(&image, &command);
    assert_eq!((code(&decision.reply[0].result), decision.records.len()), (ErrorCode::None, 0));
}
