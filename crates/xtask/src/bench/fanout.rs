//! W4: one producer, and many consumers at the tail of what it writes.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::limit::Task;
use super::load::Pace;
use super::machine;
use super::metric::Metric;
use super::options::Options;
use super::produce::{self, Beside};
use super::quiet::Quiet;
use super::readers::{Plan, Readers};
use super::report::{Run, Series};
use super::side::{Places, Side, Who};
use super::workloads::Workload;

const READERS: usize = 50;

/// Batches of 64 KiB, together 20 MB a second.
const WRITTEN: Workload = Workload {
    id: "W4",
    shape: "50 consumers at the tail",
    connections: 1,
    pace: Pace::PerSecond(310),
    partitions: 1,
    ..super::workloads::W1_64_KIB
};

/// A consumer's default for a partition.
const BYTES_MAX: i32 = 1 << 20;

/// What the limit program sends at a time: a batch of what is written.
const SENT_BYTES: usize = 64 << 10;

pub fn series(options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let mut runs = Vec::new();
    let mut brokers =
        options.brokers().into_iter().map(|who| Side::start(who, places)).collect::<Result<Vec<_>, _>>()?;
    quiet.these_are_ours(brokers.iter().map(Side::pid).collect());
    for side in brokers.iter().filter(|side| side.who == Who::Kafka) {
        one(side, options.warm).map_err(|error| side.explain(&error))?;
    }
    for pair in 0..options.pairs {
        quiet.wait();
        brokers.reverse();
        quiet.begin();
        if options.limit {
            let figures = limit(places, options.seconds)?;
            runs.push(Run { side: Who::Limit, pair, figures, foreign_percent: quiet.foreign_percent() });
        }
        for side in &brokers {
            quiet.begin();
            let figures = one(side, options.seconds).map_err(|error| side.explain(&error))?;
            eprintln!("  W4 {}: {:.0?}", side.who.name(), figures.get(&Metric::MbPerCpuSecond));
            runs.push(Run { side: side.who, pair, figures, foreign_percent: quiet.foreign_percent() });
        }
    }
    brokers.into_iter().try_for_each(Side::end)?;
    Ok(Series {
        workload: WRITTEN.id,
        shape: WRITTEN.shape.to_owned(),
        what: format!(
            "20 MB/s in batches of 64 KiB to one partition, {READERS} consumers at its tail, a fetch of at most 1 MiB under way each; \
             megabytes that left; the limit program sends {} KiB of a file for each request, as often as it is asked",
            SENT_BYTES >> 10
        ),
        runs,
        notes: Vec::new(),
    })
}

fn one(side: &Side, seconds: Duration) -> Result<BTreeMap<Metric, f64>, String> {
    let readers = |topic| {
        Readers::start(Plan {
            address: side.address,
            topic: Some(topic),
            readers: READERS,
            bytes_max: BYTES_MAX,
        })
    };
    let Beside { measured, cpu_seconds, read_bytes, .. } =
        produce::beside(side, &WRITTEN, "fanned", seconds, readers)?;
    Ok(figures(read_bytes, measured.elapsed, cpu_seconds))
}

fn limit(places: &Places, seconds: Duration) -> Result<BTreeMap<Metric, f64>, String> {
    let side =
        Side::limit(places, Task { port: 0, files: 1, appends: 1, durable: false, sends: SENT_BYTES })?;
    let plan = Plan { address: side.address, topic: None, readers: READERS, bytes_max: BYTES_MAX };
    let readers = Readers::start(plan);
    thread::sleep(Duration::from_millis(500));
    let (begun, cpu, bytes) = (Instant::now(), machine::cpu_seconds(side.pid())?, readers.bytes());
    thread::sleep(seconds);
    let (cpu, bytes) = (machine::cpu_seconds(side.pid())? - cpu, readers.bytes() - bytes);
    let figures = figures(bytes, begun.elapsed(), cpu);
    let ended = readers.end();
    side.end().and(ended.map(|_| ()))?;
    Ok(figures)
}

fn figures(bytes: u64, elapsed: Duration, cpu_seconds: f64) -> BTreeMap<Metric, f64> {
    let megabytes = bytes as f64 / 1e6;
    BTreeMap::from([
        (Metric::MbPerSecond, megabytes / elapsed.as_secs_f64()),
        (Metric::MbPerCpuSecond, megabytes / cpu_seconds),
    ])
}
