//! `riverrun start`: runs a node until it is told to stop.

use std::sync::Arc;

use broker::log_levels::LogControl;
use broker::{Running, World};
use clap::Args;
use host::signal::StopSignals;
use host::{RealClock, RealDisk, RealEntropy, RealNet};
use kernel::option::NodeOptions;
use tracing::{error, info, warn};

use super::cannot_start::cannot_start;
use super::settings::Settings;
use super::{FAILED, Failure};
use crate::logging::{self, LogFormat};

/// Stack of a worker. Requests are handled without recursion.
const WORKER_STACK_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun start
  riverrun start --config server.properties
  riverrun start --set log.dirs=/srv/riverrun --set num.partitions=6

Without a configuration a node listens on 127.0.0.1:9092 and keeps its data in ./riverrun-data.
Settings have the names of Apache Kafka's broker configuration. They are read from the file, then from variables
such as KAFKA_LOG_DIRS, then from --set; the last one counts.")]
pub struct Start {
    #[command(flatten)]
    settings: Settings,
    /// The form of the log on standard error.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// What helps where the operating system gives a process too little.
const LIMITS: &str = "look at the limits of this process: `ulimit -a`";

pub fn run(start: &Start) -> Result<(), Failure> {
    let log_control = logging::init(start.log_format);
    let options = start.settings.read()?;
    for warning in options.fixed().warnings() {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("worker")
        .thread_stack_size(WORKER_STACK_BYTES)
        .build();
    let runtime = runtime.map_err(|error| refused("the worker threads cannot be started", error))?;
    let ended = runtime.block_on(serve(options, log_control));
    // Connections that wait for their clients must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// What the operating system does not give.
pub fn refused(what: &str, error: std::io::Error) -> Failure {
    Failure::failed(format!("{what}: {error}")).next(LIMITS)
}

async fn serve(options: NodeOptions, log_control: Arc<dyn LogControl>) -> Result<(), Failure> {
    let files = host::limits::raise_file_limit();
    let files = files.map_err(|error| refused("the limit of open files cannot be raised", error))?;
    let mut signals = StopSignals::listen().map_err(|error| refused("signals cannot be received", error))?;
    let world = World {
        disk: Arc::new(
            RealDisk::new().map_err(|error| refused("the disk threads cannot be started", error))?,
        ),
        clock: Arc::new(RealClock::new()),
        entropy: Arc::new(RealEntropy),
        net: RealNet,
    };
    let running = broker::start(options, world).await.map_err(cannot_start)?;
    running.node.log_levels().offer(log_control);
    banner(&running, files);
    let signal = signals.next().await;
    info!(signal, "stopping; a second signal stops at once");
    // A task of its own, so that a disk that does not answer cannot keep the signal from being heard.
    tokio::spawn(async move {
        let signal = signals.next().await;
        error!(signal, "stopped at once; logs are verified at the next start");
        std::process::exit(i32::from(FAILED));
    });
    running.stop().await.map_err(|error| {
        Failure::failed(error.to_string())
            .next("the next start looks at every log, and tells what is wrong there")
    })
}

fn banner(running: &Running, files: u64) {
    let node = &running.node;
    let listening: Vec<String> =
        running.listening.iter().map(|(name, address)| format!("{name}://{address}")).collect();
    let config = node.config();
    let metrics = running.metrics.map(|address| format!("http://{address}/metrics"));
    info!(
        version = env!("CARGO_PKG_VERSION"),
        node = node.id.0,
        cluster = %node.cluster_id,
        listening = %listening.join(", "),
        metrics = metrics.as_deref(),
        data = %config.log_dirs.join(", "),
        memory = %node.memory_parts(),
        open_logs_max = node.awake.open_max(),
        open_files_max = files,
        clean = running.clean,
        "Riverrun is ready",
    );
}
