//! What is said while a server does not answer, and when it never did.

mod support;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use support::terminal::{Seen, Terminal};
use support::{Broker, command_at, run};

/// How many connections are treated badly before the others lead to the broker.
const BAD: usize = 3;

/// An address that leads to the broker, after its first connections: those get what `bad` does with them.
fn in_front_of(
    broker: &Broker,
    bad: impl Fn(TcpStream, TcpStream) -> io::Result<()> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let bootstrap = broker.bootstrap.clone();
    std::thread::spawn(move || {
        for (place, near) in listener.incoming().enumerate() {
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(&bootstrap)) else { return };
            // Whichever side ends first ends the other; the test sees what comes of it.
            let _ = if place < BAD { bad(near, far) } else { forward(&near, &far) };
        }
    });
    address
}

/// Hands on what each side says to the other.
fn forward(near: &TcpStream, far: &TcpStream) -> io::Result<()> {
    for (from, to) in [(near, far), (far, near)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
    }
    Ok(())
}

/// Hands on one request or answer.
fn forward_one(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame)?;
    let length = frame.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    frame.resize(4 + length, 0);
    from.read_exact(frame.get_mut(4..).unwrap_or_default())?;
    to.write_all(&frame)
}

#[test]
fn a_server_that_ends_connections_at_first_is_waited_for() {
    let broker = Broker::start("ends-at-first");
    // As a proxy does before which a broker goes away: after it has told the versions.
    let address = in_front_of(&broker, |mut near, mut far| {
        forward_one(&mut near, &mut far)?;
        forward_one(&mut far, &mut near)?;
        forward_one(&mut near, &mut far)
    });
    let health = run(command_at(&address, &["cluster", "health", "--wait", "50s", "--format", "name"]), "");
    assert_eq!(health.ok(), "healthy\n");
}

#[test]
fn a_server_that_says_nothing_at_first_is_waited_for_and_asked_again() {
    let broker = Broker::start("silent-at-first");
    let held = std::sync::Mutex::new(Vec::new());
    let address = in_front_of(&broker, move |near, _| {
        held.lock().expect("nobody panics").push(near);
        Ok(())
    });
    let health = ["cluster", "health", "--wait", "50s", "-X", "request.timeout.ms=1000", "--format", "name"];
    assert_eq!(run(command_at(&address, &health), "").ok(), "healthy\n");
}

#[test]
fn who_waits_no_time_looks_once() {
    let mut broker = Broker::start("no-wait");
    let health = ["cluster", "health", "--wait", "0s", "--format", "name"];
    for _ in 0..5 {
        assert_eq!(broker.run(&health).ok(), "healthy\n");
    }
    broker.kill();
    assert!(broker.run(&health).failed(1).contains("no broker can be reached"));
}

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
        assert_eq!(seen.code, Some(130), "{seen:?}");
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

#[test]
fn who_cannot_reach_a_broker_at_what_it_advertises_learns_of_it_while_and_after_waiting() {
    // Nobody listens there.
    let broker = Broker::start_with("elsewhere", &["advertised.listeners=PLAINTEXT://127.0.0.1:1"]);
    assert!(broker.run(&["topic", "create", "a"]).ok().contains('a'), "what any broker answers works");
    let cause = "the connection to 127.0.0.1:1 failed: ";
    let commands: [&[&str]; 3] = [
        &["produce", "a", "-X", "delivery.timeout.ms=8000"],
        &["bench", "produce", "a", "-n", "1", "-X", "delivery.timeout.ms=8000"],
        &["consume", "a", "--from", "start", "-e", "-X", "default.api.timeout.ms=8000"],
    ];
    for command in commands {
        let ended = broker.run_with_input(&[command, &["-X", "request.timeout.ms=7000"]].concat(), "x\n");
        let said = ended.failed(1);
        let (while_waiting, after) = said.split_once("riverrun: ").unwrap_or_else(|| panic!("{said}"));
        let told = format!("broker 1 cannot be reached: {cause}");
        assert!(while_waiting.contains(&told), "{command:?}: {said}");
        for part in [while_waiting, after] {
            let next = "next: clients reach broker 1 at what it tells in advertised.listeners: look";
            assert!(part.contains(cause) && part.contains(next), "{command:?}: {said}");
        }
    }
}
