//! Records as they go in and come out, against a real broker.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use support::{Broker, code_of, interrupt};

/// How long something may take that should not take long. Far less than a client tries by itself.
const SOON: Duration = Duration::from_secs(20);

/// The exit code, and what was complained about. The child has to end soon.
fn ended(mut child: Child) -> (Option<i32>, String) {
    assert!(is_over(&mut child, SOON), "it goes on");
    let status = child.wait().expect("it has ended");
    let mut notes = String::new();
    let stderr = child.stderr.take().expect("it is piped");
    std::io::read_to_string(stderr).map(|text| notes = text).expect("it is text");
    (code_of(status), notes)
}

/// Whether the child ends within this time.
fn is_over(child: &mut Child, within: Duration) -> bool {
    let begun = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begun.elapsed() >= within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Waits until a topic has so many records.
fn await_records(broker: &Broker, topic: &str, records: usize) {
    let begun = Instant::now();
    let count = || broker.run(&["consume", topic, "--from", ":end", "--format", "name"]).ok().lines().count();
    while count() < records {
        assert!(begun.elapsed() < SOON, "{records} records are not written");
    }
}

#[test]
fn lines_that_end_as_on_windows_are_told_of_and_can_be_read_without_that_end() {
    let broker = Broker::start("returns");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for dry in [&["--dry-run"][..], &[]] {
        let kept = broker.run_with_input(&[&["produce", "a"], dry].concat(), "x\r\ny\r\n");
        kept.ok();
        assert_eq!(kept.stderr.matches("carriage return, which stays in the value").count(), 1, "{kept:?}");
        assert!(kept.stderr.contains(r"--template '%v\r\n'"), "{kept:?}");
    }
    let template = ["produce", "a", "--template", r"%v\r\n"];
    let cut = broker.run_with_input(&template, "x\r\ny\r\n");
    assert!(!cut.stderr.contains("carriage"), "{cut:?}");
    let json = broker.run_with_input(&["produce", "a", "--from-json"], "{\"value\":\"z\"}\r\n");
    assert!(!json.stderr.contains("carriage"), "{json:?}");
    let read = broker.run(&["consume", "a", "--from", "start", "-e", "--format", "json"]);
    let values: Vec<&str> = read.ok().lines().filter_map(|line| line.split("\"value\":").nth(1)).collect();
    let begin_so = |value: &&str, begin: &str| value.trim_start().starts_with(begin);
    let expected = [r#""x\r""#, r#""y\r""#, r#""x""#, r#""y""#, r#""z""#];
    assert_eq!(values.len(), expected.len(), "{read:?}");
    for (value, expected) in values.iter().zip(expected) {
        assert!(begin_so(value, expected), "{value} is not {expected}");
    }
}

#[test]
fn a_new_group_that_begins_where_it_stops_is_told_what_it_does_not_read() {
    let broker = Broker::start("skipped");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "x\n").ok();
    let passed = broker.run(&["consume", "a", "--group", "g", "-e"]);
    assert_eq!(passed.ok(), "");
    assert!(passed.stderr.contains("the group has committed nothing of a-0"), "{passed:?}");
    assert!(passed.stderr.contains("--from start reads what is there"), "{passed:?}");
    broker.run_with_input(&["produce", "a"], "y\n").ok();
    let read = broker.run(&["consume", "a", "--group", "g", "-e"]);
    assert_eq!((read.ok(), &*read.stderr), ("y\n", ""), "it goes on from where it was");
    let all = broker.run(&["consume", "a", "--group", "h", "-e", "--from", "start"]);
    assert_eq!((all.ok(), &*all.stderr), ("x\ny\n", ""));
}

#[test]
fn what_consume_prints_as_json_is_written_as_the_same_records() {
    let broker = Broker::start("from-json");
    for topic in ["a", "b"] {
        broker.run(&["topic", "create", topic, "--partitions", "1"]).ok();
    }
    let template = "%k{hex} %v{hex} %H %h{%k=%v{hex},}%d\\n";
    let records = "6b ff00 2 x=31,x=,1000\n6b  0 2000\n20 c3a9 1 y=fe,3000\n";
    broker.run_with_input(&["produce", "a", "--template", template, "--tombstone"], records).ok();
    broker.run_with_input(&["produce", "a"], "no key\n").ok();
    let read = |topic: &str| {
        let json = broker.run(&["consume", topic, "--from", ":end", "--format", "json"]);
        json.ok().to_owned()
    };
    let all = read("a");
    assert_eq!(all.lines().count(), 4, "{all}");
    let written = broker.run_with_input(&["produce", "b", "--from-json"], &all);
    assert!(written.ok().is_empty() && written.stderr.contains("4 records written to b"), "{written:?}");
    assert_eq!(read("b").replace(r#""topic":"b""#, r#""topic":"a""#), all);
    let wrong =
        broker.run_with_input(&["produce", "b", "--from-json"], "{\"value\":\"5\"}\n{\"vaule\":\"6\"}\n");
    assert!(wrong.failed(1).contains("record 2 was not written"), "{wrong:?}");
    assert_eq!(read("b").lines().count(), 5, "what came before it is there");
}

#[test]
fn wide_lines_have_all_that_lines_can_have() {
    let broker = Broker::start("wide");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let produce = ["produce", "a", "--template", "%d %k %v\\n", "--header", "h=1"];
    broker.run_with_input(&produce, "1000 k v\n").ok();
    let wide = broker.run(&["consume", "a", "--from", ":end", "--format", "wide"]);
    assert_eq!(wide.ok(), "a\t1970-01-01T00:00:01.000Z\t0\t0\th=1\tk\tv\n");
    let both = broker.run(&["consume", "a", "--format", "wide", "--template", "%v"]);
    assert!(both.failed(2).contains("--format wide"), "{both:?}");
}

#[test]
fn a_group_commits_no_more_than_a_closed_pipe_took() {
    let broker = Broker::start("group-pipe");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let line = |number: usize| format!("{number} and so much text that a pipe is soon full of such lines\n");
    let all: String = (0..20_000).map(line).collect();
    broker.run_with_input(&["produce", "a"], &all).ok();
    let consume = "riverrun consume a --group g --from start --until-end";
    let head = broker.shell(&format!("{consume} | head -n 1"));
    assert_eq!((head.ok(), head.stderr.as_str()), (line(0).as_str(), ""));
    let rest = broker.shell(consume);
    let first = rest.ok().split(' ').next().and_then(|number| number.parse::<usize>().ok());
    let first = first.expect("a group goes on with what no pipe has taken");
    assert!(first < 10_000, "it begins at {first}, and a pipe holds 64 KiB");
    assert_eq!(rest.ok(), (first..20_000).map(line).collect::<String>());
}

#[test]
fn a_reader_whose_pipe_nobody_empties_ends_when_it_is_told_to() {
    let broker = Broker::start("stuck-pipe");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let line = |number: usize| format!("{number} and so much text that a pipe is soon full of such lines\n");
    let all: String = (0..20_000).map(line).collect();
    broker.run_with_input(&["produce", "a"], &all).ok();
    // Once; twice as `timeout` passes it on, to the process and to its group; and by somebody who does not want to wait.
    let ways = [(1, Duration::ZERO), (2, Duration::ZERO), (30, Duration::from_millis(300))];
    let groups = (0..).flat_map(|kind| [(kind, None), (kind, Some(format!("g{kind}")))]);
    for ((kind, group), (times, apart)) in groups.zip(ways.into_iter().flat_map(|way| [way, way])) {
        let is_patient = times <= 2;
        let group: Vec<&str> = group.iter().flat_map(|group| ["--group", group]).collect();
        let mut child = broker.begin(&[&["consume", "a", "--from", "start"], &group[..]].concat());
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut printed = String::new();
        out.read_line(&mut printed).expect("it prints");
        for time in 0..times {
            if time == 0 || !is_over(&mut child, apart) {
                interrupt(&child);
            }
        }
        let (code, notes) = ended(child);
        assert!(group.is_empty() || !is_patient || code == Some(0), "{kind}: {notes}");
        out.read_to_string(&mut printed).expect("it is text");
        assert!(all.starts_with(&printed) && printed.len() < all.len(), "a pipe holds no such thing");
        if !group.is_empty() {
            let rest =
                broker.run(&[&["consume", "a", "--from", "start", "--until-end"], &group[..]].concat());
            let rest = rest.ok();
            assert!(all.ends_with(rest), "{kind}: it is what was left");
            assert!(
                rest.len() >= all.len() - printed.len(),
                "{kind}: nothing that was not printed is committed"
            );
        }
    }
}

#[test]
fn settings_of_the_client_hold_for_every_command_that_has_a_use_for_them() {
    let broker = Broker::start("settings");
    broker.run(&["topic", "list", "-X", "client.id=me", "-X", "request.timeout.ms=5000"]).ok();
    broker.run(&["bench", "produce", "-n", "10", "-X", "linger.ms=0", "-X", "max.request.size=100000"]).ok();
    let too_large = ["bench", "produce", "-n", "10", "--size", "5000", "-X", "max.request.size=1000"];
    broker.run(&too_large).failed(1);
    for (command, setting) in [
        (&["topic", "list"][..], "linger.ms=0"),
        (&["bench", "consume", "a"][..], "linger.ms=0"),
        (&["produce", "a"][..], "max.poll.records=5"),
        (&["produce", "a"][..], "allow.auto.create.topics=true"),
        (&["group", "list"][..], "request.timeout.ms=soon"),
        (&["-X", "linger.ms=0", "topic", "list"][..], "client.id=me"),
        (&["start"][..], "client.id=me"),
        (&["format", "--bootstrap", "a:1"][..], "client.id=me"),
    ] {
        broker.run(&[command, &["-X", setting]].concat()).failed(2);
    }
}

#[test]
fn nobody_acknowledges_what_nobody_was_asked_to_acknowledge() {
    let broker = Broker::start("acks-none");
    let run = broker.run(&["bench", "produce", "-n", "100", "--size", "10", "--acks", "none"]);
    assert!(run.ok().contains("\nsent ") && !run.ok().contains("acknowledged"), "{run:?}");
}

#[test]
fn templates_tell_null_from_empty_in_both_directions() {
    let broker = Broker::start("nulls");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "no key\n").ok();
    broker.run_with_input(&["produce", "a", "--key-separator", ":", "-Z"], "k:\n").ok();
    broker.run_with_input(&["produce", "a", "--key-separator", ":"], ":\n").ok();
    let all = |topic: &str| {
        let json = broker.run(&["consume", topic, "--from", ":end", "--format", "json"]);
        json.ok().replace(&format!(r#""topic":"{topic}""#), "")
    };
    for (copy, template) in [
        ("b", "%d %K{big32}%k%V{big32}%v"),
        ("c", "%d %K %k%V %v\\n"),
        ("d", "%d %k{json} %v{json}\\n"),
        ("e", "%d %K{hex8}%k%V{little16}%v"),
    ] {
        broker.run(&["topic", "create", copy, "--partitions", "1"]).ok();
        let consume = format!("riverrun consume a --from :end --template '{template}'");
        broker.shell(&format!("{consume} | riverrun produce {copy} --template '{template}'")).ok();
        assert_eq!(all(copy), all("a"), "{template}");
    }
    let long = "x".repeat(300);
    broker.run_with_input(&["produce", "a"], &long).ok();
    let cut = broker.run(&["consume", "a", "--from", ":end", "--template", "%V{big8}%v"]);
    assert!(cut.failed(1).contains("300 bytes"), "{cut:?}");
}

#[test]
fn a_reader_stops_where_it_is_told_to_or_waits_until_that_is_there() {
    let broker = Broker::start("until");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "0\n1\n2\n3\n4\n").ok();
    let read = |range: &[&str]| {
        let arguments = [&["consume", "a"], range].concat();
        broker.run(&arguments).ok().split('\n').collect::<String>()
    };
    assert_eq!(read(&["--from", "1", "--until", "-1"]), "123");
    assert_eq!(read(&["--from", "1:-2"]), "12");
    assert_eq!(read(&["--from", "start:+2"]), "01");
    assert_eq!(read(&["--from", "+1:+3"]), "12");
    for wrong in ["3:1", "@-1h:@-2h", "-1:-3", "+3:+1"] {
        assert!(
            broker.run(&["consume", "a", "--from", wrong]).failed(2).contains("before it begins"),
            "{wrong}"
        );
    }
    let reader = broker.begin(&["consume", "a", "--from", "4", "--until", "6"]);
    broker.run_with_input(&["produce", "a"], "5\n6\n7\n").ok();
    assert_eq!(ended(reader).0, Some(0));
}

#[test]
fn whoever_is_interrupted_says_what_was_done_and_that_it_was_not_all() {
    let broker = Broker::start("interrupted");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let mut producer = broker.begin(&["produce", "a"]);
    let mut input = producer.stdin.take().expect("it is piped");
    writeln!(input, "x").expect("it reads");
    await_records(&broker, "a", 1);
    interrupt(&producer);
    let (code, notes) = ended(producer);
    assert_eq!(code, Some(130), "{notes}");
    assert!(notes.contains("1 record written to a") && notes.contains("interrupted"), "{notes}");

    let mut reader = broker.begin(&["consume", "a", "--from", "start", "-n", "5"]);
    let mut line = String::new();
    let stdout = reader.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it prints");
    interrupt(&reader);
    let (code, notes) = ended(reader);
    assert_eq!(code, Some(130), "{notes}");
    assert!(notes.contains("interrupted after 1 record"), "{notes}");
}

#[test]
fn a_record_that_cannot_be_written_is_told_at_once_and_no_other_goes_after_it() {
    let broker = Broker::start("at-once");
    broker.run(&["topic", "create", "a", "--partitions", "1", "--config", "max.message.bytes=1000"]).ok();
    let mut producer = broker.begin(&["produce", "a"]);
    let mut input = producer.stdin.take().expect("it is piped");
    writeln!(input, "x").expect("it reads");
    await_records(&broker, "a", 1);
    writeln!(input, "{}", "y".repeat(2000)).expect("it reads");
    // Its input goes on.
    let (code, notes) = ended(producer);
    assert_eq!(code, Some(1), "{notes}");
    assert!(notes.contains("record 2 was not written"), "{notes}");
    assert!(notes.contains("the input was read up to record 2"), "{notes}");
    drop(input);
    let long = ["produce", "a", "-X", "max.request.size=5000"];
    let refused = broker.run_with_input(&long, &"z".repeat(6000));
    assert!(
        refused.failed(1).contains("record 1 cannot be read: it has more than 5000 bytes"),
        "{refused:?}"
    );
}

#[test]
fn who_does_not_want_to_wait_for_a_broker_that_is_gone_need_not() {
    let mut broker = Broker::start("gone-for-good");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "x\n").ok();
    let mut producer = broker.begin(&["produce", "a"]);
    let mut input = producer.stdin.take().expect("it is piped");
    writeln!(input, "y").expect("it reads");
    await_records(&broker, "a", 2);
    let [reader, bounded] = [("g", &[][..]), ("h", &["-n", "50"])].map(|(group, further)| {
        let consume = ["consume", "a", "--from", "start", "--group", group];
        let mut reader = broker.begin(&[&consume[..], further].concat());
        let mut line = String::new();
        let stdout = reader.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it prints");
        reader
    });
    let bench = broker.begin(&["bench", "produce", "a", "--time", "60s", "--rate", "100"]);
    await_records(&broker, "a", 3);
    broker.kill();
    writeln!(input, "z").expect("it reads");
    let mut notes = BufReader::new(producer.stderr.take().expect("it is piped"));
    let mut await_note = |wanted: &str| {
        let mut note = String::new();
        while !note.contains(wanted) {
            note.clear();
            assert!(notes.read_line(&mut note).expect("it says so") > 0, "it has ended without {wanted}");
        }
    };
    // By then it has read what it cannot write.
    await_note("no broker answers");
    for child in [&producer, &reader, &bounded, &bench] {
        interrupt(child);
    }
    // The first time it says what there is to wait for.
    await_note("waiting until what was read is acknowledged");
    assert!(!is_over(&mut producer, Duration::from_millis(300)), "it waits");
    interrupt(&producer);
    producer.stderr = Some(notes.into_inner());
    assert_eq!(ended(producer).0, Some(1));
    for (reader, code) in [(reader, 1), (bounded, 130)] {
        let (ended, notes) = ended(reader);
        assert_eq!(ended, Some(code), "{notes}");
        assert!(notes.contains("what was printed last may not be committed"), "{notes}");
    }
    assert_eq!(ended(bench).0, Some(130));
}

#[test]
fn a_topic_that_is_deleted_under_a_writer_stays_deleted() {
    let broker = Broker::start("deleted-under");
    broker.run(&["topic", "create", "a", "--partitions", "3"]).ok();
    let mut producer = broker.begin(&["produce", "a"]);
    let mut input = producer.stdin.take().expect("it is piped");
    writeln!(input, "x").expect("it reads");
    await_records(&broker, "a", 1);
    broker.run(&["topic", "delete", "a", "--yes"]).ok();
    writeln!(input, "y").expect("it reads");
    let (code, notes) = ended(producer);
    assert_eq!(code, Some(3), "{notes}");
    assert!(notes.contains("a was deleted while it was written to"), "{notes}");
    assert_eq!(broker.run(&["topic", "list", "--format", "name"]).ok(), "");
}

#[test]
fn a_node_takes_no_option_that_it_would_not_hear() {
    let broker = Broker::start("unheard");
    for option in [
        &["--bootstrap", "a:1"][..],
        &["--profile", "a"],
        &["--security-protocol", "PLAINTEXT"],
        &["--local"],
    ] {
        for command in ["start", "format"] {
            let refused = broker.run(&[&[command], option].concat());
            assert!(refused.failed(2).contains("speaks to no cluster"), "{command} {option:?}: {refused:?}");
        }
    }
}

#[test]
fn fewer_acknowledgements_need_no_other_setting() {
    let broker = Broker::start("acks");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for acks in [&["--acks", "leader"][..], &["--acks", "none"], &["-X", "acks=1"], &["-X", "acks=0"]] {
        broker.run_with_input(&[&["produce", "a"], acks].concat(), "x\n").ok();
    }
    await_records(&broker, "a", 4);
    broker.run(&["topic", "create", "small", "--partitions", "1", "--config", "max.message.bytes=1000"]).ok();
    let refused = broker.run_with_input(&["produce", "small", "--acks", "none"], &("x".repeat(2000) + "\n"));
    refused.ok();
    assert!(refused.stderr.contains("a broker ended the connection"), "{refused:?}");
    for (acks, sets_it) in [
        (&["-X", "acks=1"][..], "next: -X acks=VALUE sets it"),
        (&["--acks", "leader"], "next: --acks sets it"),
    ] {
        let both = [&["produce", "a", "-X", "enable.idempotence=true"], acks].concat();
        let refused = broker.run_with_input(&both, "x\n");
        let refused = refused.failed(2);
        assert!(refused.contains(sets_it), "{refused}");
    }
    broker.run(&["consume", "a", "--group", "g", "-X", "group.id=h"]).failed(2);
    broker.run_with_input(&["produce", "a", "-z", "lz4", "-X", "compression.type=gzip"], "x\n").failed(2);
    broker.run_with_input(&["produce", "a", "-X", "compression.type=gzip"], "x\n").ok();
}

#[test]
fn a_measurement_ends_with_its_topic_and_leaves_it_deleted() {
    let broker = Broker::start("bench-deleted");
    for bench in [["bench", "produce"], ["bench", "latency"]] {
        broker.run(&["topic", "create", "a", "--partitions", "3"]).ok();
        let child = broker.begin(&[&bench[..], &["a", "--time", "60s", "--rate", "50"]].concat());
        await_records(&broker, "a", 1);
        broker.run(&["topic", "delete", "a", "--yes"]).ok();
        let (code, notes) = ended(child);
        assert_eq!(code, Some(3), "{bench:?}: {notes}");
        assert_eq!(broker.run(&["topic", "list", "--format", "name"]).ok(), "", "{bench:?}");
    }
}

#[test]
fn measurements_of_one_moment_and_of_large_records_have_topics_that_fit() {
    let broker = Broker::start("bench-topics");
    let run = |size: &str| broker.begin(&["bench", "produce", "-n", "3", "--size", size]);
    let children = [run("10"), run("10"), run("2000000")];
    for child in children {
        let (code, notes) = ended(child);
        assert_eq!(code, Some(0), "{notes}");
    }
}

#[test]
fn what_nobody_acknowledged_is_sent_and_a_record_of_a_topic_that_is_not_there_has_its_number() {
    let broker = Broker::start("sent");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let sent = broker.run_with_input(&["produce", "a", "--acks", "none"], "x\n");
    assert!(sent.stderr.contains("1 record sent to a"), "{sent:?}");
    let other = broker.run_with_input(&["produce", "-f", "%t %v\\n"], "a x\nnowhere y\na z\n");
    assert!(other.failed(3).contains("record 2 was not written"), "{other:?}");
    let many_lines = broker.run_with_input(&["produce", "a", "--from-json"], "{\n\"value\": \"x\"}\n");
    assert!(many_lines.failed(1).contains("jq -c"), "{many_lines:?}");
    broker.run_with_input(&["produce", "a", "--from-json"], r#"{"value":"x","timestamp":null}"#).ok();
    broker.run(&["consume", "a", "-X", "auto.offset.reset=earliest"]).failed(2);
}

#[test]
fn groups_stay_where_they_are_while_their_topic_gets_more_partitions() {
    let broker = Broker::start("offsets-topic");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "x\n").ok();
    let groups = ["g", "kitchen", "bar", "h"];
    for group in groups {
        broker.run(&["consume", "a", "--group", group, "--from", "start", "--until-end"]).ok();
    }
    let added = broker.run(&["topic", "add-partitions", "__consumer_offsets", "--by", "4", "--yes"]);
    added.ok();
    assert!(added.stderr.contains("cannot be undone: __consumer_offsets"), "{added:?}");
    for group in groups {
        let described = broker.run(&["group", "describe", group, "--format", "json"]);
        assert!(described.ok().contains(r#""committed": 1"#), "{described:?}");
    }
}

#[test]
fn a_record_that_is_to_blame_for_its_batch_is_told_by_its_number() {
    let broker = Broker::start("to-blame");
    broker.run(&["topic", "create", "a", "--partitions", "1", "--config", "cleanup.policy=compact"]).ok();
    let lines = "{\"key\":\"a\",\"value\":\"1\"}\n{\"value\":\"2\"}\n{\"key\":\"b\",\"value\":\"3\"}\n";
    let written = broker.run_with_input(&["produce", "a", "--from-json", "-X", "linger.ms=200"], lines);
    assert!(written.failed(1).contains("record 2 and 2 others were not written"), "{written:?}");
    let advice = "mend line 2; what begins with line 1 of the input is still to be written";
    assert!(written.failed(1).contains(advice), "{written:?}");
    // Those of the batches before and after it are there, and are not to be written twice.
    let many: String = (1..=50_000).fold(String::new(), |text, number| match number {
        25_000 => text + "{\"value\":\"x\"}\n",
        number => text + &format!("{{\"key\":\"k\",\"value\":\"{number}\"}}\n"),
    });
    let written = broker.run_with_input(&["produce", "a", "--from-json", "--format", "json"], &many);
    assert!(written.failed(1).contains("mend line 25000; line"), "{}", written.stderr);
    let told: serde_json::Value = serde_json::from_str(&written.stdout).expect("it is JSON");
    let (failed, read) = (told["failed"].as_u64(), told["read"].as_u64());
    let runs = told["unwritten"].as_array().expect("it is told").iter();
    let counts = runs.filter_map(|run| Some(run["last"].as_u64()? - run["first"].as_u64()? + 1));
    assert_eq!(Some(counts.sum()), failed);
    assert_eq!(read.zip(failed).map(|(read, failed)| read - failed), told["records"].as_u64());
    broker.run(&["group", "describe", ""]).failed(2);
}

#[test]
fn a_template_without_a_value_deletes_no_key_unless_that_is_asked_for() {
    let broker = Broker::start("no-value");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let produce = ["produce", "a", "--template", "%V{big8}%k\\n"];
    let refused = broker.run_with_input(&produce, "\0k\n");
    let words = refused.failed(2);
    assert!(
        words.contains("the template has no value") && words.contains("next: have the value in it as %v")
    );
    let deleted = broker.run_with_input(&["produce", "a", "-f", "%k\\n", "--tombstone"], "k\n");
    assert!(deleted.stderr.contains("1 record written"), "{deleted:?}");
    let read = broker.run(&["consume", "a", "--from", ":end", "--template", "%k %v{json}\\n"]);
    assert_eq!(read.ok(), "k null\n");
}

#[test]
fn a_wrong_record_comes_with_the_way_to_write_the_rest() {
    let broker = Broker::start("rest");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let lines = ["produce", "a", "--key-separator", ":"];
    let input = "k:v\nno separator\nk2:v2\n";
    let wrong = broker.run_with_input(&lines, input);
    let words = wrong.failed(1);
    assert!(words.contains("1 record written to a"), "{words}");
    assert!(
        words.contains("riverrun: record 2 was not written: the key separator is not in it\n"),
        "{words}"
    );
    assert!(
        words.contains(
            "next: mend it; what begins with line 2 of the input is still to be written: `tail -n +2"
        )
    );
    let dry = broker.run_with_input(&[&lines[..], &["--dry-run"]].concat(), input);
    let words = dry.failed(1);
    assert!(words.contains("record 2 would not be written: "), "{words}");
    assert!(words.contains("next: mend line 2 of the input, and try again\n"), "{words}");
    let template = broker.run_with_input(&["produce", "a", "-f", "%k %v{hex}\\n"], "k 6b\nk 0g\n");
    assert!(
        template
            .failed(1)
            .contains("next: mend it; what begins with record 2 of the input is still to be written"),
        "{template:?}"
    );
    assert_eq!(broker.run(&["consume", "a", "--from", ":end"]).ok(), "v\nk\n");
}

#[test]
fn a_record_for_a_place_that_is_not_there_comes_with_the_way_to_write_the_rest() {
    let broker = Broker::start("no-place");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let (lines, input) = (["produce", "a", "-f", "%k %p %v\\n"], "a 0 v\nb 9 w\nc 0 x\n");
    let rest = "what begins with record 2 of the input is still to be written";
    let partition = broker.run_with_input(&lines, input);
    let words = partition.failed(3);
    assert!(words.contains("1 record written to a"), "{words}");
    assert!(words.contains("riverrun: record 2 was not written: a has no partition 9\n"), "{words}");
    assert!(words.contains(&format!("next: it has 1, counted from 0; mend it; {rest}")), "{words}");
    let dry = broker.run_with_input(&[&lines[..], &["--dry-run"]].concat(), input);
    let words = dry.failed(3);
    assert!(words.contains("record 2 would not be written: a has no partition 9\n"), "{words}");
    assert!(words.contains("mend record 2 of the input, and try again\n"), "{words}");
    let topic = broker.run_with_input(&["produce", "-f", "%t %v\\n"], "a v\nnowhere w\n");
    let words = topic.failed(3);
    assert!(words.contains("riverrun: record 2 was not written: "), "{words}");
    assert!(words.contains(&format!("next: `riverrun topic create nowhere` makes it; {rest}")), "{words}");
}

#[test]
fn bytes_that_are_no_text_go_through_json_as_they_are() {
    let broker = Broker::start("json-bytes");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a", "-f", "%k{hex} %v{hex}\\n"], "fffe 22c3a9\n").ok();
    let template = "%k{json} %v{json}\\n";
    let printed = broker.run(&["consume", "a", "--from", ":end", "-f", template]);
    assert_eq!(printed.ok(), "{\"base64\":\"//4=\"} \"\\\"é\"\n");
    broker.run_with_input(&["produce", "a", "-f", template], printed.ok()).ok();
    let both = broker.run(&["consume", "a", "--from", ":end", "-f", "%k{hex} %v{hex}\\n"]);
    assert_eq!(both.ok(), "fffe 22c3a9\nfffe 22c3a9\n");
}

#[test]
fn a_date_without_an_offset_is_meant_in_the_local_time_zone_where_that_is_asked_for() {
    let broker = Broker::start("local-date");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for (option, time) in [(&[][..], "1970-01-02T03:00:00.000Z"), (&["--local"], "1970-01-02T02:00:00.000Z")]
    {
        let mut command = broker.command(&[&["produce", "a", "-f", "%d{date} %v\\n"], option].concat());
        command.env("TZ", "<+01>-1");
        support::run(command, "1970-01-02T03:00:00 x\n").ok();
        let read = broker.run(&["consume", "a", "--tail", "1", "--until-end", "-f", "%d{date}\\n"]);
        assert_eq!(read.ok(), format!("{time}\n"));
    }
}

#[test]
fn a_writer_hears_that_its_topic_is_another_one_now() {
    let broker = Broker::start("made-anew");
    let create = ["topic", "create", "a", "--partitions", "1"];
    broker.run(&create).ok();
    let mut writer = broker.begin(&["produce", "a"]);
    let mut input = writer.stdin.take().expect("it is piped");
    input.write_all(b"1\n2\n").expect("it reads");
    await_records(&broker, "a", 2);
    broker.run(&["topic", "delete", "a", "--yes"]).ok();
    broker.run(&create).ok();
    input.write_all(b"3\n").expect("it reads");
    drop(input);
    let (code, notes) = ended(writer);
    assert_eq!(code, Some(3), "{notes}");
    assert!(notes.contains("a was deleted") && notes.contains("next: what was written"), "{notes}");
}

#[test]
fn a_trial_names_the_topics_that_would_be_written_to() {
    let broker = Broker::start("trial-names");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let dry = broker.run_with_input(&["produce", "a", "--dry-run", "--format", "name"], "1\n");
    assert_eq!(dry.ok(), "a\n");
}
