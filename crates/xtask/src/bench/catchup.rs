//! W5: a consumer reads a backlog that is not in memory, while producers go on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kernel::Uuid;
use rustix::fs::Advice;

use super::load::Pace;
use super::metric::Metric;
use super::options::Options;
use super::produce::{self, Beside};
use super::quiet::Quiet;
use super::readers::{Plan, Readers};
use super::report::{Run, Series};
use super::side::{Places, Side, Who};
use super::workloads::{W1_64_KIB, Workload};

/// Batches of 64 KiB, together 100 MB a second.
const LIVE: Workload = Workload {
    id: "W5",
    shape: "cold backlog beside live producers",
    pace: Pace::PerSecond(1_540),
    ..W1_64_KIB
};

const BACKLOG: Workload = Workload { partitions: 1, ..W1_64_KIB };
const BACKLOG_TOPIC: &str = "backlog";
const LIVE_TOPIC: &str = "live";

const FILL_DEADLINE: Duration = Duration::from_secs(300);

/// What consumers that are to catch up are given to ask for.
const BYTES_MAX: i32 = 8 << 20;

pub fn series(options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let mut runs = Vec::new();
    for who in options.brokers() {
        let side = Side::start(who, places)?;
        quiet.these_are_ours(vec![side.pid()]);
        let outcome = broker(&side, options, quiet, &mut runs);
        outcome.map_err(|error| side.explain(&error))?;
        side.end()?;
    }
    Ok(Series {
        workload: LIVE.id,
        shape: LIVE.shape.to_owned(),
        what: format!(
            "{} MiB in one partition are dropped from memory and read from the start, by one consumer with fetches of at most 8 MiB, while 100 MB/s \
             in batches of 64 KiB go to 12 other partitions; the limit is a plain read of the same files",
            options.data_mib
        ),
        runs,
        notes: Vec::new(),
    })
}

fn broker(side: &Side, options: &Options, quiet: &mut Quiet, runs: &mut Vec<Run>) -> Result<(), String> {
    let topic = produce::fill(side, &BACKLOG, BACKLOG_TOPIC, FILL_DEADLINE, options.data_mib << 20)?;
    if side.who == Who::Kafka {
        produce::alone(side, &LIVE, LIVE_TOPIC, options.warm)?;
    }
    for pair in 0..options.pairs {
        quiet.wait();
        quiet.begin();
        if options.limit && side.who == Who::Ours {
            let figures = BTreeMap::from([(Metric::ReadMbPerSecond, plain_read(side)?)]);
            runs.push(Run { side: Who::Limit, pair, figures, foreign_percent: quiet.foreign_percent() });
        }
        quiet.begin();
        let before = produce::percentile(&produce::alone(side, &LIVE, LIVE_TOPIC, options.seconds)?, 0.99);
        let mut figures = beside(side, topic, options.seconds)?;
        if let Some(with) = figures.get(&Metric::P99Us) {
            figures.extend([(Metric::P99Times, with / before), (Metric::AloneP99Us, before)]);
        }
        eprintln!("  W5 {}: {:.0?} MB/s", side.who.name(), figures.get(&Metric::ReadMbPerSecond));
        runs.push(Run { side: side.who, pair, figures, foreign_percent: quiet.foreign_percent() });
    }
    Ok(())
}

fn beside(side: &Side, topic: Uuid, seconds: Duration) -> Result<BTreeMap<Metric, f64>, String> {
    files(side)?.iter().try_for_each(|path| forget(path))?;
    let plan = Plan { address: side.address, topic: Some(topic), readers: 1, bytes_max: BYTES_MAX };
    let Beside { measured, cpu_seconds, read_bytes, read_per_second } =
        produce::beside(side, &LIVE, LIVE_TOPIC, seconds, |_| Readers::start(plan))?;
    Ok(BTreeMap::from([
        (Metric::ReadMbPerSecond, read_per_second / 1e6),
        (Metric::MbPerCpuSecond, (read_bytes + measured.bytes) as f64 / 1e6 / cpu_seconds),
        (Metric::P99Us, produce::percentile(&measured, 0.99)),
    ]))
}

/// The segments of the backlog.
fn files(side: &Side) -> Result<Vec<PathBuf>, String> {
    let dir = side.data().join(format!("{BACKLOG_TOPIC}-0"));
    let entries = fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "log"));
    paths.sort();
    Ok(paths)
}

/// Has the system forget what it keeps of a file in memory.
fn forget(path: &Path) -> Result<(), String> {
    let forget = || {
        let file = File::open(path)?;
        file.sync_all()?;
        Ok(rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?)
    };
    forget().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}

/// Megabytes a second of a program that reads the backlog and does nothing else.
fn plain_read(side: &Side) -> Result<f64, String> {
    let paths = files(side)?;
    paths.iter().try_for_each(|path| forget(path))?;
    let mut buffer = vec![0; 1 << 20];
    let (begun, mut bytes) = (Instant::now(), 0);
    for path in &paths {
        let mut read = || {
            let mut file = File::open(path)?;
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => bytes += count,
                }
            }
        };
        read().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?;
    }
    Ok(bytes as f64 / 1e6 / begun.elapsed().as_secs_f64())
}
