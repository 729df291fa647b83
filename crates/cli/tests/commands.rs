//! Commands against a real broker: with right, wrong and missing input.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Command;

use support::Broker;

#[test]
fn a_topic_is_made_shown_and_deleted() {
    let broker = Broker::start("topic");
    let create = ["topic", "create", "a", "--partitions", "2", "--config", "retention.ms=1000000"];
    assert_eq!(broker.run(&create).ok(), "created a with 2 partitions\n");
    assert!(broker.run(&create).failed(1).contains("TOPIC_ALREADY_EXISTS (36)"));

    let described = broker.run(&["topic", "describe", "a", "--format", "json"]);
    assert!(described.ok().contains(r#""retention.ms": "1000000""#), "{described:?}");
    assert_eq!(described.ok().matches(r#""end_offset": 0"#).count(), 2);

    let refused = broker.run(&["topic", "delete", "a"]);
    assert!(refused.failed(2).contains("--yes"), "nobody can be asked: {refused:?}");
    assert_eq!(
        broker.run(&["topic", "delete", "a", "--dry-run"]).ok(),
        "a (2 partitions) would be deleted\n"
    );
    assert_eq!(broker.run(&["topic", "delete", "a", "--yes"]).ok(), "deleted a\n");
    assert_eq!(broker.run(&["topic", "list"]).ok(), "");
}

#[test]
fn what_is_not_there_ends_with_3_and_says_what_is() {
    let broker = Broker::start("not-there");
    for command in [
        &["topic", "describe", "a"][..],
        &["topic", "delete", "a", "--yes"],
        &["consume", "a"],
        &["produce", "a"],
    ] {
        let ended = broker.run(command);
        let words = ended.failed(3);
        assert!(words.contains("UNKNOWN_TOPIC_OR_PARTITION (3)") && words.contains("next: "), "{ended:?}");
    }
    let ended = broker.run(&["group", "describe", "g"]);
    assert!(ended.failed(3).contains("GROUP_ID_NOT_FOUND (69)"), "{ended:?}");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["consume", "a", "--partition", "7"]).failed(3);
}

#[test]
fn who_asks_for_a_secured_connection_is_told_that_there_is_none_yet() {
    let broker = Broker::start("secured");
    for protocol in ["SSL", "sasl_plaintext", "SASL_SSL"] {
        let ended = broker.run(&["topic", "list", "--security-protocol", protocol]);
        let expected =
            format!("security.protocol={} is not supported by this version", protocol.to_uppercase());
        assert!(ended.failed(2).contains(&expected), "{ended:?}");
    }
    assert_eq!(broker.run(&["topic", "list", "--security-protocol", "plaintext"]).ok(), "");
    broker.run(&["topic", "list", "--security-protocol", "TLS"]).failed(2);
    let kept = broker.run(&["profile", "create", "x", "--security-protocol", "SSL", "--dry-run"]);
    assert!(kept.failed(2).contains("keeps no security protocol"), "{kept:?}");
}

#[test]
fn wrong_use_ends_with_2() {
    let broker = Broker::start("wrong-use");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for command in [
        &["topic", "create"][..],
        &["topic", "create", "b", "--partitions", "0"],
        &["topic", "create", "b", "--config", "nothing"],
        &["consume", "a", "--from", "yesterday"],
        &["consume", "a", "--from", "5", "--group", "g"],
        &["produce", "a", "--compression", "rar"],
        &["--bootstrap", "nowhere", "topic", "list"],
        &["consume", "a", "--from", "-0"],
        &["consume", "a", "--from", "@2026-02-30"],
        &["consume", "a", "--until-end", "--template", "%v", "--format", "json"],
        &["consume", "a", "--until-end", "--template", "%v", "--print-key"],
        &["consume", "a", "--until-end", "--print-key", "--format", "json"],
        &["produce", "a", "--partition", "-1"],
        &["group", "list", "--state", "Happy"],
        &["start", "--format", "json"],
        &["fly"],
    ] {
        broker.run(command).failed(2);
    }
}

#[test]
fn variables_change_nothing_about_how_a_command_is_used() {
    for words in
        [&["topic", "create"][..], &["group", "reset", "g"], &["config", "explain"], &["topic", "list", "-v"]]
    {
        let said = |address: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
            command.args(words).env("RIVERRUN_BOOTSTRAP", address).env("RIVERRUN_PROFILE", address);
            let ended = command.output().expect("the binary is there");
            assert_eq!(ended.status.code(), Some(2));
            String::from_utf8(ended.stderr).expect("it prints text")
        };
        assert_eq!(said("h:1"), said(""), "{words:?}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
    let ended = command.args(["topic", "list"]).env("RIVERRUN_SECURITY_PROTOCOL", "TLS").output();
    let ended = ended.expect("the binary is there");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("'TLS'"), "a wrong variable is named: {ended:?}");
}

#[test]
fn the_version_is_a_command_as_well() {
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_riverrun")).args(words).output();
        let output = output.expect("the binary is there");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it prints text")
    };
    let version = run(&["version"]);
    assert!(version.starts_with("riverrun ") && version == run(&["--version"]), "{version}");
    assert_eq!(version, format!("riverrun {}", run(&["version", "--format", "name"])));
    assert!(run(&["version", "--format", "json"]).contains(r#""version": ""#));
}

#[test]
fn a_node_is_formatted_once() {
    let directory = std::env::temp_dir().join(format!("riverrun-cli-format-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let format = |arguments: &[&str]| {
        let setting = format!("log.dirs={}", directory.display());
        let ended = Command::new(env!("CARGO_BIN_EXE_riverrun"))
            .args(["format", "--set", &setting])
            .args(arguments)
            .output()
            .expect("the binary is there");
        let text = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8(text).expect("it prints text"))
    };
    let (code, words) = format(&["--release-version", "2.8"]);
    assert!(code == Some(2) && words.contains("from 3.3-IV3 to 4.4-IV2"), "{words}");
    let (code, words) = format(&["--feature", "group.version"]);
    assert!(code == Some(2) && words.contains("an equals sign"), "{words}");
    let (code, words) = format(&["-t", "an id"]);
    assert!(code == Some(2) && words.contains("cannot be the id"), "{words}");
    let (code, words) = format(&["-t", "Abc", "--release-version", "4.1", "--standalone"]);
    let wanted =
        format!("Formatted metadata directory {} with metadata.version 4.1-IV1.", directory.display());
    assert!(code == Some(0) && words.contains(&wanted) && words.contains("is Abc."), "{words}");
    let (code, words) = format(&["-t", "Abc"]);
    assert!(code == Some(1) && words.contains("--ignore-formatted"), "{words}");
    for again in [&["-t", "Abc", "-g"][..], &["-g"]] {
        let (code, words) = format(again);
        assert!(code == Some(0) && words.contains("already formatted"), "{words}");
    }
    let (code, words) = format(&["-g", "--format", "json"]);
    assert!(code == Some(0) && words.contains(r#""cluster_id": "Abc""#), "{words}");
    std::fs::remove_dir_all(&directory).expect("it was made");
}

#[test]
fn what_would_be_formatted_is_said_without_writing_anything() {
    let directory = std::env::temp_dir().join(format!("riverrun-cli-unformatted-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let setting = format!("log.dirs={}", directory.display());
    let format = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
        let output = command.args(["format", "--set", &setting]).args(arguments).output();
        let output = output.expect("the binary is there");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("it prints text");
        (output.status.code(), text)
    };
    let (code, words) = format(&["-t", "Abc", "--release-version", "4.1", "--dry-run"]);
    let wanted =
        format!("Would format metadata directory {} with metadata.version 4.1-IV1.", directory.display());
    assert!(code == Some(0) && words.contains(&wanted) && words.contains("would be Abc."), "{words}");
    assert!(words.contains("nothing was written") && !directory.exists(), "{words}");
    let (code, words) = format(&["--dry-run", "--format", "json"]);
    assert!(code == Some(0) && words.contains(r#""cluster_id": null"#), "it would be drawn: {words}");
    format(&["-t", "Abc"]);
    let files = || std::fs::read_dir(&directory).expect("it was made").count();
    let before = files();
    let (code, words) = format(&["-t", "Abc", "--dry-run"]);
    assert!(code == Some(1) && words.contains("--ignore-formatted"), "{words}");
    let (code, words) = format(&["-t", "Other", "--dry-run"]);
    assert!(code == Some(1) && words.contains("of cluster Abc"), "{words}");
    let (code, words) = format(&["-g", "--dry-run"]);
    assert!(code == Some(0) && words.contains("already formatted") && files() == before, "{words}");
    std::fs::remove_dir_all(&directory).expect("it was made");
}

#[test]
fn a_broker_that_is_not_there_is_said_with_the_next_step() {
    let ended = Command::new(env!("CARGO_BIN_EXE_riverrun"))
        .args(["topic", "list", "--bootstrap", "127.0.0.1:1"])
        .output()
        .expect("the binary is there");
    assert_eq!(ended.status.code(), Some(1));
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(words.contains("127.0.0.1:1") && words.contains("riverrun start"), "{words}");
}

#[test]
fn records_go_in_and_come_out_with_keys_headers_and_every_codec() {
    let broker = Broker::start("records");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let produce = ["produce", "a", "--key-separator", ":", "--header", "h=v", "--compression", codec];
        let input = format!("k-{codec}:v-{codec}\n");
        assert!(broker.run_with_input(&produce, &input).ok().is_empty(), "what it did is no result");
    }
    let consume = ["consume", "a", "--from", "start", "--until-end"];
    let with_fields = [&consume[..], &["--print-offset", "--print-headers", "--print-key"]].concat();
    assert_eq!(
        broker.run(&with_fields).ok(),
        "0\th=v\tk-none\tv-none\n1\th=v\tk-gzip\tv-gzip\n2\th=v\tk-snappy\tv-snappy\n\
         3\th=v\tk-lz4\tv-lz4\n4\th=v\tk-zstd\tv-zstd\n"
    );
    let some = broker.run(&["consume", "a", "--from", "1", "-n", "2"]);
    assert_eq!(some.ok(), "v-gzip\nv-snappy\n");
    let late = broker.run(&["consume", "a", "--from", "@2100-01-01", "--until-end"]);
    assert_eq!(late.ok(), "");
    let early = broker.run(&["consume", "a", "--from", "@-1h", "--until-end", "--format", "json"]);
    assert_eq!(early.ok().lines().count(), 5);
    let wrong = broker.run_with_input(&["produce", "a", "--key-separator", ":"], "a:b\nno key\n");
    assert!(wrong.failed(1).contains("record 2"), "{wrong:?}");
}

#[test]
fn records_are_written_and_read_as_templates_say() {
    let broker = Broker::start("template");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run(&["topic", "create", "b", "--partitions", "1"]).ok();
    let produce = ["produce", "a", "--header", "h=1", "--template", "%k %p %d %v\\n"];
    broker.run_with_input(&produce, "x 0 1000 one\ny 0 2000 two words\nz 1 3000 three\n").ok();
    broker.run_with_input(&["produce", "b", "-f", "%V{big16}%v"], "\0\u{3}a\nb\0\u{1}c").ok();
    let consume = ["consume", "a", "--partition", "0", "--from", "start", "--until-end", "-f"];
    let template = "%i %t-%p@%o %d{date} %k=%v{json} %K,%V %h{%k:%v;} %v{hex}\\n";
    assert_eq!(
        broker.run(&[&consume[..], &[template]].concat()).ok(),
        "1 a-0@0 1970-01-01T00:00:01.000Z x=\"one\" 1,6 h:1; 6f6e65\n\
         2 a-0@1 1970-01-01T00:00:02.000Z y=\"two words\" 1,18 h:1; 74776f20776f726473\n"
    );
    let both = broker.run(&["consume", "a", "b", "--tail", "1", "--until-end", "-f", "%t %v|"]);
    let mut parts: Vec<&str> = both.ok().split_terminator('|').collect();
    parts.sort();
    assert_eq!(parts, ["a three", "a two words", "b c"]);
    let until = broker.run(&["consume", "a", "--from", "@1500", "--until", "@3000", "-f", "%k\\n"]);
    assert_eq!(until.ok(), "y\n");
    for wrong in [
        &["consume", "a", "-f", "%z"][..],
        &["produce", "a", "-f", "%k%v"],
        &["consume", "a", "--tail", "1", "--from", "start"],
    ] {
        broker.run(wrong).failed(2);
    }
    let wrong = broker.run_with_input(&["produce", "a", "-f", "%p %v\\n"], "0 good\nx bad\n");
    assert!(wrong.failed(1).contains("\"x\" is no number"), "{wrong:?}");
    broker.run_with_input(&["produce", "b", "--key", "k", "--tombstone"], "\n").ok();
    let last = broker.run(&["consume", "b", "--tail", "1", "--until-end", "--format", "json"]);
    assert!(last.ok().contains(r#""key":"k""#) && last.ok().contains(r#""value":null"#), "{last:?}");
}

#[test]
fn times_and_packed_numbers_are_written_as_templates_say() {
    let broker = Broker::start("unpack");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a", "-f", "%d{big64}%K{big8}%k%v\\n"], PACKED).ok();
    let template = "%d{strftime[%F %T]} %d{go##2 Jan 2006 15:04##} %k{unpack[>H]} %v{unpack[bx<i$]}\\n";
    let read = broker.run(&["consume", "a", "-o", "earliest", "-e", "-f", template]);
    assert_eq!(read.ok(), "1970-01-01 00:00:01 1 Jan 1970 00:00 258 1 2(1 bytes more)\n");
}

/// A time of 1024 ms, a key of two bytes and a value of six.
const PACKED: &str = "\0\0\0\0\0\0\u{4}\0\u{2}\u{1}\u{2}\u{1}\u{2}\0\0\0!\n";

#[test]
fn a_record_whose_template_names_another_topic_goes_there_if_it_is_one() {
    let broker = Broker::start("elsewhere");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["topic", "create", "b", "--partitions", "1"]).ok();
    let produce = ["produce", "-f", "%t %v\\n"];
    let written = broker.run_with_input(&produce, "a 1\nb 2\n");
    written.ok();
    assert_eq!(written.stderr, "2 records written (a-0: 0, b-0: 0)\n");
    let planned = broker.run_with_input(&["produce", "-f", "%t %v\\n", "--dry-run"], "a 1\nb 2\nb 3\n");
    assert_eq!(planned.stderr, "3 records would be written (a: 1, b: 2)\n", "{planned:?}");
    for twice in [
        &["a", "-f", "%t %v\\n"][..],
        &["a", "-f", "%p %v\\n", "-p", "0"],
        &["a", "-f", "%k %v\\n", "-k", "x"],
    ] {
        broker.run_with_input(&[&["produce"], twice].concat(), "").failed(2);
    }
    broker.run_with_input(&["produce", "-f", "%v\\n"], "").failed(2);
    let refused = broker.run_with_input(&produce, "nowhere 3\n");
    assert!(refused.failed(3).contains("riverrun topic create nowhere"), "{refused:?}");
    assert_eq!(
        broker.run(&["topic", "list", "--format", "name"]).ok(),
        "a\nb\n",
        "none is made by a typing error"
    );
    let short = broker.run_with_input(&["produce", "a", "-f", "%k %v\\n"], "no-value\n");
    assert!(short.failed(1).contains("ends within a record"), "{short:?}");
    broker.run(&["consume", "a", "--group", "g", "--from", "start", "--until-end"]).ok();
    let own = broker.run_with_input(&["produce", "__consumer_offsets"], "x\n");
    assert!(own.failed(1).contains("keeps for itself"), "{own:?}");
    let next = own.stderr.lines().last().expect("it says the next step");
    for bench in ["produce", "latency"] {
        let refused = broker.run(&["bench", bench, "__consumer_offsets", "-n", "1"]);
        assert!(refused.failed(1).contains("keeps for itself"), "{refused:?}");
        assert_eq!(refused.stderr.lines().last(), Some(next), "{refused:?}");
    }
}

#[test]
fn what_was_written_is_told_in_every_format() {
    let broker = Broker::start("written");
    broker.run(&["topic", "create", "a", "--partitions", "1", "--config", "max.message.bytes=4000000"]).ok();
    let produce = |format: &str| broker.run_with_input(&["produce", "a", "--format", format], "x\n");
    assert_eq!(produce("name").ok(), "a-0\n");
    assert!(produce("json").ok().contains(r#""first_offset": 1"#));
    assert!(produce("yaml").ok().contains("first_offset: 2\n"));
    let large = "x".repeat(3_000_000);
    broker.run_with_input(&["produce", "a"], &large).ok();
    let too_large = broker.run_with_input(&["produce", "a"], &large.repeat(2));
    assert!(too_large.failed(1).contains("raise max.message.bytes of a"), "{too_large:?}");
}

#[test]
fn a_topic_that_is_named_twice_is_read_once() {
    let broker = Broker::start("twice");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a", "--key-separator", "\\t"], "k\tv\n").ok();
    assert_eq!(
        broker.run(&["consume", "a", "a", "--from", "start", "--until-end", "--print-key"]).ok(),
        "k\tv\n"
    );
}

#[test]
fn many_records_arrive_all_and_in_order() {
    let broker = Broker::start("many");
    broker.run(&["topic", "create", "a", "--partitions", "3"]).ok();
    let input: String = (0..20_000).map(|n| format!("{}:{n}\n", n % 7)).collect();
    let produced =
        broker.run_with_input(&["produce", "a", "--key-separator", ":", "--compression", "lz4"], &input);
    produced.ok();
    assert!(produced.stderr.contains("20000 records written to a"), "{produced:?}");
    let consumed = broker.run(&["consume", "a", "--from", "start", "--until-end", "--print-key"]);
    let mut by_key = vec![Vec::new(); 7];
    for line in consumed.ok().lines() {
        let (key, value) = line.split_once('\t').expect("each has a key");
        by_key[key.parse::<usize>().expect("keys are numbers")]
            .push(value.parse::<u32>().expect("so are values"));
    }
    assert_eq!(by_key.iter().map(Vec::len).sum::<usize>(), 20_000);
    for values in &by_key {
        assert!(values.is_sorted_by(|a, b| a < b), "a key's records keep their order");
    }
}

#[test]
fn a_group_goes_on_where_it_stopped() {
    let broker = Broker::start("group");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a", "--partition", "0"], "1\n2\n3\n4\n").ok();
    let consume = ["consume", "a", "--group", "g", "--from", "start"];
    let first = broker.run(&[&consume[..], &["-n", "3"]].concat());
    assert_eq!(first.ok(), "1\n2\n3\n");
    let described = broker.run(&["group", "describe", "g", "--format", "json"]);
    assert!(described.ok().contains(r#""lag": 1"#), "{described:?}");
    let rest = broker.run(&[&consume[..], &["--until-end"]].concat());
    assert_eq!(rest.ok(), "4\n");
    let listed = broker.run(&["group", "list", "--format", "json"]);
    assert!(listed.ok().contains(r#""group": "g""#), "{listed:?}");
}

#[test]
fn topics_are_read_by_a_regular_expression_as_well() {
    let broker = Broker::start("regex");
    for topic in ["orders-eu", "orders-us", "payments"] {
        broker.run(&["topic", "create", topic, "--partitions", "1"]).ok();
        broker.run_with_input(&["produce", topic], &format!("of {topic}\n")).ok();
    }
    let read = ["consume", "--regex", "^orders-", "--from", "start", "--until-end"];
    for further in [&[][..], &["--group", "g"]] {
        let ended = broker.run(&[&read[..], further].concat());
        let mut lines: Vec<&str> = ended.ok().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["of orders-eu", "of orders-us"], "{further:?}");
    }
    let nothing = broker.run(&["consume", "--regex", "^bills$", "--from", "start", "--until-end"]);
    assert!(nothing.failed(3).contains("no topic matches"), "{nothing:?}");
    broker.run(&["consume", "--regex", "(", "--from", "start", "--until-end"]).failed(2);
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let broker = Broker::start("pipe");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let input = "a line of some length, so that a pipe is soon full of it\n".repeat(20_000);
    broker.run_with_input(&["produce", "a"], &input).ok();
    let ended = broker.shell("riverrun consume a --from start | head -n 1");
    assert_eq!((ended.ok().lines().count(), ended.stderr.as_str()), (1, ""));
}

#[test]
fn a_reader_that_goes_away_ends_a_command_that_has_nothing_to_write() {
    let broker = Broker::start("quiet-pipe");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n2\n3\n").ok();
    // All fits into the pipe, so no write tells that nobody reads it.
    let ended = broker.shell("riverrun consume a --from start | head -n 1");
    assert_eq!((ended.ok(), ended.stderr.as_str()), ("1\n", ""));
}

#[test]
fn every_command_has_help_with_examples() {
    for command in [
        &["topic", "create"][..],
        &["topic", "list"],
        &["topic", "describe"],
        &["topic", "delete"],
        &["produce"],
        &["consume"],
        &["group", "list"],
        &["group", "describe"],
        &["start"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_riverrun")).args(command).arg("--help").output();
        let output = output.expect("the binary is there");
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && help.contains("Examples:"), "{command:?}: {help}");
    }
}

#[test]
fn ctrl_c_ends_a_reader_well() {
    let broker = Broker::start("ctrl-c");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "x\n").ok();
    let mut reader = broker.begin(&["consume", "a", "--from", "start", "--group", "g"]);
    let mut line = String::new();
    BufReader::new(reader.stdout.take().expect("it is piped")).read_line(&mut line).expect("it prints");
    assert_eq!(line, "x\n");
    support::interrupt(&reader);
    assert_eq!(reader.wait().expect("it ends").code(), Some(0));
    let described = broker.run(&["group", "describe", "g", "--format", "json"]);
    assert!(described.ok().contains(r#""lag": 0"#), "what was printed is committed: {described:?}");
}

#[test]
fn a_member_says_which_answer_it_waits_for_where_no_coordinator_takes_it() {
    let broker = Broker::start_with("no-coordinator", &["offsets.topic.replication.factor=3"]);
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "x\n").ok();
    let mut reader = broker.begin(&["consume", "a", "--from", "start", "--group", "g", "-e"]);
    let mut notes = BufReader::new(reader.stderr.take().expect("it is piped")).lines();
    let mut line = || notes.next().expect("it says something").expect("it is text");
    let (cause, next) = (line(), line());
    assert!(
        cause.contains("cannot join the group yet: group \"g\": COORDINATOR_NOT_AVAILABLE (15)"),
        "{cause}"
    );
    assert!(cause.ends_with("; trying again, Ctrl-C ends"), "{cause}");
    assert!(next.starts_with("next: ") && next.contains("offsets.topic.replication.factor"), "{next}");
    reader.kill().expect("it runs");
    reader.wait().expect("it ends");
}

#[test]
fn a_reader_says_when_the_broker_is_gone_and_when_it_is_back() {
    let mut broker = Broker::start("gone");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "x\n").ok();
    let mut reader = broker.begin(&["consume", "a", "--from", "start"]);
    let mut lines = BufReader::new(reader.stdout.take().expect("it is piped"));
    let mut notes = BufReader::new(reader.stderr.take().expect("it is piped"));
    let line = |from: &mut dyn BufRead| {
        let mut line = String::new();
        from.read_line(&mut line).expect("it prints");
        line
    };
    assert_eq!(line(&mut lines), "x\n");
    broker.kill();
    assert!(line(&mut notes).contains("no broker answers at"), "it is not silent");
    broker.restart();
    assert!(line(&mut notes).contains("answers again"));
    broker.run_with_input(&["produce", "a"], "y\n").ok();
    assert_eq!(line(&mut lines), "y\n");
    reader.kill().expect("it runs");
    reader.wait().expect("it ends");
}

#[test]
fn settings_of_the_client_are_taken_by_kafkas_names() {
    let broker = Broker::start("client-settings");
    broker.run(&["topic", "create", "a", "--config", "max.message.bytes=30000000"]).ok();
    let large = "x".repeat(17_000_000);
    broker.run_with_input(&["produce", "a"], &large).failed(1);
    let more = ["-X", "max.request.size=30000000", "-X", "client.id=me"];
    broker.run_with_input(&[&["produce", "a"], &more[..]].concat(), &large).ok();
    let read = ["consume", "a", "--from", "start", "--until-end", "--template", "%V\n"];
    let set = ["-X", "max.partition.fetch.bytes=1000", "-X", "request.timeout.ms=20000"];
    assert_eq!(broker.run(&[&read[..], &set].concat()).ok(), "17000000\n");
    for wrong in ["linger.ms=5", "max.poll.records=many", "nothing"] {
        broker.run(&[&read[..], &["-X", wrong]].concat()).failed(2);
    }
    let twice = ["topic", "alter", "a", "--set", "retention.ms=5", "--set", "retention.ms=6"];
    assert!(broker.run(&twice).failed(2).contains("twice"), "a broker would not say which counts");
    broker.run(&["bench", "produce", "--time", "0s"]).failed(2);
}

#[test]
fn a_range_says_where_to_begin_and_where_to_stop() {
    let broker = Broker::start("range");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "0\n1\n2\n3\n4\n").ok();
    let read = |from: &str| broker.run(&["consume", "a", "--from", from]);
    assert_eq!(read("1:3").ok(), "1\n2\n");
    assert_eq!(read("@-1h:end").ok(), "0\n1\n2\n3\n4\n");
    assert_eq!(read(":2").ok(), "0\n1\n");
    assert_eq!(read("-2:end").ok(), "3\n4\n");
    assert_eq!(read("+3:end").ok(), "3\n4\n");
    assert_eq!(read("5:end").ok(), "", "that is the end");
    assert!(read("100:end").failed(3).contains("past the end, which is 5"));
    read("1:nowhere").failed(2);
    broker.run(&["consume", "a", "--from", "1:3", "--until-end"]).failed(2);
    broker.run(&["consume", "a", "--from", "start:3", "--group", "g"]).failed(2);
    assert_eq!(broker.run(&["consume", "a", "--from", ":end", "--group", "g"]).ok(), "0\n1\n2\n3\n4\n");

    let trimmed = broker.run(&["topic", "trim", "a", "--before", "100", "--yes"]);
    assert!(trimmed.failed(1).contains("past the end of a-0, which is 5"), "{trimmed:?}");
    broker.run(&["topic", "trim", "a", "--before", "2", "--yes"]).ok();
    assert_eq!(read("1:end").ok(), "2\n3\n4\n", "what is gone is no reason to begin at the end");
}

#[test]
fn a_group_does_not_commit_what_could_not_be_written() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let broker = Broker::start("full");
    broker.run(&["topic", "create", "a", "--partitions", "2"]).ok();
    broker.run_with_input(&["produce", "a", "--key-separator", ":"], "a:1\nb:2\nc:3\nd:4\n").ok();
    let consume = "riverrun consume a --group g --from start --until-end";
    let full = broker.shell(&format!("{consume} > /dev/full"));
    assert!(full.failed(1).contains("cannot be written"), "{full:?}");
    let again = broker.shell(&format!("{consume} | sort"));
    assert_eq!(again.ok(), "1\n2\n3\n4\n");
    assert_eq!(broker.shell(consume).ok(), "", "what was written is committed");
}

#[test]
fn a_template_that_writes_all_of_a_record_reads_it_back() {
    let broker = Broker::start("copy");
    for topic in ["a", "b"] {
        broker.run(&["topic", "create", topic, "--partitions", "1"]).ok();
    }
    let produce = ["produce", "a", "--key-separator", ":", "--header", "x=1", "--header", "y=", "-z", "lz4"];
    broker.run_with_input(&produce, "k:v 1\nk:\n").ok();
    let template = "%o %x %d{date} %H %h{%K %k%V %v}%K %k%V %v\\n";
    let dump = broker.run(&["consume", "a", "--from", ":end", "--template", template]);
    broker.run_with_input(&["produce", "b", "--template", template], dump.ok()).ok();
    let read = |topic: &str| {
        let json = broker.run(&["consume", topic, "--from", ":end", "--format", "json"]);
        json.ok().replace(r#""topic":"b""#, r#""topic":"a""#)
    };
    assert_eq!(read("a"), read("b"));
    let batch = "%a{compression} %a{compression;number} %a{timestamp-type} %y %[ %| %]\\n";
    let batch = broker.run(&["consume", "a", "--from", ":1", "--template", batch]);
    assert_eq!(batch.ok(), "lz4 3 0 0 0 2 2\n");
    let unknown = broker.run(&["consume", "a", "--template", "%s"]);
    assert!(unknown.failed(2).contains("%s of kcat is %v here"), "{unknown:?}");
    let wrong = broker.run_with_input(&["produce", "b", "--template", "%v{hex}\\n"], "6b\n0g\n");
    assert!(wrong.failed(1).contains("record 2 cannot be read: %v: \"0g\" is not hex"), "{wrong:?}");
}

#[test]
fn what_would_be_written_is_said_without_writing_it() {
    let broker = Broker::start("dry");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let produce = ["produce", "a", "--key-separator", ":", "--dry-run"];
    let dry = broker.run_with_input(&produce, "k:1\nk:2\n");
    assert_eq!((dry.ok(), dry.stderr.as_str()), ("", "2 records would be written to a\n"));
    broker.run_with_input(&produce, "k:1\nno separator\n").failed(1);
    assert_eq!(broker.run(&["consume", "a", "--from", ":end"]).ok(), "");
}

#[test]
fn a_cluster_that_is_to_come_is_waited_for() {
    let mut broker = Broker::start("wait");
    broker.kill();
    assert!(broker.run(&["cluster", "health"]).failed(1).contains("cannot connect"));
    let waiting = std::thread::scope(|scope| {
        let bootstrap = broker.bootstrap.clone();
        let waiting = scope.spawn(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
            command.args(["cluster", "health", "--wait", "50s", "--bootstrap", &bootstrap]).output()
        });
        broker.restart();
        waiting.join().expect("it does not panic").expect("the binary is there")
    });
    assert!(waiting.status.success(), "{waiting:?}");
}
