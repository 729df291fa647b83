//! A broker of either side as a process: with the same settings, a port and a data directory of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::test::process::{Reaped, last_lines, succeed};

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Who {
    Ours,
    Kafka,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::Ours => "Riverrun",
            Who::Kafka => "Apache Kafka 4.4.0",
        }
    }
}

/// Both sides keep their defaults but for what one node on loopback needs, and for files of deleted topics, which go at
/// once because the next run needs the room.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.segment.delete.delay.ms=100
";

/// Kafka with the collector and a heap that its documentation advises, its compiler unrestricted.
const KAFKA_JVM: &str =
    "-Xms1g -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35";

const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Where the project and the caches are.
#[derive(Debug, Clone)]
pub struct Places {
    pub root: PathBuf,
    /// Data directories and logs, removed at the end.
    pub scratch: PathBuf,
    pub port: u16,
}

impl Places {
    pub fn binary(&self) -> PathBuf {
        self.root.join("target/release/riverrun")
    }
}

/// A running broker.
#[derive(Debug)]
pub struct Side {
    pub who: Who,
    pub address: SocketAddr,
    /// When its process was made.
    pub begun: Instant,
    process: Reaped,
    dir: PathBuf,
}

impl Side {
    /// Starts a broker on an empty directory, with `partitions` in every topic that is created by asking for it. Does
    /// not wait until it serves.
    pub fn start(who: Who, places: &Places, partitions: usize) -> Result<Self, String> {
        // Each side has ports of its own: one that was just started may not listen yet.
        let (folder, first_port) = match who {
            Who::Ours => ("ours", places.port),
            Who::Kafka => ("kafka", places.port.saturating_add(PORTS)),
        };
        let dir = places.scratch.join(folder);
        clear(&dir)?;
        let [port, controller] = free_ports(first_port)?;
        let data = dir.join("data");
        let properties = dir.join("server.properties");
        let text = format!(
            "{PROPERTIES}num.partitions={partitions}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n",
            data.display()
        );
        fs::write(&properties, text).map_err(|error| format!("{}: {error}", properties.display()))?;
        let mut command = command(who, places, &properties)?;
        let log = File::create(dir.join("log")).map_err(|error| format!("{}: {error}", dir.display()))?;
        let same = log.try_clone().map_err(|error| error.to_string())?;
        command.current_dir(&places.root).stdin(Stdio::null()).stdout(log).stderr(same);
        let begun = Instant::now();
        let child = command.spawn().map_err(|error| format!("{} cannot be started: {error}", who.name()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { who, address, begun, process: Reaped(child), dir })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// A folder of its own, which goes with it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Adds what the broker said last to an error.
    pub fn explain(&self, error: &str) -> String {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        format!("{}: {error}\n{}", self.who.name(), last_lines(&String::from_utf8_lossy(&log), 10))
    }

    /// Ends the process and removes its data.
    pub fn end(mut self) -> Result<(), String> {
        self.process.terminate()?;
        let ended = self.process.wait_until(Instant::now() + STOP_DEADLINE);
        if ended.is_none() {
            return Err(self.explain("it still runs 30 s after SIGTERM"));
        }
        fs::remove_dir_all(&self.dir).map_err(|error| format!("{}: {error}", self.dir.display()))
    }
}

fn command(who: Who, places: &Places, properties: &Path) -> Result<Command, String> {
    match who {
        Who::Ours => {
            let mut command = Command::new(places.binary());
            command.args(["start", "--config"]).arg(properties);
            Ok(command)
        }
        Who::Kafka => {
            let script = places.root.join("conformance/backends/kafka");
            // Formats now, so that only the broker's own start is measured; and fetches the jars the first time.
            let mut format = Command::new(&script);
            succeed(format.arg("--format-only").arg(properties), "formatting Kafka's directory")?;
            let mut command = Command::new(&script);
            command.arg(properties).env("KAFKA_JVM", KAFKA_JVM);
            Ok(command)
        }
    }
}

fn clear(dir: &Path) -> Result<(), String> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))
}

/// How many ports are tried for each side.
const PORTS: u16 = 50;

/// Two ports that were free a moment ago, from `first` on.
fn free_ports(first: u16) -> Result<[u16; 2], String> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (first..first.saturating_add(PORTS)).filter(free);
    match (ports.next(), ports.next()) {
        (Some(one), Some(two)) => Ok([one, two]),
        _ => Err(format!("no two free ports from {first} on")),
    }
}
