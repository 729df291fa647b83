//! A broker in a process of its own, and commands run against it.
//!
//! It is our own, unless `RIVERRUN_TEST_BROKER` names the command of another one, which is run with the path of a
//! `server.properties`; `cargo xtask test --only client` runs Apache Kafka so.

#![allow(dead_code)]

pub mod terminal;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a broker may take to be ready, and a command to end.
const DEADLINE: Duration = Duration::from_secs(60);

const RIVERRUN: &str = env!("CARGO_BIN_EXE_riverrun");

/// A running broker. It is killed, and its files are removed, at the end of the test.
pub struct Broker {
    child: Child,
    directory: PathBuf,
    pub bootstrap: String,
}

impl Broker {
    /// Starts a broker on a free port, with a directory named after the test.
    pub fn start(test: &str) -> Broker {
        let directory = std::env::temp_dir().join(format!("riverrun-cli-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let (child, bootstrap) = launch(&directory, 0);
        Broker { child, directory, bootstrap }
    }

    /// Where it keeps its data.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Kills the broker as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts the broker again where it was.
    pub fn restart(&mut self) {
        let port = self.bootstrap.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        (self.child, self.bootstrap) = launch(&self.directory, port.expect("it has a port"));
    }

    /// Runs `riverrun` with these arguments against the broker.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.command(arguments), input)
    }

    /// Runs a line of shell, as somebody who follows the README types it.
    pub fn shell(&self, line: &str) -> Ended {
        run(self.shell_command("sh", &["-c", line]), "")
    }

    /// A shell that finds `riverrun`, which finds the broker.
    pub fn shell_command(&self, shell: &str, arguments: &[&str]) -> Command {
        let directory = PathBuf::from(RIVERRUN).parent().expect("a file is in a directory").to_owned();
        let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(shell);
        command.args(arguments).env("PATH", path).env("RIVERRUN_BOOTSTRAP", &self.bootstrap);
        command
    }

    /// `riverrun` with these arguments, for who runs it in a way of his own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RIVERRUN);
        command.args(arguments).env("RIVERRUN_BOOTSTRAP", &self.bootstrap);
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Whether the broker is ours, so that what only ours has can be expected.
pub fn is_ours() -> bool {
    other_broker().is_none()
}

fn other_broker() -> Option<String> {
    std::env::var("RIVERRUN_TEST_BROKER").ok().filter(|command| !command.is_empty())
}

/// Starts a broker and waits until it listens; on any port if it is 0.
fn launch(directory: &Path, port: u16) -> (Child, String) {
    match other_broker() {
        Some(command) => launch_other(&command, directory, port),
        None => launch_ours(directory, port),
    }
}

fn launch_other(command: &str, directory: &Path, port: u16) -> (Child, String) {
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it is bound").port()
    };
    let port = if port == 0 { free() } else { port };
    let properties = directory.join("server.properties");
    if !properties.exists() {
        let controller = free();
        std::fs::create_dir_all(directory).expect("the directory can be made");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             log.dirs={}\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=3\n\
             group.initial.rebalance.delay.ms=0\n",
            directory.join("data").display()
        );
        std::fs::write(&properties, text).expect("the file can be written");
    }
    let log = std::fs::File::create(directory.join("broker.log")).expect("the log can be written");
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().expect("the command is not empty"))
        .args(words)
        .arg(properties)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .expect("the broker can be started");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err() {
        let ended = child.try_wait().expect("it can be asked");
        assert!(ended.is_none() && Instant::now() < deadline, "the broker does not listen: {ended:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, address.to_string())
}

fn launch_ours(directory: &Path, port: u16) -> (Child, String) {
    let mut child = Command::new(RIVERRUN)
        .arg("start")
        .args(["--set", &format!("listeners=PLAINTEXT://127.0.0.1:{port}")])
        .args(["--set", &format!("log.dirs={}", directory.display())])
        .args(["--set", "group.initial.rebalance.delay.ms=0"])
        .args(["--set", "offsets.topic.num.partitions=3"])
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

/// What a command did.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What it printed, if it succeeded.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    /// What it complained about, if it ended with `code`.
    #[track_caller]
    pub fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.stderr
    }
}

/// Runs a command to its end, which must come before the deadline.
pub fn run(mut command: Command, input: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // A command that reads no input closes it, which is no fault.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let id = child.id();
    let (ended, wait) = mpsc::channel();
    std::thread::spawn(move || drop(ended.send(child.wait_with_output())));
    let output: Output = match wait.recv_timeout(DEADLINE) {
        Ok(output) => output.expect("it can be waited for"),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("{command:?} did not end in time");
        }
    };
    writer.join().expect("writing does not panic");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
