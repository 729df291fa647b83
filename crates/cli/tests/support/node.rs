//! Nodes in processes of their own, ready to be asked.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{DEADLINE, RIVERRUN};

/// Whether the broker is ours, so that what only ours has can be expected.
pub fn is_ours() -> bool {
    other_broker().is_none()
}

fn other_broker() -> Option<String> {
    std::env::var("RIVERRUN_TEST_BROKER").ok().filter(|command| !command.is_empty())
}

/// Starts a broker with these settings besides and waits until it listens; on any port if it is 0.
pub fn launch(directory: &Path, port: u16, settings: &[String]) -> (Child, String) {
    match other_broker() {
        Some(command) => launch_other(&command, directory, port, settings),
        None => launch_ours(directory, port, settings),
    }
}

fn launch_other(command: &str, directory: &Path, port: u16, settings: &[String]) -> (Child, String) {
    let port = if port == 0 { free_port() } else { port };
    let properties = directory.join("server.properties");
    if !properties.exists() {
        let controller = free_port();
        std::fs::create_dir_all(directory).expect("the directory can be made");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             log.dirs={}\noffsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\noffsets.topic.num.partitions=3\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=3\n\
             group.initial.rebalance.delay.ms=0\n{}\n",
            directory.join("data").display(),
            settings.join("\n")
        );
        std::fs::write(&properties, text).expect("the file can be written");
    }
    let child = launch_with(command, &properties, &[], port);
    (child, format!("127.0.0.1:{port}"))
}

/// Starts a broker that is not ours with a file of properties, which its log is written beside, and waits until it listens.
pub fn launch_with(command: &str, properties: &Path, variables: &[(&str, &str)], port: u16) -> Child {
    let log = std::fs::File::create(properties.with_extension("log")).expect("the log can be written");
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().expect("the command is not empty"))
        .args(words)
        .arg(properties)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .expect("the broker can be started");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err() {
        let ended = child.try_wait().expect("it can be asked");
        assert!(ended.is_none() && Instant::now() < deadline, "no broker listens at {address}: {ended:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// A port that was free a moment ago. It is below those that the system takes for connections, so that it stays free until
/// a broker has started that was told of it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests run in several processes at a time, each of which begins elsewhere.
    let first = 10_000 + u16::try_from(std::process::id() % 500).expect("it is below 500") * 20;
    let mut ports = (0..1000).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed) % 1000);
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a port is free")
}

fn launch_ours(directory: &Path, port: u16, settings: &[String]) -> (Child, String) {
    let mut child = Command::new(RIVERRUN)
        .arg("start")
        .args(["--set", &format!("listeners=PLAINTEXT://127.0.0.1:{port}")])
        .args(["--set", &format!("log.dirs={}", directory.display())])
        .args(["--set", "group.initial.rebalance.delay.ms=0"])
        .args(["--set", "offsets.topic.num.partitions=3"])
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary is there");
    let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let (ready, listening) = mpsc::channel();
    // Reads on after the banner, so that the broker never waits for somebody to take its log.
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("PLAINTEXT://") {
                let end =
                    rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
                let _ = ready.send(rest[..end].to_owned());
            }
        }
    });
    let bootstrap = listening.recv_timeout(DEADLINE).expect("the broker is ready in time");
    (child, bootstrap)
}
