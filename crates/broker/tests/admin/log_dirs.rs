//! Several log directories, and such as are closed to new replicas.

use std::collections::BTreeMap;

use kernel::ErrorCode;
use wire::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use wire::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::topics::{create, topic};
use crate::support::{Client, TestNode};

/// The paths of two directories.
fn two(name: &str) -> [String; 2] {
    ["a", "b"].map(|dir| TestNode::dir_of(name).join(dir).display().to_string())
}

fn start(name: &str, more: &[&str]) -> TestNode {
    let dirs = format!("log.dirs={}", two(name).join(","));
    let metadata = format!("metadata.log.dir={}", two(name)[0]);
    TestNode::start_with(name, &[&[dirs.as_str(), &metadata], more].concat())
}

/// Each directory: how many partitions it has, and whether it is closed to new ones.
fn dirs(client: &mut Client) -> BTreeMap<String, (usize, bool)> {
    let told = client.call(5, &DescribeLogDirsRequest { topics: None });
    let dirs = told.results.into_iter().map(|dir| {
        let partitions = dir.topics.iter().map(|topic| topic.partitions.len()).sum();
        (dir.log_dir, (partitions, dir.is_cordoned))
    });
    dirs.collect()
}

fn created(client: &mut Client, name: &str, partitions: i32) -> ErrorCode {
    let told = create(client, vec![topic(name, partitions)]).topics.remove(0);
    ErrorCode::from_code(told.error_code).expect("a known code")
}

fn grown(client: &mut Client, name: &str, count: i32) -> ErrorCode {
    let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
    let request = CreatePartitionsRequest {
        topics: vec![topic],
        timeout_ms: 5000,
        ..CreatePartitionsRequest::default()
    };
    ErrorCode::from_code(client.call(3, &request).results.remove(0).error_code).expect("a known code")
}

fn cordon(client: &mut Client, value: &str) -> ErrorCode {
    let config = AlterableConfig {
        name: "cordoned.log.dirs".to_owned(),
        config_operation: 0,
        value: Some(value.to_owned()),
    };
    let resource =
        AlterConfigsResource { resource_type: 4, resource_name: "1".to_owned(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    ErrorCode::from_code(client.call(1, &request).responses.remove(0).error_code).expect("a known code")
}

#[test]
fn new_partitions_go_to_the_directory_with_the_fewest() {
    let node = start("dirs-fewest", &[]);
    let mut client = node.client();
    assert_eq!(created(&mut client, "t", 3), ErrorCode::None);
    assert_eq!(created(&mut client, "u", 3), ErrorCode::None);
    assert_eq!(dirs(&mut client).into_values().collect::<Vec<_>>(), [(3, false), (3, false)]);
}

#[test]
fn cordoned_directories_take_no_new_partition_until_they_are_opened_again() {
    let name = "dirs-cordoned";
    let [first, second] = two(name);
    let mut node = start(name, &[]);
    let mut client = node.client();
    assert_eq!(created(&mut client, "t", 2), ErrorCode::None);
    assert_eq!(cordon(&mut client, "/nowhere"), ErrorCode::InvalidRequest);

    assert_eq!(cordon(&mut client, &first), ErrorCode::None);
    assert_eq!(created(&mut client, "only-second", 3), ErrorCode::None);
    let expected = BTreeMap::from([(first.clone(), (1, true)), (second.clone(), (4, false))]);
    assert_eq!(dirs(&mut client), expected);

    assert_eq!(cordon(&mut client, &format!("{first},{second}")), ErrorCode::None);
    assert_eq!(created(&mut client, "none", 1), ErrorCode::InvalidReplicationFactor);
    assert_eq!(grown(&mut client, "t", 3), ErrorCode::InvalidReplicationFactor);
    drop(client);
    node.stop();
    node.restart();
    let mut client = node.client();
    assert_eq!(created(&mut client, "none", 1), ErrorCode::InvalidReplicationFactor);

    assert_eq!(cordon(&mut client, ""), ErrorCode::None);
    assert_eq!(created(&mut client, "none", 1), ErrorCode::None);
    assert_eq!(grown(&mut client, "t", 3), ErrorCode::None);
}

#[test]
fn directories_cordoned_by_the_nodes_file_are_known_from_the_start() {
    let node = start("dirs-cordoned-file", &["cordoned.log.dirs=*"]);
    let mut client = node.client();
    assert_eq!(created(&mut client, "t", 1), ErrorCode::InvalidReplicationFactor);
    assert_eq!(cordon(&mut client, ""), ErrorCode::None);
    assert_eq!(created(&mut client, "t", 1), ErrorCode::None);
}
