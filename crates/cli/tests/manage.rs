//! Commands that look after topics, groups, settings and the cluster, against a real broker.

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::Broker;

const FORMATS: [&str; 5] = ["table", "wide", "json", "yaml", "name"];

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// A file of this test's own, which is not there.
fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("riverrun-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn settings_of_a_topic_are_changed_compared_and_explained() {
    let broker = Broker::start("config");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["topic", "create", "b", "--partitions", "1"]).ok();
    let alter =
        ["topic", "alter", "a", "--set", "retention.ms=86400000", "--append", "cleanup.policy=compact"];
    let dry = broker.run(&[&alter[..], &["--dry-run"]].concat());
    assert!(dry.ok().contains("86400000") && dry.stderr.contains("nothing was changed"), "{dry:?}");
    let get = ["config", "get", "topic", "a", "cleanup.policy", "retention.ms", "--format", "json"];
    assert_eq!(json(broker.run(&get).ok())[1]["source"], "default", "nothing was");
    assert!(broker.run(&alter).ok().contains("604800000  86400000"));
    let got = json(broker.run(&get).ok());
    assert_eq!((&got[0]["key"], &got[0]["value"]), (&"cleanup.policy".into(), &"delete,compact".into()));
    assert_eq!((&got[1]["key"], &got[1]["source"]), (&"retention.ms".into(), &"topic".into()));
    let one = broker.run(&["config", "get", "topic", "a", "retention.ms", "--format", "name"]);
    assert_eq!(one.ok(), "86400000\n");
    for diff in [&["config", "diff", "topic", "a"][..], &["config", "diff", "topic", "a", "--with", "b"]] {
        let ended = broker.run(&[diff, &["--format", "name"]].concat());
        assert_eq!(ended.ok(), "cleanup.policy\nretention.ms\n", "{diff:?}");
    }
    let diff = json(broker.run(&["config", "diff", "topic", "a", "--format", "json"]).ok());
    assert_eq!(diff[1]["other"], "604800000", "a default that is said in hours is one: {diff}");
    broker
        .run(&["config", "set", "topic", "a", "--delete", "retention.ms", "--delete", "cleanup.policy"])
        .ok();
    assert_eq!(broker.run(&["config", "diff", "topic", "a"]).ok(), "");

    let unknown = broker.run(&["config", "set", "topic", "a", "--set", "retention.mss=1"]);
    assert!(unknown.failed(3).contains("did you mean retention.ms?"), "{unknown:?}");
    let unknown = broker.run(&["topic", "create", "c", "--config", "retention.mss=1"]);
    assert!(unknown.failed(3).contains("did you mean retention.ms?"), "{unknown:?}");
    let of_brokers = broker.run(&["topic", "alter", "a", "--set", "log.retention.hours=5"]);
    assert!(of_brokers.failed(3).contains("is of brokers: a topic has retention.ms"), "{of_brokers:?}");
    let refused = ["topic", "alter", "a", "--set", "retention.ms=5", "--set", "max.message.bytes=-5"];
    let refused = broker.run(&refused);
    assert!(refused.failed(1).contains("config explain max.message.bytes"), "{refused:?}");
    let unknown = broker.run(&["topic", "alter", "a", "--delete", "retention.mss"]);
    assert!(unknown.failed(3).contains("did you mean retention.ms?"), "{unknown:?}");
    let unknown = broker.run(&["config", "get", "topic", "a", "retention.mss"]);
    assert!(unknown.failed(3).contains("did you mean retention.ms?"), "{unknown:?}");
    broker.run(&["config", "get", "topic", "nowhere"]).failed(3);
    broker.run(&["config", "get", "broker", "one"]).failed(2);
    broker.run(&["config", "get", "broker", "7"]).failed(3);
    broker.run(&["config", "set", "broker", "7", "--set", "log.cleaner.threads=2"]).failed(3);
    let fixed = broker.run(&["config", "set", "broker", "1", "--set", "log.retention.hours=2"]);
    assert!(fixed.failed(1).contains("put it into its file"), "{fixed:?}");
    assert_eq!(broker.run(&["config", "explain", "Retention.MS", "--format", "name"]).ok(), "retention.ms\n");
    broker.run(&["config", "set", "topic", "a"]).failed(2);
    broker.run(&["config", "set", "broker", "all", "--set", "log.cleaner.threads=2"]).ok();
    let got = broker.run(&["config", "get", "broker", "1", "log.cleaner.threads", "--format", "json"]);
    assert_eq!(json(got.ok())[0]["source"], "dynamic cluster default");
}

#[test]
fn a_setting_says_who_has_set_it_and_brokers_keep_what_nobody_knows() {
    let broker = Broker::start("source");
    let get = |key: &str| {
        let got = broker.run(&["config", "get", "broker", "1", key, "--format", "json"]);
        json(got.ok())[0]["source"].as_str().expect("a text").to_owned()
    };
    assert_eq!(get("log.dirs"), "broker file or command line");
    assert_eq!(get("num.partitions"), "default");
    broker.run(&["config", "set", "broker", "1", "--set", "log.cleaner.threads=2"]).ok();
    assert_eq!(get("log.cleaner.threads"), "dynamic broker");

    for (whose, again) in [("1", false), ("all", false), ("1", true)] {
        let set = broker.run(&["config", "set", "broker", whose, "--set", "log.cleaner.thread=2"]);
        set.ok();
        let warned = set.stderr.contains("\"log.cleaner.thread\" is no setting of brokers");
        assert!(warned && set.stderr.contains("did you mean log.cleaner.threads?"), "{again}: {set:?}");
    }
    let deleted = broker.run(&["config", "set", "broker", "1", "--delete", "log.cleaner.thread"]);
    assert_eq!((deleted.ok().lines().count(), deleted.stderr.as_str()), (2, ""));
    let listener =
        ["config", "set", "broker", "1", "--set", "listener.name.x.max.connections=9", "--dry-run"];
    assert!(!broker.run(&listener).stderr.contains("warning"), "a listener may have it");
}

#[test]
fn what_all_brokers_do_not_have_is_answered_with_the_command_that_lists_what_they_do() {
    let broker = Broker::start("all-brokers");
    for arguments in [
        &["config", "get", "broker", "all", "nope"][..],
        &["config", "set", "broker", "all", "--delete", "nope"],
        &["config", "set", "broker", "all", "--append", "foo=bar"],
    ] {
        let refused = broker.run(arguments);
        let said = refused.failed(3);
        assert!(said.contains("next: `riverrun config get broker ID --all` shows"), "{refused:?}");
    }
    assert!(broker.run(&["config", "get", "broker", "1", "--all"]).ok().contains("num.io.threads"));
}

#[test]
fn a_setting_is_explained_with_what_decides_where_it_is_not_set() {
    let run = |key: &str, format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_riverrun"))
            .args(["config", "explain", key, "--format", format])
            .output()
            .expect("the binary is there");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("it prints text")
    };
    let topic = run("retention.ms", "table");
    let from = "log.retention.ms, log.retention.minutes, log.retention.hours; the first that is set counts";
    assert!(topic.lines().any(|line| line == format!("from broker  {from}")), "{topic}");
    assert!(topic.lines().any(|line| line == "importance   medium"), "{topic}");
    assert_eq!(json(&run("retention.ms", "json"))[0]["broker_keys"][2], "log.retention.hours");
    let broker = run("log.retention.hours", "table");
    assert!(broker.contains("for topics  retention.ms\n"), "{broker}");
    let group = run("consumer.session.timeout.ms", "table");
    assert!(group.contains("from broker  group.consumer.session.timeout.ms\n"), "{group}");
    let listeners = run("listeners", "table");
    assert!(listeners.contains("PLAINTEXT://127.0.0.1:9092; Kafka has PLAINTEXT://:9092\n"), "{listeners}");
    let listeners = json(&run("listeners", "json"));
    assert_eq!(listeners[0]["default"], "PLAINTEXT://127.0.0.1:9092");
    assert_eq!(listeners[0]["default_in_kafka"], "PLAINTEXT://:9092");
    let replicas = run("offsets.topic.replication.factor", "table");
    assert!(replicas.contains("3; 1 on a node on its own\n"), "{replicas}");
    assert!(run("retention", "table").contains("next: did you mean retention.ms, retention.bytes"));
    assert!(run("log.dirs", "table").contains("default     that of log.dir\n"));
    let bounds = "a whole number from 1 to 2147483647; at least group.consumer.min.session.timeout.ms (45000) and at most \
                  group.consumer.max.session.timeout.ms (60000) of the brokers";
    assert_eq!(json(&run("consumer.session.timeout.ms", "json"))[0]["allowed"], bounds);
    assert!(run("interval.ms", "table").contains("may be      a whole number from 100 to 3600000\n"));
    assert!(json(&run("retention.ms", "json"))[0].get("changes").is_none(), "people do not read it, either");
}

#[test]
fn a_setting_says_where_this_release_does_not_do_what_it_describes() {
    let explain = |key: &str, format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
        command.args(["config", "explain", key, "--format", format]);
        support::run(command, "").ok().to_owned()
    };
    for (key, said) in [
        ("num.io.threads", "A change is kept, and changes nothing. Threads follow the machine's cores"),
        ("listeners", "A change needs a restart. Listeners are opened once"),
        ("queued.max.requests", "Nothing comes of it. What waits is bounded in bytes"),
        ("preallocate", "A change is kept, and changes nothing. Segments are never preallocated"),
    ] {
        let table = explain(key, "table");
        assert!(table.lines().any(|line| line.starts_with(&format!("in this release  {said}"))), "{table}");
        let object = json(&explain(key, "json"))[0]["in_this_release"].clone();
        assert!(object.as_str().is_some_and(|text| text.starts_with(said)), "{key}: {object}");
    }
    for key in ["retention.ms", "log.retention.ms"] {
        assert!(!explain(key, "table").contains("in this release"), "{key} does what it says");
        assert!(json(&explain(key, "json"))[0].get("in_this_release").is_none(), "{key}");
    }
}

#[test]
fn a_topic_gets_more_partitions_and_loses_old_records() {
    let broker = Broker::start("trim");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a", "--partition", "0"], "1\n2\n3\n4\n").ok();
    let add = ["topic", "add-partitions", "a", "--by", "2"];
    assert_eq!(
        broker.run(&[&add[..], &["--dry-run"]].concat()).ok(),
        "a could have 3 partitions (1 before)\n"
    );
    assert_eq!(broker.run(&add).ok(), "a has 3 partitions (1 before)\n");
    let fewer = broker.run(&["topic", "add-partitions", "a", "--to", "2"]);
    assert!(fewer.failed(1).contains("next: ask for more than 3, or create another"), "{fewer:?}");
    let more = broker.run(&["topic", "add-partitions", "a", "--by", "2000000000"]);
    assert!(more.failed(1).contains("next: "), "{more:?}");
    broker.run(&["topic", "add-partitions", "a"]).failed(2);

    let trim = ["topic", "trim", "a", "--before", "3"];
    assert!(broker.run(&trim).failed(2).contains("--yes"));
    let dry = broker.run(&[&trim[..], &["--dry-run"]].concat());
    assert!(dry.ok().starts_with("3 offsets would be deleted from a\n"), "{dry:?}");
    let done = broker.run(&[&trim[..], &["--yes", "--format", "json"]].concat());
    let done = json(done.ok());
    assert_eq!((&done["deleted"], &done["partitions"][0]["begins"]), (&3.into(), &3.into()));
    assert_eq!(broker.run(&["consume", "a", "--from", "start", "--until-end"]).ok(), "4\n");
    broker.run(&["topic", "trim", "a", "--before", "end", "--partition", "0", "--yes"]).ok();
    assert_eq!(broker.run(&["consume", "a", "--from", "start", "--until-end"]).ok(), "");
    broker.run(&["topic", "trim", "a", "--before", "end", "--partition", "9", "--yes"]).failed(3);
}

#[test]
fn several_names_are_all_tried_and_the_first_failure_counts() {
    let broker = Broker::start("several");
    for name in ["a", "b", "keep"] {
        broker.run(&["topic", "create", name, "--partitions", "1"]).ok();
        broker.run_with_input(&["produce", name], "1\n2\n").ok();
        let group = format!("g-{name}");
        broker.run(&["consume", name, "--group", &group, "--from", "start", "--until-end"]).ok();
    }
    let described = broker.run(&["topic", "describe", "b", "nowhere", "a", "b", "--format", "json"]);
    assert!(described.failed(3).contains("topic list"), "{described:?}");
    let described = json(&described.stdout);
    let names: Vec<_> = described.as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["b", "nowhere", "a"], "each once, in the order in which they were named");
    assert!(described[1]["error"].as_str().is_some_and(|error| error.contains("nowhere")), "{described}");
    let near = broker.run(&["topic", "describe", "kepp"]);
    assert!(near.failed(3).contains("did you mean keep?"), "{near:?}");
    let listed = broker.run(&["topic", "list", "--regex", "^[ab]$", "--format", "name"]);
    assert_eq!(listed.ok(), "a\nb\n");
    assert!(broker.run(&["topic", "list", "--regex", "^x"]).stderr.contains("no topic matches ^x"));
    broker.run(&["topic", "list", "--regex", "("]).failed(2);

    let added = broker.run(&["topic", "add-partitions", "a", "keep", "--to", "2"]);
    assert_eq!(added.ok(), "a has 2 partitions (1 before)\nkeep has 2 partitions (1 before)\n");
    let added = broker.run(&["topic", "add-partitions", "a", "b", "--to", "2"]);
    assert_eq!(
        added.ok(),
        "a has 2 partitions already\nb has 2 partitions (1 before)\n",
        "it can be repeated"
    );
    let trim = ["topic", "trim", "a", "b", "--before", "1", "--partition", "0", "--yes", "--format", "json"];
    let trimmed = json(broker.run(&trim).ok());
    assert_eq!((&trimmed[0]["deleted"], &trimmed[1]["deleted"]), (&1.into(), &1.into()));

    let groups = broker.run(&["group", "describe", "--regex", "^g-[ab]$", "--format", "json"]);
    let groups = json(groups.ok());
    assert_eq!((&groups[0]["group"], &groups[1]["lag"]), (&"g-a".into(), &0.into()));
    let groups = broker.run(&["group", "describe", "g-a", "g-b", "--trend", "10ms"]);
    assert_eq!(groups.ok().matches("caught up in").count(), 2, "{groups:?}");
    assert_eq!(broker.run(&["group", "list", "-r", "keep", "--format", "name"]).ok(), "g-keep\n");
    assert!(broker.run(&["group", "delete", "g-a", "g-b"]).failed(2).contains("--yes"));
    let deleted = broker.run(&["group", "delete", "g-a", "nobody", "g-b", "--yes"]);
    assert!(deleted.failed(3).contains("nobody"), "{deleted:?}");
    assert_eq!(deleted.stdout, "deleted g-a\ndeleted g-b\n");

    broker.run(&["topic", "delete", "--regex", "^none"]).failed(3);
    let dry = broker.run(&["topic", "delete", "--regex", "^[ab]$", "--dry-run"]);
    assert_eq!(dry.ok(), "a (2 partitions) would be deleted\nb (2 partitions) would be deleted\n");
    assert!(broker.run(&["topic", "delete", "a", "b"]).failed(2).contains("--yes"));
    let deleted = broker.run(&["topic", "delete", "a", "nowhere", "b", "--yes"]);
    assert!(deleted.failed(3).contains("nowhere"), "{deleted:?}");
    assert_eq!(deleted.stdout, "deleted a\ndeleted b\n");
    // Kafka's broker hears of it a little later.
    let deadline = Instant::now() + Duration::from_secs(30);
    while broker.run(&["topic", "list", "--format", "name"]).ok() != "keep\n" {
        assert!(Instant::now() < deadline, "the topics are still there");
    }
}

#[test]
fn a_group_is_sent_elsewhere_back_again_and_deleted() {
    let broker = Broker::start("reset");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a", "--partition", "0"], "1\n2\n3\n4\n").ok();
    let consume = ["consume", "a", "--group", "g", "--from", "start", "--until-end"];
    broker.run(&consume).ok();
    let committed = || {
        let described = broker.run(&["group", "describe", "g", "--format", "json"]);
        json(described.ok())["partitions"][0]["committed"].clone()
    };
    assert_eq!(committed(), 4);
    let undo = file("undo");
    let undo_path = undo.display().to_string();
    let reset = ["group", "reset", "g", "--to", "start", "--topic", "a", "--undo-file", &undo_path];
    assert!(broker.run(&reset).failed(2).contains("--yes"));
    let dry = broker.run(&[&reset[..], &["--dry-run"]].concat());
    assert!(dry.ok().contains("-4") && !undo.exists(), "{dry:?}");
    assert_eq!(committed(), 4, "nothing was changed");
    broker.run(&[&reset[..], &["--yes"]].concat()).ok();
    assert_eq!(committed(), 0);
    let described = broker.run(&["group", "describe", "g", "--format", "json"]);
    let described = json(described.ok());
    assert_eq!(described["lag"], 4);
    assert!(described["lag_seconds"].as_f64().is_some_and(|seconds| seconds < 600.0), "{described}");
    let twice = broker.run(&[&reset[..], &["--yes"]].concat());
    assert!(twice.failed(1).contains("name a file that is not there yet"), "{twice:?}");
    let unwritable = file("no-undo").join("no-directory").display().to_string();
    let unwritable = ["group", "reset", "g", "--to", "start", "--undo-file", &unwritable, "--yes"];
    let unwritable = broker.run(&unwritable);
    assert!(
        unwritable.failed(1).contains("next: nothing was changed; name a file that can"),
        "{unwritable:?}"
    );
    broker.run(&["group", "reset", "", "--to", "start", "--topic", "a", "--yes"]).failed(2);
    broker.run(&["group", "reset", "g", "--from-file", &undo_path, "--yes"]).ok();
    assert_eq!(committed(), 4);
    for (target, expected) in
        [(["--by", "-3"], 1), (["--by", "100"], 4), (["--to", "@-1h"], 0), (["--to", "2"], 2)]
    {
        broker.run(&[&["group", "reset", "g", "--yes"], &target[..]].concat()).ok();
        assert_eq!(committed(), expected, "{target:?}");
    }
    assert_eq!(broker.run(&consume).ok(), "3\n4\n");

    broker.run(&["group", "reset", "nobody", "--to", "start", "--yes"]).failed(3);
    broker.run(&["group", "reset", "new", "--to", "end", "--topic", "a", "--yes"]).ok();
    assert_eq!(broker.run(&["group", "list", "--format", "name"]).ok(), "g\nnew\n");
    assert!(broker.run(&["group", "delete", "g"]).failed(2).contains("--yes"));
    assert_eq!(broker.run(&["group", "delete", "g", "--dry-run"]).ok(), "g (2 offsets) would be deleted\n");
    assert_eq!(broker.run(&["group", "delete", "g", "--yes"]).ok(), "deleted g\n");
    broker.run(&["group", "delete", "g", "--yes"]).failed(3);
    std::fs::remove_file(undo).expect("it was written");
}

#[test]
fn a_file_that_undoes_nothing_for_a_group_is_refused_with_the_next_step() {
    let broker = Broker::start("from-file");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["group", "reset", "g", "--to", "end", "--topic", "a", "--yes"]).ok();
    let undo = file("wrong-undo");
    let path = undo.display().to_string();
    let reset = || broker.run(&["group", "reset", "g", "--from-file", &path, "--yes"]);
    assert!(reset().failed(1).contains("next: name a file that --undo-file has written"));
    for (text, problem, next) in [
        ("nonsense", "is not what --undo-file writes", "name a file that --undo-file has written"),
        (r#"{"group":"other","offsets":[]}"#, "holds what \"other\" had", "name the group \"other\", or"),
        (r#"{"group":"g","offsets":[]}"#, "holds no offsets", "name a file that --undo-file has written"),
        (
            r#"{"group":"g","offsets":[{"topic":"nowhere","partition":0,"offset":0}]}"#,
            "UNKNOWN_TOPIC_OR_PARTITION (3)",
            "`riverrun topic list`",
        ),
        (
            r#"{"group":"g","offsets":[{"topic":"a","partition":1,"offset":0}]}"#,
            "a has no partition 1",
            "it has 1, counted from 0",
        ),
    ] {
        std::fs::write(&undo, text).expect("the file can be written");
        let refused = reset();
        let told = refused.stderr.contains(problem) && refused.stderr.contains(&format!("next: {next}"));
        assert!(refused.code != Some(0) && told, "{text}: {refused:?}");
    }
    std::fs::remove_file(undo).expect("it was written");
}

#[test]
fn a_topic_is_described_with_more_where_that_is_asked_for() {
    let broker = Broker::start("wide");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a", "--partition", "0"], "1\n2\n").ok();
    let titles = |format: &str| {
        let ended = broker.run(&["topic", "describe", "a", "--format", format]);
        let line = ended.ok().lines().find(|line| line.starts_with("PARTITION")).expect("it has titles");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let (table, wide) = (titles("table"), titles("wide"));
    assert!(table.iter().all(|title| wide.contains(title)), "{table:?} {wide:?}");
    let more: Vec<&String> = wide.iter().filter(|title| !table.contains(title)).collect();
    assert_eq!(more, ["OFFLINE", "STABLE", "SIZE"]);
    assert!(table.contains(&"OFFSETS".to_owned()), "a compacted log has fewer records: {table:?}");
    let described = json(broker.run(&["topic", "describe", "a", "--format", "json"]).ok());
    let (full, empty) = (&described["partitions"][0], &described["partitions"][1]);
    assert!(full["size_bytes"].as_u64().is_some_and(|size| size > 60), "{full}");
    assert_eq!((&empty["size_bytes"], &full["last_stable_offset"]), (&0.into(), &2.into()));
    assert_eq!(full["offline_replicas"], serde_json::json!([]));
}

#[test]
fn a_group_that_reads_says_when_it_will_have_caught_up() {
    let broker = Broker::start("trend");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n2\n").ok();
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "-n", "1"]).ok();
    let described = broker.run(&["group", "describe", "g", "--trend", "10ms", "--format", "json"]);
    let trend = json(described.ok())["trend"].clone();
    broker.run(&["group", "describe", "g", "--trend", "0s"]).failed(2);
    assert_eq!((&trend["read_per_second"], &trend["caught_up_in_seconds"]), (&0.0.into(), &().into()));
    let table = broker.run(&["group", "describe", "g", "--trend", "10ms"]);
    assert!(table.ok().contains("caught up in  not known, as nothing was committed"), "{table:?}");
}

#[test]
fn the_cluster_is_described_with_its_health_and_its_disks() {
    let broker = Broker::start("cluster");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n").ok();
    let info = broker.run(&["cluster", "info", "--format", "json"]);
    let info = json(info.ok());
    assert_eq!((&info["brokers"][0]["leads"], &info["quorum"]["leader"]), (&2.into(), &1.into()));
    for feature in ["metadata.version", "kraft.version"] {
        assert!(info["features"][feature]["level"].as_i64().is_some(), "{feature}: {info}");
    }
    assert_eq!(broker.run(&["cluster", "health"]).ok(), "cluster  healthy\n");
    broker.run(&["cluster", "health", "--wait", "5s"]).ok();
    let dirs = broker.run(&["cluster", "log-dirs", "--format", "json"]);
    let dirs = json(dirs.ok());
    let bytes: u64 =
        dirs[0]["logs"].as_array().expect("a list").iter().filter_map(|log| log["bytes"].as_u64()).sum();
    assert!(bytes > 60 && dirs[0]["usable_bytes"].as_u64().is_some(), "{dirs}");
    let of_topic = broker.run(&["cluster", "log-dirs", "--topic", "a"]);
    assert_eq!(of_topic.ok().lines().count(), 3, "{of_topic:?}");
    broker.run(&["cluster", "log-dirs", "--broker", "9"]).failed(3);
    broker.run(&["cluster", "log-dirs", "--topic", "nowhere"]).failed(3);
    let api = broker.run(&["api"]);
    assert!(api.ok().lines().any(|line| line.split_whitespace().eq(["1", "Fetch", "4", "18"])), "{api:?}");
    broker.run(&["api", "--broker", "9"]).failed(3);
    let told = broker.run(&["api", "--format", "json"]);
    assert!(told.ok().contains("\"broker\": 1,"), "{told:?}");
}

#[test]
fn every_question_is_answered_in_every_format() {
    let broker = Broker::start("formats");
    broker.run(&["topic", "create", "a", "--partitions", "1", "--config", "retention.ms=1000000"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n").ok();
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "--until-end"]).ok();
    for command in [
        &["topic", "list"][..],
        &["topic", "describe", "a"],
        &["group", "list"],
        &["group", "describe", "g"],
        &["config", "get", "topic", "a"],
        &["config", "diff", "topic", "a"],
        &["config", "explain", "retention.ms"],
        &["cluster", "info"],
        &["cluster", "health"],
        &["cluster", "log-dirs"],
        &["api"],
        &["consume", "a", "--from", "start", "--until-end"],
    ] {
        for format in FORMATS {
            let ended = broker.run(&[command, &["--format", format]].concat());
            let text = ended.ok();
            assert!(!text.is_empty() && ended.stderr.is_empty(), "{command:?} as {format}: {ended:?}");
            match format {
                "json" => drop(json(text)),
                "name" => assert!(text.lines().all(|line| !line.contains("  ")), "{command:?}: {text}"),
                "table" => assert!(!text.contains('…'), "nothing is cut in a pipe: {text}"),
                _ => {}
            }
        }
    }
}

#[test]
fn clusters_have_names_and_changes_name_the_cluster() {
    let broker = Broker::start("profile");
    let profiles = file("profiles");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_riverrun"))
            .args(arguments)
            .env("RIVERRUN_PROFILES", &profiles)
            .env_remove("RIVERRUN_BOOTSTRAP")
            .output()
            .expect("the binary is there");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(run(&["profile", "list"]).1, "");
    assert_eq!(run(&["profile", "create", "dev"]).0, Some(2), "it has no address");
    for wrong in [["", "h:1"], ["a b", "h:1"], ["dev", ""], ["dev", "h"]] {
        let [name, address] = wrong;
        assert_eq!(run(&["profile", "create", name, "--bootstrap", address]).0, Some(2), "{wrong:?}");
    }
    let create = ["profile", "create", "dev", "--bootstrap", &broker.bootstrap, "--color", "red"];
    run(&[&create[..], &["--dry-run"]].concat());
    assert!(!profiles.exists());
    assert_eq!(run(&create).1, format!("dev ({}) is created\n", broker.bootstrap));
    assert_eq!(run(&create).0, Some(1), "it is there");
    run(&["profile", "create", "gone", "--bootstrap", "127.0.0.1:1"]);
    assert_eq!(run(&["topic", "create", "a"]).0, Some(0), "the first profile is the current one");
    assert_eq!(run(&["topic", "list", "--profile", "gone"]).0, Some(1));
    assert_eq!(run(&["topic", "list", "--profile", "nobody"]).0, Some(3));
    assert_eq!(run(&["profile", "current"]).1, format!("dev ({})\n", broker.bootstrap));
    assert_eq!(run(&["profile", "prompt"]).1, "\u{1b}[31mdev\u{1b}[0m \n");
    let bash = run(&["profile", "prompt", "--shell", "bash"]).1;
    assert_eq!(bash, "\u{1}\u{1b}[31m\u{2}dev\u{1}\u{1b}[0m\u{2} \n");
    assert_eq!(run(&["profile", "prompt", "--profile", "nobody"]), (Some(0), String::new(), String::new()));
    let dry = run(&["profile", "delete", "dev", "--dry-run"]);
    assert_eq!(dry.1, format!("dev ({}) would be forgotten\n", broker.bootstrap));
    let with = |variable: &str, value: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
        command.args(arguments).env("RIVERRUN_PROFILES", &profiles).env_remove("RIVERRUN_BOOTSTRAP");
        let output = command.env(variable, value).output().expect("the binary is there");
        String::from_utf8(output.stdout).expect("it prints text")
    };
    assert_eq!(with("NO_COLOR", "1", &["profile", "prompt"]), "dev \n");
    let list = ["topic", "list", "--format", "name"];
    assert_eq!(with("RIVERRUN_BOOTSTRAP", "", &list), "a\n", "a variable without a value says nothing");
    assert_eq!(with("RIVERRUN_PROFILE", "", &list), "a\n");
    let named = ["topic", "list", "--format", "name", "--profile", "dev"];
    assert_eq!(with("RIVERRUN_BOOTSTRAP", "127.0.0.1:1", &named), "a\n", "what a command names goes first");
    assert_eq!(run(&["topic", "list", "--bootstrap", "http://127.0.0.1:1"]).0, Some(2));
    assert_eq!(with("RIVERRUN_SECURITY_PROTOCOL", "", &list), "a\n");
    let named = [&list[..], &["--profile", "dev"]].concat();
    assert_eq!(with("RIVERRUN_BOOTSTRAP", "127.0.0.1:1", &named), "a\n", "the command line goes first");
    let addressed = [&list[..], &["--bootstrap", &broker.bootstrap]].concat();
    assert_eq!(with("RIVERRUN_PROFILE", "gone", &addressed), "a\n", "the command line goes first");
    let both = ["topic", "delete", "a", "--dry-run", "--profile", "gone", "--bootstrap", &broker.bootstrap];
    assert_eq!(run(&both).0, Some(2), "two clusters are named");
    assert_eq!(run(&["topic", "list", "--bootstrap", ""]).0, Some(2));
    assert_eq!(run(&["profile", "set", "dev"]).0, Some(2), "that would change nothing");
    run(&["profile", "rename", "dev", "prod"]);
    assert_eq!(run(&["profile", "list", "--format", "name"]).1, "gone\nprod\n");
    assert_eq!(run(&["complete", "--", "topic", "describe", ""]).1, "a\n", "shells complete live names");
    assert_eq!(run(&["complete", "--", "topic", "list", "--profile", "pr"]).1, "prod\n");
    assert_eq!(run(&["profile", "delete", "prod"]).0, Some(2), "nobody can be asked");
    assert_eq!(run(&["profile", "delete", "prod", "--yes"]).0, Some(0));
    assert_eq!(run(&["profile", "use", "prod"]).0, Some(3));
    std::fs::remove_file(profiles).expect("it was written");
}

#[test]
fn shells_get_a_script_that_asks() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(env!("CARGO_BIN_EXE_riverrun")).args(["completion", shell]).output();
        let output = output.expect("the binary is there");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("riverrun complete --"), "{shell}");
    }
    let bash = "source <(riverrun completion bash)
        for COMP_LINE in 'riverrun -b h:1 topic del' 'riverrun topic list --format=js'; do
            COMP_POINT=${#COMP_LINE}
            _riverrun
            echo ${COMPREPLY[@]}
        done";
    let directory = PathBuf::from(env!("CARGO_BIN_EXE_riverrun"));
    let path = format!(
        "{}:{}",
        directory.parent().expect("a file is in a directory").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    if let Ok(output) = Command::new("bash").args(["-c", bash]).env("PATH", path).output() {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "delete\njson\n");
    }
}

#[test]
fn times_are_local_where_that_is_asked_for() {
    let broker = Broker::start("local");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    // 2026-07-02, half past noon and half past one by the clocks of a place two hours before UTC.
    let input = "1782988200000 noon\n1782991800000 one\n";
    broker.run_with_input(&["produce", "a", "--template", "%d %v\\n"], input).ok();
    let local = |zone: &str, options: &str| {
        broker.shell(&format!("TZ='{zone}' riverrun consume a --until-end --local {options}"))
    };
    const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    let printed = local(ZONE, "--from @2026-07-02T13:00 --print-timestamp");
    assert_eq!(printed.ok(), "2026-07-02T13:30:00.000+02:00\tone\n");
    let printed = local(ZONE, "--from @2026-07-02T10:45Z --template '%d{date} %d{go[15:04 Z07]}\\n'");
    assert_eq!(printed.ok(), "2026-07-02T13:30:00.000+02:00 13:30 +02\n");
    let printed =
        broker.run(&["consume", "a", "--until-end", "--from", "@2026-07-02T11:00", "--print-timestamp"]);
    assert_eq!(printed.ok(), "2026-07-02T11:30:00.000Z\tone\n");
    let trimmed =
        format!("TZ='{ZONE}' riverrun topic trim a --before @2026-07-02T13:00 --local --yes --format json");
    assert_eq!(json(broker.shell(&trimmed).ok())["deleted"], 1);
    let nowhere = local("No/Where", "");
    assert!(nowhere.failed(1).contains("/usr/share/zoneinfo"), "{nowhere:?}");
    broker.run(&["start", "--local"]).failed(2);
}
