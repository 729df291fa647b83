//! Settings where a command has to say what would be, what is not there, and what helps, against a real broker.

mod support;

use serde_json::Value;
use support::Broker;
use support::node::is_ours;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// A broker with a topic `orders`.
fn with_topic(test: &str) -> Broker {
    let broker = Broker::start(test);
    broker.run(&["topic", "create", "orders", "--partitions", "1"]).ok();
    broker
}

/// Whether a command ends with this code and says this of the next step.
#[track_caller]
fn refused(broker: &Broker, line: &str, code: i32, next: &str) {
    let words: Vec<&str> = line.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
    let ended = broker.run(&words);
    assert!(ended.failed(code).contains(&format!("next: {next}")), "{line}: {ended:?}");
}

#[test]
fn a_trial_gives_the_values_that_the_change_gives() {
    let broker = with_topic("planned");
    let alter = ["topic", "alter", "orders"];
    let run = |more: &[&str]| {
        let ended = broker.run(&[&alter[..], more, &["--format", "json"]].concat());
        json(ended.ok())["changes"][0]["now"].clone()
    };
    let set =
        ["--set", "segment.bytes=1048576", "--set", "retention.ms=5", "--set", "index.interval.bytes=7"];
    broker.run(&[&alter[..], &set].concat()).ok();
    for change in [
        ["--append", "cleanup.policy=compact,delete"],
        ["--subtract", "cleanup.policy=delete"],
        ["--set", "max.message.bytes=1000000"],
        ["--delete", "segment.bytes"],
        ["--delete", "retention.ms"],
        ["--delete", "index.interval.bytes"],
        ["--delete", "flush.ms"],
    ] {
        let planned = run(&[&change[..], &["--dry-run"]].concat());
        assert_eq!(planned, run(&change), "{change:?}");
        assert!(planned.is_string(), "{change:?}: {planned}");
    }
}

#[test]
fn what_is_not_there_ends_alike_and_what_was_meant_is_said() {
    let broker = with_topic("meant");
    refused(&broker, "topic alter orders --set foo=bar", 3, "`riverrun config get topic orders --all`");
    refused(&broker, "topic alter orders --delete foo", 3, "`riverrun config get topic orders --all`");
    refused(&broker, "topic create b --config foo=bar", 3, "`riverrun config get topic NAME --all`");
    for command in [
        "topic alter ordrs --set retention.ms=1",
        "config get topic ordrs",
        "config diff topic ordrs",
        "config diff topic orders --with ordrs",
    ] {
        refused(&broker, command, 3, "did you mean orders?");
    }
    refused(&broker, "config get broker 1 nothing.like.it", 3, "`riverrun config get broker 1 --all`");
    refused(&broker, "config get topic orders internal.segment.bytes", 1, "`riverrun config explain");
    refused(&broker, "config set group kitchen --set foo=1", 3, "`riverrun config get group kitchen --all`");
    refused(&broker, "config set client-metrics '' --set interval.ms=1000", 2, "give a name in its place");
}

#[test]
fn what_belongs_to_a_listener_is_named_as_it_can_be_set_while_the_broker_runs() {
    let broker = Broker::start("per-listener");
    let key = "ssl.keystore.password";
    let next = format!(
        "`riverrun config set broker ID` changes it for one listener at a time: name it listener.name.LISTENER.{key}, with"
    );
    for of in ["1", "all"] {
        refused(&broker, &format!("config set broker {of} --set {key}=x"), 1, &next);
    }
    refused(&broker, &format!("config set broker 1 --set log.cleaner.threads=2 --set {key}=x"), 1, &next);
    broker.run(&["config", "set", "broker", "1", "--set", &format!("listener.name.plaintext.{key}=x")]).ok();
}

#[test]
fn loggers_are_named_where_they_are_refused() {
    let broker = Broker::start("loggers");
    refused(&broker, "config set logger 1 --set root=FOO", 1, "--set LOGGER=LEVEL gives it one of FATAL");
    refused(&broker, "config set logger 1 --append root=DEBUG", 1, "--set LOGGER=LEVEL gives it");
    refused(&broker, "config set logger 1 --set no.such=DEBUG", 3, "`riverrun config get logger 1` shows");
    refused(&broker, "config get logger all", 2, "`riverrun cluster info` shows the brokers; each has");
}

#[test]
fn a_logger_differs_from_root_and_no_default_of_root_is_made_up() {
    let broker = Broker::start("root-logger");
    let diff = |format: &str| {
        let ended = broker.run(&["config", "diff", "logger", "1", "--format", format]);
        ended.ok().to_owned() + &ended.stderr
    };
    for level in ["ERROR", "INFO"] {
        broker.run(&["config", "set", "logger", "1", "--set", &format!("root={level}")]).ok();
        let hint = format!("root is at {level}, which is the default of all others, and has none itself\n");
        assert!(diff("table").contains(&hint), "{}", diff("table"));
        let names = diff("name");
        assert!(names.lines().all(|name| name != "root"), "{names}");
        if is_ours() {
            assert_eq!(names, "", "the others follow root");
        }
    }
    let other = if is_ours() { "storage" } else { "kafka.server.KafkaApis" };
    broker.run(&["config", "set", "logger", "1", "--set", &format!("{other}=TRACE")]).ok();
    let listed = json(&diff("json"));
    let listed = listed.as_array().expect("a list");
    let other = listed.iter().find(|one| one["key"] == other).expect("it differs");
    assert_eq!((&other["value"], &other["other"]), (&"TRACE".into(), &"INFO".into()));
}

#[test]
fn of_all_brokers_there_is_what_was_set_for_them() {
    let broker = Broker::start("all-brokers");
    let get = broker.run(&["config", "get", "broker", "all", "log.cleaner.threads", "--format", "json"]);
    let got = json(get.ok());
    assert_eq!((&got[0]["value"], &got[0]["source"]), (&Value::Null, &"not set".into()));
    assert_eq!(got[0]["type"], "int");
    assert!(
        broker.run(&["config", "get", "--help"]).ok().contains("  not set  "),
        "the help explains the word"
    );
    // Kafka itself sets something for all brokers where replicas can be eligible leaders.
    if is_ours() {
        let all = broker.run(&["config", "get", "broker", "all", "--all"]);
        assert!(all.ok().is_empty() && all.stderr.contains("nothing is set for all brokers"), "{all:?}");
    }
    refused(&broker, "config get broker all log.cleaner.thread", 3, "`riverrun config get broker ID --all`");
    broker.run(&["config", "set", "broker", "all", "--set", "log.cleaner.threads=2"]).ok();
    broker.run(&["config", "set", "broker", "1", "--set", "log.cleaner.threads=1"]).ok();
    for sides in [["1", "all"], ["all", "1"]] {
        let diff = ["config", "diff", "broker", sides[0], "--with", sides[1], "--format", "name"];
        let diff = broker.run(&diff);
        assert!(diff.ok().lines().count() < 3 && diff.stdout.contains("log.cleaner.threads\n"), "{diff:?}");
    }
}

#[test]
fn a_value_that_is_hidden_differs_from_none_and_from_another_one_nobody_can_say() {
    let broker = Broker::start("secrets");
    let secret = "listener.name.plaintext.ssl.keystore.password";
    assert!(!broker.run(&["config", "diff", "broker", "1"]).ok().contains("(hidden)"), "nothing is set");
    for of in ["1", "all"] {
        broker.run(&["config", "set", "broker", of, "--set", "x.secret=abc"]).ok();
    }
    broker.run(&["config", "set", "broker", "1", "--set", &format!("{secret}=abc")]).ok();
    let diff = broker.run(&["config", "diff", "broker", "1"]);
    assert!(diff.ok().lines().any(|line| line.starts_with(secret) && line.contains("(hidden)")), "{diff:?}");
    let told = json(broker.run(&["config", "diff", "broker", "1", "--format", "json"]).ok());
    let one = told.as_array().expect("a list").iter().find(|one| one["key"] == secret).expect("it differs");
    assert_eq!((&one["value"], &one["other"], &one["sensitive"]), (&Value::Null, &Value::Null, &true.into()));
    let with = broker.run(&["config", "diff", "broker", "all", "--with", "1"]);
    assert!(!with.ok().contains("x.secret"), "{with:?}");
    assert!(with.stderr.contains("cannot be told, as their values are hidden: x.secret"), "{with:?}");
}

#[test]
fn a_default_in_other_units_is_told_in_those_of_the_setting_and_what_is_not_set_is_null() {
    let broker = with_topic("units");
    let set = ["config", "set", "broker", "1", "--set", "log.retention.ms=500000", "--format", "json"];
    let changed = json(broker.run(&set).ok());
    let change = &changed["changes"][0];
    assert_eq!((&change["before"], &change["now"]), (&Value::Null, &"500000".into()), "{changed}");
    assert_eq!(change["default"], "604800000", "of hours: {changed}");
    broker.run(&["topic", "alter", "orders", "--set", "retention.ms=700000"]).ok();
    for diff in [["config", "diff", "broker", "1"], ["config", "diff", "topic", "orders"]] {
        let diff = json(broker.run(&[&diff[..], &["--format", "json"]].concat()).ok());
        let all = diff.as_array().expect("a list");
        let one = all.iter().find(|one| one["key"].as_str().is_some_and(|key| key.ends_with("retention.ms")));
        assert_eq!(one.expect("it differs")["other"], "604800000", "{diff}");
    }
    let delete = ["config", "set", "broker", "1", "--delete", "log.retention.ms", "--format", "json"];
    for _ in 0..8 {
        broker.run(&set).ok();
        let changed = json(broker.run(&delete).ok());
        let change = &changed["changes"][0];
        assert_eq!((&change["before"], &change["now"]), (&"500000".into(), &Value::Null), "{changed}");
    }
}

#[test]
fn values_alone_come_in_the_order_in_which_they_were_asked_for() {
    let broker = with_topic("values");
    let get = ["config", "get", "topic", "orders", "segment.bytes", "retention.ms", "--format", "name"];
    assert_eq!(broker.run(&get).ok(), "1073741824\n604800000\n");
}
