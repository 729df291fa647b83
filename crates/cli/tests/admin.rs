//! The client's Admin against a real broker: calls that no command makes, or not in this way.

mod support;

use std::collections::BTreeMap;

use client::admin::{
    ClusterQuery, ConfigChange, ConfigResource, ConfigSource, Election, Endpoints, FeatureChange,
    FeatureUpdate, GroupFilter, Leaver, NewTopic, OffsetSpec,
};
use client::config::IsolationLevel;
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, Error, ErrorCode, Offset, Producer,
    ProducerConfig, ProducerRecord, TopicPartition,
};
use kernel::{NodeId, Uuid};
use support::Broker;
use support::node::is_ours;
use tokio::time::{Duration, Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(60);

async fn connect(broker: &Broker) -> (Client, Admin) {
    let client = Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there");
    let admin = Admin::new(&client);
    (client, admin)
}

/// Makes the topic `t`, with a record in partition 0.
async fn topic(client: &Client, partitions: i32) {
    let topic = NewTopic { partitions: Some(partitions), ..NewTopic::new("t") };
    Admin::new(client).create_topic(&topic, false).await.expect("the topic is new");
    let producer = Producer::new(client, ProducerConfig::default()).expect("the defaults work");
    let record = ProducerRecord::new("t").value("1").partition(0);
    producer.send(record).await.expect("there is room").await.expect("it is written");
    producer.close().await.expect("everything is written");
}

fn t(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<ErrorCode> {
    result.expect_err("it is refused").code()
}

#[tokio::test]
async fn topics_are_described_with_who_could_lead_them() {
    let broker = Broker::start("admin-partitions");
    let (client, admin) = connect(&broker).await;
    topic(&client, 3).await;
    let described = admin.describe_topic_partitions(Some(&["t", "nowhere"])).await.expect("it is served");
    let told = described.get("t").and_then(|told| told.as_ref().ok()).expect("it is there");
    assert_eq!(Some(told.id), admin.describe_topic("t").await.ok().map(|topic| topic.id));
    assert_eq!(told.partitions.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    for one in told.partitions.values() {
        assert_eq!((one.partition.leader, &one.partition.isr), (Some(NodeId(1)), &vec![NodeId(1)]));
        assert!(one.eligible_leaders.as_ref().is_none_or(Vec::is_empty), "the only replica is in sync");
    }
    let missing = described.get("nowhere").and_then(|told| told.as_ref().err()).map(|error| error.code);
    assert_eq!(missing, Some(ErrorCode::UnknownTopicOrPartition));
    let all = admin.describe_topic_partitions(None).await.expect("it is served");
    assert!(all.contains_key("t") && !all.contains_key("nowhere"), "{all:?}");
}

#[tokio::test]
async fn replicas_are_named_by_hand_and_topics_are_deleted_by_id() {
    let broker = Broker::start("admin-replicas");
    let (_client, admin) = connect(&broker).await;
    let here = vec![NodeId(1)];
    let topic = NewTopic { replicas: vec![here.clone(), here.clone()], ..NewTopic::new("t") };
    let validated = admin.create_topic(&topic, true).await.map(|topic| (topic.id, topic.partitions));
    assert_eq!(validated, Ok((None, Some(2))));
    let created = admin.create_topic(&topic, false).await.expect("it is new");
    let described = admin.describe_topic("t").await.expect("it is there");
    assert_eq!((created.id, created.partitions), (Some(described.id), Some(2)));
    let elsewhere = NewTopic { replicas: vec![vec![NodeId(9)]], ..NewTopic::new("u") };
    let refused = code(admin.create_topic(&elsewhere, true).await);
    assert_eq!(refused, Some(ErrorCode::InvalidReplicaAssignment));
    let too_few = admin.create_partitions_on("t", 4, std::slice::from_ref(&here), false).await;
    assert_eq!(code(too_few), Some(ErrorCode::InvalidReplicaAssignment));
    admin.create_partitions_on("t", 3, &[here], false).await.expect("the broker is there");

    let deadline = Instant::now() + DEADLINE;
    let id = loop {
        let topic = admin.describe_topic("t").await.expect("it is there");
        if topic.partitions.len() == 3 {
            break topic.id;
        }
        assert!(Instant::now() < deadline, "the partition does not come: {topic:?}");
        sleep(Duration::from_millis(20)).await;
    };
    let unknown = admin.delete_topic_by_id(Uuid::from_bytes([9; 16])).await;
    assert_eq!(code(unknown), Some(ErrorCode::UnknownTopicId));
    admin.delete_topic_by_id(id).await.expect("it is there");
    assert_eq!(code(admin.delete_topic_by_id(id).await), Some(ErrorCode::UnknownTopicId));
    assert_eq!(code(admin.delete_topic("t").await), Some(ErrorCode::UnknownTopicOrPartition));
}

#[tokio::test]
async fn the_cluster_is_described_by_its_kinds_of_nodes() {
    let broker = Broker::start("admin-cluster");
    let (_client, admin) = connect(&broker).await;
    let described = admin.describe_cluster().await.expect("it is served");
    assert!(described.cluster_id.is_some() && described.fenced.is_empty(), "{described:?}");
    assert_eq!(described.brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(), [NodeId(1)]);
    assert_eq!(described.controller, Some(NodeId(1)));
    let fenced = ClusterQuery { fenced: true, ..ClusterQuery::default() };
    assert_eq!(admin.describe_cluster_as(fenced).await, Ok(described), "no broker is fenced");
    let controllers = ClusterQuery { endpoints: Endpoints::Controllers, ..ClusterQuery::default() };
    let wrong_place = code(admin.describe_cluster_as(controllers).await);
    assert_eq!(wrong_place, Some(ErrorCode::MismatchedEndpointType));

    let unknown = code(admin.unregister_broker(NodeId(99)).await);
    assert_eq!(unknown, Some(ErrorCode::BrokerIdNotRegistered));
    assert_eq!(admin.list_reassignments().await, Ok(BTreeMap::new()));
}

#[tokio::test]
async fn leaders_are_elected_where_there_is_another_one() {
    let broker = Broker::start("admin-election");
    let (client, admin) = connect(&broker).await;
    topic(&client, 1).await;
    for election in [Election::Preferred, Election::Unclean] {
        let elected = admin.elect_leaders(election, Some(&[t(0), t(7)])).await.expect("it is served");
        let codes: Vec<_> = elected.into_values().map(|told| told.err().map(|error| error.code)).collect();
        let expected = [ErrorCode::ElectionNotNeeded, ErrorCode::UnknownTopicOrPartition].map(Some);
        assert_eq!(codes, expected, "{election:?}");
        let all = admin.elect_leaders(election, None).await;
        assert_eq!(all, Ok(BTreeMap::new()), "{election:?}: all are left as they are");
    }
}

#[tokio::test]
async fn producers_of_a_partition_are_told() {
    let broker = Broker::start("admin-producers");
    let (client, admin) = connect(&broker).await;
    topic(&client, 2).await;
    let described = admin.describe_producers(&[t(0), t(1)]).await.expect("the partitions are there");
    let [producer] = described.get(&t(0)).expect("it was asked for").as_slice() else {
        panic!("one has written: {described:?}")
    };
    assert_eq!((producer.epoch.0, producer.last_sequence, producer.transaction_start), (0, Some(0), None));
    assert!(producer.producer_id.0 >= 0 && producer.last_timestamp.is_some(), "{producer:?}");
    assert_eq!(described.get(&t(1)).map(Vec::len), Some(0), "nobody has written there");
    // A partition may be on its way, for as long as a call may take.
    let config =
        ClientConfig { default_api_timeout: Duration::from_secs(2), ..ClientConfig::new(&broker.bootstrap) };
    let admin = Admin::new(&Client::connect(config).await.expect("the broker is there"));
    let unknown = code(admin.describe_producers(&[t(9)]).await);
    assert_eq!(unknown, Some(ErrorCode::UnknownTopicOrPartition));
}

#[tokio::test]
async fn offsets_of_tiers_are_told_where_there_are_none() {
    let broker = Broker::start("admin-tiers");
    let (client, admin) = connect(&broker).await;
    topic(&client, 1).await;
    let offset = async |spec| {
        let listed = admin.list_offsets(&[(t(0), spec)], IsolationLevel::ReadUncommitted).await;
        listed.expect("the spec is served").get(&t(0)).expect("it was asked for").offset
    };
    assert_eq!(offset(OffsetSpec::EarliestLocal).await, Some(Offset(0)));
    assert_eq!(offset(OffsetSpec::LatestTiered).await, None);
    assert_eq!(offset(OffsetSpec::EarliestPendingUpload).await, None);
}

#[tokio::test]
async fn features_are_changed_as_far_as_the_change_may_go() {
    let broker = Broker::start("admin-features");
    let (_client, admin) = connect(&broker).await;
    let level = async |name| admin.describe_features().await.expect("they are told").level(name);
    let to = async |name: &str, level, allowed, validate_only| {
        let update = FeatureUpdate { name: name.to_owned(), level, allowed };
        admin.update_features(&[update], validate_only).await
    };
    let metadata = "metadata.version";
    let latest = level(metadata).await.expect("it is on");
    for (wanted, allowed) in [
        (latest - 1, FeatureChange::Upgrade),
        (latest - 1, FeatureChange::UnsafeDowngrade),
        (latest + 1, FeatureChange::SafeDowngrade),
        (latest + 50, FeatureChange::Upgrade),
    ] {
        let refused = code(to(metadata, wanted, allowed, true).await);
        assert_eq!(refused, Some(ErrorCode::InvalidUpdateVersion), "{wanted} by {allowed:?}");
    }
    to(metadata, latest, FeatureChange::Upgrade, false).await.expect("it stays as it is");
    assert_eq!(level(metadata).await, Some(latest));

    // Ours has no other feature that can go down and up again.
    if is_ours() {
        return;
    }
    let group = "group.version";
    to(group, 0, FeatureChange::UnsafeDowngrade, true).await.expect("it could be");
    assert_eq!(level(group).await, Some(1), "that was only asked");
    for (allowed, wanted) in [(FeatureChange::SafeDowngrade, 0), (FeatureChange::Upgrade, 1)] {
        to(group, wanted, allowed, false).await.expect("nothing is in its way");
        let deadline = Instant::now() + DEADLINE;
        while level(group).await != Some(wanted) {
            assert!(Instant::now() < deadline, "the brokers do not hear of {wanted}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn what_has_settings_is_listed_and_all_of_them_are_replaced() {
    let broker = Broker::start("admin-settings");
    let (client, admin) = connect(&broker).await;
    topic(&client, 1).await;
    let set = |name: &str, value: &str| ConfigChange::Set { name: name.to_owned(), value: value.to_owned() };
    let metrics = ConfigResource::ClientMetrics("m".to_owned());
    admin.alter_configs(&metrics, &[set("interval.ms", "1000")], false).await.expect("it can be");
    let group = ConfigResource::Group("g".to_owned());
    admin
        .alter_configs(&group, &[set("consumer.heartbeat.interval.ms", "6000")], false)
        .await
        .expect("it can be");
    let topic = ConfigResource::Topic("t".to_owned());
    let all = [&topic, &ConfigResource::Broker(NodeId(1)), &group, &metrics];
    let deadline = Instant::now() + DEADLINE;
    loop {
        let listed = admin.list_config_resources().await.expect("it is served");
        if all.iter().all(|resource| listed.contains(resource)) {
            break;
        }
        assert!(Instant::now() < deadline, "something is not listed: {listed:?}");
        sleep(Duration::from_millis(20)).await;
    }

    let own = async || {
        let entries = admin.describe_configs(&topic).await.expect("it is there");
        let own = entries.into_iter().filter(|entry| entry.source == ConfigSource::Topic);
        own.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect::<BTreeMap<_, _>>()
    };
    let first = [set("retention.ms", "5"), set("segment.bytes", "1048576")];
    admin.alter_configs(&topic, &first, false).await.expect("it can be");
    let wanted = [("retention.ms".to_owned(), "7".to_owned())];
    admin.replace_configs(&topic, &wanted, true).await.expect("it could be");
    admin.replace_configs(&topic, &wanted, false).await.expect("it can be");
    let deadline = Instant::now() + DEADLINE;
    while own().await != BTreeMap::from(wanted.clone()) {
        assert!(Instant::now() < deadline, "they are not replaced: {:?}", own().await);
        sleep(Duration::from_millis(20)).await;
    }
    let wrong = [("retention.mss".to_owned(), "7".to_owned())];
    let refused = code(admin.replace_configs(&topic, &wrong, false).await);
    assert_eq!(refused, Some(ErrorCode::InvalidConfig));
    assert_eq!(own().await, BTreeMap::from(wanted), "nothing is changed by what is refused");
}

#[tokio::test]
async fn members_are_removed_and_groups_are_selected() {
    let broker = Broker::start("admin-members");
    let (client, admin) = connect(&broker).await;
    topic(&client, 1).await;
    let config = ConsumerConfig { group_instance_id: Some("i".to_owned()), ..ConsumerConfig::group("g") };
    let mut consumer = Consumer::new(&client, config).expect("it works");
    consumer.subscribe(["t"]).expect("it has a group");
    let deadline = Instant::now() + DEADLINE;
    while !consumer.has_assignment() {
        assert!(Instant::now() < deadline, "the group does not settle");
        consumer.poll(Duration::from_millis(20)).await.expect("the group works");
    }
    let listed = async |states: &[&str], types: &[&str]| {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let filter = GroupFilter { states: words(states), types: words(types) };
        admin.list_groups_where(&filter).await.expect("it is served").len()
    };
    assert_eq!((listed(&["stable"], &["Classic"]).await, listed(&["Empty"], &[]).await), (1, 0));
    assert_eq!((listed(&[], &["consumer"]).await, listed(&[], &[]).await), (0, 1));
    let coordinator = admin.group_coordinator("g").await.expect("there is one");
    let address = format!("{}:{}", coordinator.host, coordinator.port);
    assert_eq!((coordinator.id, address), (NodeId(1), broker.bootstrap.clone()));

    let leavers = [Leaver::Id("nobody".to_owned()), Leaver::Instance("i".to_owned())];
    let left = admin.remove_members("g", &leavers, "it is in the way").await.expect("the group is there");
    let codes: Vec<_> = left.into_iter().map(|told| told.err().map(|error| error.code)).collect();
    assert_eq!(codes, [Some(ErrorCode::UnknownMemberId), None]);
    let state = admin.describe_group("g").await.expect("it is there");
    assert_eq!((state.state.as_str(), state.members.len()), ("Empty", 0));
    let gone = admin.remove_members("g", &leavers[1..], "").await.expect("the group is there");
    let codes: Vec<_> = gone.into_iter().map(|told| told.err().map(|error| error.code)).collect();
    assert_eq!(codes, [Some(ErrorCode::UnknownMemberId)]);
}

#[tokio::test]
async fn directories_are_told_of_the_partitions_that_are_asked_for() {
    let broker = Broker::start("admin-dirs");
    let (client, admin) = connect(&broker).await;
    topic(&client, 2).await;
    let dirs = admin.describe_log_dirs_of(NodeId(1), &[t(0)]).await.expect("the broker is there");
    let replicas: Vec<_> = dirs.into_iter().flat_map(|dir| dir.replicas).collect();
    let [(name, replica)] = replicas.as_slice() else { panic!("one was asked for: {replicas:?}") };
    assert!(*name == t(0) && replica.size_bytes > 0 && !replica.future, "{replicas:?}");
}
