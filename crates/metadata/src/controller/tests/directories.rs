//! Log directories that fail, and replicas that are in one.

use kernel::{ErrorCode, NodeId, Uuid};

use crate::controller::testing::*;
use crate::controller::*;
use crate::image::{Broker, Image, directory_id};

const SECOND: u32 = 3000;

/// A broker with two log directories.
fn with_two(id: i32) -> Broker {
    let mut broker = broker(id);
    broker.log_dirs = vec![directory(id), uuid(SECOND + id as u32)];
    broker
}

fn offline(image: &Image, id: i32, directories: &[Uuid]) -> Image {
    let epoch = i64::from(id) * 100;
    let decision = directories_offline(image, NodeId(id), epoch, directories).expect("it is registered");
    apply(image, &decision.records)
}

fn assign(image: &Image, id: i32, wanted: &[(Uuid, i32, Uuid)]) -> Decision<Vec<Result<(), ErrorCode>>> {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(topic, partition, directory)| DirectoryAssignment {
            topic: *topic,
            partition: *partition,
            directory: *directory,
        })
        .collect();
    assign_replicas_to_dirs(image, NodeId(id), i64::from(id) * 100, &wanted).expect("it is registered")
}

#[test]
fn a_replica_of_a_broker_with_several_directories_is_unassigned_until_it_says_where() {
    let image = with_topic(&cluster([with_two(1)]), "t", &[&[1]]);
    let topic = image.topic("t").expect("it is there").id;
    let directory = |image: &Image| image.topic("t").unwrap().partition(0).unwrap().directory(NodeId(1));
    assert_eq!(directory(&image), Some(directory_id::UNASSIGNED));
    let second = uuid(SECOND + 1);
    let decision = assign(&image, 1, &[(topic, 0, second)]);
    assert_eq!(decision.reply, [Ok(())]);
    let image = apply(&image, &decision.records);
    assert_eq!(directory(&image), Some(second));
    let partition = image.topic("t").unwrap().partition(0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch.0), (Some(NodeId(1)), 0), "nothing else changes");
    assert_eq!(assign(&image, 1, &[(topic, 0, second)]).records, [], "it is known already");
}

#[test]
fn an_assignment_of_what_a_broker_does_not_have_is_refused_one_by_one() {
    let image = with_topic(&cluster([with_two(1), with_two(2)]), "t", &[&[1]]);
    let topic = image.topic("t").expect("it is there").id;
    let there = uuid(SECOND + 2);
    let decision = assign(&image, 2, &[(uuid(1), 0, there), (topic, 9, there), (topic, 0, there)]);
    let expected =
        [ErrorCode::UnknownTopicId, ErrorCode::UnknownTopicOrPartition, ErrorCode::NotLeaderOrFollower];
    assert_eq!((decision.reply, decision.records), (expected.map(Err).to_vec(), vec![]));
    let stale = assign_replicas_to_dirs(&image, NodeId(2), 7, &[]).expect_err("another process");
    assert_eq!(stale.code, ErrorCode::StaleBrokerEpoch);
}

#[test]
fn a_failed_directory_hands_its_partitions_to_others_in_sync_and_takes_no_new_ones() {
    let image = with_topic(&cluster([with_two(1), with_two(2)]), "t", &[&[1, 2], &[1, 2]]);
    let image = with_topic(&image, "alone", &[&[1]]);
    let id = |name| image.topic(name).expect("it is there").id;
    let (first, second) = (directory(1), uuid(SECOND + 1));
    let wanted = [(id("t"), 0, second), (id("t"), 1, first), (id("alone"), 0, second)];
    let image = apply(&image, &assign(&image, 1, &wanted).records);
    let image = offline(&image, 1, &[second]);
    let leader = |topic, index| {
        let partition = image.topic(topic).unwrap().partition(index).unwrap();
        (partition.leader.map(|id| id.0), partition.isr.iter().map(|id| id.0).collect::<Vec<_>>())
    };
    assert_eq!(leader("t", 0), (Some(2), vec![2]));
    assert_eq!(leader("t", 1), (Some(1), vec![1, 2]), "it is in the other directory");
    assert_eq!(leader("alone", 0), (Some(1), vec![1]), "nobody else has its records");
    assert_eq!(image.brokers.get(NodeId(1)).unwrap().log_dirs, [first]);
    let again = directories_offline(&image, NodeId(1), 100, &[second]).unwrap();
    assert_eq!(again.records, []);
}

#[test]
fn a_replica_that_turns_out_to_be_in_a_failed_directory_hands_over_as_well() {
    let image = with_topic(&cluster([with_two(1), with_two(2)]), "t", &[&[1, 2]]);
    let topic = image.topic("t").expect("it is there").id;
    let second = uuid(SECOND + 1);
    let image = offline(&image, 1, &[second]);
    let image = apply(&image, &assign(&image, 1, &[(topic, 0, second)]).records);
    let partition = image.topic("t").unwrap().partition(0).unwrap();
    assert_eq!((partition.leader, partition.directory(NodeId(1))), (Some(NodeId(2)), Some(second)));
}
