//! Commands on topics where they have to hold somebody back, or say what they will not do, against a real broker.

mod support;

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::node::is_ours;
use support::terminal::{Seen, Terminal};
use support::{Broker, code_of};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// A broker with a group, so that there is a topic of its offsets.
fn with_offsets(test: &str) -> Broker {
    let broker = Broker::start(test);
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a", "--partition", "0"], "1\n2\n3\n4\n").ok();
    broker.run_with_input(&["produce", "a", "--partition", "1"], "5\n6\n").ok();
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "--until-end"]).ok();
    broker
}

fn partitions(broker: &Broker, topic: &str) -> usize {
    let described = broker.run(&["topic", "describe", topic, "--format", "json"]);
    json(described.ok()).pointer("/partitions").and_then(Value::as_array).expect("a list").len()
}

#[test]
fn a_topic_of_the_cluster_gets_no_partitions_without_a_question() {
    let broker = with_offsets("add-internal");
    let add = ["topic", "add-partitions", "a", "__consumer_offsets", "--by", "1"];
    let asked = broker.run(&add);
    assert!(asked.failed(2).contains("--yes") && asked.stdout.is_empty(), "{asked:?}");
    assert_eq!((partitions(&broker, "a"), partitions(&broker, "__consumer_offsets")), (2, 3));
    let dry = broker.run(&["topic", "add-partitions", "__consumer_offsets", "--by", "1", "--dry-run"]);
    let line = "__consumer_offsets could have 4 partitions (3 before); most groups lose their offsets\n";
    assert_eq!(dry.ok(), line);
    let same = broker.run(&["topic", "add-partitions", "__consumer_offsets", "--to", "3"]);
    assert_eq!(same.ok(), "__consumer_offsets has 3 partitions already\n", "nothing is lost by that");
    let done = broker.run(&["topic", "add-partitions", "__consumer_offsets", "--by", "1", "--yes"]);
    assert_eq!(done.ok(), "__consumer_offsets has 4 partitions (3 before)\n");
}

#[test]
fn a_topic_of_the_cluster_is_neither_made_nor_changed_without_a_question() {
    let broker = with_offsets("change-internal");
    for (command, dry) in [
        (&["topic", "alter", "__consumer_offsets"][..], true),
        (&["config", "set", "topic", "__consumer_offsets"], false),
    ] {
        let set = [command, &["--set", "segment.ms=3600000"]].concat();
        assert!(broker.run(&set).failed(2).contains("--yes"), "{command:?}");
        let last = if dry { "--dry-run" } else { "--yes" };
        assert!(broker.run(&[&set[..], &[last]].concat()).ok().contains("segment.ms"), "{command:?}");
    }
    let own = broker.run(&["topic", "create", "__transaction_state"]);
    assert!(own.failed(1).contains("is the cluster's own"), "{own:?}");
}

#[test]
fn an_expression_that_says_nothing_means_no_topic() {
    let broker = with_offsets("no-expression");
    for command in ["delete", "describe"] {
        broker.run(&["topic", command, "--regex", ""]).failed(2);
    }
    assert_eq!(partitions(&broker, "a"), 2);
}

#[test]
fn a_trial_of_trimming_knows_what_a_broker_refuses() {
    let broker = with_offsets("trim-refused");
    broker.run(&["topic", "create", "c", "--partitions", "1", "--config", "cleanup.policy=compact"]).ok();
    broker.run_with_input(&["produce", "c", "--key", "k"], "1\n2\n").ok();
    for last in ["--dry-run", "--yes"] {
        let compacted = broker.run(&["topic", "trim", "c", "--before", "end", last]);
        let refused = compacted.failed(1);
        assert!(refused.contains("c is only compacted") && refused.contains("next: "), "{compacted:?}");
        let internal = broker.run(&["topic", "trim", "__consumer_offsets", "--before", "end", last]);
        assert!(internal.failed(1).contains("is the cluster's own"), "{internal:?}");
    }
}

#[test]
fn trimming_says_which_partitions_are_shorter_and_asks_only_if_something_goes() {
    let broker = with_offsets("trim-short");
    let trim = |more: &[&str]| broker.run(&[&["topic", "trim", "a"], more].concat());
    let past = trim(&["--before", "9", "--yes"]);
    let words = "offset 9 is past the end of a-0, which is 4, and no other partition has more";
    assert!(past.failed(1).contains(words), "{past:?}");
    let short = trim(&["--before", "3", "--dry-run"]);
    short.ok();
    assert!(short.stderr.contains("all of partition 1, which ends before 3"), "{short:?}");
    assert_eq!(trim(&["--before", "1", "--yes", "--format", "name"]).ok(), "a\n");
    assert!(trim(&["--before", "1"]).ok().starts_with("0 offsets deleted from a\n"));
    assert!(trim(&["--before", "2"]).failed(2).contains("--yes"));
}

/// What becomes of a topic that is deleted and made anew while it is asked about.
fn changed_meanwhile(broker: &Broker, command: &[&str], anew: &'static [&[&str]]) -> Seen {
    let bootstrap = broker.bootstrap.clone();
    let anew = move || {
        for arguments in anew {
            support::run(support::command_at(&bootstrap, arguments), "5\n6\n7\n").ok();
        }
    };
    let terminal = Terminal { before_yes: Some(Box::new(anew)), ..Terminal::default() };
    terminal.run(broker.command(command), "")
}

#[test]
fn a_yes_to_a_topic_is_none_to_another_one_of_its_name() {
    let broker = with_offsets("anew");
    // There are fewer records in partition 0.
    let ours: &[&[&str]] = &[
        &["topic", "delete", "a", "--yes"],
        &["topic", "create", "a", "--partitions", "2"],
        &["produce", "a", "--partition", "1"],
    ];
    let of_groups: &[&[&str]] = &[
        &["topic", "delete", "__consumer_offsets", "--yes"],
        &["consume", "a", "--group", "g", "--from", "start", "--until-end"],
    ];
    for (name, command, anew) in [
        ("a", &["topic", "delete", "a"][..], ours),
        ("a", &["topic", "trim", "a", "--before", "end"], ours),
        ("__consumer_offsets", &["topic", "add-partitions", "__consumer_offsets", "--by", "1"], of_groups),
    ] {
        let seen = changed_meanwhile(&broker, command, anew);
        assert_eq!(seen.code, Some(1), "{seen:?}");
        let said = format!(
            "[y/N] riverrun: {name} was deleted and made anew meanwhile, and nothing was changed\n\
             next: the same command again asks about the new one\n"
        );
        assert!(seen.screen.ends_with(&said), "{seen:?}");
    }
    let left = broker.run(&["topic", "describe", "a", "--format", "json"]);
    assert_eq!(json(left.ok()).pointer("/partitions/1/start_offset"), Some(&0.into()));
    assert_eq!(partitions(&broker, "__consumer_offsets"), 3);
    let terminal = Terminal { before_yes: Some(Box::new(|| ())), ..Terminal::default() };
    let seen = terminal.run(broker.command(&["topic", "delete", "a"]), "");
    assert!(seen.code == Some(0) && seen.screen.ends_with("deleted a\n"), "{seen:?}");
}

#[test]
fn topics_of_the_cluster_are_left_out_by_expressions_and_it_is_said() {
    let broker = with_offsets("internal-regex");
    let described = broker.run(&["topic", "describe", "--regex", "^__consumer"]);
    let said = described.failed(3);
    assert!(said.contains("no topic but the cluster's own matches"), "{described:?}");
    assert!(said.contains("without --regex: __consumer_offsets"), "{described:?}");
    let listed = broker.run(&["topic", "list", "--regex", "^__consumer"]);
    assert!(listed.ok().is_empty() && listed.stderr.contains("--internal lists them"), "{listed:?}");
    let wrong = broker.run(&["topic", "list", "--regex", "("]);
    assert!(wrong.failed(2).contains("has a backslash before it"), "{wrong:?}");
}

#[test]
fn programs_read_of_one_name_what_they_read_of_several() {
    let broker = Broker::start("one-name");
    let described = broker.run(&["topic", "describe", "nope", "--format", "json"]);
    described.failed(3);
    assert!(json(&described.stdout)["error"].as_str().is_some_and(|error| error.contains("nope")));
    assert_eq!(broker.run(&["topic", "describe", "nope"]).stdout, "", "people read it once");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    assert_eq!(broker.run(&["topic", "describe", "a", "--format", "name"]).ok(), "a\n");
}

#[test]
fn a_topic_that_cannot_be_created_says_why_in_plain_letters() {
    let broker = Broker::start("create-refused");
    let escape = broker.run(&["topic", "create", "a\x1b[31mb"]);
    let said = escape.failed(2);
    assert!(said.contains("a\\u{1b}[31mb") && !said.contains('\x1b'), "{escape:?}");
    let twice = ["topic", "create", "a", "--config", "retention.ms=1", "--config", "retention.ms=2"];
    let twice = broker.run(&twice);
    assert!(twice.failed(2).contains("retention.ms is to be set twice"), "{twice:?}");
    let reserved = broker.run(&["topic", "create", "__cluster_metadata"]);
    assert!(reserved.failed(1).contains("next: "), "{reserved:?}");
}

#[test]
fn who_interrupts_a_change_of_many_is_told_what_was_done() {
    const TOPICS: usize = 60;
    let broker = Broker::start("interrupted-change");
    for number in 0..TOPICS {
        broker.run(&["topic", "create", &format!("t{number:02}"), "--partitions", "1"]).ok();
    }
    let mut deleting = broker.begin(&["topic", "delete", "--regex", "t", "--yes"]);
    let mut lines = BufReader::new(deleting.stdout.take().expect("it is piped")).lines();
    let first = lines.next().expect("it deletes one").expect("it is text");
    assert_eq!(first, "deleted t00", "each is told of as it is done");
    // Nothing more is answered, so that it is still at it.
    broker.pause();
    support::interrupt(&deleting);
    let told: Vec<String> = lines.map(|line| line.expect("it is text")).collect();
    let notes = std::io::read_to_string(deleting.stderr.take().expect("it is piped")).expect("it is text");
    assert_eq!(code_of(deleting.wait().expect("it ends")), Some(130), "{notes}");
    let unknown = format!("what has become of t{:02} is not known", told.len() + 1);
    assert!(notes.contains("interrupted") && notes.contains(&unknown), "{notes}");
    assert!(notes.contains("not tried: ") && notes.contains(" more"), "{notes}");
    broker.go_on();
    let left = broker.run(&["topic", "list", "--format", "name"]);
    let left = left.ok().lines().count();
    assert!((TOPICS - told.len() - 2..TOPICS - told.len()).contains(&left), "{left} are left of {TOPICS}");
}

/// The partition of a broker that is alone has nobody to take it over, and nobody says that it has no leader.
#[test]
fn a_log_that_cannot_be_used_is_told_of_soon_and_counts_as_ill() {
    if !is_ours() {
        return;
    }
    let mut broker = Broker::start("offline");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a", "--partition", "0"], "1\n").ok();
    broker.run_with_input(&["produce", "a", "--partition", "1"], "1\n2\n").ok();
    broker.kill();
    let folders = std::fs::read_dir(broker.directory()).expect("it is there");
    let folders = folders.map(|entry| entry.expect("it can be read").path());
    let data = folders.into_iter().find(|path| path.join("a-0").exists());
    let folder = data.as_deref().unwrap_or(broker.directory()).join("a-0");
    std::fs::rename(&folder, folder.with_extension("aside")).expect("it is there");
    std::fs::write(&folder, "no folder").expect("it can be written");
    broker.restart();

    let begun = Instant::now();
    let described = broker.run(&["topic", "describe", "a", "--format", "json"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let said = "riverrun: not all of a is known: broker 1 leads a-0 and cannot use its log\nnext: ";
    assert!(described.failed(1).starts_with(said), "{described:?}");
    let ends = |partition: usize| json(&described.stdout)["partitions"][partition]["end_offset"].clone();
    assert_eq!((ends(0), ends(1)), (Value::Null, 2.into()), "{described:?}");

    let health = broker.run(&["cluster", "health"]);
    health.failed(1);
    let lines = ["cluster               not healthy", "without a usable log  1: a-0"];
    assert_eq!(health.stdout.lines().collect::<Vec<_>>(), lines);
    let wide = broker.run(&["cluster", "health", "--format", "wide"]);
    assert!(wide.stdout.contains("its leader cannot use its log"), "{wide:?}");
}
