//! The listener of the controller, for whoever administers a cluster without its brokers (KIP-919).

use kernel::{ErrorCode, Uuid};
use metadata::controller::Decision;
use metadata::{MetadataRecord, MetadataVersion};
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::assign_replicas_to_dirs_request as assign;
use wire::messages::describe_cluster_request::DescribeClusterRequest;
use wire::messages::describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData};
use wire::messages::metadata_request::MetadataRequest;
use wire::records::feature_level_record::FeatureLevelRecord;

use super::topics::{create, topic};
use crate::support::{Client, TestNode};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn start(name: &str) -> (TestNode, Client) {
    let listeners = "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0";
    let node = TestNode::start_with(name, &[listeners, "controller.listener.names=CONTROLLER"]);
    let controller = Client::connect(node.address_of("CONTROLLER"));
    (node, controller)
}

fn of_type(endpoint_type: i8) -> DescribeClusterRequest {
    DescribeClusterRequest { endpoint_type, ..DescribeClusterRequest::default() }
}

#[test]
fn a_controller_tells_where_controllers_are_and_a_broker_where_brokers_are() {
    let (node, mut controller) = start("controllers-where");
    for (client, listener, own, other) in [
        (&mut controller, "CONTROLLER", CONTROLLERS, BROKERS),
        (&mut node.client(), "PLAINTEXT", BROKERS, CONTROLLERS),
    ] {
        for version in 1..=2 {
            let told = client.call(version, &of_type(own));
            assert_eq!((told.error_code, told.controller_id, told.endpoint_type), (0, 1, own));
            let [one] = told.brokers.as_slice() else { panic!("one node: {:?}", told.brokers) };
            assert_eq!((one.broker_id, one.port), (1, i32::from(node.address_of(listener).port())));
            let refused = client.call(version, &of_type(other));
            assert_eq!(refused.error_code, ErrorCode::MismatchedEndpointType.code());
        }
    }
    // Version 0 knows brokers only, and no better code.
    assert_eq!(controller.call(0, &of_type(BROKERS)).error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn the_quorum_tells_where_its_voters_are_reached() {
    let (node, mut controller) = start("controllers-quorum");
    let topics = vec![TopicData {
        topic_name: "__cluster_metadata".into(),
        partitions: vec![PartitionData { partition_index: 0 }],
    }];
    let told = controller.call(2, &DescribeQuorumRequest { topics });
    let listeners = &told.nodes[0].listeners;
    assert_eq!(listeners.len(), 1);
    assert_eq!(
        (listeners[0].name.as_str(), listeners[0].port),
        ("CONTROLLER", node.address_of("CONTROLLER").port())
    );
}

#[test]
fn a_topic_is_created_through_the_controller_and_found_through_the_broker() {
    let (node, mut controller) = start("controllers-create");
    assert_eq!(create(&mut controller, vec![topic("t", 2)]).topics[0].error_code, 0);
    assert_eq!(node.client().topics(&["t"]).topics[0].partitions.len(), 2);
}

#[test]
fn a_controller_neither_announces_nor_answers_what_brokers_do() {
    let (_node, mut controller) = start("controllers-apis");
    let told = controller.call(0, &ApiVersionsRequest::default());
    let keys: Vec<i16> = told.api_keys.iter().map(|api| api.api_key).collect();
    assert!(keys.contains(&60) && keys.contains(&19));
    assert!(!keys.contains(&0) && !keys.contains(&1) && !keys.contains(&3), "{keys:?}");
    let sent = controller.send(12, &MetadataRequest::default());
    assert!(controller.try_receive(sent).is_none(), "the connection is closed");
}

#[test]
fn brokers_tell_the_controller_where_replicas_are() {
    let (node, mut controller) = start("controllers-assign");
    let topic_id = create(&mut controller, vec![topic("t", 2)]).topics[0].topic_id;
    let broker_epoch = node.node().image().broker(kernel::NodeId(1)).expect("it is registered").epoch;
    let (there, unknown) = (node.node().dirs.iter().next().expect("one").id, Uuid::from_bytes([7; 16]));
    let partition = |partition_index| assign::PartitionData { partition_index };
    let asked = |id, topic_id, partitions: &[i32]| assign::DirectoryData {
        id,
        topics: vec![assign::TopicData {
            topic_id,
            partitions: partitions.iter().copied().map(partition).collect(),
        }],
    };
    let request = assign::AssignReplicasToDirsRequest {
        broker_id: 1,
        broker_epoch,
        directories: vec![asked(there, topic_id, &[1, 2]), asked(there, unknown, &[0])],
    };
    let told = controller.call(0, &request);
    assert_eq!((told.error_code, told.directories.len()), (0, 2));
    let codes = told.directories.iter().map(|dir| {
        assert_eq!(dir.id, there);
        let partitions = dir.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|one| (one.partition_index, one.error_code)).collect::<Vec<_>>()
    });
    let (missing, no_topic) = (ErrorCode::UnknownTopicOrPartition.code(), ErrorCode::UnknownTopicId.code());
    assert_eq!(codes.collect::<Vec<_>>(), [vec![(1, 0), (2, missing)], vec![(0, no_topic)]]);
    let stale = assign::AssignReplicasToDirsRequest { broker_epoch: broker_epoch + 1, ..request.clone() };
    let refused = controller.call(0, &stale);
    assert_eq!((refused.error_code, refused.directories.len()), (ErrorCode::StaleBrokerEpoch.code(), 0));
    // Clients have no business with that.
    let mut client = node.client();
    let sent = client.send(0, &request);
    assert!(client.try_receive(sent).is_none(), "the connection is closed");
}

#[test]
fn a_cluster_that_is_too_old_to_know_its_controllers_says_so() {
    let (node, mut controller) = start("controllers-old");
    let level = FeatureLevelRecord { name: MetadataVersion::FEATURE.into(), feature_level: 14 };
    let older = Decision::atomic([MetadataRecord::FeatureLevel(level)], ());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(node.node().change(|_, _| older)).unwrap();
    let told = controller.call(1, &of_type(CONTROLLERS));
    assert_eq!(told.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(node.client().call(1, &of_type(BROKERS)).error_code, 0);
}
