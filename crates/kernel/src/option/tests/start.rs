//! From texts to the configuration of a node.

use std::time::Duration;

use super::{from_file, refused};
use crate::NodeId;
use crate::option::broker_config::Replicas;
use crate::option::endpoint::SecurityProtocol;
use crate::option::{BrokerConfig, Origin, Resolved, Sources, Value, resolve};

fn config(text: &str) -> BrokerConfig {
    BrokerConfig::new(&from_file(text)).expect("settings that go together")
}

fn listener_names(config: &BrokerConfig) -> Vec<String> {
    config.listeners.broker.iter().map(ToString::to_string).collect()
}

#[test]
fn without_any_configuration_there_is_a_complete_node_on_loopback() {
    let resolved = resolve(&Sources::default()).expect("the defaults go together");
    let config = BrokerConfig::new(&resolved).expect("the defaults go together");
    assert_eq!(
        (config.node_id, config.is_broker, config.is_controller, config.is_lone),
        (NodeId(1), true, true, true)
    );
    assert_eq!(listener_names(&config), ["PLAINTEXT://127.0.0.1:9092"]);
    assert_eq!(config.listeners.advertised, config.listeners.broker);
    assert!(config.listeners.controller.is_empty());
    assert_eq!(config.log_dirs, ["./riverrun-data"]);
    assert_eq!(config.metadata_log_dir, "./riverrun-data");
    assert_eq!(config.offsets.topic.replication, Replicas::UpTo(3));
    assert_eq!(config.transactions.topic.min_in_sync, Some(Replicas::UpTo(2)));
    assert_eq!(config.offsets.topic.min_in_sync, None);
    assert_eq!(resolved.number("offsets.topic.replication.factor"), 1);
    assert_eq!(config.network.request_memory_bytes, 128 * 1024 * 1024);
    assert!(resolved.warnings().is_empty());
}

/// What Kafka 4.x ships as its `server.properties`, without the comments.
const KAFKAS_OWN: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

#[test]
fn kafkas_own_file_starts_unchanged() {
    let resolved = from_file(KAFKAS_OWN);
    assert!(resolved.warnings().is_empty(), "{:?}", resolved.warnings());
    let config = BrokerConfig::new(&resolved).expect("settings that go together");
    assert_eq!(listener_names(&config), ["PLAINTEXT://:9092"]);
    assert_eq!(config.listeners.controller.len(), 1);
    assert_eq!(config.listeners.advertised.len(), 1);
    let told: Vec<String> = config.listeners.controller_advertised.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["CONTROLLER://localhost:9093"]);
    assert_eq!(config.listeners.inter_broker, "PLAINTEXT");
    assert_eq!(config.log_dirs, ["/tmp/kraft-combined-logs"]);
    assert_eq!(config.offsets.topic.replication, Replicas::Exactly(1));
    assert_eq!(config.quorum.bootstrap_servers.len(), 1);
}

#[test]
fn a_node_alone_that_is_to_keep_replicas_elsewhere_starts_with_a_warning_of_what_it_cannot_do() {
    let asked = "default.replication.factor=3\noffsets.topic.replication.factor=3\n";
    let resolved = from_file(asked);
    let [topics, offsets] = resolved.warnings() else { panic!("{:?}", resolved.warnings()) };
    assert!(topics.contains("default.replication.factor=3 asks for as many brokers"), "{topics}");
    assert!(offsets.contains("offsets.topic.replication.factor=3"), "{offsets}");
    assert!(offsets.contains("nobody can join a group or commit; set it to 1"), "{offsets}");
    let one = from_file("default.replication.factor=1\noffsets.topic.replication.factor=1\n");
    assert!(one.warnings().is_empty(), "{:?}", one.warnings());
    let among_others = from_file(&format!("{TEST_CLUSTER}{asked}"));
    assert!(among_others.warnings().is_empty(), "{:?}", among_others.warnings());
}

/// The shape of what a test cluster of Kafka writes for a combined node.
const TEST_CLUSTER: &str = "\
process.roles=broker,controller
node.id=0
listeners=EXTERNAL://127.0.0.1:0,CONTROLLER://127.0.0.1:40001
advertised.listeners=EXTERNAL://localhost:40000
controller.listener.names=CONTROLLER
inter.broker.listener.name=EXTERNAL
listener.security.protocol.map=EXTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
controller.quorum.voters=0@localhost:40001,1@localhost:40002
log.dirs=/tmp/a,/tmp/b
metadata.log.dir=/tmp/m
listener.name.external.sasl.enabled.mechanisms=PLAIN
listener.name.external.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_a=\"b\";
";

#[test]
fn a_combined_node_of_a_larger_quorum_is_not_alone() {
    let config = config(TEST_CLUSTER);
    assert!(!config.is_lone);
    assert_eq!(config.offsets.topic.replication, Replicas::Exactly(3));
    assert_eq!(config.quorum.voters.len(), 2);
    assert_eq!((config.log_dirs.len(), config.metadata_log_dir.as_str()), (2, "/tmp/m"));
    assert!(config.listeners.broker.iter().all(|one| one.protocol == SecurityProtocol::SaslPlaintext));
    assert!(from_file(TEST_CLUSTER).warnings().is_empty());
}

#[test]
fn internal_topics_of_a_node_that_began_alone_grow_with_the_cluster() {
    let factors = [0, 1, 2, 3, 9].map(|brokers| Replicas::UpTo(3).among(brokers));
    assert_eq!(factors, [1, 1, 2, 3, 3]);
    assert_eq!(Replicas::Exactly(3).among(1), 3);
}

#[test]
fn internal_topics_are_created_with_options_that_topics_take() {
    let options = crate::option::NodeOptions::new(from_file(""));
    let config = options.broker_config().expect("settings that go together");
    for topic in [&config.offsets.topic, &config.transactions.topic, &config.share_state] {
        assert_eq!(options.check_topic(&Default::default(), &topic.overrides(1)), Ok(()));
        assert_eq!(topic.overrides(1).get("segment.bytes").map(String::as_str), Some("104857600"));
    }
    let min = |brokers| config.transactions.topic.overrides(brokers).get("min.insync.replicas").cloned();
    assert_eq!((min(1).as_deref(), min(3).as_deref()), (Some("1"), Some("2")));
}

/// A controller of a cluster that forms its quorum dynamically.
#[test]
fn a_node_that_is_only_a_controller_has_no_listener_for_clients() {
    let config = config(
        "process.roles=controller\nnode.id=3000\nlisteners=CONTROLLER://0.0.0.0:9093\ncontroller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=EXTERNAL\nlistener.security.protocol.map=EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         controller.quorum.bootstrap.servers=localhost:9093\nlog.cleaner.dedupe.buffer.size=2097152\n",
    );
    assert!(config.listeners.broker.is_empty() && config.listeners.advertised.is_empty());
    let told: Vec<String> = config.listeners.controller_advertised.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["CONTROLLER://:9093"]);
    assert!(!config.is_lone && !config.is_broker);
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let environment = [
        ("KAFKA_NUM_PARTITIONS".to_owned(), "2".to_owned()),
        ("KAFKA_LOG_DIRS".to_owned(), "/env".to_owned()),
        ("PATH".to_owned(), "/bin".to_owned()),
        ("KAFKA_HEAP_OPTS".to_owned(), "-Xmx1g".to_owned()),
    ];
    let resolved = resolve(&Sources {
        file: Some(("s.properties", "num.partitions=1\nlog.dirs=/file\nbroker.rack=r\n")),
        environment: &environment,
        command_line: &["num.partitions=3".to_owned()],
    })
    .expect("good settings");
    assert_eq!(resolved.number("num.partitions"), 3);
    assert_eq!(resolved.list("log.dirs"), ["/env"]);
    assert_eq!(resolved.text("broker.rack").as_deref(), Some("r"));
    let origin = |name: &str| resolved.setting(name).map(|setting| setting.origin.clone());
    assert_eq!(origin("num.partitions"), Some(Origin::CommandLine));
    assert_eq!(origin("log.dirs"), Some(Origin::Environment { variable: "KAFKA_LOG_DIRS".to_owned() }));
    assert_eq!(origin("broker.rack"), Some(Origin::File { path: "s.properties".to_owned(), line: 3 }));
    assert_eq!(origin("heap.opts"), None);
    assert!(resolved.warnings().is_empty());
}

#[test]
fn environment_variables_name_options() {
    use crate::option::environment_key as key;
    assert_eq!(key("KAFKA_LOG_DIRS").as_deref(), Some("log.dirs"));
    assert_eq!(
        key("KAFKA_LISTENER_NAME_SASL__SSL_SSL_KEYSTORE_LOCATION").as_deref(),
        Some("listener.name.sasl_ssl.ssl.keystore.location")
    );
    assert_eq!(
        key("KAFKA_LISTENER_NAME_MY___NAME_SSL_CLIENT_AUTH").as_deref(),
        Some("listener.name.my-name.ssl.client.auth")
    );
    assert_eq!(key("KAFKA_"), None);
    assert_eq!(key("HOME"), None);
}

#[test]
fn a_bad_value_names_file_line_key_value_and_what_is_allowed() {
    assert_eq!(
        refused("# first\nnode.id=1\nnum.partitions = many\n"),
        "server.properties, line 3: num.partitions=many: Not a number of type INT; allowed is a whole number from 1 to 2147483647"
    );
    assert_eq!(
        refused("compression.type=brotli"),
        "server.properties, line 1: compression.type=brotli: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer; allowed is one of uncompressed, zstd, lz4, snappy, gzip, producer"
    );
    assert!(refused("\\u12").contains("server.properties, line 1"));
}

#[test]
fn all_bad_values_are_reported_at_once() {
    let resolved = resolve(&Sources {
        file: Some(("s.properties", "num.partitions=0\nlog.retention.hours=x\n")),
        environment: &[("KAFKA_NODE_ID".to_owned(), "one".to_owned())],
        command_line: &["fetch.max.bytes=1".to_owned(), "nonsense".to_owned()],
    });
    let error = resolved.expect_err("five problems");
    assert_eq!(error.problems.len(), 5, "{error}");
    let text = error.to_string();
    for part in [
        "s.properties, line 1",
        "s.properties, line 2",
        "environment variable KAFKA_NODE_ID",
        "--set: fetch",
        "--set nonsense",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_secret_is_not_shown_when_it_is_refused() {
    // Passwords take any text, so only a listener's number can be refused beside one.
    let text =
        refused("listener.name.a.sasl.jaas.config=hunter2\nlistener.name.a.connections.max.reauth.ms=soon\n");
    assert!(
        text.contains("listener.name.a.connections.max.reauth.ms=soon") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn an_unknown_key_warns_with_the_nearest_name_and_is_kept() {
    let resolved = from_file("num.partition=3\nmy.own.thing=1\nleader.replication.throttled.rate=5\n");
    let warnings = resolved.warnings().join("\n");
    assert!(
        warnings.contains("line 1: unknown option num.partition; did you mean num.partitions?"),
        "{warnings}"
    );
    assert!(
        warnings.contains("line 2: unknown option my.own.thing") && !warnings.contains("thing; did"),
        "{warnings}"
    );
    assert!(
        warnings.contains("leader.replication.throttled.rate can only be set while running"),
        "{warnings}"
    );
    assert_eq!(resolved.setting("my.own.thing").map(|setting| setting.raw.as_str()), Some("1"));
}

#[test]
fn an_environment_variable_that_nearly_names_an_option_warns() {
    let environment = [("KAFKA_LOG_DRIS".to_owned(), "/x".to_owned())];
    let resolved =
        resolve(&Sources { environment: &environment, ..Sources::default() }).expect("only a warning");
    assert_eq!(
        resolved.warnings(),
        ["environment variable KAFKA_LOG_DRIS: there is no option log.dris; did you mean log.dirs?"]
    );
    assert!(!resolved.is_set("log.dris"));
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts_with_a_warning() {
    let resolved = from_file("num.partitions=1\nnum.partitions=2\n");
    assert_eq!(resolved.number("num.partitions"), 2);
    assert_eq!(
        resolved.warnings(),
        ["server.properties, line 2: num.partitions was already set on line 1; this one counts"]
    );
}

#[test]
fn broker_id_is_another_name_of_node_id() {
    assert_eq!(config("broker.id=7").node_id, NodeId(7));
    assert_eq!(from_file("node.id=7").number("broker.id"), 7);
    assert!(refused("node.id=7\nbroker.id=8").contains("same number"));
}

#[test]
fn a_broker_id_that_no_node_can_have_is_refused_and_not_taken_for_zero() {
    let problem = refused("broker.id=-1");
    assert!(problem.contains("line 1") && problem.contains("node.id=-1"), "{problem}");
    assert_eq!(refused("broker.id=x").lines().count(), 1, "one mistake is told once");
}

#[test]
fn settings_that_contradict_each_other_are_refused_where_they_stand() {
    let cases = [
        ("replica.fetch.wait.max.ms=60000", "replica.fetch.wait.max.ms (60000)"),
        ("log.retention.ms=0", "server.properties, line 1: log.retention.ms must be -1"),
        ("queued.max.request.bytes=1000", "socket.request.max.bytes"),
        ("group.consumer.heartbeat.interval.ms=4000", "group.consumer.min.heartbeat.interval.ms (5000)"),
        ("cordoned.log.dirs=/x", "/x, which is not one of log.dirs"),
        ("listeners=A://:1", "names no protocol"),
        ("listeners=PLAINTEXT://:1,SSL://:1", "on the same port 1"),
        ("listeners=PLAINTEXT://:1,PLAINTEXT://:2", "two with the name PLAINTEXT"),
        ("listeners=PLAINTEXT:9092", "not of the form NAME://host:port"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "nobody can connect to 0.0.0.0"),
        ("advertised.listeners=SSL://h:9093", "SSL, which is not among listeners"),
        ("inter.broker.listener.name=SSL", "not among those that are advertised: PLAINTEXT"),
        ("security.inter.broker.protocol=SSL\ninter.broker.listener.name=PLAINTEXT", "only one of"),
        ("controller.listener.names=CONTROLLER", "CONTROLLER, which is not among listeners"),
        ("process.roles=broker", "controller.listener.names is needed"),
        (
            "process.roles=broker\ncontroller.listener.names=CONTROLLER",
            "needs controller.quorum.bootstrap.servers",
        ),
        ("node.id=1\ncontroller.quorum.voters=2@h:1,3@h:1", "must contain this controller, node.id 1"),
        ("max.connections.per.ip=0", "max.connections.per.ip can be 0 only"),
        ("group.coordinator.rebalance.protocols=consumer", "must contain classic"),
    ];
    for (text, expected) in cases {
        let refusal = refused(text);
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

#[test]
fn two_listeners_share_a_port_when_one_is_ipv4_and_the_other_ipv6() {
    let config = config("listeners=PLAINTEXT://127.0.0.1:9092,SSL://[::1]:9092");
    assert_eq!(listener_names(&config), ["PLAINTEXT://127.0.0.1:9092", "SSL://[::1]:9092"]);
}

#[test]
fn a_controller_listener_without_a_protocol_speaks_plaintext_unless_something_is_secured() {
    let plain = config("listeners=PLAINTEXT://:1,CTRL://:2\ncontroller.listener.names=CTRL");
    assert_eq!(plain.listeners.controller.first().map(|one| one.protocol), Some(SecurityProtocol::Plaintext));
    assert!(
        refused("listeners=SSL://:1,CTRL://:2\ncontroller.listener.names=CTRL").contains("names no protocol")
    );
}

#[test]
fn monitors_find_metrics_where_the_configuration_says_and_by_default_nowhere() {
    let told = |text: &str| config(text).metrics_listener.map(|address| address.to_string());
    assert_eq!(told(""), None);
    assert_eq!(told("metrics.listener="), None);
    for address in ["127.0.0.1:9644", "[::1]:9644", "monitor.example:0", ":9644"] {
        assert_eq!(told(&format!("metrics.listener={address}")).as_deref(), Some(address));
    }
    for wrong in ["9644", "127.0.0.1", "a b:1", "h:65536"] {
        assert!(refused(&format!("metrics.listener={wrong}")).contains("host:port, or empty"), "{wrong}");
    }
}

#[test]
fn a_larger_request_raises_the_memory_that_nobody_set() {
    let config = config("socket.request.max.bytes=300000000");
    assert_eq!(config.network.request_memory_bytes, 300_000_000);
}

#[test]
fn times_that_mean_never_are_none() {
    let config = config("connections.max.idle.ms=-1");
    assert_eq!(config.network.max_idle, None);
    assert_eq!(config.background.flush_interval, None);
    assert_eq!(config.groups.append_linger, None);
    assert_eq!(config.network.max_reauthentication, None);
    assert_eq!(config.quorum.snapshot_after, Some(Duration::from_secs(3_600)));
}

#[test]
fn every_typed_setting_has_the_type_that_is_asked_for() {
    // The getters assert that in test builds; reading everything once is the test.
    let resolved: Resolved = from_file("");
    assert!(BrokerConfig::new(&resolved).is_ok());
    assert_eq!(resolved.value("no.such.option"), Value::Null);
}

#[test]
fn a_reference_to_a_provider_is_not_taken_for_the_value() {
    let text = refused("config.providers=file\nssl.key.password=${file:/secrets:key}\n");
    assert!(
        text.contains("server.properties, line 2: ssl.key.password refers to ${file:/secrets:key}"),
        "{text}"
    );
    assert!(
        from_file("ssl.key.password=${file:/secrets:key}").is_set("ssl.key.password"),
        "no provider, no reference"
    );
}

#[test]
fn what_kafka_removed_warns_and_does_no_harm() {
    let resolved = from_file("zookeeper.connect=localhost:2181\ninter.broker.protocol.version=3.9\n");
    assert_eq!(resolved.warnings().len(), 2);
    assert!(
        resolved
            .warnings()
            .iter()
            .all(|warning| warning.ends_with("was removed in Kafka 4.0 and is ignored"))
    );
}
