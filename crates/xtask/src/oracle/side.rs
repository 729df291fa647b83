//! The two brokers: ours and Apache Kafka, with the same settings, each with a port and a directory of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::options::Options;
use crate::test::process::{Reaped, last_lines};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Ours,
    Kafka,
}

impl Who {
    pub const BOTH: [Who; 2] = [Who::Ours, Who::Kafka];

    pub fn name(self) -> &'static str {
        match self {
            Who::Ours => "ours",
            Who::Kafka => "kafka",
        }
    }
}

/// What one node alone needs, joins that wait for nobody, and nothing that happens by itself while answers are compared.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
num.partitions=2
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=86400000
log.cleaner.enable=false
offsets.retention.check.interval.ms=86400000
connections.max.idle.ms=3600000
";

/// Enough for one small broker; its compiler may optimise, as thousands of requests follow.
const KAFKA_JVM: &str = "-Xmx512m -XX:+UseSerialGC";

/// What Kafka's node is formatted without: with eligible leader replicas it writes a default of min.insync.replicas down for
/// the cluster and refuses another one for a broker. We do not serve them yet.
const KAFKA_FEATURES: &str = "eligible.leader.replicas.version=0";

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Side {
    pub who: Who,
    pub address: SocketAddr,
    process: Reaped,
    log: PathBuf,
}

impl Side {
    /// Starts a broker on an empty directory; it need not listen yet.
    pub fn start(who: Who, root: &Path, scratch: &Path, options: &Options) -> Result<Self, String> {
        let first_port = match who {
            Who::Ours => options.port,
            Who::Kafka => options.port.saturating_add(PORTS),
        };
        let dir = scratch.join(who.name());
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let [port, controller] = free_ports(first_port)?;
        let properties = dir.join("server.properties");
        let text = format!(
            "{PROPERTIES}listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n",
            dir.join("data").display()
        );
        fs::write(&properties, text).map_err(|error| format!("{}: {error}", properties.display()))?;
        let log = dir.join("broker.log");
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let same = file.try_clone().map_err(|error| error.to_string())?;
        let mut command = match who {
            Who::Ours => ours(root, options.broker.as_deref())?,
            Who::Kafka => {
                let mut command = Command::new(root.join("conformance/backends/kafka"));
                command.env("KAFKA_JVM", KAFKA_JVM).env("KAFKA_IT_FEATURES", KAFKA_FEATURES);
                command
            }
        };
        let child = command
            .arg(&properties)
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(same)
            .spawn()
            .map_err(|error| format!("cannot start the broker of {}: {error}", who.name()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { who, address, process: Reaped(child), log })
    }

    /// Waits until the broker takes connections.
    pub fn listens(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect_timeout(&self.address, Duration::from_millis(500)).is_err() {
            if let Ok(Some(status)) = self.process.0.try_wait() {
                return Err(self.explain(&format!("ended at start with {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.explain("does not listen after 60 s"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Adds what the broker said last.
    pub fn explain(&self, error: &str) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        format!("{}: {error}\n{}", self.who.name(), last_lines(&String::from_utf8_lossy(&log), 15))
    }

    pub fn end(mut self) -> Result<(), String> {
        self.process.terminate()?;
        match self.process.wait_until(Instant::now() + STOP_DEADLINE) {
            Some(_) => Ok(()),
            None => Err(self.explain("still runs 30 s after SIGTERM")),
        }
    }
}

fn ours(root: &Path, command: Option<&str>) -> Result<Command, String> {
    let Some(command) = command else {
        let mut command = Command::new(root.join("target/release/riverrun"));
        command.args(["start", "--config"]);
        return Ok(command);
    };
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().ok_or("--broker is empty")?);
    command.args(words);
    Ok(command)
}

/// How many ports are tried for each side.
const PORTS: u16 = 50;

fn free_ports(first: u16) -> Result<[u16; 2], String> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (first..first.saturating_add(PORTS)).filter(free);
    match (ports.next(), ports.next()) {
        (Some(one), Some(two)) => Ok([one, two]),
        _ => Err(format!("no two free ports from {first} on")),
    }
}
