//! What commands do where their results, or what they say besides, cannot be written.

#![cfg(target_os = "linux")]

mod support;

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::node::{free_port, is_ours};
use support::{Broker, command_at, run};

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("it is there")
}

#[test]
fn what_was_done_counts_where_nobody_can_be_told_of_it() {
    let broker = Broker::start("full-stderr");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let unheard = |line: &str| broker.shell(&format!("{line} 2> /dev/full")).code;
    assert_eq!(unheard("echo x | riverrun produce a"), Some(0), "it is written");
    assert_eq!(unheard("echo x | riverrun produce nowhere"), Some(3));
    assert_eq!(unheard("riverrun consume nowhere"), Some(3));
    assert_eq!(unheard("riverrun topic list --no-such-option"), Some(2));
    assert_eq!(unheard("riverrun topic delete a"), Some(2), "nobody can be asked");
    let read = broker.shell("riverrun consume a --from start --until-end 2> /dev/full");
    assert_eq!(read.ok(), "x\n");
}

/// Waits until these topics are there, which Kafka's brokers learn of a moment after they were made or deleted.
fn await_topics(broker: &Broker, names: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while broker.run(&["topic", "list", "--format", "name"]).ok() != names {
        assert!(Instant::now() < deadline, "the topics are not {names:?}");
    }
}

#[test]
fn what_was_changed_is_told_where_the_result_cannot_be_printed() {
    let broker = Broker::start("full-stdout");
    let unprinted = |line: &str| {
        let ended = broker.shell(&format!("riverrun {line} > /dev/full"));
        let said = ended.failed(1).to_owned();
        assert!(said.contains("riverrun: the output cannot be written: No space left"), "{line}: {said}");
        assert!(said.contains("\nnext: make room where the output goes to"), "{line}: {said}");
        said
    };
    let changed = |line: &str, done: &str| {
        let said = unprinted(line);
        assert!(said.contains(&format!("; it is done all the same: {done}")), "{line}: {said}");
    };
    changed("topic create a --partitions 1", "created a with 1 partition");
    changed("topic create b --partitions 1 --format json", "created b with 1 partition");
    changed("topic create c --partitions 1 --format name", "created c with 1 partition");
    await_topics(&broker, "a\nb\nc\n");
    changed("config set topic a --set retention.ms=1000", "what was asked for");
    changed("topic delete a b --yes", "deleted a, deleted b");
    changed("topic delete c --yes --format json", "deleted c");
    await_topics(&broker, "");
    for line in
        ["topic create a --dry-run", "cluster info", "--help", "produce --help", "--version", "version"]
    {
        let said = unprinted(line);
        assert!(!said.contains("it is done all the same"), "{line}: {said}");
    }
}

#[test]
fn what_was_written_and_what_was_not_is_told_both_where_the_result_cannot_be_printed() {
    let broker = Broker::start("full-produce");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let produce = "riverrun produce a --key-separator : --format json > /dev/full";
    let said = broker.shell(&format!("printf 'k:1\\nno separator\\n' | {produce}"));
    let said = said.failed(1);
    assert!(said.contains("record 2 was not written: the key separator is not in it"), "{said}");
    assert!(said.contains("it is done all the same: 1 record written to a"), "{said}");
}

#[test]
fn a_reader_says_how_far_it_came_where_it_can_print_no_more() {
    let broker = Broker::start("full-consume");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker
        .run_with_input(
            &["produce", "a", "-f", "%V{big32}%v"],
            &("\0\0\0\x011\0\0\x01\x2c".to_owned() + &"x".repeat(300)),
        )
        .ok();
    let full = broker.shell("riverrun consume a --from start --until-end > /dev/full");
    let said = full.failed(1);
    assert!(said.contains("No space left on device (os error 28); 0 records came out before\n"), "{said}");
    assert!(said.contains("next: make room where the output goes to"), "{said}");
    let form = broker.run(&["consume", "a", "--from", "start", "--until-end", "-f", "%V{big8}%v"]);
    assert!(form.failed(1).contains("next: take a larger form for the length in the template"), "{form:?}");
}

#[test]
fn a_node_serves_where_its_log_cannot_be_written() {
    if !is_ours() {
        return;
    }
    let directory = std::env::temp_dir().join(format!("riverrun-cli-full-log-{}", std::process::id()));
    let bootstrap = format!("127.0.0.1:{}", free_port());
    let mut node = Command::new(env!("CARGO_BIN_EXE_riverrun"))
        .args(["start", "--set", &format!("listeners=PLAINTEXT://{bootstrap}")])
        .args(["--set", &format!("log.dirs={}", directory.display())])
        .stdout(Stdio::null())
        .stderr(full())
        .spawn()
        .expect("the binary is there");
    let health = run(command_at(&bootstrap, &["cluster", "health", "--wait", "50s"]), "");
    node.kill().expect("it runs");
    node.wait().expect("it ends");
    std::fs::remove_dir_all(directory).expect("it was made");
    health.ok();
}
