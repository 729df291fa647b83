//! Elections by request.

use kernel::{ErrorCode, NodeId};

use super::code;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::Image;
use crate::record::PartitionChangeRecord;

fn elect(image: &Image, election: ElectionType, partition: i32) -> (ErrorCode, Image) {
    let partitions = Some(vec![("t".to_owned(), vec![partition])]);
    let decision = elect_leaders(image, &ElectLeaders { election, partitions });
    (code(&decision.reply[0].result), apply(image, &decision.records))
}

fn leader(image: &Image) -> Option<i32> {
    image.topics.partition("t", 0).expect("it exists").leader.map(|leader| leader.0)
}

fn changed(image: &Image, change: PartitionChangeRecord) -> Image {
    let topic_id = image.topics.id_of("t").expect("it exists");
    apply(image, &[PartitionChangeRecord { topic_id, partition_id: 0, ..change }.into()])
}

#[test]
fn the_preferred_replica_is_elected_if_it_is_in_sync() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1, 2]]);
    assert_eq!(elect(&image, ElectionType::Preferred, 0).0, ErrorCode::ElectionNotNeeded);
    assert_eq!(elect(&image, ElectionType::Preferred, 1).0, ErrorCode::UnknownTopicOrPartition);
    let other = changed(&image, PartitionChangeRecord { leader: 2, ..Default::default() });
    let (code, elected) = elect(&other, ElectionType::Preferred, 0);
    assert_eq!((code, leader(&elected)), (ErrorCode::None, Some(1)));
    let behind = PartitionChangeRecord { leader: 2, isr: Some(vec![2]), ..Default::default() };
    let (code, unchanged) = elect(&changed(&image, behind), ElectionType::Preferred, 0);
    assert_eq!((code, leader(&unchanged)), (ErrorCode::PreferredLeaderNotAvailable, Some(2)));
}

#[test]
fn an_unclean_election_takes_any_replica_where_none_can_lead() {
    let image = with_topic(&cluster([broker(1), broker(2), broker(3)]), "t", &[&[1, 2]]);
    assert_eq!(elect(&image, ElectionType::Unclean, 0).0, ErrorCode::ElectionNotNeeded);
    let change = PartitionChangeRecord { leader: -1, isr: Some(vec![1]), ..Default::default() };
    let leaderless = changed(&image, change);
    let (code, clean) = elect(&leaderless, ElectionType::Unclean, 0);
    assert_eq!((code, leader(&clean)), (ErrorCode::None, Some(1)), "the replica in sync is there after all");

    let fence = |image: &Image, id: i32| {
        let change = change_broker(image, NodeId(id), i64::from(id) * 100, BrokerChange::Fence);
        apply(image, &change.expect("it is registered").records)
    };
    let one_gone = fence(&leaderless, 1);
    let (code, elected) = elect(&one_gone, ElectionType::Unclean, 0);
    assert_eq!((code, leader(&elected)), (ErrorCode::None, Some(2)));
    let partition = elected.topics.partition("t", 0).expect("it exists");
    assert_eq!((partition.recovering, &partition.isr[..]), (true, &[NodeId(2)][..]));
    let (code, _) = elect(&fence(&one_gone, 2), ElectionType::Unclean, 0);
    assert_eq!(code, ErrorCode::EligibleLeadersNotAvailable);
}

#[test]
fn without_partitions_all_are_elected_whose_leader_is_not_the_preferred() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1, 2], &[2, 1]]);
    let image = changed(&image, PartitionChangeRecord { leader: 2, ..Default::default() });
    let command = ElectLeaders { election: ElectionType::Preferred, partitions: None };
    let decision = elect_leaders(&image, &command);
    let expected = ElectionReply { topic: "t".to_owned(), partition: 0, result: Ok(()) };
    assert_eq!(decision.reply, [expected]);
    assert_eq!(decision.records.len(), 1);
}

#[test]
fn an_eligible_replica_leads_again_when_it_comes_back() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1, 2]]);
    let nobody = PartitionChangeRecord {
        leader: -1,
        isr: Some(vec![]),
        eligible_leader_replicas: Some(vec![2]),
        ..Default::default()
    };
    let image = changed(&image, nobody);
    let fenced = change_broker(&image, NodeId(2), 200, BrokerChange::Fence).expect("it is registered");
    let image = apply(&image, &fenced.records);
    let back = change_broker(&image, NodeId(2), 200, BrokerChange::Unfence).expect("it is registered");
    let image = apply(&image, &back.records);
    let partition = image.topics.partition("t", 0).expect("it exists");
    assert_eq!(partition.leader, Some(NodeId(2)));
    assert_eq!((&partition.isr[..], &partition.elr[..]), (&[NodeId(2)][..], &[][..]));
}
