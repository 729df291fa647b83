//! What records do to an image, and what a delta tells of it.

use std::sync::Arc;

use kernel::{NodeId, Offset};

use super::*;
use crate::controller::testing::*;
use crate::image::{ConfigResourceType, QuorumRecord};
use crate::record::*;

fn replay(base: &Image, records: impl IntoIterator<Item = MetadataRecord>) -> Delta {
    let mut delta = Delta::new(&Arc::new(base.clone()));
    records.into_iter().for_each(|record| delta.replay(&record));
    delta
}

/// The id, the partitions and what became of each topic.
fn summary(delta: &Delta) -> Vec<(String, &'static str, Vec<i32>)> {
    let became = |change: &TopicChange| match (change.created(), change.deleted()) {
        (true, _) => "created",
        (_, true) => "deleted",
        _ => "changed",
    };
    let of_one = |change: &TopicChange| {
        let partitions = change.partitions.iter().map(|partition| partition.index).collect();
        (change.name.to_string(), became(change), partitions)
    };
    delta.topics().iter().map(of_one).collect()
}

fn topic(name: &str, id: u32) -> MetadataRecord {
    TopicRecord { name: name.to_owned(), topic_id: uuid(id) }.into()
}

fn partition(topic: u32, index: i32) -> MetadataRecord {
    let record = PartitionRecord {
        partition_id: index,
        topic_id: uuid(topic),
        replicas: vec![1, 2],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        ..Default::default()
    };
    record.into()
}

fn remove(topic: u32) -> MetadataRecord {
    RemoveTopicRecord { topic_id: uuid(topic) }.into()
}

#[test]
fn a_snapshot_replayed_gives_the_same_image() {
    let image = image_with_everything();
    let batch = MetadataBatch {
        records: image.write_snapshot().collect(),
        quorum: image.quorum.records().collect(),
        provenance: image.provenance,
    };
    let mut delta = Delta::new(&Arc::default());
    delta.replay_batch(&batch);
    delta.advance(image.provenance);
    assert_eq!(delta.notes().count(), 0);
    assert_eq!(delta.apply(), image);
}

#[test]
fn a_transaction_that_is_aborted_leaves_what_the_log_says_of_the_quorum() {
    let batch = |records, quorum| MetadataBatch { records, quorum, provenance: Provenance::default() };
    let mut delta = Delta::new(&Arc::default());
    delta.replay_batch(&batch(vec![BeginTransactionRecord::default().into()], Vec::new()));
    delta.replay_batch(&batch(Vec::new(), vec![QuorumRecord::Version(1)]));
    delta.replay_batch(&batch(vec![AbortTransactionRecord::default().into()], Vec::new()));
    assert_eq!(delta.apply().quorum.version(), 1);
}

#[test]
fn a_snapshot_over_an_image_takes_away_what_it_does_not_say() {
    let before = image_with_everything();
    let after = with_topic(&cluster([broker(1).rack("a")]), "other", &[&[1]]);
    let mut delta = Delta::from_snapshot(&Arc::new(before.clone()));
    after.write_snapshot().for_each(|record| delta.replay(&record));
    assert_eq!(delta.apply(), after);
    let names: Vec<(String, &str)> =
        summary(&delta).into_iter().map(|(name, what, _)| (name, what)).collect();
    assert_eq!(names.iter().filter(|(_, what)| *what == "deleted").count(), 2);
    assert_eq!(names.last(), Some(&("other".to_owned(), "created")));
    assert_eq!(delta.configs().count(), before.configs.iter().count());
    assert_eq!(delta.brokers().map(|(id, _, _)| id.0).collect::<Vec<_>>(), [2, 3]);
    assert!(
        delta.features_changed() && delta.acls_changed() && delta.scram_changed() && delta.quotas_changed()
    );
}

#[test]
fn a_delta_lists_what_was_created_changed_and_deleted() {
    let records = [topic("a", 1), partition(1, 0), partition(1, 1), topic("b", 2), partition(2, 0)];
    let base = replay(&cluster([]), records).apply();
    let change =
        PartitionChangeRecord { partition_id: 1, topic_id: uuid(1), leader: 2, ..Default::default() };
    let unchanged = PartitionRecord { partition_id: 0, ..Default::default() };
    let same = match partition(1, 0) {
        MetadataRecord::Partition(record) => {
            PartitionRecord { partition_id: unchanged.partition_id, ..record }
        }
        _ => unchanged,
    };
    let records = [
        change.into(),
        same.into(),
        remove(2),
        topic("b", 3),
        partition(3, 0),
        topic("short-lived", 4),
        remove(4),
    ];
    let delta = replay(&base, records);
    let expected = [
        ("b".to_owned(), "deleted", vec![0]),
        ("a".to_owned(), "changed", vec![1]),
        ("b".to_owned(), "created", vec![0]),
    ];
    assert_eq!(summary(&delta), expected);
    let image = delta.apply();
    assert_eq!((image.topics.len(), image.topics.id_of("b")), (2, Some(uuid(3))));
    let (changed, shared) =
        (|index| image.topics.partition("a", index), |index| base.topics.partition("a", index));
    assert_eq!(changed(1).map(|partition| partition.leader_epoch.0), Some(1));
    let (after, before) = (changed(0).expect("it exists"), shared(0).expect("it exists"));
    assert_eq!(after, before);
}

#[test]
fn what_does_not_change_is_shared() {
    let base = replay(&cluster([]), [topic("a", 1), partition(1, 0), topic("b", 2), partition(2, 0)]).apply();
    let image = replay(&base, [partition(2, 1)]).apply();
    let same = |name: &str| Arc::ptr_eq(image.topic(name).unwrap(), base.topic(name).unwrap());
    assert!(same("a") && !same("b"));
    assert!(Arc::ptr_eq(&image.features, &base.features) && Arc::ptr_eq(&image.configs, &base.configs));
    let (after, before) = (image.topics.partition("b", 0).unwrap(), base.topics.partition("b", 0).unwrap());
    assert!(Arc::ptr_eq(after, before), "only the topic's list of partitions is copied");
}

#[test]
fn a_broker_is_told_what_to_lead_to_follow_and_to_give_up() {
    let records = [topic("a", 1), partition(1, 0), partition(1, 1), topic("b", 2), partition(2, 0)];
    let base = replay(&cluster([]), records.clone()).apply();
    let first = replay(&cluster([]), records).local_changes(NodeId(1));
    assert_eq!((first.led.len(), first.followed.len(), first.removed.len()), (3, 0, 0));
    assert!(first.led.iter().all(LocalReplica::new_leader_epoch));

    let change = |partition_id, change| {
        MetadataRecord::from(PartitionChangeRecord { topic_id: uuid(1), partition_id, ..change })
    };
    let demoted = PartitionChangeRecord { leader: 2, ..Default::default() };
    let shrunk = PartitionChangeRecord { isr: Some(vec![1]), ..Default::default() };
    let delta = replay(&base, [change(0, demoted), change(1, shrunk), remove(2)]);
    let local = delta.local_changes(NodeId(1));
    let named = |replicas: &[LocalReplica]| -> Vec<(String, i32, bool)> {
        replicas.iter().map(|r| (r.topic.to_string(), r.index, r.new_leader_epoch())).collect()
    };
    assert_eq!(named(&local.removed), [("b".to_owned(), 0, false)]);
    assert_eq!(named(&local.followed), [("a".to_owned(), 0, true)]);
    assert_eq!(named(&local.led), [("a".to_owned(), 1, false)]);
    assert_eq!(delta.local_changes(NodeId(9)), LocalChanges::default());

    let moved = PartitionChangeRecord {
        replicas: Some(vec![2, 3]),
        isr: Some(vec![2]),
        leader: 2,
        ..Default::default()
    };
    let local = replay(&base, [change(0, moved)]).local_changes(NodeId(1));
    assert_eq!((named(&local.removed).len(), local.led.len(), local.followed.len()), (1, 0, 0));
}

#[test]
fn a_record_about_something_unknown_is_noted_and_changes_nothing() {
    let base = cluster([broker(1)]);
    let records: Vec<MetadataRecord> = vec![
        partition(1, 0),
        PartitionChangeRecord { topic_id: uuid(1), ..Default::default() }.into(),
        remove(1),
        FenceBrokerRecord { id: 1, epoch: 99 }.into(),
        UnregisterBrokerRecord { broker_id: 5, broker_epoch: 1 }.into(),
        ConfigRecord { resource_type: 77, ..Default::default() }.into(),
        RemoveAccessControlEntryRecord { id: uuid(1) }.into(),
        RemoveUserScramCredentialRecord { name: "x".to_owned(), mechanism: 1 }.into(),
        RemoveDelegationTokenRecord { token_id: "x".to_owned() }.into(),
        EndTransactionRecord::default().into(),
        AbortTransactionRecord::default().into(),
    ];
    let count = records.len() as u64;
    let delta = replay(&base, records);
    assert_eq!(delta.notes().count(), count);
    assert_eq!(
        delta.notes().iter().nth(3),
        Some("FenceBrokerRecord was ignored: there is no broker epoch 99 of broker 1")
    );
    assert!(delta.is_empty());
    assert_eq!(delta.topics(), []);
}

#[test]
fn a_quota_that_is_not_a_number_is_the_same_after_a_snapshot() {
    let entity = vec![EntityData { entity_type: "user".to_owned(), entity_name: Some("x".to_owned()) }];
    let record =
        ClientQuotaRecord { entity, key: "request_percentage".to_owned(), value: f64::NAN, remove: false };
    let image = replay(&Image::default(), [record.into()]).apply();
    let again = replay(&Image::default(), image.write_snapshot()).apply();
    assert_eq!(again, image);
    assert_ne!(again, Image::default());
}

#[test]
fn of_two_topics_with_one_id_the_later_is_left() {
    let delta = replay(&Image::default(), [topic("before", 1), topic("after", 1)]);
    assert_eq!(delta.notes().count(), 1);
    let image = delta.apply();
    let names: Vec<_> = image.topics.iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, ["after"]);
    assert_eq!(image.topic("before"), None);
    assert!(replay(&image, [remove(1)]).apply().topics.is_empty());
}

#[test]
fn notes_are_kept_only_up_to_a_bound() {
    let delta = replay(&cluster([]), (0..1000).map(|index| partition(1, index)));
    assert_eq!((delta.notes().count(), delta.notes().iter().count()), (1000, 32));
}

#[test]
fn a_transaction_counts_from_its_end_on() {
    let base = cluster([]);
    let begin = || MetadataRecord::from(BeginTransactionRecord { name: None });
    let mut delta = replay(&base, [begin(), topic("a", 1)]);
    assert!(delta.in_transaction());
    assert_eq!((delta.apply().topics.len(), delta.topics().len()), (0, 0));
    delta.replay(&partition(1, 0));
    delta.replay(&EndTransactionRecord::default().into());
    assert!(!delta.in_transaction());
    assert_eq!(summary(&delta), [("a".to_owned(), "created", vec![0])]);

    delta.replay(&begin());
    delta.replay(&remove(1));
    delta.replay(&AbortTransactionRecord { reason: None }.into());
    delta.advance(Provenance { offset: Offset(8), ..Default::default() });
    assert_eq!(summary(&delta), [("a".to_owned(), "created", vec![0])]);
    assert_eq!(delta.apply().provenance.offset, Offset(8));
}

#[test]
fn a_registration_is_changed_piece_by_piece() {
    let base = cluster([broker(1).fenced()]);
    let change = |change| {
        MetadataRecord::from(BrokerRegistrationChangeRecord { broker_id: 1, broker_epoch: 100, ..change })
    };
    let default = BrokerRegistrationChangeRecord::default;
    let delta = replay(
        &base,
        [
            change(BrokerRegistrationChangeRecord { fenced: -1, ..default() }),
            change(BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..default() }),
            change(BrokerRegistrationChangeRecord { log_dirs: vec![uuid(2), uuid(1)], ..default() }),
            change(BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(vec![uuid(1)]), ..default() }),
        ],
    );
    let image = delta.apply();
    let broker = image.broker(NodeId(1)).expect("it is registered");
    assert_eq!((broker.fenced, broker.in_controlled_shutdown), (false, true));
    assert_eq!(broker.log_dirs, [uuid(1), uuid(2)]);
    assert!(broker.takes_new_replicas());
    assert_eq!(delta.brokers().count(), 1);
    let all = change(BrokerRegistrationChangeRecord {
        cordoned_log_dirs: Some(broker.log_dirs.clone()),
        ..default()
    });
    let image = replay(&image, [all]).apply();
    assert!(!image.broker(NodeId(1)).expect("it is registered").takes_new_replicas());
}

#[test]
fn a_config_is_listed_even_where_its_value_stays() {
    let resource = ConfigResource::new(ConfigResourceType::Broker, "1");
    let record = ConfigRecord {
        resource_type: 4,
        resource_name: "1".to_owned(),
        name: "ssl.keystore.location".to_owned(),
        value: Some("f".to_owned()),
    };
    let image = replay(&cluster([]), [MetadataRecord::from(record.clone())]).apply();
    let delta = replay(&image, [MetadataRecord::from(record)]);
    assert!(delta.is_empty());
    assert_eq!(delta.configs().collect::<Vec<_>>(), [&resource]);
}

#[test]
fn eligible_replicas_are_forgotten_for_one_topic_or_all() {
    let records = [topic("a", 1), partition(1, 0), topic("b", 2), partition(2, 0)];
    let eligible = |topic| {
        MetadataRecord::from(PartitionChangeRecord {
            topic_id: uuid(topic),
            partition_id: 0,
            eligible_leader_replicas: Some(vec![2]),
            ..Default::default()
        })
    };
    let base = replay(&cluster([]), records.into_iter().chain([eligible(1), eligible(2)])).apply();
    let cleared = |topic_name: &str| {
        let delta = replay(&base, [ClearElrRecord { topic_name: topic_name.to_owned() }.into()]);
        summary(&delta).into_iter().map(|(name, ..)| name).collect::<Vec<_>>()
    };
    assert_eq!(cleared("a"), ["a"]);
    assert_eq!(cleared(""), ["a", "b"]);
}

#[test]
fn a_metadata_version_from_the_future_is_remembered_until_it_is_taken_back() {
    let level = |feature_level| {
        MetadataRecord::from(FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level })
    };
    let newer = replay(&Image::default(), [level(33), level(34)]).apply();
    assert_eq!(newer.features.unknown_version(), Some(34));
    let known = replay(&newer, [level(32)]).apply();
    assert_eq!((known.features.unknown_version(), known.features.level("metadata.version")), (None, 32));
}
