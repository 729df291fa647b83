//! What commands do at a terminal: what they ask, and what they let through to it.

mod support;

use std::fs::File;
use std::path::PathBuf;

use support::Broker;
use support::terminal::{CTRL_D, Terminal};

/// A name that would tell a terminal what to do, and have another name stand in a question.
const HOSTILE: &str = "ctl\u{1b}[31mred\u{7}\r\u{202e}x";
const TAMED: &str = "ctl\\u{1b}[31mred\\u{7}\\r\\u{202e}x";

/// A broker with a topic, and a group of that name which has read it.
fn broker_with_group(test: &str, group: &str) -> Broker {
    let broker = Broker::start(test);
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n2\n").ok();
    broker.run(&["consume", "a", "--group", group, "--from", "start", "--until-end"]).ok();
    broker
}

fn file(name: &str) -> (PathBuf, File) {
    let path = std::env::temp_dir().join(format!("riverrun-cli-{name}-{}", std::process::id()));
    let file = File::create(&path).expect("it can be made");
    (path, file)
}

#[test]
fn a_name_reaches_no_terminal_as_it_is() {
    let broker = broker_with_group("hostile", HOSTILE);
    let delete = ["group", "delete", "--regex", "ctl"];
    let asked = Terminal::default().run(broker.command(&delete), "no\n");
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.screen.starts_with(&format!("Delete {TAMED} and the ")), "{asked:?}");
    for arguments in [
        &["group", "list"][..],
        &["group", "list", "--format", "name"],
        &["group", "list", "--format", "json"],
        &["group", "list", "--format", "yaml"],
        &["group", "delete", HOSTILE, "--dry-run"],
        &["group", "describe", &format!("{HOSTILE}y")],
        &["group", "delete", HOSTILE, "--yes"],
    ] {
        let seen = Terminal::default().run(broker.command(arguments), "");
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!seen.screen.contains(raw) && seen.screen.contains("[31m"), "{arguments:?}: {seen:?}");
    }
}

#[test]
fn a_pipe_gets_names_as_they_are() {
    let broker = broker_with_group("piped", HOSTILE);
    assert_eq!(broker.run(&["group", "list", "--format", "name"]).ok(), format!("{HOSTILE}\n"));
}

#[test]
fn a_line_that_is_typed_without_its_end_is_the_last_one() {
    let broker = Broker::start("typed");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    // The first sends what was typed of the line, the second ends the input.
    let typed = format!("hello\nworld{CTRL_D}{CTRL_D}");
    let end = Terminal::default().run(broker.command(&["produce", "a"]), &typed);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(broker.run(&["consume", "a", "--from", ":end"]).ok(), "hello\nworld\n");
}

#[test]
fn who_ends_typing_with_the_signal_ends_the_command_by_it() {
    let broker = Broker::start("typed-signal");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let terminal = Terminal { interrupt_at: Some("Ctrl-D ends"), ..Terminal::default() };
    let end = terminal.run(broker.command(&["produce", "a"]), "");
    assert_eq!(end.code, Some(130), "{end:?}");
    assert!(!end.screen.contains("interrupted"), "{end:?}");
}

#[test]
fn yes_is_taken_as_it_is_typed_and_only_where_the_question_is_seen() {
    let broker = broker_with_group("yes", "g");
    let delete = ["group", "delete", "g"];
    let end = Terminal::default().run(broker.command(&delete), CTRL_D);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.screen.ends_with("[y/N] \nriverrun: nothing was changed\n"), "{end:?}");

    let (path, stderr) = file("unseen");
    let terminal = Terminal { stderr: Some(stderr), ..Terminal::default() };
    let unseen = terminal.run(broker.command(&delete), "yes\n");
    let said = std::fs::read_to_string(&path).expect("it was written");
    std::fs::remove_file(path).expect("it is there");
    assert_eq!(unseen.code, Some(2), "nobody has seen the question: {said}");
    assert!(said.contains("--yes"), "{said}");

    let done = Terminal::default().run(broker.command(&delete), "Yes\n");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.screen.ends_with("[y/N] deleted g\n"), "{done:?}");
}

#[test]
fn who_interrupts_a_question_or_a_wait_gets_a_line_of_his_own() {
    let broker = broker_with_group("at-a-question", "g");
    let terminal = Terminal { interrupt_at: Some("[y/N] "), ..Terminal::default() };
    let asked = terminal.run(broker.command(&["group", "delete", "g"]), "");
    assert_eq!(asked.code, Some(130), "{asked:?}");
    assert!(asked.screen.ends_with("[y/N] \nriverrun: nothing was changed\n"), "{asked:?}");
    let terminal = Terminal { interrupt_at: Some("looking again in "), ..Terminal::default() };
    let waited = terminal.run(broker.command(&["group", "describe", "g", "--trend", "50s"]), "");
    assert_eq!(waited.code, Some(130), "{waited:?}");
    let end = "\nriverrun: interrupted before the second look, so that there is no trend\n";
    assert!(waited.screen.ends_with(end) && waited.screen.contains("\r\u{1b}[Kgroup"), "{waited:?}");
    assert!(waited.screen.contains("COMMITTED"), "what was seen is shown: {waited:?}");
}

#[test]
fn what_is_asked_about_is_shown_beside_the_results() {
    let broker = broker_with_group("preview", "g");
    let reset = ["group", "reset", "g", "--to", "start"];
    let asked = Terminal::default().run(broker.command(&reset), "n\n");
    assert!(
        asked.screen.contains("TOPIC") && asked.screen.contains("Reset g so in 1 partition at "),
        "{asked:?}"
    );
    assert!(!asked.screen.contains("--dry-run"), "nobody has given it: {asked:?}");

    let (path, stdout) = file("result");
    let terminal = Terminal { stdout: Some(stdout), ..Terminal::default() };
    let done = terminal.run(broker.command(&[&reset[..], &["--format", "json"]].concat()), "y\n");
    let result = std::fs::read_to_string(&path).expect("it was written");
    std::fs::remove_file(path).expect("it is there");
    assert!(done.code == Some(0) && done.screen.contains("TOPIC"), "{done:?}");
    let result: serde_json::Value = serde_json::from_str(&result).expect("it is JSON alone");
    assert_eq!(result["partitions"][0]["after"], 0);
}

#[test]
fn a_table_fits_a_narrow_terminal_and_says_what_it_leaves_out() {
    let broker = broker_with_group("narrow", "g");
    for (arguments, columns) in [
        (&["group", "describe", "g"][..], 40),
        (&["cluster", "log-dirs"], 40),
        (&["cluster", "info"], 30),
        (&["topic", "describe", "a"], 60),
    ] {
        let (path, stderr) = file("left-out");
        let terminal = Terminal { columns, stderr: Some(stderr), ..Terminal::default() };
        let seen = terminal.run(broker.command(arguments), "");
        let said = std::fs::read_to_string(&path).expect("it was written");
        std::fs::remove_file(path).expect("it is there");
        let rows =
            seen.screen.lines().skip_while(|line| !line.contains("BROKER") && !line.contains("PARTITI"));
        let rows: Vec<&str> = rows.collect();
        assert!(rows.len() > 1, "{arguments:?}: {seen:?}");
        let fits = |line: &&str| line.chars().count() <= usize::from(columns);
        assert!(rows.iter().all(fits), "{arguments:?}: {seen:?}");
        assert!(said.contains("no room here for "), "{arguments:?}: {said}");
    }
}

#[test]
fn the_wide_form_has_more_where_there_is_more() {
    let broker = broker_with_group("wider", "g");
    for (command, more) in [
        (&["group", "list"][..], &["MEMBERS", "ASSIGNOR", "COORDINATOR"][..]),
        (&["cluster", "info"], &["REPLICAS", "IN-SYNC"]),
        (&["api"], &["OURS-FROM", "OURS-TO", "USED", "NOTE"]),
        (&["config", "diff", "broker", "1"], &["SOURCE", "TYPE", "DOES"]),
        (&["group", "reset", "g", "--to", "start", "--dry-run"], &["START", "END", "LAG"]),
        (
            &["topic", "alter", "a", "--set", "retention.ms=1000", "--dry-run"],
            &["SOURCE", "DEFAULT", "TYPE", "DOES"],
        ),
    ] {
        let (table, wide) = (broker.run(command), broker.run(&[command, &["--format", "wide"]].concat()));
        for title in more {
            assert!(!table.ok().contains(title) && wide.ok().contains(title), "{title}: {table:?} {wide:?}");
        }
    }
    let wide = broker.run(&["group", "list", "--format", "wide"]);
    let listed = broker.run(&["group", "list", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(listed.ok()).expect("it is JSON");
    assert_eq!(
        (&listed[0]["members"], &listed[0]["coordinator"]),
        (&0.into(), &broker.bootstrap.as_str().into())
    );
    let row: Vec<&str> = wide.ok().lines().nth(1).expect("there is a group").split_whitespace().collect();
    assert_eq!((row.get(4), row.get(6)), (Some(&"0"), Some(&broker.bootstrap.as_str())), "{wide:?}");
}

#[test]
fn a_reader_for_whom_nothing_comes_says_that_it_waits() {
    let broker = broker_with_group("waits", "kitchen");
    broker.run(&["topic", "create", "empty"]).ok();
    for (arguments, read) in [
        (&["consume", "a", "--from", "start:9"][..], "1\n2\n"),
        (&["consume", "empty", "--from", "start"], ""),
        (&["consume", "a", "--from", "start", "--group", "kitchen"], ""),
    ] {
        let terminal = Terminal { interrupt_at: Some("waiting for new records"), ..Terminal::default() };
        let seen = terminal.run(broker.command(arguments), "");
        assert!(
            seen.screen.starts_with(&format!("{read}waiting for new records; ")),
            "{arguments:?}: {seen:?}"
        );
    }
    assert_eq!(broker.run(&["consume", "a", "--from", "0:0"]).ok(), "", "nothing is between them");
    broker.run(&["consume", "a", "--from", "1:0"]).failed(2);
}

#[test]
fn records_of_a_template_end_with_one_ctrl_d() {
    let broker = Broker::start("typed-template");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for (template, typed) in [("%v;", "1;2;\n"), ("%v---\\n", "1\n2\n---\n3\n"), ("%v\\r\\n", "1\n")] {
        let produce = ["produce", "a", "--template", template];
        let seen = Terminal::default().run(broker.command(&produce), &format!("{typed}{CTRL_D}"));
        assert_eq!(seen.code, Some(0), "{template}: {seen:?}");
    }
}
