//! Runs of the workloads that produce: all sides by turns, each on a topic of its own that goes afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use kernel::Uuid;

use super::admin;
use super::frames::{self, Payload, Template};
use super::limit::Task;
use super::load::{self, Load, Measured, Pace};
use super::machine;
use super::metric::Metric;
use super::options::Options;
use super::profile::Profile;
use super::quiet::Quiet;
use super::readers::Readers;
use super::report::{Run, Series};
use super::side::{Places, Side, Who};
use super::tail::Tail;
use super::warm::Warm;
use super::workloads::Workload;
use crate::Outcome;

/// Every run is loaded so long before it is measured. Large batches fill the disk quickly, and settle as quickly.
const WARM_UP: Duration = Duration::from_secs(1);
const WARM_UP_LARGE: Duration = Duration::from_millis(500);

/// How long the files of a deleted topic may take to go. Kafka removes none in its first half minute.
const CLEAR_DEADLINE: Duration = Duration::from_secs(90);

const TOPIC: &str = "bench";

/// Both brokers, running, and what runs on them need.
#[derive(Debug)]
pub struct Stage<'a> {
    options: &'a Options,
    places: &'a Places,
    /// Ours first.
    brokers: Vec<Side>,
    warm: Warm,
    /// The workload that Kafka was last warmed for.
    warmed: &'static str,
}

impl<'a> Stage<'a> {
    pub fn new(options: &'a Options, places: &'a Places) -> Result<Self, String> {
        let brokers: Vec<Side> =
            options.brokers().into_iter().map(|who| Side::start(who, places)).collect::<Result<_, _>>()?;
        let warm = Warm::new(&places.scratch)?;
        Ok(Self { options, places, brokers, warm, warmed: "" })
    }

    pub fn end(self) -> Outcome {
        self.brokers.into_iter().try_for_each(Side::end)
    }

    /// One workload on all sides by turns: ours, Kafka, Kafka, ours, and so on, and the limit program before each pair.
    pub fn series(&mut self, workload: &Workload, quiet: &mut Quiet) -> Result<Series, String> {
        quiet.these_are_ours(self.brokers.iter().map(Side::pid).collect());
        self.warm_kafka(workload, quiet)?;
        let mut runs = Vec::new();
        for pair in 0..self.options.pairs {
            quiet.wait();
            let mut turn = self.options.brokers();
            if pair % 2 == 1 {
                turn.reverse();
            }
            // What Kafka does, by itself: it is compared with both.
            if !workload.flushed {
                turn.push(Who::Relaxed);
            }
            // Kafka first would find what the limit program left, so that goes before both. It has no consumers.
            if self.options.limit && !workload.consumed {
                turn.insert(0, Who::Limit);
            }
            for who in turn {
                let run = self.one(workload, who, pair, self.options.seconds, quiet, None)?;
                eprintln!("  {} {}: {}", workload.id, run.side.name(), brief(&run));
                runs.push(run);
            }
        }
        if self.options.profile {
            let mut profile = Profile::new(&self.places.root, &format!("{} {}", workload.id, workload.shape));
            self.one(
                workload,
                Who::Ours,
                self.options.pairs,
                self.options.seconds,
                quiet,
                Some(&mut profile),
            )?;
            println!("{}", profile.finish());
        }
        Ok(Series {
            workload: workload.id,
            shape: workload.shape.to_owned(),
            what: workload.what(),
            runs,
            notes: Vec::new(),
        })
    }

    /// A virtual machine that compiles what runs often gets the time for it before it is measured.
    fn warm_kafka(&mut self, workload: &Workload, quiet: &mut Quiet) -> Outcome {
        if !self.options.kafka {
            return Ok(());
        }
        // The shapes of one workload run through the same code.
        let seconds = if self.warmed == workload.id { self.options.warm / 4 } else { self.options.warm };
        self.warmed = workload.id;
        let end = Instant::now() + seconds;
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            self.one(workload, Who::Kafka, 0, left, quiet, None)?;
        }
        Ok(())
    }

    /// One run on a broker, or on the limit program.
    fn one(
        &mut self,
        workload: &Workload,
        who: Who,
        pair: usize,
        seconds: Duration,
        quiet: &mut Quiet,
        profile: Option<&mut Profile>,
    ) -> Result<Run, String> {
        let bytes_max = self.options.mib << 20;
        // What the warm-up appends comes out of the same store.
        self.warm.fill(if workload.is_open() { 64 << 20 } else { bytes_max + bytes_max / 2 })?;
        let limit = if who == Who::Limit { Some(Side::limit(self.places, workload.limit())?) } else { None };
        let process = if who == Who::Relaxed { Who::Ours } else { who };
        let side = self.brokers.iter().chain(&limit).find(|side| side.who == process);
        let side = side.ok_or("no such broker")?;
        let explain = |error: String| side.explain(&error);
        let (load, tail) = prepare(workload, side, who, seconds, bytes_max).map_err(explain)?;
        quiet.these_are_ours(self.brokers.iter().chain(&limit).map(Side::pid).collect());
        let figures = measure(&load, tail, workload, side, &mut self.warm, profile).map_err(explain)?;
        let foreign_percent = quiet.foreign_percent();
        if side.who != Who::Limit {
            admin::delete_topic(side.address, TOPIC)?;
            cleared(&side.data())?;
        }
        let run = Run { side: who, pair, figures, foreign_percent };
        limit.map_or(Ok(()), Side::end)?;
        Ok(run)
    }
}

/// One run on one broker that runs already.
pub fn figures_of_one(
    workload: &Workload,
    side: &Side,
    warm: &mut Warm,
    options: &Options,
) -> Result<BTreeMap<Metric, f64>, String> {
    let bytes_max = options.mib << 20;
    warm.fill(bytes_max + bytes_max / 2)?;
    let (load, tail) = prepare(workload, side, side.who, options.seconds, bytes_max)?;
    let figures = measure(&load, tail, workload, side, warm, None)?;
    admin::delete_topic(side.address, TOPIC)?;
    cleared(&side.data())?;
    Ok(figures)
}

impl Workload {
    fn limit(&self) -> Task {
        let files = usize::try_from(self.partitions).unwrap_or(1);
        let appends = if self.every_partition { files } else { 1 };
        Task { port: 0, files, appends, durable: self.flushed, sends: 0 }
    }

    fn templates(&self, topic: Uuid) -> Result<Vec<Template>, String> {
        let payload = Payload::new(self.records, self.value_bytes, self.idempotent)?;
        if self.every_partition {
            return Ok(vec![payload.produce(topic, 0..self.partitions)?]);
        }
        (0..self.partitions).map(|partition| payload.produce(topic, std::iter::once(partition))).collect()
    }
}

/// Makes the topic and the load for it.
fn prepare(
    workload: &Workload,
    side: &Side,
    who: Who,
    seconds: Duration,
    bytes_max: u64,
) -> Result<(Load, Option<Tail>), String> {
    let broker = who != Who::Limit;
    let topic = match broker {
        true => ready_topic(TOPIC, workload, side, who)?,
        false => Uuid::from_bytes([1; 16]),
    };
    let producer = |number| if broker { admin::producer(side.address) } else { Ok((number as i64, 0)) };
    let producers = if workload.idempotent { workload.connections } else { 0 };
    let load = Load {
        address: side.address,
        connections: workload.connections,
        pace: workload.pace,
        templates: workload.templates(topic)?,
        producers: (0..producers).map(producer).collect::<Result<_, _>>()?,
        stamped: workload.consumed,
        warm_up: if workload.records > 8 { WARM_UP_LARGE } else { WARM_UP },
        seconds,
        bytes_max,
        accepted: if broker { frames::accepted } else { |_| Ok(()) },
    };
    let tail = (workload.consumed && broker).then(|| Tail::new(topic, workload.partitions));
    Ok((load, tail))
}

/// Makes the topic, and has each of its partitions accept a record: a leader may be named before it leads. The record is
/// too short for a stamp, so that a consumer takes no notice of it.
fn ready_topic(name: &str, workload: &Workload, side: &Side, who: Who) -> Result<Uuid, String> {
    let config = match who {
        Who::Relaxed => Some(("write.caching", "true")),
        _ => workload.flushed.then_some(("flush.messages", "1")),
    };
    let topic = admin::create_topic(side.address, name, workload.partitions, config)?;
    let records = Payload::new(1, 4, false)?.produce(topic, 0..workload.partitions)?;
    admin::first_produce(side.address, &records.frame)?;
    Ok(topic)
}

fn measure(
    load: &Load,
    tail: Option<Tail>,
    workload: &Workload,
    side: &Side,
    warm: &mut Warm,
    mut profile: Option<&mut Profile>,
) -> Result<BTreeMap<Metric, f64>, String> {
    let pid = side.pid();
    let mut cpu = Vec::new();
    let mark = || {
        if let Some(profile) = &mut profile {
            profile.mark(pid);
        }
        cpu.push(machine::cpu_seconds(pid));
    };
    let measured = load::run(load, tail, mark, |appended| warm.keep_ahead_of(appended))?;
    let cpu: Vec<f64> = cpu.into_iter().collect::<Result<_, _>>()?;
    let [begin, end] = cpu[..] else { return Err("the measured part has a beginning and an end".to_owned()) };
    let resident_mb = if side.who == Who::Limit { None } else { Some(machine::memory_mb(pid, "VmRSS")?) };
    Ok(figures(workload, &measured, end - begin, resident_mb))
}

fn figures(
    workload: &Workload,
    measured: &Measured,
    cpu_seconds: f64,
    resident_mb: Option<f64>,
) -> BTreeMap<Metric, f64> {
    let seconds = measured.elapsed.as_secs_f64();
    let (requests, megabytes) = (measured.requests as f64, measured.bytes as f64 / 1e6);
    let mut figures = BTreeMap::from([
        (Metric::CpuUsPerRequest, cpu_seconds * 1e6 / requests),
        (Metric::RequestsPerSecond, requests / seconds),
    ]);
    if !workload.is_open() {
        figures.insert(Metric::MbPerSecond, megabytes / seconds);
        figures.insert(Metric::MbPerCpuSecond, megabytes / cpu_seconds);
    }
    figures.extend(resident_mb.map(|megabytes| (Metric::ResidentMb, megabytes)));
    // Of a closed load only where there is no other: it sends less while the broker is slow.
    if workload.is_open() || workload.flushed {
        let acked = [Metric::P50Us, Metric::P99Us, Metric::P999Us];
        let consumed = [Metric::ConsumedP50Us, Metric::ConsumedP99Us, Metric::ConsumedP999Us];
        for (histogram, metrics) in [(&measured.acked, acked), (&measured.consumed, consumed)] {
            for (metric, quantile) in metrics.into_iter().zip([0.5, 0.99, 0.999]) {
                // A quantile of fewer samples than it leaves out is only the largest of them.
                if histogram.len() as f64 * (1.0 - quantile) >= 1.0 {
                    figures.insert(metric, histogram.value_at_quantile(quantile) as f64 / 1e3);
                }
            }
        }
    }
    figures
}

fn brief(run: &Run) -> String {
    let shown =
        run.figures.iter().map(|(metric, value)| format!("{value:.*} {}", metric.digits(), metric.title()));
    format!("{}; others {:.0} %", shown.collect::<Vec<_>>().join(", "), run.foreign_percent)
}

/// Waits until the files of deleted topics are gone, so that their removal is not part of another run.
fn cleared(data: &Path) -> Outcome {
    /// What metadata and checkpoints may take.
    const REST_BYTES: u64 = 64 << 20;
    let end = Instant::now() + CLEAR_DEADLINE;
    let gone = || {
        let names = fs::read_dir(data).into_iter().flatten().flatten();
        let topic = |name: &str| name.starts_with(&format!("{TOPIC}-")) || name.ends_with("-delete");
        !names.into_iter().any(|entry| entry.file_name().to_str().is_some_and(topic))
    };
    while !gone() && machine::dir_bytes(data) > REST_BYTES {
        if Instant::now() > end {
            return Err(format!("files of a deleted topic are still there after {CLEAR_DEADLINE:?}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What a load did beside readers.
pub struct Beside {
    pub measured: Measured,
    /// What the broker took while the load was measured.
    pub cpu_seconds: f64,
    /// What the readers got meanwhile.
    pub read_bytes: u64,
    /// And how much a second, from their start until there was no more.
    pub read_per_second: f64,
}

/// A load beside readers, on a topic that goes afterwards.
pub fn beside(
    side: &Side,
    workload: &Workload,
    topic: &str,
    seconds: Duration,
    readers: impl FnOnce(Uuid) -> Readers,
) -> Result<Beside, String> {
    let id = ready_topic(topic, workload, side, side.who)?;
    let load = plain(side, workload, id, seconds)?;
    let readers = readers(id);
    let (mut cpu, mut bytes) = (Vec::new(), Vec::new());
    let mark = || {
        cpu.push(machine::cpu_seconds(side.pid()));
        bytes.push(readers.bytes());
    };
    let measured = load::run(&load, None, mark, |_| {});
    let ended = readers.end();
    let (measured, read_per_second) = (measured?, ended?);
    admin::delete_topic(side.address, topic)?;
    let cpu: Vec<f64> = cpu.into_iter().collect::<Result<_, _>>()?;
    match (&cpu[..], &bytes[..]) {
        ([begin, end], [before, after]) => {
            let (cpu_seconds, read_bytes) = (end - begin, after - before);
            Ok(Beside { measured, cpu_seconds, read_bytes, read_per_second })
        }
        _ => Err("the measured part has a beginning and an end".to_owned()),
    }
}

/// A load alone, on a topic that goes afterwards.
pub fn alone(side: &Side, workload: &Workload, topic: &str, seconds: Duration) -> Result<Measured, String> {
    let id = ready_topic(topic, workload, side, side.who)?;
    let measured = load::run(&plain(side, workload, id, seconds)?, None, || {}, |_| {})?;
    admin::delete_topic(side.address, topic)?;
    Ok(measured)
}

/// From the intended start to the reply, in microseconds.
pub fn percentile(measured: &Measured, quantile: f64) -> f64 {
    measured.acked.value_at_quantile(quantile) as f64 / 1e3
}

/// A load without anything special to it.
fn plain(side: &Side, workload: &Workload, topic: Uuid, seconds: Duration) -> Result<Load, String> {
    Ok(Load {
        address: side.address,
        connections: workload.connections,
        pace: workload.pace,
        templates: workload.templates(topic)?,
        producers: Vec::new(),
        stamped: false,
        warm_up: WARM_UP,
        seconds,
        bytes_max: u64::MAX,
        accepted: frames::accepted,
    })
}

/// Puts W1 on a broker for some seconds and leaves the topic where it is.
pub fn fill(
    side: &Side,
    workload: &Workload,
    topic: &str,
    seconds: Duration,
    bytes: u64,
) -> Result<Uuid, String> {
    let id = ready_topic(topic, workload, side, side.who)?;
    let load = Load {
        pace: Pace::InFlight(4),
        warm_up: Duration::ZERO,
        bytes_max: bytes,
        ..plain(side, workload, id, seconds)?
    };
    load::run(&load, None, || {}, |_| {})?;
    Ok(id)
}
