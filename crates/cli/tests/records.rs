//! Records as they go in and come out, against a real broker.

mod support;

use support::Broker;

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
        (&["group", "list"][..], "request.timeout.ms=soon"),
        (&["-X", "linger.ms=0", "topic", "list"][..], "client.id=me"),
        (&["start"][..], "client.id=me"),
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
