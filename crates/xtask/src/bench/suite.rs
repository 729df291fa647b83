//! The order of a whole benchmark: what runs when, and what becomes of the figures.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::figures::{Figures, Series};
use super::footprint::{self, Footprint};
use super::frames;
use super::load::{self, Load};
use super::machine::{self, Machine, Warm};
use super::options::Options;
use super::side::{Places, Side, Who};
use crate::Outcome;

/// A load to put on both sides.
struct Workload {
    name: &'static str,
    connections: usize,
    in_flight: usize,
    partitions: usize,
    records: usize,
    value_bytes: usize,
}

/// 63 values of 1,024 bytes with what a record and a batch add are just below 64 KiB.
const W1: Workload =
    Workload { name: "w1", connections: 4, in_flight: 4, partitions: 8, records: 63, value_bytes: 1024 };
const W2: Workload =
    Workload { name: "w2", connections: 64, in_flight: 1, partitions: 64, records: 1, value_bytes: 100 };
const W2_PIPELINED: Workload = Workload { name: "w2, 5 in flight", in_flight: 5, ..W2 };

/// The most partitions that a workload uses; every topic has so many.
const PARTITIONS: usize = 64;

/// Every run is loaded so long before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long the files of a deleted topic may take to go. Kafka removes none in its first half minute.
const CLEAR_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    series: Vec<Series>,
    footprints: Vec<Footprint>,
}

pub fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .ok_or("the xtask crate is not where it should be")?
        .to_path_buf();
    let out = root.join("target/bench");
    let places = Places { scratch: out.join("run"), root, port: options.port };
    fs::create_dir_all(&places.scratch).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut results = Results { machine: Machine::here(), series: Vec::new(), footprints: Vec::new() };
    if options.wants("start") || options.wants("idle") {
        for who in sides(&options) {
            results.footprints.push(footprint::measure(who, &options, &places)?);
        }
        println!("{}", footprint::table(&results.footprints));
    }
    let workloads: Vec<&Workload> = [("w1", &W1), ("w2", &W2), ("w2", &W2_PIPELINED)]
        .into_iter()
        .filter_map(|(part, workload)| options.wants(part).then_some(workload))
        .collect();
    if !workloads.is_empty() {
        results.series = throughput(&workloads, &options, &places)?;
    }
    let file = out.join("results.json");
    let text = serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?;
    fs::write(&file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))?;
    println!("figures of every run: {}", file.display());
    Ok(())
}

fn sides(options: &Options) -> Vec<Who> {
    if options.kafka { vec![Who::Ours, Who::Kafka] } else { vec![Who::Ours] }
}

/// All workloads, against one process of each side.
fn throughput(workloads: &[&Workload], options: &Options, places: &Places) -> Result<Vec<Series>, String> {
    let sides: Vec<Side> = sides(options)
        .into_iter()
        .map(|who| Side::start(who, places, PARTITIONS))
        .collect::<Result<_, _>>()?;
    let mut series = Vec::new();
    for workload in workloads {
        let runs = pairs(workload, &sides, options)?;
        let one = Series { workload: workload.name, what: workload.what(), runs };
        println!("{}", one.table());
        series.push(one);
    }
    for side in sides {
        side.end()?;
    }
    Ok(series)
}

/// One workload on both sides by turns: ours, Kafka, Kafka, ours, and so on.
fn pairs(workload: &Workload, sides: &[Side], options: &Options) -> Result<Vec<Figures>, String> {
    if let Some(kafka) = sides.iter().find(|side| side.who == Who::Kafka) {
        warm(workload, kafka, options)?;
    }
    let mut runs = Vec::new();
    for pair in 0..options.pairs {
        let mut turn: Vec<&Side> = sides.iter().collect();
        if pair % 2 == 1 {
            turn.reverse();
        }
        for side in turn {
            let figures = one(workload, side, options, WARM_UP, options.seconds)
                .map_err(|error| side.explain(&error))?;
            eprintln!(
                "  {} {}: {:.0} MB per CPU-s, {:.1} us of CPU a request, {:.0} requests/s",
                workload.name,
                side.who.name(),
                figures.mb_per_cpu_second,
                figures.cpu_us_per_request,
                figures.requests_per_second
            );
            runs.push(figures);
        }
    }
    Ok(runs)
}

/// A virtual machine that compiles what runs often gets the time for it before it is measured.
fn warm(workload: &Workload, side: &Side, options: &Options) -> Outcome {
    let end = Instant::now() + options.warm;
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        one(workload, side, options, Duration::ZERO, left).map_err(|error| side.explain(&error))?;
    }
    Ok(())
}

fn one(
    workload: &Workload,
    side: &Side,
    options: &Options,
    warm_up: Duration,
    seconds: Duration,
) -> Result<Figures, String> {
    const TOPIC: &str = "bench";
    let topic = frames::ready_topic(side.address, TOPIC)?;
    let records = frames::batch(workload.records, workload.value_bytes)?;
    let frames: Vec<_> = (0..workload.partitions)
        .map(|partition| frames::produce(topic, i32::try_from(partition).unwrap_or(0), &records))
        .collect::<Result<_, _>>()?;
    let load = Load {
        connections: workload.connections,
        in_flight: workload.in_flight,
        frames,
        warm_up: if warm_up.is_zero() { Duration::ZERO } else { workload.warm_up() },
        seconds,
        bytes_max: options.gib << 30,
        accepted: frames::accepted,
    };
    // The warm-up appends as well.
    let mut memory = Warm::fill(side.dir(), options.gib + 1)?;
    let pid = side.pid();
    let mut cpu = Vec::new();
    let measured = load::run(
        &load,
        side.address,
        || cpu.push(machine::cpu_seconds(pid)),
        |appended| memory.keep_ahead_of(appended),
    )?;
    drop(memory);
    let cpu: Vec<f64> = cpu.into_iter().collect::<Result<_, _>>()?;
    let cpu_seconds = match cpu[..] {
        [begin, end] => end - begin,
        _ => return Err("the measured part has a beginning and an end".to_owned()),
    };
    let resident_mb = machine::memory_mb(pid, "VmRSS")?;
    frames::delete_topic(side.address, TOPIC)?;
    cleared(side)?;
    let seconds = measured.elapsed.as_secs_f64();
    let (requests, megabytes) = (measured.requests as f64, measured.bytes as f64 / 1e6);
    let milliseconds = |percent| f64::from(measured.percentile_us(percent)) / 1e3;
    Ok(Figures {
        side: side.who,
        mb_per_second: megabytes / seconds,
        mb_per_cpu_second: megabytes / cpu_seconds,
        requests_per_second: requests / seconds,
        cpu_us_per_request: cpu_seconds * 1e6 / requests,
        p50_ms: milliseconds(50.0),
        p99_ms: milliseconds(99.0),
        resident_mb,
        cpu_seconds,
        seconds,
    })
}

/// Waits until the files of deleted topics are gone, so that their removal is not part of another run.
fn cleared(side: &Side) -> Outcome {
    /// What metadata and checkpoints may take.
    const REST_BYTES: u64 = 64 << 20;
    let end = Instant::now() + CLEAR_DEADLINE;
    while machine::dir_bytes(&side.data()) > REST_BYTES {
        if Instant::now() > end {
            return Err(format!("files of a deleted topic are still there after {CLEAR_DEADLINE:?}"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

impl Workload {
    fn what(&self) -> String {
        format!(
            "{} record{} of {} bytes a request, {} connections with {} in flight, {} partitions, acks=1",
            self.records,
            if self.records == 1 { "" } else { "s" },
            self.value_bytes,
            self.connections,
            self.in_flight,
            self.partitions
        )
    }

    /// Large batches fill the disk quickly and need less time to settle.
    fn warm_up(&self) -> Duration {
        if self.records > 1 { WARM_UP / 4 } else { WARM_UP }
    }
}
