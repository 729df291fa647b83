//! A side of the comparison as a process, with a port and a data directory of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::limit::Task;
use crate::test::process::{Reaped, last_lines, succeed};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    Ours,
    /// Ours, where a record is acknowledged before it is durable, as Kafka does it.
    Relaxed,
    Kafka,
    Limit,
    /// Our client library.
    Client,
    Librdkafka,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::Ours => "Riverrun",
            Who::Relaxed => "Riverrun, `write.caching=true`",
            Who::Kafka => "Apache Kafka 4.4.0",
            Who::Limit => "limit program",
            Who::Client => "Riverrun's client",
            // In the Python package that `conformance/python/requirements.txt` pins.
            Who::Librdkafka => "librdkafka 2.16.0",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Who::Ours | Who::Relaxed => "ours",
            Who::Kafka => "kafka",
            Who::Limit => "limit",
            Who::Client | Who::Librdkafka => "client",
        }
    }
}

/// Both brokers keep their defaults but for what one node on loopback needs, and for files of deleted topics, which go
/// at once because the next run needs the room.
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

/// The options that Kafka's documentation gives for OpenJDK, but for its heap of 6 GiB, which is for machines larger
/// than two cores: a fixed one as well.
const KAFKA_JVM: &str = "-XX:MetaspaceSize=96m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
-XX:InitiatingHeapOccupancyPercent=35 -XX:G1HeapRegionSize=16M -XX:MinMetaspaceFreeRatio=50 \
-XX:MaxMetaspaceFreeRatio=80 -XX:+ExplicitGCInvokesConcurrent";

const STOP_DEADLINE: Duration = Duration::from_secs(120);
const LISTEN_DEADLINE: Duration = Duration::from_secs(10);

/// Where the project and the caches are, and which ports may be used.
#[derive(Debug, Clone)]
pub struct Places {
    pub root: PathBuf,
    /// Data directories and logs, removed at the end.
    pub scratch: PathBuf,
    pub port: u16,
    /// Kafka's heap.
    pub heap_gib: u16,
    /// Brokers on the second core, the load on the first.
    pub pinned: bool,
}

impl Places {
    pub fn binary(&self) -> PathBuf {
        self.root.join("target/release/riverrun")
    }

    /// A program, pinned if the others are.
    fn command(&self, program: &Path) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", "1"]).arg(program);
        command
    }
}

/// A running broker, or the limit program.
#[derive(Debug)]
pub struct Side {
    pub who: Who,
    pub address: SocketAddr,
    /// When its process was made.
    pub begun: Instant,
    process: Reaped,
    dir: PathBuf,
    places: Places,
}

impl Side {
    /// Starts a broker on an empty directory. Does not wait until it serves.
    pub fn start(who: Who, places: &Places) -> Result<Self, String> {
        Self::start_with(who, places, "")
    }

    /// Starts ours with further settings, each on a line.
    pub fn ours(places: &Places, settings: &str) -> Result<Self, String> {
        Self::start_with(Who::Ours, places, settings)
    }

    fn start_with(who: Who, places: &Places, settings: &str) -> Result<Self, String> {
        let dir = places.scratch.join(who.folder());
        clear(&dir)?;
        // Each side has ports of its own: one that was just started may not listen yet.
        let [port, controller] = free_ports(places.port, who)?;
        let properties = dir.join("server.properties");
        let text = format!(
            "{PROPERTIES}{settings}listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n",
            dir.join("data").display()
        );
        fs::write(&properties, text).map_err(|error| format!("{}: {error}", properties.display()))?;
        if who == Who::Kafka {
            // Formats now, so that only the broker's own start is measured; and fetches the jars the first time.
            let mut format = Command::new(kafka_script(places));
            succeed(format.arg("--format-only").arg(properties), "formatting Kafka's directory")?;
        }
        let (begun, process) = spawn(who, &mut broker(who, places, &dir), &dir)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { who, address, begun, process, dir, places: places.clone() })
    }

    /// Starts the limit program, and waits until it listens.
    pub fn limit(places: &Places, mut task: Task) -> Result<Self, String> {
        let who = Who::Limit;
        let dir = places.scratch.join(who.folder());
        clear(&dir)?;
        [task.port, _] = free_ports(places.port, who)?;
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = places.command(&this);
        command.args(["bench", "limit"]).args(task.args(&dir));
        let (begun, process) = spawn(who, &mut command, &dir)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, task.port));
        let side = Self { who, address, begun, process, dir, places: places.clone() };
        // A connection that it has accepted would end it when it closes, so it is asked for in another way.
        while TcpListener::bind(address).is_ok() {
            if begun.elapsed() > LISTEN_DEADLINE {
                return Err(side.explain("it does not listen"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(side)
    }

    /// Starts it again on the directory that it left.
    pub fn restart(&mut self) -> Result<(), String> {
        (self.begun, self.process) =
            spawn(self.who, &mut broker(self.who, &self.places, &self.dir), &self.dir)?;
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Adds what the broker said last to an error.
    pub fn explain(&self, error: &str) -> String {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        format!("{}: {error}\n{}", self.who.name(), last_lines(&String::from_utf8_lossy(&log), 10))
    }

    /// Ends the process as an init system does.
    pub fn stop(&mut self) -> Result<(), String> {
        self.process.terminate()?;
        match self.process.wait_until(Instant::now() + STOP_DEADLINE) {
            Some(_) => Ok(()),
            None => Err(format!("it still runs {STOP_DEADLINE:?} after SIGTERM")),
        }
    }

    /// Ends the process as a crash does.
    pub fn kill(&mut self) -> Result<(), String> {
        let killed = self.process.0.kill().and_then(|()| self.process.0.wait());
        killed.map(|_| ()).map_err(|error| format!("{}: {error}", self.who.name()))
    }

    /// Ends the process in one way or the other and removes its data.
    pub fn end(mut self) -> Result<(), String> {
        let ended = if self.who == Who::Limit { self.kill() } else { self.stop() };
        ended.map_err(|error| self.explain(&error))?;
        self.remove()
    }

    /// Removes the data of a process that has ended.
    pub fn remove(&self) -> Result<(), String> {
        fs::remove_dir_all(&self.dir).map_err(|error| format!("{}: {error}", self.dir.display()))
    }
}

fn kafka_script(places: &Places) -> PathBuf {
    places.root.join("conformance/backends/kafka")
}

fn broker(who: Who, places: &Places, dir: &Path) -> Command {
    let properties = dir.join("server.properties");
    if who == Who::Kafka {
        let mut command = places.command(&kafka_script(places));
        let heap = places.heap_gib;
        command.arg(properties).env("KAFKA_JVM", format!("-Xms{heap}g -Xmx{heap}g {KAFKA_JVM}"));
        return command;
    }
    let mut command = places.command(&places.binary());
    command.args(["start", "--config"]).arg(properties);
    command
}

fn spawn(who: Who, command: &mut Command, dir: &Path) -> Result<(Instant, Reaped), String> {
    let log = File::options().create(true).append(true).open(dir.join("log"));
    let log = log.map_err(|error| format!("{}: {error}", dir.display()))?;
    let same = log.try_clone().map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(log).stderr(same);
    let begun = Instant::now();
    let child = command.spawn().map_err(|error| format!("{} cannot be started: {error}", who.name()))?;
    Ok((begun, Reaped(child)))
}

fn clear(dir: &Path) -> Result<(), String> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))
}

/// How many ports are tried for each side.
const PORTS: u16 = 50;

/// Two ports that were free a moment ago.
fn free_ports(first: u16, who: Who) -> Result<[u16; 2], String> {
    let first = first.saturating_add(PORTS * who as u16);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (first..first.saturating_add(PORTS)).filter(free);
    match (ports.next(), ports.next()) {
        (Some(one), Some(two)) => Ok([one, two]),
        _ => Err(format!("no two free ports from {first} on")),
    }
}
