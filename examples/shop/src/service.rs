//! How a service starts, reports and ends.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use client::{Client, ClientConfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often a service tells how it is.
const REPORT_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Parser)]
struct Options {
    /// Where the cluster is found.
    #[arg(long, default_value = "127.0.0.1:9092", env = "RIVERRUN_BOOTSTRAP")]
    bootstrap: String,
    /// Where the services keep what they must not forget.
    #[arg(long, default_value = "shop-data")]
    dir: PathBuf,
    /// How long each event takes, in milliseconds, on top of the work.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// How many orders are published a second.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// How many orders are published in all; 0 for no end.
    #[arg(long, default_value_t = 0)]
    orders: u64,
}

/// What a service tells whoever started it, a line of JSON each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Events that were dealt with, since the first one there was.
    pub events: u64,
    pub repeated: u64,
    pub lost: u64,
    /// The rest, in words.
    pub says: String,
}

/// A service that runs: what it was told, and its way to the cluster.
#[derive(Debug)]
pub struct Service {
    pub name: &'static str,
    pub client: Client,
    /// How many orders a second, and how many in all; for whoever publishes them.
    pub rate: u64,
    pub orders: u64,
    delay: Duration,
    dir: PathBuf,
    stop: Signal,
    reported: Instant,
}

impl Service {
    /// Reads the command line, and connects.
    pub async fn start(name: &'static str) -> Result<Self, Box<dyn Error>> {
        let options = Options::parse();
        std::fs::create_dir_all(&options.dir)?;
        let config = ClientConfig { client_id: name.to_owned(), ..ClientConfig::new(&options.bootstrap) };
        Ok(Self {
            name,
            client: Client::connect(config).await?,
            rate: options.rate.max(1),
            orders: options.orders,
            delay: Duration::from_millis(options.delay_ms),
            dir: options.dir,
            stop: signal(SignalKind::terminate())?,
            reported: Instant::now(),
        })
    }

    /// Resolves when somebody wants the service to end.
    pub async fn stopped(&mut self) {
        self.stop.recv().await;
    }

    /// What is slow about the service, if it was told to be.
    pub async fn work(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }

    /// A file of this service.
    pub fn file(&self, end: &str) -> PathBuf {
        self.dir.join(format!("{}.{end}", self.name))
    }

    /// Tells how things are, if it is time. Whoever does not listen any more is no reason to stop.
    pub fn report(&mut self, report: impl FnOnce() -> Report) {
        if self.reported.elapsed() >= REPORT_EVERY {
            self.conclude(&report());
        }
    }

    /// Tells how things are in the end.
    pub fn conclude(&mut self, report: &Report) {
        self.reported = Instant::now();
        if let Ok(line) = serde_json::to_string(report) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

/// Something that a service keeps in a file, whole or not at all.
#[derive(Debug)]
pub struct State<S> {
    path: PathBuf,
    pub value: S,
}

impl<S: Serialize + DeserializeOwned> State<S> {
    /// What was saved last, or `first` if nothing was.
    pub fn load(service: &Service, first: S) -> Result<Self, Box<dyn Error>> {
        let path = service.file("json");
        let value = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => first,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path, value })
    }

    /// Saves it in the place of what was saved before.
    pub fn save(&self) -> Result<(), Box<dyn Error>> {
        let next = self.path.with_extension("next");
        let file = std::fs::File::create(&next)?;
        serde_json::to_writer(&file, &self.value)?;
        file.sync_all()?;
        Ok(std::fs::rename(&next, &self.path)?)
    }
}
