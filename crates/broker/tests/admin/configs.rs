//! Configurations: described, changed, in force, and still there after a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use broker::log_levels::LogControl;
use kernel::ErrorCode;
use wire::messages::alter_configs_request as legacy;
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::messages::list_config_resources_request::ListConfigResourcesRequest;

use super::topics::{create, topic};
use crate::support::{Client, TestNode};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn describe(client: &mut Client, kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.to_owned(),
            configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    client.call(4, &request).results.remove(0)
}

fn one(client: &mut Client, kind: i8, name: &str, key: &str) -> DescribeConfigsResourceResult {
    let mut result = describe(client, kind, name, Some(&[key]));
    assert_eq!((result.error_code, result.configs.len()), (0, 1), "{key}: {:?}", result.error_message);
    result.configs.remove(0)
}

fn value(client: &mut Client, kind: i8, name: &str, key: &str) -> (String, i8) {
    let config = one(client, kind, name, key);
    (config.value.expect("it has a value"), config.config_source)
}

/// An option's name, what to do with it, and the value.
type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource(kind: i8, name: &str, changes: &[Change<'_>]) -> AlterConfigsResource {
    let configs = changes.iter().map(|(name, config_operation, value)| AlterableConfig {
        name: (*name).to_owned(),
        config_operation: *config_operation,
        value: value.map(str::to_owned),
    });
    AlterConfigsResource { resource_type: kind, resource_name: name.to_owned(), configs: configs.collect() }
}

fn alter(client: &mut Client, resources: Vec<AlterConfigsResource>) -> Vec<ErrorCode> {
    let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
    let responses = client.call(1, &request).responses;
    let code = |code: i16| ErrorCode::from_code(code).expect("a known code");
    for one in &responses {
        assert_eq!(one.error_message.is_some(), one.error_code != 0, "{one:?}");
    }
    responses.iter().map(|one| code(one.error_code)).collect()
}

#[test]
fn a_topic_is_described_whole_with_sources_synonyms_types_and_texts() {
    let node = TestNode::start_with("describe-topic", &["log.retention.hours=2"]);
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1)]);
    alter(&mut client, vec![resource(TOPIC, "t", &[("segment.bytes", SET, Some("2000000"))])]);
    let all = describe(&mut client, TOPIC, "t", None);
    assert!(all.configs.len() >= 35, "{}", all.configs.len());
    assert!(all.configs.iter().all(|config| config.documentation.is_some() && config.config_type > 0));
    let retention = one(&mut client, TOPIC, "t", "retention.ms");
    // Kafka tells no source for what follows from another unit.
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("7200000"), 5));
    let segment = one(&mut client, TOPIC, "t", "segment.bytes");
    assert_eq!((segment.value.as_deref(), segment.config_source), (Some("2000000"), 1));
    let synonyms: Vec<_> =
        segment.synonyms.iter().map(|synonym| (synonym.name.as_str(), synonym.source)).collect();
    assert_eq!(synonyms, [("segment.bytes", 1), ("log.segment.bytes", 5)]);
    assert!(!segment.read_only && !segment.is_sensitive);
    for version in 1..=4 {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: TOPIC,
                resource_name: "t".into(),
                configuration_keys: Some(vec!["segment.bytes".into()]),
            }],
            ..DescribeConfigsRequest::default()
        };
        let config = client.call(version, &request).results.remove(0).configs.remove(0);
        assert_eq!((config.config_source, config.config_type), (1, if version < 3 { 0 } else { 3 }));
        let texts = config.documentation.unwrap_or_default();
        assert!(config.synonyms.is_empty() && texts.is_empty(), "they were not asked for");
    }
}

#[test]
fn what_cannot_be_described_is_refused_with_kafkas_codes() {
    let node = TestNode::start("describe-refused");
    let mut client = node.client();
    let mut code =
        |kind, name| ErrorCode::from_code(describe(&mut client, kind, name, None).error_code).unwrap();
    assert_eq!(code(TOPIC, "nope"), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code(TOPIC, "not valid"), ErrorCode::InvalidTopicException);
    assert_eq!(code(BROKER, "7"), ErrorCode::InvalidRequest);
    assert_eq!(code(BROKER, "one"), ErrorCode::InvalidRequest);
    assert_eq!(code(LOGGER, ""), ErrorCode::InvalidRequest);
    assert_eq!(code(GROUP, ""), ErrorCode::InvalidRequest);
    assert_eq!(code(METRICS, ""), ErrorCode::InvalidRequest);
    assert_eq!(code(77, "x"), ErrorCode::InvalidRequest);
    assert_eq!(code(BROKER, "1"), ErrorCode::None);
    assert_eq!(code(BROKER, ""), ErrorCode::None);
    assert_eq!(code(GROUP, "any"), ErrorCode::None);
    assert_eq!(code(METRICS, "any"), ErrorCode::None);
}

#[test]
fn a_description_that_goes_well_has_an_empty_message() {
    let node = TestNode::start("describe-well");
    let mut client = node.client();
    assert_eq!(describe(&mut client, BROKER, "1", None).error_message.as_deref(), Some(""));
}

#[test]
fn passwords_are_never_told() {
    let node = TestNode::start_with("describe-password", &["ssl.key.password=hush"]);
    let mut client = node.client();
    let config = one(&mut client, BROKER, "1", "ssl.key.password");
    assert!(config.is_sensitive && config.value.is_none());
    assert!(config.synonyms.iter().all(|synonym| synonym.value.is_none()));
    let read_only = one(&mut client, BROKER, "1", "node.id");
    assert!(read_only.read_only && read_only.value.as_deref() == Some("1"));
}

#[test]
fn values_are_set_deleted_appended_and_subtracted() {
    let node = TestNode::start("alter-topic");
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1)]);
    let mut change = |op, given: Option<&str>| {
        let codes = alter(&mut client, vec![resource(TOPIC, "t", &[("cleanup.policy", op, given)])]);
        assert_eq!(codes, [ErrorCode::None]);
        value(&mut client, TOPIC, "t", "cleanup.policy")
    };
    assert_eq!(change(APPEND, Some("compact")), ("delete,compact".into(), 1));
    assert_eq!(change(APPEND, Some("compact")), ("delete,compact".into(), 1));
    assert_eq!(change(SUBTRACT, Some("delete")), ("compact".into(), 1));
    assert_eq!(change(SET, Some("delete")), ("delete".into(), 1));
    assert_eq!(change(DELETE, None), ("delete".into(), 5));
}

/// The error, and each resource of these types that has configs, by type and name.
fn list(client: &mut Client, version: i16, types: &[i8]) -> (i16, Vec<(i8, String)>) {
    let request = ListConfigResourcesRequest { resource_types: types.to_vec() };
    let listed = client.call(version, &request);
    let named = listed.config_resources.into_iter().map(|one| (one.resource_type, one.resource_name));
    (listed.error_code, named.collect())
}

#[test]
fn each_resource_of_a_request_is_judged_by_itself() {
    let node = TestNode::start("alter-each");
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1), topic("u", 1)]);
    let retention = |given| [("retention.ms", SET, given)];
    let codes = alter(
        &mut client,
        vec![
            resource(TOPIC, "t", &retention(Some("1000"))),
            resource(TOPIC, "nope", &retention(Some("1000"))),
            resource(TOPIC, "u", &retention(Some("soon"))),
            resource(BROKER, "9", &[("log.retention.ms", SET, Some("1"))]),
            resource(BROKER, "1", &[("node.id", SET, Some("2"))]),
            resource(LOGGER, "1", &[("root", SET, Some("DEBUG"))]),
            resource(77, "x", &retention(Some("1"))),
            resource(GROUP, "g", &[("consumer.session.timeout.ms", SET, Some("50000"))]),
            resource(METRICS, "m", &[("interval.ms", SET, Some("60000"))]),
        ],
    );
    assert_eq!(
        codes,
        [
            ErrorCode::None,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::InvalidConfig,
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidConfig,
            ErrorCode::InvalidRequest,
            ErrorCode::None,
            ErrorCode::None,
        ]
    );
    let twice = alter(
        &mut client,
        vec![
            resource(TOPIC, "t", &retention(Some("1"))),
            resource(TOPIC, "u", &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)]),
            resource(TOPIC, "t", &retention(Some("2"))),
        ],
    );
    assert_eq!(twice, [ErrorCode::InvalidRequest; 3]);
    assert_eq!(alter(&mut client, vec![resource(TOPIC, "t", &retention(None))]), [ErrorCode::InvalidRequest]);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("1000".into(), 1));
    let dry = IncrementalAlterConfigsRequest {
        resources: vec![resource(TOPIC, "t", &retention(Some("3")))],
        validate_only: true,
    };
    assert_eq!(client.call(0, &dry).responses[0].error_code, 0);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("1000".into(), 1));
    let named = |kind, name: &str| (kind, name.to_owned());
    assert_eq!(list(&mut client, 0, &[]), (0, vec![named(METRICS, "m")]));
    assert_eq!(
        list(&mut client, 1, &[]).1,
        [
            named(GROUP, "g"),
            named(METRICS, "m"),
            named(LOGGER, "1"),
            named(BROKER, "1"),
            named(TOPIC, "t"),
            named(TOPIC, "u"),
        ]
    );
    assert_eq!(list(&mut client, 1, &[GROUP]).1, [named(GROUP, "g")]);
    assert_eq!(list(&mut client, 1, &[1]).0, ErrorCode::UnsupportedVersion.code());
}

#[test]
fn the_older_request_replaces_all_that_is_set() {
    let node = TestNode::start("alter-legacy");
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1)]);
    let mut replace = |version, kind, name: &str, configs: &[(&str, &str)]| {
        let configs = configs.iter().map(|(name, value)| legacy::AlterableConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        });
        let resources = vec![legacy::AlterConfigsResource {
            resource_type: kind,
            resource_name: name.to_owned(),
            configs: configs.collect(),
        }];
        let request = legacy::AlterConfigsRequest { resources, validate_only: false };
        ErrorCode::from_code(client.call(version, &request).responses[0].error_code).unwrap()
    };
    assert_eq!(replace(0, TOPIC, "t", &[("retention.ms", "5"), ("segment.ms", "6")]), ErrorCode::None);
    assert_eq!(replace(1, TOPIC, "t", &[("segment.ms", "7")]), ErrorCode::None);
    assert_eq!(replace(2, LOGGER, "1", &[("root", "DEBUG")]), ErrorCode::InvalidRequest);
    assert_eq!(replace(2, BROKER, "3", &[]), ErrorCode::InvalidRequest);
    assert_eq!(value(&mut client, TOPIC, "t", "segment.ms"), ("7".into(), 1));
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").1, 5);
}

#[test]
fn dynamic_options_of_brokers_count_at_once_and_after_a_restart() {
    let mut node = TestNode::start_with("dynamic-broker", &["log.retention.ms=1000"]);
    let mut client = node.client();
    create(&mut client, vec![topic("t", 1)]);
    let codes = alter(
        &mut client,
        vec![
            resource(
                BROKER,
                "",
                &[
                    ("log.retention.ms", SET, Some("2000")),
                    ("message.max.bytes", SET, Some("4321")),
                    ("max.connections.per.ip", SET, Some("50")),
                ],
            ),
            resource(BROKER, "1", &[("log.retention.ms", SET, Some("3000"))]),
        ],
    );
    assert_eq!(codes, [ErrorCode::None; 2]);
    for restarted in [false, true] {
        if restarted {
            node.kill();
            node.restart();
            client = node.client();
        }
        assert_eq!(value(&mut client, BROKER, "1", "log.retention.ms"), ("3000".into(), 2));
        assert_eq!(value(&mut client, BROKER, "", "log.retention.ms"), ("2000".into(), 3));
        let synonyms = one(&mut client, TOPIC, "t", "retention.ms").synonyms;
        let sources: Vec<_> = synonyms.iter().map(|one| (one.value.as_deref(), one.source)).collect();
        assert_eq!(sources[..3], [(Some("3000"), 2), (Some("2000"), 3), (Some("1000"), 4)]);
        assert_eq!(value(&mut client, TOPIC, "t", "max.message.bytes"), ("4321".into(), 3));
        let partition = node.node().hosted.partition("t", 0).unwrap();
        assert_eq!(partition.log().config().retention_ms, 3000, "restarted: {restarted}");
        assert_eq!(partition.rules().max_message_bytes, 4321);
        assert_eq!(node.node().config().network.max_connections_per_ip, 50);
    }
    alter(
        &mut client,
        vec![
            resource(BROKER, "1", &[("log.retention.ms", DELETE, None)]),
            resource(BROKER, "", &[("message.max.bytes", DELETE, None)]),
        ],
    );
    let partition = node.node().hosted.partition("t", 0).unwrap();
    assert_eq!(partition.log().config().retention_ms, 2000);
    assert_eq!(partition.rules().max_message_bytes, 1_048_588);
    assert_eq!(describe(&mut client, BROKER, "", None).configs.len(), 2);
}

#[test]
fn a_short_request_cannot_ask_for_an_endless_answer() {
    let node = TestNode::start("describe-much");
    let mut client = node.client();
    let resources = (0..20_000).map(|number| DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: format!("{number}"),
        configuration_keys: None,
    });
    let request = DescribeConfigsRequest {
        resources: resources.collect(),
        include_synonyms: true,
        include_documentation: true,
    };
    let results = client.call(4, &request).results;
    assert_eq!(results.len(), 20_000);
    assert_eq!(results[0].error_code, 0);
    assert_eq!(results[19_999].error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn a_limit_of_connections_counts_from_the_moment_it_is_set() {
    let node = TestNode::start("dynamic-connections");
    let mut client = node.client();
    let limit = |value| vec![resource(BROKER, "", &[("max.connections.per.ip", SET, Some(value))])];
    assert_eq!(alter(&mut client, limit("2")), [ErrorCode::None]);
    let mut second = node.client();
    assert_eq!(second.call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert!(node.client().frame().is_err(), "the third is closed");
    assert_eq!(alter(&mut client, limit("3")), [ErrorCode::None]);
    assert_eq!(node.client().call(0, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn a_listener_has_a_limit_of_its_own() {
    let node = TestNode::start("dynamic-listener");
    let mut client = node.client();
    let limit = |name| vec![resource(BROKER, "1", &[(name, SET, Some("1"))])];
    assert_eq!(alter(&mut client, limit("listener.name.other.max.connections")), [ErrorCode::None]);
    let mut second = node.client();
    assert_eq!(second.call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert_eq!(alter(&mut client, limit("listener.name.plaintext.max.connections")), [ErrorCode::None]);
    assert!(node.client().frame().is_err(), "two are there already");
    assert_eq!(second.call(0, &ApiVersionsRequest::default()).error_code, 0, "those stay");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is tested is time")]
fn connections_come_at_the_rate_that_was_set() {
    let node = TestNode::start("dynamic-rate");
    let mut client = node.client();
    let rate = vec![resource(BROKER, "", &[("max.connection.creation.rate", SET, Some("10"))])];
    assert_eq!(alter(&mut client, rate), [ErrorCode::None]);
    let began = std::time::Instant::now();
    for _ in 0..11 {
        assert_eq!(node.client().call(0, &ApiVersionsRequest::default()).error_code, 0);
    }
    let took = began.elapsed().as_millis();
    assert!(took >= 1000, "eleven connections need ten tenths of a second: {took} ms");
}

#[test]
fn what_needs_a_restart_is_refused_in_kafkas_words_and_said_to_be_read_only() {
    let node = TestNode::start("alter-restart");
    let mut client = node.client();
    let listeners =
        [("listeners", "PLAINTEXT://127.0.0.1:0"), ("listener.security.protocol.map", "A:PLAINTEXT")];
    for (name, wanted) in [listeners[0], listeners[1], ("num.partitions", "2")] {
        let words = format!("Cannot update these configs dynamically: [{name}]");
        let request = IncrementalAlterConfigsRequest {
            resources: vec![resource(BROKER, "1", &[(name, SET, Some(wanted))])],
            validate_only: false,
        };
        let told = client.call(1, &request).responses.remove(0);
        assert_eq!((told.error_code, told.error_message.as_deref()), (42, Some(words.as_str())));
        let older = legacy::AlterConfigsRequest {
            resources: vec![legacy::AlterConfigsResource {
                resource_type: BROKER,
                resource_name: "1".to_owned(),
                configs: vec![legacy::AlterableConfig {
                    name: name.to_owned(),
                    value: Some(wanted.to_owned()),
                }],
            }],
            validate_only: false,
        };
        let told = client.call(2, &older).responses.remove(0);
        assert_eq!((told.error_code, told.error_message.as_deref()), (42, Some(words.as_str())));
        assert!(one(&mut client, BROKER, "1", name).read_only, "{name}");
    }
    assert!(!one(&mut client, BROKER, "1", "num.io.threads").read_only);
    assert_eq!(describe(&mut client, BROKER, "", None).configs.len(), 0, "nothing was stored");
}

/// Loggers that remember what was asked of them.
#[derive(Default)]
struct Loggers(Mutex<BTreeMap<String, &'static str>>);

impl LogControl for Loggers {
    fn levels(&self) -> BTreeMap<String, &'static str> {
        self.0.lock().unwrap().clone()
    }

    fn exists(&self, logger: &str) -> bool {
        matches!(logger, "root" | "broker")
    }

    fn set(&self, logger: &str, level: Option<&'static str>) -> Result<(), String> {
        let mut levels = self.0.lock().unwrap();
        match level {
            Some(level) => drop(levels.insert(logger.to_owned(), level)),
            None => drop(levels.remove(logger)),
        }
        Ok(())
    }
}

#[test]
fn log_levels_are_seen_and_changed() {
    let node = TestNode::start("loggers");
    let mut client = node.client();
    assert!(describe(&mut client, LOGGER, "1", None).configs.is_empty(), "nobody offers any");
    node.node().log_levels().offer(Arc::new(Loggers::default()));
    let mut change = |changes: &[Change<'_>]| {
        let code = alter(&mut client, vec![resource(LOGGER, "1", changes)])[0];
        let levels = describe(&mut client, LOGGER, "1", None).configs;
        assert!(levels.iter().all(|level| level.config_source == 6 && !level.read_only));
        (code, levels.into_iter().map(|level| format!("{}={}", level.name, level.value.unwrap())).collect())
    };
    let levels = |levels: &[&str]| levels.iter().map(|&level| level.to_owned()).collect::<Vec<_>>();
    let set = change(&[("root", SET, Some("WARN")), ("broker", SET, Some("TRACE"))]);
    assert_eq!(set, (ErrorCode::None, levels(&["broker=TRACE", "root=WARN"])));
    let refused: [(&[Change<'_>], ErrorCode); 6] = [
        (&[("broker", SET, Some("INFO")), ("nobody", SET, Some("INFO"))], ErrorCode::InvalidConfig),
        (&[("broker", SET, Some("LOUD"))], ErrorCode::InvalidConfig),
        (&[("broker", SET, None)], ErrorCode::InvalidRequest),
        (&[("broker", APPEND, Some("INFO"))], ErrorCode::InvalidRequest),
        (&[("broker", SET, Some("INFO")), ("broker", DELETE, None)], ErrorCode::InvalidRequest),
        (&[("root", DELETE, None)], ErrorCode::InvalidRequest),
    ];
    for (changes, code) in refused {
        assert_eq!(change(changes), (code, levels(&["broker=TRACE", "root=WARN"])), "all or none");
    }
    assert_eq!(change(&[("broker", DELETE, None)]), (ErrorCode::None, levels(&["root=WARN"])));
}
