//! The cluster: its nodes, its quorum, its features, its leaders.

use kernel::ErrorCode;
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::describe_cluster_request::DescribeClusterRequest;
use wire::messages::describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData};
use wire::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::messages::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use wire::messages::unregister_broker_request::UnregisterBrokerRequest;
use wire::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};

use super::topics::{create, topic};
use crate::support::TestNode;

#[test]
fn the_cluster_is_described_at_every_version() {
    let node = TestNode::start_with("cluster", &["broker.rack=r1"]);
    let mut client = node.client();
    for version in 0..=2 {
        let request = DescribeClusterRequest {
            include_cluster_authorized_operations: version > 0,
            ..DescribeClusterRequest::default()
        };
        let told = client.call(version, &request);
        assert_eq!((told.error_code, told.error_message, told.controller_id), (0, None, 1));
        assert_eq!(told.cluster_id, *node.node().cluster_id);
        let [broker] = told.brokers.as_slice() else { panic!("one broker: {:?}", told.brokers) };
        assert_eq!((broker.broker_id, broker.port), (1, i32::from(node.address().port())));
        assert_eq!(broker.rack.as_deref(), Some("r1"));
        assert_eq!(told.cluster_authorized_operations == i32::MIN, version == 0);
    }
    let mut of_kind = |endpoint_type| {
        client
            .call(1, &DescribeClusterRequest { endpoint_type, ..DescribeClusterRequest::default() })
            .error_code
    };
    assert_eq!(of_kind(2), ErrorCode::MismatchedEndpointType.code());
    assert_eq!(of_kind(5), ErrorCode::UnsupportedEndpointType.code());
}

#[test]
fn a_lone_node_is_its_own_quorum() {
    let node = TestNode::start("quorum");
    let mut client = node.client();
    let ask = |name: &str, partition_index| DescribeQuorumRequest {
        topics: vec![TopicData {
            topic_name: name.into(),
            partitions: vec![PartitionData { partition_index }],
        }],
    };
    for version in 0..=2 {
        let told = client.call(version, &ask("__cluster_metadata", 0));
        let partition = &told.topics[0].partitions[0];
        assert_eq!((told.error_code, partition.error_code, partition.leader_id), (0, 0, 1));
        assert!(partition.leader_epoch > 0 && partition.high_watermark > 0);
        assert_eq!(partition.current_voters[0].log_end_offset, partition.high_watermark);
        assert!(partition.observers.is_empty());
        assert_eq!(partition.current_voters[0].last_fetch_timestamp > 0, version >= 1);
        assert_eq!(told.nodes.len(), usize::from(version >= 2));
    }
    for (name, partition) in [("t", 0), ("__cluster_metadata", 1)] {
        let told = client.call(2, &ask(name, partition));
        assert_eq!(told.error_message.as_deref(), Some(""));
        let partition = &told.topics[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::UnknownTopicOrPartition.code());
        assert!(partition.error_message.as_deref().is_some_and(|text| text.contains("does not host")));
    }
    let mut more = ask("__cluster_metadata", 0);
    more.topics.push(TopicData { topic_name: "t".into(), partitions: Vec::new() });
    let told = client.call(2, &more);
    assert_eq!(told.topics[0].partitions[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[test]
fn features_are_updated_all_or_none() {
    let mut node = TestNode::start("features");
    let mut client = node.client();
    let update = |feature: &str, level, upgrade_type, allow_downgrade| FeatureUpdateKey {
        feature: feature.into(),
        max_version_level: level,
        allow_downgrade,
        upgrade_type,
    };
    let request = |update, validate_only| UpdateFeaturesRequest {
        feature_updates: vec![update],
        validate_only,
        ..UpdateFeaturesRequest::default()
    };
    for version in 0..=2 {
        let same = client.call(version, &request(update("metadata.version", 33, 1, false), false));
        assert_eq!((same.error_code, same.results.len()), (0, usize::from(version < 2)), "v{version}");
        let mut told = same.results.iter().map(|one| (one.error_code, one.error_message.as_deref()));
        assert!(told.all(|told| told == (0, Some("NONE"))), "v{version}");
        let unserved = client.call(version, &request(update("share.version", 1, 1, false), false));
        assert_eq!(unserved.error_code, ErrorCode::InvalidUpdateVersion.code());
        assert!(unserved.error_message.is_some() && unserved.results.is_empty());
    }
    let nameless = client.call(2, &request(update("metadata.versoin", 0, 2, false), true));
    assert_eq!(
        nameless.error_code,
        ErrorCode::InvalidUpdateVersion.code(),
        "nothing is turned off by mistake"
    );
    let level = |node: &TestNode| node.node().image().features.level("metadata.version");
    // 33 brought records that 32 does not know, so that even a downgrade that was allowed would lose something.
    let down = client.call(0, &request(update("metadata.version", 20, 1, true), false));
    assert_eq!((down.error_code, level(&node)), (ErrorCode::InvalidUpdateVersion.code(), 33));
    node.kill();
    node.restart();
    let told = node.client().call(4, &versions_request(None, -1));
    assert_eq!(told.finalized_features.len(), 1);
    assert_eq!(told.finalized_features[0].max_version_level, 33);
}

#[test]
fn the_quorums_feature_is_told_and_raising_it_names_the_voters_for_good() {
    let mut node = TestNode::start_with(
        "features-quorum",
        &[
            "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "controller.listener.names=CONTROLLER",
            "controller.quorum.voters=1@localhost:9093",
        ],
    );
    let told = |node: &TestNode| {
        let told = node.client().call(4, &versions_request(None, -1));
        let range = told.supported_features.iter().find(|one| one.name == "kraft.version");
        let level = told.finalized_features.iter().find(|one| one.name == "kraft.version");
        let range = range.map(|one| (one.min_version, one.max_version));
        (range, level.map(|one| (one.min_version_level, one.max_version_level)))
    };
    assert_eq!(told(&node), (Some((0, 1)), None));
    let raise = |validate_only| UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: "kraft.version".into(),
            max_version_level: 1,
            upgrade_type: 1,
            ..FeatureUpdateKey::default()
        }],
        validate_only,
        ..UpdateFeaturesRequest::default()
    };
    let mut client = node.client();
    assert_eq!(client.call(1, &raise(true)).error_code, 0);
    assert_eq!(told(&node), (Some((0, 1)), None), "it was only asked whether it could be");
    for again in [false, true] {
        assert_eq!(client.call(1, &raise(false)).error_code, 0, "again: {again}");
        assert_eq!(told(&node), (Some((0, 1)), Some((1, 1))));
    }
    node.kill();
    node.restart();
    assert_eq!(told(&node), (Some((0, 1)), Some((1, 1))));
    let voters = node.node().image().quorum.voters().expect("the log names them").voters;
    assert_eq!(voters.iter().map(|voter| voter.voter_id).collect::<Vec<_>>(), [1]);
}

fn versions_request(cluster_id: Option<&str>, node_id: i32) -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "riverrun-test".into(),
        client_software_version: "0.1".into(),
        cluster_id: cluster_id.map(str::to_owned),
        node_id,
    }
}

#[test]
fn a_client_that_means_another_node_is_told_to_start_over() {
    let node = TestNode::start("another-node");
    let mut client = node.client();
    let own = node.node().cluster_id.to_string();
    let mut code = |cluster: Option<&str>, id| {
        let response = client.call(5, &versions_request(cluster, id));
        ErrorCode::from_code(response.error_code).unwrap()
    };
    assert_eq!(code(None, -1), ErrorCode::None);
    assert_eq!(code(Some(&own), 1), ErrorCode::None);
    assert_eq!(code(Some(&own), 2), ErrorCode::RebootstrapRequired);
    assert_eq!(code(Some("other"), 1), ErrorCode::RebootstrapRequired);
    assert_eq!(code(Some(&own), -1), ErrorCode::InvalidRequest);
    assert_eq!(code(None, 1), ErrorCode::InvalidRequest);
}

#[test]
fn elections_are_not_needed_where_everybody_leads_what_it_should() {
    let node = TestNode::start("elect");
    let mut client = node.client();
    create(&mut client, vec![topic("t", 2)]);
    let asked = TopicPartitions { topic: "t".into(), partitions: vec![0, 9] };
    for version in 0..=2 {
        let request = ElectLeadersRequest {
            topic_partitions: Some(vec![asked.clone()]),
            ..ElectLeadersRequest::default()
        };
        let told = client.call(version, &request);
        let results = &told.replica_election_results;
        let codes: Vec<_> =
            results[0].partition_result.iter().map(|one| (one.partition_id, one.error_code)).collect();
        let codes_wanted =
            [(0, ErrorCode::ElectionNotNeeded.code()), (9, ErrorCode::UnknownTopicOrPartition.code())];
        assert_eq!((results.len(), told.error_code, codes), (1, 0, codes_wanted.to_vec()));
    }
    let all =
        client.call(2, &ElectLeadersRequest { topic_partitions: None, ..ElectLeadersRequest::default() });
    let [quiet] = all.replica_election_results.as_slice() else { panic!("one topic: {all:?}") };
    assert!(quiet.partition_result.is_empty() && all.error_code == 0, "it is named, and nothing was elected");
    let unknown = ElectLeadersRequest {
        election_type: 9,
        topic_partitions: Some(vec![asked]),
        ..ElectLeadersRequest::default()
    };
    let told = client.call(2, &unknown);
    assert_eq!(told.error_code, ErrorCode::InvalidRequest.code());
    assert_eq!(told.replica_election_results[0].partition_result.len(), 2);
}

#[test]
fn nothing_is_reassigned_on_a_lone_node() {
    let node = TestNode::start("reassignments");
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1)]);
    let named = vec![ListPartitionReassignmentsTopics { name: "t".into(), partition_indexes: vec![0] }];
    for topics in [None, Some(named)] {
        let request =
            ListPartitionReassignmentsRequest { topics, ..ListPartitionReassignmentsRequest::default() };
        let told = client.call(0, &request);
        assert_eq!((told.error_code, told.error_message, told.topics.len()), (0, None, 0));
    }
}

#[test]
fn a_broker_that_is_gone_can_be_forgotten_and_the_one_that_answers_cannot() {
    let node = TestNode::start("unregister");
    let mut client = node.client();
    let mut code = |broker_id| client.call(0, &UnregisterBrokerRequest { broker_id }).error_code;
    assert_eq!(code(1), ErrorCode::InvalidRequest.code());
    assert_eq!(code(7), ErrorCode::BrokerIdNotRegistered.code());
    assert!(node.node().image().broker(kernel::NodeId(1)).is_some());
}
