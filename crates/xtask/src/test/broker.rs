//! One broker process under test: its own port, its own data directory, ended by its process id.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Context;
use super::process::{Reaped, last_lines};

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// What every node under test is told, beside its listeners and directories: short timers, one replica.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=100
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.flush.start.offset.checkpoint.interval.ms=1000
";

#[derive(Debug)]
pub struct Broker {
    process: Option<Reaped>,
    address: SocketAddr,
    command: Vec<String>,
    dir: PathBuf,
}

impl Broker {
    /// The command that starts the broker under test; a file of properties is appended.
    pub fn command(context: &Context) -> Vec<String> {
        match &context.options.broker {
            Some(command) => command.split_whitespace().map(str::to_owned).collect(),
            None => {
                let binary = context.root.join("target/release/riverrun");
                vec![binary.display().to_string(), "start".to_owned(), "--config".to_owned()]
            }
        }
    }

    /// Starts the broker under test.
    pub fn start(context: &Context, dir: &Path) -> Result<Self, String> {
        Self::start_command(context, dir, Self::command(context))
    }

    /// Writes the configuration and starts a node by any command; it listens when this returns.
    pub fn start_command(context: &Context, dir: &Path, command: Vec<String>) -> Result<Self, String> {
        let mut broker = Self::configure(dir, command, "")?;
        broker.launch(context)?;
        Ok(broker)
    }

    /// Writes the configuration of a node, with `more` properties, and starts nothing.
    pub fn configure(dir: &Path, command: Vec<String>, more: &str) -> Result<Self, String> {
        let (port, controller) = (free_port()?, free_port()?);
        let properties = dir.join("server.properties");
        let data = dir.join("data");
        let text = format!(
            "{PROPERTIES}{more}listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n",
            data.display()
        );
        fs::write(&properties, text)
            .map_err(|error| format!("cannot write {}: {error}", properties.display()))?;
        Ok(Self {
            process: None,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            command,
            dir: dir.to_path_buf(),
        })
    }

    /// Starts the process, the first time or again on the same port and data; it listens when this returns.
    pub fn launch(&mut self, context: &Context) -> Result<(), String> {
        self.spawn(context)?;
        self.wait_for_port()
    }

    /// Starts the process, and waits for nothing.
    pub fn spawn(&mut self, context: &Context) -> Result<(), String> {
        let (program, args) = self.command.split_first().ok_or("the broker's command is empty")?;
        let properties = self.dir.join("server.properties");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .map_err(|error| format!("cannot write the broker's log: {error}"))?;
        let same = log.try_clone().map_err(|error| format!("cannot write the broker's log: {error}"))?;
        let child = Command::new(program)
            .args(args)
            .arg(properties)
            .current_dir(&context.root)
            .env("RIVERRUN_CACHE", &context.cache)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(same)
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        self.process = Some(Reaped(child));
        Ok(())
    }

    fn wait_for_port(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect_timeout(&self.address, Duration::from_millis(500)).is_err() {
            let ended = self.process.as_mut().and_then(|process| process.0.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(format!("the broker ended at start with {status}\n{}", self.log_tail()));
            }
            if Instant::now() > deadline {
                return Err(format!("the broker does not listen after 60 s\n{}", self.log_tail()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Another kind of node takes over at the next launch.
    pub fn become_command(&mut self, command: Vec<String>) {
        self.command = command;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.0.id())
    }

    /// Whether the process is still there; a broker under test must not end by itself.
    pub fn alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.0.try_wait(), Ok(None)))
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("broker.log")
    }

    pub fn log_tail(&self) -> String {
        let text = fs::read(self.log_path()).unwrap_or_default();
        format!(
            "-- end of {}\n{}",
            self.log_path().display(),
            last_lines(&String::from_utf8_lossy(&text), 15)
        )
    }

    /// kill -9, in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and wait for the clean end.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.terminate()?;
        match process.wait_until(Instant::now() + STOP_DEADLINE) {
            Some(_) => Ok(()),
            None => Err(format!("the broker still runs 30 s after SIGTERM\n{}", self.log_tail())),
        }
    }
}

/// A port that was free a moment ago; below the range that outgoing connections use, where nobody else takes it meanwhile.
fn free_port() -> Result<u16, String> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 97).unwrap_or(0) * 100;
    for _ in 0..2_000 {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".to_owned())
}
