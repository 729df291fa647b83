//! What we describe, beside what Apache Kafka 4.4.0 answered when it was configured the same.

use std::collections::BTreeMap;

use super::{options, overrides};
use crate::option::deviation::DEVIATIONS;
use crate::option::effect::RESTART;
use crate::option::{Described, Kind, NodeOptions, Source, synonym};

const SETTINGS: &str = include_str!("../testdata/described.properties");
const ANSWERS: &str = include_str!("../testdata/described.tsv");

/// The node that gave the answers.
fn node() -> NodeOptions {
    let cluster = [
        ("compression.type", "lz4"),
        ("leader.replication.throttled.rate", "77"),
        ("log.segment.bytes", "3000000"),
        // The controller sets this by itself while eligible leader replicas are on.
        ("min.insync.replicas", "1"),
    ];
    let own = [
        ("custom.thing", "q"),
        ("listener.name.plaintext.max.connections", "40"),
        ("log.flush.interval.ms", "1234567"),
        ("log.segment.bytes", "4000000"),
    ];
    let (node, warnings) = options(SETTINGS).with_dynamic(&overrides(&cluster), &overrides(&own));
    assert!(warnings.is_empty(), "{warnings:?}");
    node
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Topic => "DYNAMIC_TOPIC_CONFIG",
        Source::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        Source::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        Source::StaticBroker => "STATIC_BROKER_CONFIG",
        Source::Default => "DEFAULT_CONFIG",
        Source::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
        Source::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        Source::Group => "GROUP_CONFIG",
    }
}

fn kind(code: i8) -> &'static str {
    use Kind::*;
    let kinds = [Boolean, String, Int, Short, Long, Double, List, Class, Password];
    kinds.into_iter().find(|kind| kind.code() == code).map_or("UNKNOWN", Kind::name)
}

fn line(resource: &str, one: &Described) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "<null>".to_owned());
    let synonyms: Vec<String> =
        one.synonyms.iter().map(|s| format!("{}={}@{}", s.name, text(&s.value), source(s.source))).collect();
    [
        resource,
        &one.name,
        &text(&one.value),
        source(one.source),
        kind(one.kind_code),
        if one.is_sensitive { "sensitive" } else { "open" },
        if one.is_read_only { "ro" } else { "rw" },
        &synonyms.join(" "),
    ]
    .join("\t")
}

/// By resource and name.
fn keyed(lines: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    let key = |line: &String| line.split('\t').take(2).collect::<Vec<_>>().join(" ");
    lines.map(|line| (key(&line), line)).collect()
}

/// Whether our default is another one than Kafka's, so that the answers must differ.
fn deviates(name: &str) -> bool {
    let twins = synonym::twins_of_topic(name).map(|twin| twin.broker).unwrap_or_default();
    DEVIATIONS.iter().any(|one| one.option == name || twins.iter().any(|(twin, _)| *twin == one.option))
}

#[test]
fn we_describe_everything_as_kafka_does() {
    let node = node();
    let topic = overrides(&[
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "99"),
        ("segment.bytes", " 5000000"),
    ]);
    let group = overrides(&[("consumer.heartbeat.interval.ms", "6000")]);
    let answers = [
        ("TOPIC:t", node.describe_topic(&topic)),
        ("BROKER:1", node.describe_broker()),
        ("BROKER:", node.describe_cluster()),
        ("GROUP:g", node.describe_group(&group)),
        ("CLIENT_METRICS:m", node.describe_client_metrics(&overrides(&[("interval.ms", "1000")]))),
    ];
    let of_kafka = |one: &&Described| !super::declared::OWN.iter().any(|(_, own)| one.name == *own);
    let ours =
        answers.iter().flat_map(|(resource, all)| all.iter().filter(of_kafka).map(|one| line(resource, one)));
    let (ours, kafkas) =
        (keyed(ours), keyed(ANSWERS.lines().filter(|line| !line.starts_with('#')).map(str::to_owned)));
    assert_eq!(ours.keys().collect::<Vec<_>>(), kafkas.keys().collect::<Vec<_>>());
    for (key, kafka) in &kafkas {
        let name = key.split_once(' ').map_or("", |(_, name)| name);
        let ours_only = RESTART.iter().any(|(option, _)| *option == name);
        let kafka = if ours_only { &kafka.replace("\trw\t", "\tro\t") } else { kafka };
        assert!(deviates(name) || ours.get(key) == Some(kafka), "{key}\n{:?}\n{kafka:?}", ours.get(key));
    }
}
