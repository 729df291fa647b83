//! What is set while a node runs: descriptions, checks, effective values.

use super::{options, overrides};
use crate::option::log_settings::{Compression, TimestampType};
use crate::option::{Described, NodeOptions, Overrides, Source, Table};

fn find<'a>(all: &'a [Described], name: &str) -> &'a Described {
    all.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} is not described"))
}

/// The synonyms as `name=value@source`.
fn chain(described: &Described) -> Vec<String> {
    let text = |one: &crate::option::Synonym| {
        format!("{}={}@{:?}", one.name, one.value.as_deref().unwrap_or("-"), one.source)
    };
    described.synonyms.iter().map(text).collect()
}

fn running(text: &str, cluster: &[(&str, &str)], node: &[(&str, &str)]) -> NodeOptions {
    let (options, warnings) = options(text).with_dynamic(&overrides(cluster), &overrides(node));
    assert!(warnings.is_empty(), "{warnings:?}");
    options
}

#[test]
fn a_topic_is_described_with_every_public_option() {
    let all = options("").describe_topic(&Overrides::new());
    assert_eq!(all.len(), 38);
    assert!(all.iter().all(|one| !one.is_read_only && one.doc.is_some() && one.kind_code != 0));
    assert!(all.iter().all(Described::is_default));
    assert!(!all.iter().any(|one| one.name == "internal.segment.bytes"));
}

#[test]
fn the_synonyms_of_a_topic_option_go_from_the_topic_to_the_default() {
    let node = running(
        "log.segment.bytes=2000000",
        &[("log.segment.bytes", "3000000")],
        &[("log.segment.bytes", "4000000")],
    );
    let all = node.describe_topic(&overrides(&[("segment.bytes", " 5000000")]));
    let one = find(&all, "segment.bytes");
    assert_eq!((one.value.as_deref(), one.source), (Some("5000000"), Source::Topic));
    assert_eq!(
        chain(one),
        [
            "segment.bytes=5000000@Topic",
            "log.segment.bytes=4000000@DynamicBroker",
            "log.segment.bytes=3000000@DynamicDefaultBroker",
            "log.segment.bytes=2000000@StaticBroker",
            "log.segment.bytes=1073741824@Default",
        ]
    );
    let all = node.describe_topic(&Overrides::new());
    assert_eq!(find(&all, "segment.bytes").value.as_deref(), Some("4000000"));
    assert_eq!(find(&all, "segment.bytes").source, Source::DynamicBroker);
}

#[test]
fn hours_and_minutes_become_milliseconds() {
    let ms = |text: &str| options(text).log_settings(&Overrides::new()).retention_ms;
    assert_eq!(ms(""), 604_800_000);
    assert_eq!(ms("log.retention.hours=1"), 3_600_000);
    assert_eq!(ms("log.retention.hours=1\nlog.retention.minutes=2"), 120_000);
    assert_eq!(ms("log.retention.hours=1\nlog.retention.minutes=2\nlog.retention.ms=3"), 3);
    assert_eq!(ms("log.retention.hours=-1"), -1);
    let roll = options("log.roll.hours=2\nlog.roll.jitter.hours=1").log_settings(&Overrides::new());
    assert_eq!((roll.segment_ms, roll.segment_jitter_ms), (7_200_000, 3_600_000));
    let flush = options("log.flush.scheduler.interval.ms=5").log_settings(&Overrides::new());
    assert_eq!(flush.flush_ms, 5);
}

#[test]
fn what_is_set_in_hours_has_the_source_that_kafka_gives_it() {
    // Kafka looks for the synonym of the highest precedence only, and finds nothing of that name.
    let all = options("log.retention.hours=1").describe_topic(&Overrides::new());
    let one = find(&all, "retention.ms");
    assert_eq!((one.value.as_deref(), one.source), (Some("3600000"), Source::Default));
    assert!(one.synonyms.is_empty());
    let all = options("log.retention.ms=7\nlog.retention.hours=1").describe_topic(&Overrides::new());
    assert_eq!(
        chain(find(&all, "retention.ms")),
        [
            "log.retention.ms=7@StaticBroker",
            "log.retention.hours=1@StaticBroker",
            "log.retention.hours=168@Default"
        ]
    );
}

#[test]
fn a_dynamic_setting_displaces_the_static_one_in_any_unit() {
    let node = running("log.retention.minutes=2", &[("log.retention.ms", "9")], &[]);
    assert_eq!(node.log_settings(&Overrides::new()).retention_ms, 9);
    assert!(!node.effective().is_set("log.retention.minutes"));
}

#[test]
fn a_broker_is_described_with_every_public_option_and_what_was_written_besides() {
    let node = options(
        "my.plugin.secret=s3cret\nlistener.name.outside.ssl.key.password=p\ninternal.metadata.log.segment.bytes=9\n",
    );
    let all = node.describe_broker();
    let public =
        Table::Broker.rows().filter(|def| !def.internal && !crate::option::is_dynamic_only(def.name)).count();
    assert_eq!(all.len(), public + 3);
    let unknown = find(&all, "my.plugin.secret");
    assert_eq!(
        (unknown.value.as_deref(), unknown.source, unknown.kind_code),
        (None, Source::StaticBroker, 0)
    );
    assert!(unknown.is_sensitive && unknown.is_read_only && unknown.doc.is_none());
    let password = find(&all, "listener.name.outside.ssl.key.password");
    assert!(password.is_sensitive && password.value.is_none());
    assert_eq!(chain(password), ["listener.name.outside.ssl.key.password=-@StaticBroker"]);
    assert_eq!(find(&all, "internal.metadata.log.segment.bytes").value.as_deref(), Some("9"));
}

#[test]
fn a_broker_option_says_whether_it_can_change() {
    let all = options("").describe_broker();
    assert!(find(&all, "num.partitions").is_read_only);
    assert!(!find(&all, "log.segment.bytes").is_read_only);
    assert!(!find(&all, "cordoned.log.dirs").is_read_only);
    let listeners = find(&all, "listeners");
    assert_eq!(
        (listeners.value.as_deref(), listeners.source),
        (Some("PLAINTEXT://127.0.0.1:9092"), Source::Default)
    );
    assert!(find(&all, "log.retention.hours").synonyms.iter().any(|one| one.value.as_deref() == Some("168")));
}

#[test]
fn the_cluster_default_lists_what_is_set_there_and_nothing_else() {
    let node = running("log.cleaner.threads=1", &[("log.cleaner.threads", "2")], &[("max.connections", "5")]);
    let all = node.describe_cluster();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].source, Source::DynamicDefaultBroker);
    assert_eq!(chain(&all[0]), ["log.cleaner.threads=2@DynamicDefaultBroker"]);
}

#[test]
fn a_throttle_appears_when_it_is_set() {
    let node = running("", &[], &[("leader.replication.throttled.rate", "1000")]);
    let all = node.describe_broker();
    let one = find(&all, "leader.replication.throttled.rate");
    assert_eq!(
        (one.value.as_deref(), one.source, one.is_read_only),
        (Some("1000"), Source::DynamicBroker, false)
    );
}

#[test]
fn a_group_is_described_with_its_brokers_behind_it() {
    let node = options("group.consumer.session.timeout.ms=50000");
    let all = node.describe_group(&overrides(&[("consumer.heartbeat.interval.ms", "6000")]));
    assert_eq!(all.len(), 21);
    let session = find(&all, "consumer.session.timeout.ms");
    assert_eq!((session.value.as_deref(), session.source), (Some("50000"), Source::StaticBroker));
    let heartbeat = find(&all, "consumer.heartbeat.interval.ms");
    assert_eq!(
        chain(heartbeat),
        ["consumer.heartbeat.interval.ms=6000@Group", "group.consumer.heartbeat.interval.ms=5000@Default"]
    );
    assert_eq!(chain(find(&all, "share.auto.offset.reset")), ["share.auto.offset.reset=latest@Default"]);
    assert_eq!(find(&all, "streams.assignor.name").value.as_deref(), Some("sticky"));
}

#[test]
fn a_client_metrics_subscription_has_three_options() {
    let all = options("").describe_client_metrics(&overrides(&[("interval.ms", "1000")]));
    assert_eq!(all.len(), 3);
    assert_eq!(chain(find(&all, "interval.ms")), ["interval.ms=1000@ClientMetrics"]);
    assert!(find(&all, "metrics").synonyms.is_empty() && find(&all, "metrics").is_default());
}

fn topic_refusal(pairs: &[(&str, &str)]) -> String {
    options("").check_topic(&Overrides::new(), &overrides(pairs)).expect_err("refused").to_string()
}

#[test]
fn a_topic_takes_what_its_options_take() {
    let node = options("");
    let good = [("cleanup.policy", "compact,delete"), ("retention.ms", "-1"), ("compression.type", "zstd")];
    assert_eq!(node.check_topic(&Overrides::new(), &overrides(&good)), Ok(()));
    assert_eq!(topic_refusal(&[("log.segment.bytes", "1")]), "Unknown topic config name: log.segment.bytes");
    assert!(topic_refusal(&[("segment.bytes", "1")]).contains("Value must be at least 1048576"));
    assert!(topic_refusal(&[("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")]).contains("(5)"));
    assert!(topic_refusal(&[("remote.storage.enable", "true")]).contains("remote.log.storage.system.enable"));
    let throttled = [("leader.replication.throttled.replicas", "0:1,1:2")];
    assert_eq!(node.check_topic(&Overrides::new(), &overrides(&throttled)), Ok(()));
    assert!(
        topic_refusal(&[("leader.replication.throttled.replicas", "0:1,x")])
            .contains("must be the literal '*'")
    );
}

#[test]
fn remote_storage_is_not_switched_off_by_accident() {
    let node = options("remote.log.storage.system.enable=true");
    let on = overrides(&[("remote.storage.enable", "true")]);
    assert_eq!(node.check_topic(&Overrides::new(), &on), Ok(()));
    assert!(node.check_topic(&on, &Overrides::new()).is_err());
    assert_eq!(node.check_topic(&on, &overrides(&[("remote.log.delete.on.disable", "true")])), Ok(()));
    let too_local =
        overrides(&[("remote.storage.enable", "true"), ("retention.ms", "10"), ("local.retention.ms", "11")]);
    assert!(node.check_topic(&on, &too_local).is_err());
}

fn broker_refusal(pairs: &[(&str, &str)], per_broker: bool) -> String {
    options("").check_broker(&overrides(pairs), per_broker).expect_err("refused").to_string()
}

#[test]
fn brokers_change_only_what_can_change_and_only_where() {
    let node = options("");
    assert_eq!(node.check_broker(&overrides(&[("log.segment.bytes", "2000000")]), false), Ok(()));
    assert!(
        broker_refusal(&[("num.partitions", "2")], true)
            .starts_with("Cannot update these configs dynamically")
    );
    assert!(broker_refusal(&[("cordoned.log.dirs", "*")], false).contains("broker id must be specified"));
    assert!(broker_refusal(&[("ssl.keystore.location", "/k")], true).contains("listener prefix"));
    let of_listener = overrides(&[("listener.name.outside.ssl.keystore.location", "/k")]);
    assert_eq!(node.check_broker(&of_listener, true), Ok(()));
    assert!(node.check_broker(&of_listener, false).is_err());
    let connections = overrides(&[("listener.name.outside.max.connections", "5")]);
    assert_eq!(node.check_broker(&connections, false), Ok(()));
    assert!(broker_refusal(&[("listener.name.outside.max.connections", "-5")], false).contains("at least 0"));
    assert_eq!(node.check_broker(&overrides(&[("my.own.thing", "1")]), false), Ok(()));
}

#[test]
fn what_another_broker_has_stored_and_is_of_no_use_here_stands_in_the_way_of_no_change() {
    let stored = [("listeners", "PLAINTEXT://:9092"), ("log.segment.bytes", "2000000")];
    let (node, warnings) = options("").with_dynamic(&Overrides::new(), &overrides(&stored));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let with = |name: &'static str, value: &'static str| overrides(&[stored[0], (name, value)]);
    assert_eq!(node.check_broker(&with("log.segment.bytes", "3000000"), true), Ok(()));
    assert!(node.check_broker(&with("log.segment.bytes", "-3"), true).is_err(), "what is changed is checked");
    let other = overrides(&[("listeners", "PLAINTEXT://:9093")]);
    assert!(node.check_broker(&other, true).is_err(), "it may stay, and not become another");
    assert!(node.check_broker(&with("log.segment.bytes", "3000000"), false).is_err(), "it is one broker's");
}

#[test]
fn pools_of_threads_change_step_by_step() {
    let node = options("");
    assert_eq!(node.check_broker(&overrides(&[("num.io.threads", "16")]), true), Ok(()));
    assert!(
        broker_refusal(&[("num.io.threads", "17")], true).contains("greater than double the current value 8")
    );
    assert!(broker_refusal(&[("num.io.threads", "3")], true).contains("at least half the current value 8"));
}

#[test]
fn a_stored_setting_that_cannot_be_used_is_ignored_with_a_warning() {
    let stored =
        overrides(&[("log.segment.bytes", "many"), ("max.connections", "7"), ("num.partitions", "4")]);
    let (node, warnings) = options("").with_dynamic(&Overrides::new(), &stored);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(node.effective().number("max.connections"), 7);
    assert_eq!(node.effective().number("num.partitions"), 1);
    assert_eq!(node.log_settings(&Overrides::new()).segment_bytes, 1 << 30);
}

#[test]
fn groups_stay_within_the_bounds_of_the_brokers() {
    let node = options("");
    let check =
        |pairs: &[(&str, &str)]| node.check_group(&overrides(pairs)).map_err(|error| error.to_string());
    assert_eq!(check(&[("consumer.session.timeout.ms", "50000")]), Ok(()));
    assert_eq!(
        check(&[("consumer.session.timeout.ms", "70000")]),
        Err("consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.".to_owned())
    );
    assert!(check(&[("streams.num.standby.replicas", "3")]).is_err());
    assert!(check(&[("streams.task.offset.interval.ms", "10")]).is_err());
    assert!(check(&[("streams.assignor.name", "nobody")]).is_err());
    assert_eq!(check(&[("share.auto.offset.reset", "by_duration:PT1H")]), Ok(()));
    assert!(check(&[("share.auto.offset.reset", "by_duration:1h")]).is_err());
    assert!(check(&[("errors.deadletterqueue.topic.name", "__x")]).is_err());
    assert_eq!(check(&[("nonsense", "1")]), Err("Unknown group config name: nonsense".to_owned()));
}

#[test]
fn client_metrics_are_checked() {
    let node = options("");
    let check = |name: &str, value: &str| node.check_client_metrics(&overrides(&[(name, value)]));
    assert_eq!(check("match", "client_id=a.*,client_software_name=java"), Ok(()));
    assert!(check("match", "client=a").is_err());
    assert!(check("match", "client_id").is_err());
    assert!(check("interval.ms", "99").is_err());
    assert!(check("nonsense", "1").is_err());
}

#[test]
fn the_settings_of_a_log_are_typed() {
    let node = options("compression.type=lz4");
    let own = overrides(&[
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "LogAppendTime"),
        ("max.compaction.lag.ms", "1000"),
        ("internal.segment.bytes", "100"),
        ("flush.messages", "1"),
    ]);
    let log = node.log_settings(&own);
    assert_eq!((log.compact, log.delete, log.compression), (true, false, Compression::Lz4));
    assert_eq!(
        (log.timestamp_type, log.segment_bytes, log.flush_messages),
        (TimestampType::LogAppendTime, 100, 1)
    );
    assert_eq!(log.max_segment_ms(), 1_000);
    let plain = options("").log_settings(&Overrides::new());
    assert_eq!(
        (plain.compression, plain.max_message_bytes, plain.flush_ms),
        (Compression::Producer, 1_048_588, i64::MAX)
    );
    assert_eq!((plain.local_retention_ms, plain.local_retention_bytes), (604_800_000, -1));
    let forever = node.log_settings(&overrides(&[("cleanup.policy", "")]));
    assert_eq!((forever.compact, forever.delete), (false, false));
}
