//! What is said while a server does not answer, and when it never did.

mod support;

use std::net::TcpListener;
use std::process::Command;

use support::terminal::{Seen, Terminal};

fn at_terminal(arguments: &[&str]) -> Seen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
    command.args(arguments).env_remove("RIVERRUN_BOOTSTRAP").env_remove("RIVERRUN_PROFILE");
    Terminal::default().run(command, "")
}

#[test]
fn a_server_that_says_nothing_is_named_and_may_be_another_program() {
    // It takes connections, as the operating system does that for it, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it is bound").to_string();
    let seen = at_terminal(&["topic", "list", "-b", &address, "-X", "request.timeout.ms=1500"]);
    assert_eq!(seen.code, Some(1), "{seen:?}");
    assert!(seen.screen.contains(&format!("waiting for an answer from {address}, 1.")), "{seen:?}");
    let said = format!("\r\u{1b}[Kriverrun: cannot connect to {address}: an answer took longer than");
    assert!(seen.screen.contains(&said), "{seen:?}");
    assert!(seen.screen.contains("whether that is a listener of Kafka's"), "{seen:?}");
}

#[test]
fn a_server_that_says_nothing_is_waited_for_as_long_as_was_asked() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it is bound").to_string();
    for (arguments, time) in [
        (&["cluster", "health", "--wait", "1100ms"][..], "1100 ms"),
        (&["topic", "list", "-X", "default.api.timeout.ms=1200"], "1200 ms"),
    ] {
        let seen = at_terminal(&[arguments, &["-b", &address]].concat());
        assert_eq!(seen.code, Some(1), "{seen:?}");
        assert!(seen.screen.contains(&format!("took longer than {time}")), "{seen:?}");
    }
}

#[test]
fn who_no_longer_waits_for_a_server_leaves_nothing_on_the_terminal() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it is bound").to_string();
    for arguments in [["consume", "a"], ["topic", "list"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
        command.args(arguments).args(["-b", &address]).env_remove("RIVERRUN_PROFILE");
        let seen = Terminal { interrupt_at: Some("waiting for"), ..Terminal::default() }.run(command, "");
        assert_eq!(seen.code, Some(1), "{seen:?}");
        assert!(seen.screen.ends_with("\r\u{1b}[Kriverrun: interrupted before an answer came\n"), "{seen:?}");
    }
}

#[test]
fn who_waits_for_a_cluster_sees_that_it_is_waited_for() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = nobody.local_addr().expect("it is bound").to_string();
    drop(nobody);
    let seen = at_terminal(&["cluster", "health", "--wait", "1600ms", "-b", &address]);
    assert_eq!(seen.code, Some(1), "{seen:?}");
    assert!(seen.screen.contains(&format!("waiting for an answer from {address}, 1.")), "{seen:?}");
}
