//! A broker in a process of its own, and commands run against it.
//!
//! It is our own, unless `RIVERRUN_TEST_BROKER` names the command of another one, which is run with the path of a
//! `server.properties`; `cargo xtask test --only client` runs Apache Kafka so.

#![allow(dead_code)]

pub mod node;
pub mod terminal;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a broker may take to be ready, and a command to end.
const DEADLINE: Duration = Duration::from_secs(60);

const RIVERRUN: &str = env!("CARGO_BIN_EXE_riverrun");

/// A running broker. It is killed, and its files are removed, at the end of the test.
pub struct Broker {
    child: Child,
    directory: PathBuf,
    settings: Vec<String>,
    pub bootstrap: String,
}

impl Broker {
    /// Starts a broker on a free port, with a directory named after the test.
    pub fn start(test: &str) -> Broker {
        Self::start_with(test, &[])
    }

    /// As [`Broker::start`], with settings of its own, each as `KEY=VALUE`.
    pub fn start_with(test: &str, settings: &[&str]) -> Broker {
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let directory = std::env::temp_dir().join(format!("riverrun-cli-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let (child, bootstrap) = node::launch(&directory, 0, &settings);
        Broker { child, directory, settings, bootstrap }
    }

    /// Where it keeps its data.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills the broker as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// The broker does nothing until it goes on, and its connections stay.
    pub fn pause(&self) {
        send("-STOP", self.child.id());
    }

    pub fn go_on(&self) {
        send("-CONT", self.child.id());
    }

    /// Starts the broker again where it was.
    pub fn restart(&mut self) {
        let port = self.bootstrap.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        (self.child, self.bootstrap) =
            node::launch(&self.directory, port.expect("it has a port"), &self.settings);
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
        command_at(&self.bootstrap, arguments)
    }

    /// Begins `riverrun` with these arguments, for who talks to it while it runs.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        begin(&mut self.command(arguments))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
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

/// `riverrun` with these arguments, which finds a broker at `bootstrap`.
pub fn command_at(bootstrap: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(RIVERRUN);
    command.args(arguments).env("RIVERRUN_BOOTSTRAP", bootstrap);
    command
}

/// Begins a command whose input and outputs are the test's.
pub fn begin(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command can be started")
}

pub fn send(signal: &str, process: u32) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(status.expect("it can be sent").success());
}

/// The code that a shell has for the end of a command, which is above 128 where a signal has ended it.
pub fn code_of(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| Some(128 + status.signal()?))
}

/// Presses Ctrl-C.
pub fn interrupt(child: &Child) {
    send("-INT", child.id());
}

/// Runs a command to its end, which must come before the deadline.
pub fn run(mut command: Command, input: &str) -> Ended {
    let mut child = begin(&mut command);
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
    Ended { code: code_of(output.status), stdout: text(output.stdout), stderr: text(output.stderr) }
}
