//! W9: a broker with many partitions that each have a record: what they cost at rest, and what a start costs.

use std::collections::BTreeMap;
use std::iter::once;
use std::thread;
use std::time::{Duration, Instant};

use super::admin;
use super::frames::Payload;
use super::machine;
use super::metric::Metric;
use super::options::Options;
use super::quiet::Quiet;
use super::report::{Run, Series};
use super::side::{Places, Side, Who};

/// Kafka limits how many partitions one request creates; nobody has all of theirs in one topic either.
const TOPIC_PARTITIONS: usize = 100;

/// How long a broker settles before it counts as idle, and how long it is then watched.
const SETTLE: Duration = Duration::from_secs(3);
const WATCH: Duration = Duration::from_secs(5);

/// What Kafka needs for ten thousand partitions.
const HEAP_GIB: u16 = 2;

pub fn series(count: usize, options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let places = Places { heap_gib: options.heap_gib.unwrap_or(HEAP_GIB), ..places.clone() };
    let mut series = Series {
        workload: "W9",
        shape: format!("{count} partitions"),
        what: format!(
            "topics of {TOPIC_PARTITIONS} partitions created one by one, a record in each partition"
        ),
        runs: Vec::new(),
        notes: Vec::new(),
    };
    for who in options.brokers() {
        let mut side = Side::start(who, &places)?;
        quiet.these_are_ours(vec![side.pid()]);
        quiet.wait();
        quiet.begin();
        let mut figures = BTreeMap::new();
        eprintln!("  W9 {} with {count} partitions", who.name());
        if let Err(error) = one(&mut side, count, &mut figures) {
            // That a side cannot do it is a figure too.
            let first = error.lines().next().unwrap_or_default().to_owned();
            eprintln!("{}", side.explain(&error));
            series.notes.push(first);
        }
        let foreign_percent = quiet.foreign_percent();
        series.runs.push(Run { side: who, pair: 0, figures, foreign_percent });
        // It may not be able to stop in time either.
        side.kill()?;
        side.remove()?;
    }
    Ok(series)
}

/// Fills in the figures one after the other, so that those before a failure are there.
fn one(side: &mut Side, count: usize, figures: &mut BTreeMap<Metric, f64>) -> Result<(), String> {
    let failed =
        |what: &'static str, who: Who| move |error: String| format!("{} {what}: {error}", who.name());
    let who = side.who;
    let payload = Payload::new(1, 100, false)?;
    admin::create_topic(side.address, "first", 1, None).map_err(failed("did not start", who))?;
    thread::sleep(SETTLE);
    let before_mb = machine::memory_mb(side.pid(), "VmRSS")?;

    let begun = Instant::now();
    let mut last = None;
    for first in (0..count).step_by(TOPIC_PARTITIONS) {
        let partitions = i32::try_from(TOPIC_PARTITIONS.min(count - first)).unwrap_or(i32::MAX);
        let topic = format!("many-{}", first / TOPIC_PARTITIONS);
        let created = admin::create_topic(side.address, &topic, partitions, None);
        let id = created
            .map_err(|error| format!("{} stopped creating after {first} partitions: {error}", who.name()))?;
        last = Some((id, partitions));
        let records = payload.produce(id, 0..partitions)?;
        admin::first_produce(side.address, &records.frame)
            .map_err(|error| format!("{} stopped appending after {first} partitions: {error}", who.name()))?;
    }
    figures.insert(Metric::CreateSeconds, begun.elapsed().as_secs_f64());
    let (topic, partitions) = last.ok_or("W9 needs a partition")?;
    let probe = payload.produce(topic, once(partitions - 1))?;

    thread::sleep(SETTLE);
    let pid = side.pid();
    let resident_mb = machine::memory_mb(pid, "VmRSS")?;
    figures.insert(Metric::ResidentMb, resident_mb);
    figures.insert(Metric::PartitionKib, ((resident_mb - before_mb) * 1e6 / 1024.0 / count as f64).max(0.0));
    let (cpu, watched) = (machine::cpu_seconds(pid)?, Instant::now());
    thread::sleep(WATCH);
    let idle = (machine::cpu_seconds(pid)? - cpu) / watched.elapsed().as_secs_f64();
    figures.insert(Metric::IdleCpuPercent, idle * 100.0);

    let begun = Instant::now();
    side.stop().map_err(failed("did not stop", who))?;
    figures.insert(Metric::StopSeconds, begun.elapsed().as_secs_f64());
    side.restart()?;
    admin::first_produce(side.address, &probe.frame).map_err(failed("did not start again", who))?;
    figures.insert(Metric::CleanStartMs, side.begun.elapsed().as_secs_f64() * 1e3);
    thread::sleep(SETTLE);
    side.kill()?;
    side.restart()?;
    admin::first_produce(side.address, &probe.frame).map_err(failed("did not start after kill -9", who))?;
    figures.insert(Metric::CrashStartMs, side.begun.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
