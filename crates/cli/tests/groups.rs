//! What is said of groups: how far behind they are, and where they are sent.

mod support;

use std::time::{Duration, Instant};

use client::config::OffsetReset;
use client::{Client, ClientConfig, Consumer, ConsumerConfig};
use serde_json::Value;
use support::Broker;
use support::terminal::{Step, Terminal};

/// How long a group may take until its members have their partitions.
const DEADLINE: Duration = Duration::from_secs(60);

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// A broker with a topic of five records and another one, and a group that has read two of them.
fn broker_with_group(test: &str) -> Broker {
    let broker = Broker::start(test);
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["topic", "create", "b", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n2\n3\n4\n5\n").ok();
    broker.run(&["consume", "a", "--group", "kitchen", "--from", "start", "-n", "2"]).ok();
    broker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_which_nothing_is_known_is_not_said_to_have_read_everything() {
    let broker = broker_with_group("unknown-lag");
    let client = Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there");
    let config = ConsumerConfig {
        enable_auto_commit: false,
        auto_offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::group("new")
    };
    let mut member = Consumer::new(&client, config).expect("it works");
    member.subscribe(["a"]).expect("it has a group");
    let deadline = Instant::now() + DEADLINE;
    while member.assignment().count() == 0 {
        assert!(Instant::now() < deadline, "it gets no partition");
        member.poll(Duration::from_millis(20)).await.expect("the group works");
    }
    let describe = ["group", "describe", "new", "--trend", "10ms"];
    // Its heartbeats have a task of their own, so it remains a member meanwhile.
    let described =
        tokio::task::block_in_place(|| broker.run(&[&describe[..], &["--format", "json"]].concat()));
    let described = json(described.ok());
    assert_eq!(described["partitions"][0]["member"].as_str().map(|id| !id.is_empty()), Some(true));
    assert_eq!(
        (&described["lag"], &described["trend"]["caught_up_in_seconds"]),
        (&Value::Null, &Value::Null)
    );
    let table = tokio::task::block_in_place(|| broker.run(&describe));
    for line in ["lag           -", "caught up in  -"] {
        assert!(table.ok().lines().any(|found| found == line), "{line}: {table:?}");
    }
    member.close().await.expect("it leaves");
}

#[test]
fn an_offset_that_is_gone_is_told() {
    let broker = broker_with_group("gone");
    broker.run(&["topic", "trim", "a", "--before", "4", "--yes"]).ok();
    let described = broker.run(&["group", "describe", "kitchen"]);
    assert!(described.ok().contains("lag          3 records"), "as Kafka counts it: {described:?}");
    assert_eq!(described.stderr, "a-0: the committed offset 2 is before its start, which is 4\n");
    let back = broker.run(&["group", "reset", "kitchen", "--by", "-1", "--dry-run"]);
    assert!(back.ok().contains("+2"), "{back:?}");
    assert!(back.stderr.contains("a-0: 1 is before the start, which is 4 and is taken instead"), "{back:?}");
}

#[test]
fn what_cannot_be_reset_is_named() {
    let broker = broker_with_group("nothing");
    let dry =
        |arguments: &[&str]| broker.run(&[&["group", "reset", "kitchen", "--dry-run"], arguments].concat());
    let absent = dry(&["--to", "start", "--partition", "19"]);
    assert!(absent.failed(3).contains("kitchen has no committed offset in partition 19"), "{absent:?}");
    let absent = dry(&["--by", "1", "--topic", "b"]);
    assert!(absent.failed(3).contains("no committed offset in b, from which --by"), "{absent:?}");
    assert!(absent.stderr.contains("next: --to says where to begin"), "{absent:?}");
}

#[test]
fn a_place_that_is_not_there_is_told_with_the_one_that_is_taken() {
    let broker = broker_with_group("out-of-range");
    for (target, told) in [
        (["--to", "999999"], "a-0: 999999 is past the end, which is 5 and is taken instead"),
        (["--by", "999999"], "a-0: 1000001 is past the end, which is 5 and is taken instead"),
        (["--by", "-3"], "a-0: -1 is before the start, which is 0 and is taken instead"),
    ] {
        let dry = broker.run(&[&["group", "reset", "kitchen", "--dry-run"], &target[..]].concat());
        dry.ok();
        assert!(dry.stderr.lines().any(|line| line == told), "{target:?}: {dry:?}");
    }
    let done = broker.run(&[
        "group",
        "reset",
        "kitchen",
        "--to",
        "9223372036854775807",
        "--yes",
        "--format",
        "json",
    ]);
    assert_eq!(json(done.ok())["partitions"][0]["out_of_range"], 9_223_372_036_854_775_807_i64);
    let within = broker.run(&["group", "reset", "kitchen", "--to", "3", "--dry-run"]);
    assert_eq!(within.stderr, "nothing was changed (--dry-run)\n");
}

#[test]
fn a_name_that_is_too_long_to_be_sent_is_told_and_is_no_setting() {
    let broker = broker_with_group("long-name");
    let long = format!("kitchen-of-many-{}", "x".repeat(32_768));
    for command in [
        &["group", "describe", &long][..],
        &["group", "reset", &long, "--to", "start", "--topic", "a", "--yes"],
        &["consume", "a", "--from", "start", "--group", &long],
        &["topic", "describe", &long],
        &["config", "set", "topic", "a", "--set", &format!("cleanup.policy={long}")],
    ] {
        let refused = broker.run(command);
        let told = ": the text of 32784 bytes that begins with \"kitchen-of-many-\" is longer than 32767 bytes, which is \
                    the most that can be sent\nnext: give a shorter name or value there\n";
        assert!(refused.failed(2).ends_with(told), "{refused:?}");
    }
}

#[test]
fn an_undo_file_brings_a_group_to_nowhere_that_is_not_there() {
    let broker = broker_with_group("undo-range");
    let undo = std::env::temp_dir().join(format!("riverrun-cli-kept-range-{}", std::process::id()));
    let path = undo.display().to_string();
    broker.run(&["group", "reset", "kitchen", "--to", "end", "--yes"]).ok();
    for (kept, told, taken) in [
        (500, "a-0: 500 is past the end, which is 5 and is taken instead\n", 5),
        (1, "a-0: 1 is before the start, which is 3 and is taken instead\n", 3),
    ] {
        let text =
            format!(r#"{{"group":"kitchen","offsets":[{{"topic":"a","partition":0,"offset":{kept}}}]}}"#);
        std::fs::write(&undo, text).expect("the file can be written");
        broker.run(&["topic", "trim", "a", "--before", "3", "--yes"]).ok();
        let reset = ["group", "reset", "kitchen", "--from-file", &path];
        let dry = broker.run(&[&reset[..], &["--dry-run"]].concat());
        dry.ok();
        assert!(dry.stderr.contains(told), "{dry:?}");
        let done = json(broker.run(&[&reset[..], &["--yes", "--format", "json"]].concat()).ok());
        let done = &done["partitions"][0];
        assert_eq!((&done["after"], &done["out_of_range"]), (&taken.into(), &kept.into()));
    }
    let other = broker.run(&["group", "reset", "kitchen", "--from-file", &path, "--partition", "3"]);
    assert!(other.failed(3).contains("holds nothing of partition 3"), "{other:?}");
    std::fs::remove_file(undo).expect("it was written");
}

#[test]
fn an_undo_file_serves_where_a_topic_or_the_group_is_gone() {
    let broker = broker_with_group("undo-gone");
    broker.run_with_input(&["produce", "b"], "1\n").ok();
    let undo = std::env::temp_dir().join(format!("riverrun-cli-kept-gone-{}", std::process::id()));
    let path = undo.display().to_string();
    let kept =
        |topic: &str, offset: Value| serde_json::json!({"topic": topic, "partition": 0, "offset": offset});
    let offsets = [kept("a", 2.into()), kept("b", 1.into()), kept("gone", 5.into())];
    let text = serde_json::json!({"group": "kitchen", "offsets": offsets}).to_string();
    std::fs::write(&undo, text).expect("the file can be written");
    let reset = |more: &[&str]| {
        broker.run(&[&["group", "reset", "kitchen", "--from-file", &path, "--yes"], more].concat())
    };
    let refused = reset(&[]);
    let next = "next: to reset it in those that are there, name them: --topic a --topic b\n";
    assert!(refused.failed(3).ends_with(next), "{refused:?}");
    let absent = reset(&["--topic", "a", "--topic", "other"]);
    assert!(absent.failed(3).ends_with("holds nothing of \"other\"\nnext: name topics that are in it\n"));
    let absent = reset(&["--topic", "a", "--partition", "1"]);
    assert!(
        absent.failed(3).ends_with("holds nothing of partition 1\nnext: name a partition that is in it\n")
    );
    broker.run(&["group", "delete", "kitchen", "--yes"]).ok();
    let made = reset(&["--topic", "a", "--topic", "b", "--format", "json"]);
    let made = json(made.ok());
    assert_eq!((&made["is_new"], &made["partitions"][1]["after"]), (&true.into(), &1.into()));
    let described = json(broker.run(&["group", "describe", "kitchen", "--format", "json"]).ok());
    assert_eq!(described["partitions"].as_array().map(Vec::len), Some(2));
    assert_eq!(described["partitions"][0]["committed"], 2);
    std::fs::remove_file(undo).expect("it was written");
}

#[test]
fn a_group_that_is_not_there_is_not_made_without_a_word() {
    let broker = broker_with_group("typo");
    let reset = ["group", "reset", "kichen", "--to", "end", "--topic", "a"];
    let dry = broker.run(&[&reset[..], &["--dry-run"]].concat());
    dry.ok();
    let told = "the group kichen is not there, and would be made; did you mean kitchen?";
    assert!(dry.stderr.contains(told), "{dry:?}");
    let asked = Terminal::default().run(broker.command(&reset), "n\n");
    assert!(asked.screen.contains(told), "{asked:?}");
    assert!(asked.screen.contains("Make the group kichen, which is not there, with offsets in 1 partition"));
    for command in ["describe", "delete"] {
        let absent = broker.run(&["group", command, "kichen"]);
        assert!(absent.failed(3).contains("next: did you mean kitchen?"), "{absent:?}");
    }
    let absent = broker.run(&["group", "reset", "kichen", "--to", "end", "--yes"]);
    assert!(absent.failed(3).contains("next: did you mean kitchen?"), "{absent:?}");
    let made = broker.run(&[&reset[..], &["--yes", "--format", "json"]].concat());
    assert_eq!(json(made.ok())["is_new"], true);
}

#[test]
fn who_waits_at_a_terminal_sees_what_for() {
    let broker = broker_with_group("trend-waits");
    let seen =
        Terminal::default().run(broker.command(&["group", "describe", "kitchen", "--trend", "1500ms"]), "");
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(seen.screen.contains("looking again in 0."), "{seen:?}");
    assert!(seen.screen.contains("\r\u{1b}[Kgroup "), "it goes away again: {seen:?}");
    let missing = ["group", "describe", "kitchn", "--trend", "10m"];
    let seen = Terminal::default().run(broker.command(&missing), "");
    assert_eq!(seen.code, Some(3), "nothing is waited for: {seen:?}");
}

#[test]
fn of_a_group_that_is_set_back_meanwhile_the_trend_says_so() {
    let broker = broker_with_group("trend-back");
    let records: String = (0..2000).map(|number| format!("{number}\n")).collect();
    broker.run_with_input(&["produce", "a"], &records).ok();
    for format in ["table", "json"] {
        broker.run(&["group", "reset", "kitchen", "--to", "end", "--yes"]).ok();
        let mut described =
            broker.begin(&["group", "describe", "kitchen", "--trend", "1500ms", "--format", format]);
        // Wherever the two looks fall, it is further back in the second one.
        while described.try_wait().expect("it runs").is_none() {
            broker.run(&["group", "reset", "kitchen", "--by", "-1", "--yes"]).ok();
        }
        let output = described.wait_with_output().expect("it has ended").stdout;
        let output = String::from_utf8(output).expect("it prints text");
        if format == "json" {
            let expected = serde_json::json!({
                "written_per_second": 0.0,
                "read_per_second": null,
                "set_back": true,
                "caught_up_in_seconds": null,
            });
            assert_eq!(json(&output)["trend"], expected);
            continue;
        }
        assert!(output.contains("trend         0.0 a second written, set back meanwhile\n"), "{output}");
        let unknown = "caught up in  not known, as the group was set back meanwhile\n";
        assert!(output.contains(unknown), "{output}");
    }
}

#[test]
fn what_was_seen_at_first_is_shown_where_there_is_no_second_look() {
    for format in ["table", "json", "yaml"] {
        let broker = broker_with_group(&format!("trend-dies-{format}"));
        let die = Step { at: "looking again in ", signal: "-KILL", process: Some(broker.process()) };
        let terminal = Terminal { steps: vec![die], ..Terminal::default() };
        let describe = ["group", "describe", "kitchen", "--trend", "1500ms", "--format", format];
        let seen = terminal
            .run(broker.command(&[&describe[..], &["-X", "default.api.timeout.ms=1000"]].concat()), "");
        assert_eq!(seen.code, Some(1), "{seen:?}");
        let lag = match format {
            "table" => "lag          3 records",
            "json" => "\"lag\": 3",
            _ => "lag: 3",
        };
        let (shown, said) =
            (seen.screen.find(lag), seen.screen.find("riverrun: cannot describe the group: "));
        assert!(shown.is_some_and(|shown| said.is_some_and(|said| shown < said)), "{seen:?}");
        let error = format == "table" || seen.screen.contains("error");
        assert!(error && !seen.screen.contains("caught up in"), "{seen:?}");
    }
}

#[test]
fn an_expression_that_matches_nothing_is_told_beside_one_that_does() {
    let broker = broker_with_group("unmatched");
    let group = broker.run(&["group", "describe", "--regex", "^kit", "^none$"]);
    assert!(
        group.failed(3).contains("no group matches ^none$\n") && group.stdout.contains("kitchen"),
        "{group:?}"
    );
    let topic = broker.run(&["topic", "describe", "--regex", "^a$", "^none$"]);
    assert!(
        topic.failed(3).contains("no topic matches ^none$\n") && topic.stdout.contains("PARTITION"),
        "{topic:?}"
    );
    let fresh = broker.run(&["group", "reset", "fresh", "--by", "1", "--topic", "a", "--dry-run"]);
    assert!(
        fresh.failed(3).contains("there is no group fresh") && fresh.stderr.contains("group list"),
        "{fresh:?}"
    );
}

#[test]
fn of_many_groups_the_rest_is_not_tried_where_no_broker_is_left() {
    let broker = broker_with_group("gone-of-many");
    for group in ["b", "c"] {
        broker.run(&["consume", "a", "--group", group, "--from", "start", "-n", "1"]).ok();
    }
    let process = broker.process();
    let kill = move || support::send("-KILL", process);
    let terminal = Terminal { before_yes: Some(Box::new(kill)), ..Terminal::default() };
    let delete = ["group", "delete", "kitchen", "b", "c", "-X", "default.api.timeout.ms=1000"];
    let seen = terminal.run(broker.command(&delete), "");
    assert_eq!(seen.code, Some(1), "{seen:?}");
    assert!(seen.screen.contains("kitchen: cannot delete the group: "), "{seen:?}");
    // The first may have left before the connection was known to be gone, and then nobody knows whether it was done.
    let not_tried = ["b, c\n", "c\n"].map(|names| format!("no broker can be reached; not tried: {names}"));
    assert!(not_tried.iter().any(|words| seen.screen.contains(words)), "{seen:?}");
}

#[test]
fn who_says_no_to_a_question_hears_what_it_left_out() {
    let broker = broker_with_group("said-no");
    let delete = ["group", "delete", "-r", "kitchen", "nobody"];
    let seen = Terminal::default().run(broker.command(&delete), "n\n");
    assert_eq!(seen.code, Some(1), "{seen:?}");
    let said = seen.screen.split_once("[y/N] ").map_or("", |(_, said)| said);
    let ends = "riverrun: nothing was changed\nriverrun: no group matches nobody\n\
                next: `riverrun group list` shows which there are\n";
    assert!(said.ends_with(ends), "{seen:?}");
    assert!(broker.run(&["group", "list"]).ok().contains("kitchen"));
}

#[test]
fn a_reset_that_is_refused_leaves_no_undo_file_in_the_way_of_the_next() {
    let broker = broker_with_group("undo-refused");
    let undo = std::env::temp_dir().join(format!("riverrun-cli-refused-undo-{}", std::process::id()));
    let path = undo.display().to_string();
    let reset = ["group", "reset", "kitchen", "--to", "start", "--undo-file", &path];
    let (member, joined) = std::sync::mpsc::channel();
    let mut consume =
        broker.command(&["consume", "a", "--group", "kitchen", "-X", "enable.auto.commit=false"]);
    let mut look = broker.command(&["group", "describe", "kitchen", "--format", "json"]);
    let join = move || {
        member.send(support::begin(&mut consume)).expect("it is waited for");
        let deadline = Instant::now() + DEADLINE;
        let mut has_partition = || {
            let seen = look.output().expect("it can be run");
            json(&String::from_utf8_lossy(&seen.stdout))["partitions"][0]["member"].is_string()
        };
        while !has_partition() {
            assert!(Instant::now() < deadline, "it gets no partition");
        }
    };
    let terminal = Terminal { before_yes: Some(Box::new(join)), ..Terminal::default() };
    let refused = terminal.run(broker.command(&reset), "");
    let mut member = joined.recv().expect("the question was asked");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.screen.contains("next: the group has members: stop them first\n"), "{refused:?}");
    assert!(!undo.exists(), "nothing was changed: {refused:?}");
    support::send("-INT", member.id());
    member.wait().expect("it ends");
    broker.run(&[&reset[..], &["--yes"]].concat()).ok();
    assert!(std::fs::read_to_string(&undo).is_ok_and(|kept| kept.contains("\"offset\": 2")));
    std::fs::remove_file(undo).expect("it was written");
}

#[test]
fn who_interrupts_the_second_look_gets_the_first() {
    let broker = broker_with_group("trend-hangs");
    let hang = Step { at: "looking again in ", signal: "-STOP", process: Some(broker.process()) };
    let interrupt = Step { at: "waiting for an answer from ", signal: "-INT", process: None };
    let terminal = Terminal { steps: vec![hang, interrupt], ..Terminal::default() };
    let seen = terminal.run(broker.command(&["group", "describe", "kitchen", "--trend", "1500ms"]), "");
    assert_eq!(seen.code, Some(130), "{seen:?}");
    assert!(seen.screen.contains("lag          3 records"), "{seen:?}");
    assert!(
        seen.screen.ends_with("riverrun: interrupted before the second look, so that there is no trend\n")
    );
}
