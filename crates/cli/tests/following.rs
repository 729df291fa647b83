//! `riverrun consume` while what it reads is trimmed, grows, or is deleted and made anew.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use support::{Broker, Ended, interrupt};

/// How long something may take until it is taken for not coming.
const DEADLINE: Duration = Duration::from_secs(60);

/// A reader that goes on until it is interrupted, and what it has printed and said.
struct Reader {
    child: Child,
    lines: Receiver<String>,
    notes: Receiver<String>,
}

/// The lines of what a command writes, as they come.
fn lines_of(output: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let output = output.expect("it is piped");
    let (send, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    lines
}

/// All that was said and that nobody has looked at.
fn rest_of(notes: &Receiver<String>) -> String {
    notes.iter().map(|line| line + "\n").collect()
}

impl Reader {
    /// Begins to read, and notices soon what becomes of topics.
    fn begin(broker: &Broker, arguments: &[&str]) -> Reader {
        Reader::begin_as_usual(broker, &[arguments, &["-X", "metadata.max.age.ms=200"]].concat())
    }

    fn begin_as_usual(broker: &Broker, arguments: &[&str]) -> Reader {
        let mut child = broker.begin(&[&["consume"], arguments, &["-f", "%t-%p %o %v\\n"]].concat());
        let (lines, notes) = (lines_of(child.stdout.take()), lines_of(child.stderr.take()));
        Reader { child, lines, notes }
    }

    /// The next lines, in order of their text: partitions are read in any order.
    #[track_caller]
    fn lines(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = Vec::new();
        while lines.len() < count {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("only these came: {lines:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended after {lines:?}"),
            }
        }
        lines.sort();
        lines
    }

    /// Waits for its end. It prints nothing more. Its exit code, and what it said.
    #[track_caller]
    fn ended(mut self) -> (Option<i32>, String) {
        match self.lines.recv_timeout(DEADLINE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => panic!("it goes on"),
            Ok(line) => panic!("it printed {line}"),
        }
        let status = self.child.wait().expect("it ends");
        (status.code(), rest_of(&self.notes))
    }

    /// What it says next.
    #[track_caller]
    fn note(&self) -> String {
        self.notes.recv_timeout(DEADLINE).expect("it says something in time")
    }

    /// Ends it. What it printed that nobody has looked at, and what it said.
    fn end(mut self) -> (Vec<String>, String) {
        interrupt(&self.child);
        let status = self.child.wait().expect("it ends");
        let rest = self.lines.iter().collect();
        let notes = rest_of(&self.notes);
        assert!(status.success(), "{notes}");
        (rest, notes)
    }
}

fn create(broker: &Broker, topic: &str, partitions: &str) {
    broker.run(&["topic", "create", topic, "--partitions", partitions]).ok();
}

fn write(broker: &Broker, topic: &str, partition: &str, lines: &[&str]) {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    broker.run_with_input(&["produce", topic, "--partition", partition], &input).ok();
}

fn numbers(range: std::ops::Range<i32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn write_numbers(broker: &Broker, topic: &str, range: std::ops::Range<i32>) {
    let all = numbers(range);
    write(broker, topic, "0", &all.iter().map(String::as_str).collect::<Vec<_>>());
}

/// What a group has committed and what it has yet to read, by partition.
fn committed(broker: &Broker, group: &str) -> String {
    let described = broker.run(&["group", "describe", group, "--format", "json"]);
    let lines = described.ok().lines().filter(|line| line.contains(r#""committed""#));
    lines.map(|line| line.trim().trim_end_matches(',').to_owned()).collect::<Vec<_>>().join(" ")
}

/// A member that reads to the end.
fn member(broker: &Broker, topic: &str) -> Ended {
    broker.run(&["consume", topic, "--group", "g", "--until-end"])
}

#[test]
fn a_group_whose_place_was_trimmed_away_goes_on_at_the_start_and_says_so() {
    let broker = Broker::start("group-trimmed");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..100);
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "-n", "10"]).ok();
    broker.run(&["topic", "trim", "a", "--before", "50", "--yes"]).ok();
    let rest = member(&broker, "a");
    assert_eq!(rest.ok().lines().collect::<Vec<_>>(), numbers(50..100));
    assert_eq!(rest.stderr, "what was before offset 50 of a-0 is gone: 10 to 49 are passed over\n");
    assert_eq!(committed(&broker, "g"), r#""committed": 100"#);
    broker.run(&["topic", "trim", "a", "--before", "end", "--yes"]).ok();
    let nothing = member(&broker, "a");
    assert_eq!((nothing.ok(), nothing.stderr.as_str()), ("", ""), "what is gone was read");
}

#[test]
fn a_group_whose_place_the_log_never_had_reads_what_is_there() {
    let broker = Broker::start("group-beyond");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..5);
    let config = client::ConsumerConfig::group("g");
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    runtime.block_on(async {
        let config_of = client::ClientConfig::new(&broker.bootstrap);
        let client = client::Client::connect(config_of).await.expect("the broker is there");
        let mut consumer = client::Consumer::new(&client, config).expect("it works");
        let place = (client::TopicPartition::new("a", 0), client::Offset(70).into());
        consumer.commit_offsets([place]).await.expect("nobody is a member");
    });
    let read = member(&broker, "a");
    assert_eq!(read.ok().lines().collect::<Vec<_>>(), numbers(0..5));
    assert_eq!(read.stderr, "a-0 ends at offset 5, before 70: it goes on at 0\n");
    assert_eq!(committed(&broker, "g"), r#""committed": 5"#);
}

#[test]
fn what_is_trimmed_under_a_reader_is_told() {
    let broker = Broker::start("trimmed-under");
    create(&broker, "a", "1");
    // More than the reader, its pipe and its fetches hold, so that it stands somewhere in it.
    let filler = "x".repeat(2000);
    let lines: String = (0..4000).map(|number| format!("{number} {filler}\n")).collect();
    for group in [&[][..], &["--group", "g"]] {
        broker.run_with_input(&["produce", "a"], &lines).ok();
        let end: i64 =
            broker.run(&["consume", "a", "--tail", "1", "--until-end", "-f", "%o"]).ok().parse().unwrap_or(0);
        let small =
            ["-X", "max.partition.fetch.bytes=20000", "-X", "fetch.max.bytes=20000", "-f", "%o %v\\n"];
        let arguments = [&["consume", "a", "--from", "start", "--until-end"], group, &small].concat();
        let mut child = broker.begin(&arguments);
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let offset = |line: &str| line.split(' ').next().and_then(|offset| offset.parse::<i64>().ok());
        let mut line = String::new();
        out.read_line(&mut line).expect("it prints");
        let mut read = vec![offset(&line).expect("it begins with an offset")];
        broker.run(&["topic", "trim", "a", "--before", &end.to_string(), "--yes"]).ok();
        read.extend(out.lines().map_while(Result::ok).filter_map(|line| offset(&line)));
        let mut notes = String::new();
        let mut stderr = child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut notes).expect("it is text");
        assert!(child.wait().expect("it ends").success(), "{notes}");
        assert_eq!(read.last(), Some(&end), "what is left is read");
        let before = read[read.len() - 2] + 1;
        assert!(before < end, "it was not trimmed under the reader");
        assert_eq!(
            notes,
            format!("what was before offset {end} of a-0 is gone: {before} to {} are passed over\n", end - 1)
        );
    }
}

#[test]
fn partitions_that_are_added_are_read_from_their_start() {
    let broker = Broker::start("added");
    for (topic, arguments) in
        [("a", &["--from", "start"][..]), ("b", &["--from", "end"]), ("c", &["--group", "g"])]
    {
        create(&broker, topic, "1");
        write(&broker, topic, "0", &["old"]);
        let reader = Reader::begin(&broker, &[&[topic], arguments].concat());
        if arguments.contains(&"start") {
            assert_eq!(reader.lines(1), [format!("{topic}-0 0 old")]);
        } else {
            // It has found the end once something comes after it.
            let begun = Instant::now();
            while reader.lines.try_recv().is_err() {
                assert!(begun.elapsed() < DEADLINE, "{topic}: it reads nothing");
                write(&broker, topic, "0", &["more"]);
            }
        }
        broker.run(&["topic", "add-partitions", topic, "--to", "3"]).ok();
        write(&broker, topic, "1", &["one", "two"]);
        write(&broker, topic, "2", &["three"]);
        let mut new = Vec::new();
        while new.len() < 3 {
            new.extend(reader.lines(1).into_iter().filter(|line| !line.ends_with("more")));
        }
        new.sort();
        let expected = ["1 0 one", "1 1 two", "2 0 three"].map(|line| format!("{topic}-{line}"));
        assert_eq!(new, expected);
        assert_eq!(reader.end().1, "");
    }
}

#[test]
fn topics_that_come_to_match_are_read_from_their_start() {
    let broker = Broker::start("matching");
    create(&broker, "rx1", "1");
    for (topic, arguments) in [("rx2", &[][..]), ("rx3", &["--group", "g"]), ("rx4", &["--partition", "0"])] {
        let reader = Reader::begin(&broker, &[&["^rx", "--regex"], arguments].concat());
        let begun = Instant::now();
        while reader.lines.try_recv().is_err() {
            assert!(begun.elapsed() < DEADLINE, "{topic}: it reads nothing");
            write(&broker, "rx1", "0", &["more"]);
        }
        create(&broker, topic, "2");
        create(&broker, &format!("other-{topic}"), "1");
        write(&broker, &format!("other-{topic}"), "0", &["unwanted"]);
        write(&broker, topic, "1", &["one"]);
        write(&broker, topic, "0", &["two"]);
        let mut new = Vec::new();
        let expected: Vec<String> = match arguments.contains(&"--partition") {
            true => vec![format!("{topic}-0 0 two")],
            false => vec![format!("{topic}-0 0 two"), format!("{topic}-1 0 one")],
        };
        while new.len() < expected.len() {
            new.extend(reader.lines(1).into_iter().filter(|line| !line.ends_with("more")));
        }
        new.sort();
        assert_eq!(new, expected);
        let (rest, notes) = reader.end();
        assert!(rest.iter().all(|line| line.ends_with("more")), "{rest:?}");
        assert_eq!(notes, "");
    }
}

#[test]
fn who_reads_what_matches_waits_until_something_does() {
    let broker = Broker::start("later");
    for (topic, further) in [("later-a", &[][..]), ("later-b", &["--group", "g"])] {
        let pattern = format!("^{topic}$");
        let matching = ["--regex", &pattern, "--from", "start", "-n", "2"];
        let reader = Reader::begin(&broker, &[&matching[..], further].concat());
        assert!(reader.note().starts_with("no topic matches yet; one that is made is noticed within 0.2s"));
        create(&broker, topic, "1");
        write(&broker, topic, "0", &["one", "two"]);
        assert_eq!(reader.lines(2), [format!("{topic}-0 0 one"), format!("{topic}-0 1 two")]);
        assert_eq!(reader.ended(), (Some(0), String::new()));
    }
    for bounded in [&["--until-end"][..], &["--until", "5"]] {
        let read = [&["consume", "--regex", "^none", "--from", "start"], bounded].concat();
        assert!(broker.run(&read).failed(3).contains("no topic matches"), "there is nothing up to there");
    }
}

#[test]
fn a_topic_that_came_to_match_is_told_when_it_is_deleted() {
    let broker = Broker::start("matching-deleted");
    create(&broker, "rx1", "1");
    let readers = [&[][..], &["--group", "g"]].map(|arguments| {
        Reader::begin(&broker, &[&["^rx", "--regex", "--from", "start"], arguments].concat())
    });
    write(&broker, "rx1", "0", &["old"]);
    for reader in &readers {
        assert_eq!(reader.lines(1), ["rx1-0 0 old"]);
    }
    create(&broker, "rx2", "1");
    write(&broker, "rx2", "0", &["new"]);
    for reader in &readers {
        assert_eq!(reader.lines(1), ["rx2-0 0 new"]);
    }
    broker.run(&["topic", "delete", "rx2", "--yes"]).ok();
    for reader in readers {
        assert_eq!(reader.note(), "rx2 was deleted");
        reader.end();
    }
}

#[test]
fn a_topic_that_is_made_anew_is_read_from_its_start() {
    let broker = Broker::start("anew");
    for (topic, arguments) in [
        ("a", &["--from", "start"][..]),
        ("b", &["--from", "start", "--group", "g"]),
        ("c", &["--partition", "0", "--from", "start"]),
    ] {
        create(&broker, topic, "1");
        write(&broker, topic, "0", &["old", "older"]);
        let reader = Reader::begin(&broker, &[&[topic], arguments].concat());
        assert_eq!(reader.lines(2), [format!("{topic}-0 0 old"), format!("{topic}-0 1 older")]);
        broker.run(&["topic", "delete", topic, "--yes"]).ok();
        create(&broker, topic, "1");
        write_numbers(&broker, topic, 0..5);
        let expected: Vec<String> = (0..5).map(|number| format!("{topic}-0 {number} {number}")).collect();
        assert_eq!(reader.lines(5), expected);
        let (rest, notes) = reader.end();
        assert!(rest.is_empty(), "nothing is read twice: {rest:?}");
        assert_eq!(notes, format!("{topic} was deleted and made anew: it is read from its start\n"));
    }
    assert_eq!(committed(&broker, "g"), r#""committed": 5"#);
}

#[test]
fn a_member_goes_on_with_a_topic_that_is_made_anew_long_before_metadata_are_old() {
    let broker = Broker::start("anew-member");
    create(&broker, "a", "1");
    write(&broker, "a", "0", &["old"]);
    let reader = Reader::begin_as_usual(&broker, &["a", "--from", "start", "--group", "g"]);
    assert_eq!(reader.lines(1), ["a-0 0 old"]);
    broker.run(&["topic", "delete", "a", "--yes"]).ok();
    assert_eq!(reader.note(), "a was deleted");
    create(&broker, "a", "1");
    write(&broker, "a", "0", &["new", "newer"]);
    assert_eq!(reader.lines(2), ["a-0 0 new", "a-0 1 newer"]);
    assert_eq!(reader.note(), "a was deleted and made anew: it is read from its start");
    reader.end();
}

#[test]
fn a_member_that_is_interrupted_after_its_topic_was_deleted_has_nothing_to_complain_of() {
    let broker = Broker::start("deleted-interrupted");
    for anew in [false, true] {
        create(&broker, "a", "1");
        write(&broker, "a", "0", &["old"]);
        let late = ["a", "--from", "start", "--group", "g", "-X", "auto.commit.interval.ms=60000"];
        let reader = Reader::begin_as_usual(&broker, &late);
        assert_eq!(reader.lines(1), ["a-0 0 old"]);
        broker.run(&["topic", "delete", "a", "--yes"]).ok();
        if anew {
            create(&broker, "a", "1");
        }
        assert_eq!(reader.end(), (Vec::new(), String::new()));
        assert_eq!(committed(&broker, "g"), "", "there is nothing that was read of");
    }
}

#[test]
fn who_reads_up_to_an_end_does_not_take_a_topic_that_is_made_anew_for_the_old_one() {
    let broker = Broker::start("anew-until");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..3);
    let reader = Reader::begin(&broker, &["a", "--from", "start", "--until", "5"]);
    assert_eq!(reader.lines(3).len(), 3);
    broker.run(&["topic", "delete", "a", "--yes"]).ok();
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..10);
    let (code, notes) = reader.ended();
    assert_eq!(code, Some(3), "{notes}");
    assert!(notes.contains("a was deleted and made anew while it was read"), "{notes}");
}

#[test]
fn who_reads_up_to_an_end_does_not_wait_for_a_topic_that_is_deleted() {
    let broker = Broker::start("deleted-until");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..3);
    let reader = Reader::begin(&broker, &["a", "--from", "start", "--until", "5"]);
    assert_eq!(reader.lines(3).len(), 3);
    broker.run(&["topic", "delete", "a", "--yes"]).ok();
    let (code, notes) = reader.ended();
    assert_eq!(code, Some(3), "{notes}");
    assert!(notes.contains("a was deleted while it was read"), "{notes}");
}

#[test]
fn who_waits_for_a_number_of_records_does_not_wait_when_no_topic_is_left_to_read_them_from() {
    let broker = Broker::start("deleted-number");
    create(&broker, "left", "1");
    for (topic, member) in [("a", &[][..]), ("b", &["--group", "g"])] {
        create(&broker, topic, "1");
        write(&broker, topic, "0", &["old"]);
        let number = |topics: &[&str]| {
            let from_start = [topics, member, &["--from", "start", "-n", "3"]].concat();
            let reader = Reader::begin(&broker, &from_start);
            assert_eq!(reader.lines(1), [format!("{topic}-0 0 old")]);
            reader
        };
        let alone = number(&[topic]);
        let of_two = member.is_empty().then(|| number(&[topic, "left"]));
        broker.run(&["topic", "delete", topic, "--yes"]).ok();
        let (code, notes) = alone.ended();
        assert_eq!(code, Some(3), "{notes}");
        assert!(notes.contains(&format!("{topic} was deleted while it was read")), "{notes}");
        if let Some(of_two) = of_two {
            assert_eq!(of_two.note(), "a was deleted");
            write(&broker, "left", "0", &["one", "two"]);
            assert_eq!(of_two.lines(2), ["left-0 0 one", "left-0 1 two"]);
            assert_eq!(of_two.ended(), (Some(0), String::new()));
        }
    }
}

#[test]
fn a_member_that_is_to_be_told_where_to_go_on_is_not_sent_anywhere() {
    let broker = Broker::start("no-reset");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..10);
    let strict = ["consume", "a", "--group", "g", "--until-end", "-X", "auto.offset.reset=none"];
    assert!(broker.run(&strict).failed(1).contains("no offset to begin at"));
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "-n", "2"]).ok();
    broker.run(&["topic", "trim", "a", "--before", "5", "--yes"]).ok();
    let refused = broker.run(&strict);
    assert!(refused.failed(1).contains("a-0: offset 2 is not in its log"), "{refused:?}");
    assert_eq!(committed(&broker, "g"), r#""committed": 2"#);
}

#[test]
fn a_setting_makes_a_member_as_the_option_does() {
    let broker = Broker::start("setting-member");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..10);
    let as_set = ["consume", "a", "-X", "group.id=g", "--from", "start"];
    assert_eq!(broker.run(&[&as_set[..], &["-n", "4"]].concat()).ok().lines().count(), 4);
    assert_eq!(committed(&broker, "g"), r#""committed": 4"#);
    let rest = broker.run(&[&as_set[..], &["--until-end"]].concat());
    assert_eq!(rest.ok().lines().collect::<Vec<_>>(), numbers(4..10), "it goes on where the group was");
    assert_eq!(committed(&broker, "g"), r#""committed": 10"#);
    for not_for_members in
        [&["--partition", "0"][..], &["--until", "3"], &["--from", "3"], &["--from", "start:3"]]
    {
        let refused = broker.run(&[&["consume", "a", "-X", "group.id=g"], not_for_members].concat());
        assert!(refused.failed(2).contains("next: "), "{refused:?}");
    }
    let tail = broker.run(&["consume", "a", "-X", "group.id=g", "--tail", "2"]);
    assert!(tail.failed(2).contains("--tail is not for members of a group"), "{tail:?}");
    for bench in ["consume", "latency"] {
        let measured = broker.run(&["bench", bench, "a", "-n", "3", "-X", "group.id=g"]);
        assert!(measured.failed(2).contains("no setting \"group.id\" here"), "{measured:?}");
    }
    broker.run_with_input(&["produce", "a", "-X", "group.id=g"], "x\n").failed(2);
    assert_eq!(committed(&broker, "g"), r#""committed": 10"#, "nothing of this goes back");
    let alone = broker.run(&["consume", "a", "--from", "start", "-X", "session.timeout.ms=9000"]);
    assert!(alone.failed(2).contains("--group GROUP"), "{alone:?}");
}

#[test]
fn where_a_group_begins_is_said_once_and_each_way_of_kafkas_is_heard() {
    let broker = Broker::start("reset-words");
    create(&broker, "a", "1");
    let old = ["produce", "a", "-f", "%d %v\\n"];
    broker.run_with_input(&old, "1000 long ago\n").ok();
    write(&broker, "a", "0", &["lately"]);
    for (group, reset, expected) in [
        ("g1", "earliest", "long ago\nlately\n"),
        ("g2", "latest", ""),
        ("g3", "by_duration:PT1H", "lately\n"),
        ("g4", "by_duration:P40000D", "long ago\nlately\n"),
    ] {
        let reset = format!("auto.offset.reset={reset}");
        let read = ["consume", "a", "--group", group, "--until-end", "-X", &reset];
        assert_eq!(broker.run(&read).ok(), expected, "{reset}");
        let twice = broker.run(&[&read[..], &["--from", "start"]].concat());
        assert!(twice.failed(2).contains("--from says what -X auto.offset.reset says as well"), "{twice:?}");
    }
}

#[test]
fn who_would_stop_where_he_begins_is_told_so() {
    let broker = Broker::start("at-once");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..10);
    for arguments in [
        &["--until-end"][..],
        &["--until", "3"],
        &["--until", "10"],
        &["--until", "+3"],
        &["--until", "-3"],
        &["--until", "end"],
        &["--until", "@-1h"],
        &["--from", "end:end"],
        &["--from", "end", "--until-end"],
        &["--from", "end:3"],
    ] {
        let refused = broker.run(&[&["consume", "a"], arguments].concat());
        assert!(refused.failed(2).contains("next: --from start"), "{arguments:?}: {refused:?}");
    }
    for arguments in [["--from", "end:start"], ["--from", "5:0"], ["--until", "start"]] {
        let refused = broker.run(&[&["consume", "a"], &arguments[..]].concat());
        assert!(refused.failed(2).contains("before it begins"), "{arguments:?}: {refused:?}");
    }
    assert_eq!(broker.run(&["consume", "a", "--from", "10:end"]).ok(), "", "who names a place is believed");
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "-n", "4"]).ok();
    let rest = broker.run(&["consume", "a", "--group", "g", "--until-end"]);
    assert_eq!(rest.ok().lines().collect::<Vec<_>>(), numbers(4..10));
    let mut waits = Reader::begin(&broker, &["a", "--until", "1000"]);
    let begun = Instant::now();
    while waits.lines.try_recv().is_err() {
        assert!(begun.elapsed() < DEADLINE, "it does not wait for an offset that is not there yet");
        write(&broker, "a", "0", &["more"]);
    }
    waits.child.kill().expect("it has not ended");
    waits.child.wait().expect("it ends");
}

#[test]
fn who_reads_to_an_end_waits_for_a_broker_only_for_a_time() {
    let mut broker = Broker::start("ends-alone");
    create(&broker, "a", "1");
    write_numbers(&broker, "a", 0..3);
    let until = ["a", "--from", ":100", "-X", "default.api.timeout.ms=1000"];
    let reader = Reader::begin(&broker, &until);
    reader.lines(3);
    broker.kill();
    let (code, notes) = reader.ended();
    assert_eq!(code, Some(1), "{notes}");
    assert!(notes.contains("not all was read: no broker has answered at 127.0.0.1:"), "{notes}");
}

#[test]
fn what_is_gone_before_a_reader_begins_is_told_of_each_partition() {
    let broker = Broker::start("gone-before");
    create(&broker, "a", "2");
    for partition in ["0", "1"] {
        write(&broker, "a", partition, &["x", "y", "z"]);
    }
    broker.run(&["topic", "trim", "a", "--partition", "1", "--before", "2", "--yes"]).ok();
    let read = broker.run(&["consume", "a", "--from", "1:end", "-f", "%p@%o\\n"]);
    let mut lines: Vec<&str> = read.ok().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0@1", "0@2", "1@2"]);
    assert_eq!(read.stderr, "what was before offset 2 of a-1 is gone: 1 to 1 are passed over\n");
}

#[test]
fn options_that_cannot_be_meant_so_are_refused_in_their_own_words() {
    let broker = Broker::start("own-words");
    let nothing = broker.run(&["consume", "a", "--group", ""]);
    assert!(nothing.failed(2).contains("--group"), "{nothing:?}");
    assert!(!nothing.stderr.contains("group.id"), "{nothing:?}");
    for command in [&["consume", "a"][..], &["produce", "a"], &["topic", "trim", "a", "--before", "1"]] {
        for wrong in ["abc", "-1", "99999999999"] {
            let option = format!("--partition={wrong}");
            let refused = broker.run(&[command, &[&option]].concat());
            let wanted = "a partition's number is expected, counted from 0";
            assert!(refused.failed(2).contains(wanted), "{command:?}: {refused:?}");
        }
    }
    for (wrong, wanted) in [
        (&["consume", "a", "-n", "abc"][..], "a whole number from 0 on is expected"),
        (&["consume", "a", "-n", "-1"], "a whole number from 0 on is expected"),
        (&["consume", "a", "--tail", "3:2"], "a whole number from 1 to 4294967295 is expected"),
        (&["api", "--broker", "one"], "a broker's id is expected"),
        (&["group", "reset", "g", "--by", "far"], "100 on, -100 back"),
    ] {
        let refused = broker.run(wrong);
        assert!(refused.failed(2).contains(wanted), "{refused:?}");
    }
}
