//! `client`: our client library beside librdkafka, both against a broker of ours.
//!
//! Each side is a small program that does the same with its library: `crates/client/examples/load.rs` and
//! `conformance/librdkafka/load.c`. What is compared is the CPU time of that process.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::metric::Metric;
use super::options::Options;
use super::quiet::Quiet;
use super::report::{Run, Series};
use super::side::{Places, Side, Who};
use super::{admin, machine};
use crate::test::Places as TestPlaces;
use crate::test::fetch::{librdkafka, need};
use crate::test::process::{Reaped, lines, succeed};

/// What both programs are asked to do.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    shape: &'static str,
    produces: bool,
    value_bytes: u64,
}

pub const LOADS: [Load; 4] = [
    Load { shape: "writes records of 1 KB", produces: true, value_bytes: 1024 },
    Load { shape: "writes records of 100 bytes", produces: true, value_bytes: 100 },
    Load { shape: "reads records of 1 KB", produces: false, value_bytes: 1024 },
    Load { shape: "reads records of 100 bytes", produces: false, value_bytes: 100 },
];

const PARTITIONS: i32 = 12;

/// Small records are many: enough for a second of CPU.
const RECORDS_MAX: u64 = 4_000_000;

/// What both programs give each record for a key.
const KEY_BYTES: u64 = 8;

const READY_DEADLINE: Duration = Duration::from_secs(30);
const WORK_DEADLINE: Duration = Duration::from_secs(300);
const END_DEADLINE: Duration = Duration::from_secs(30);

/// The programs.
struct Programs {
    ours: PathBuf,
    /// Or why it is not there.
    theirs: Result<PathBuf, String>,
}

pub fn series(load: Load, options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let programs = Programs::build(options, places)?;
    let side = Side::start(Who::Ours, places)?;
    quiet.these_are_ours(vec![side.pid()]);
    let runs = runs(load, &programs, options, &side, quiet).map_err(|error| side.explain(&error))?;
    side.end()?;
    let missing = programs.theirs.err().filter(|_| options.kafka);
    Ok(Series {
        workload: "client",
        shape: load.shape.to_owned(),
        what: load.what(records(load, options)),
        runs,
        notes: missing.map(|why| format!("librdkafka was left out: {why}")).into_iter().collect(),
    })
}

fn records(load: Load, options: &Options) -> u64 {
    ((options.mib << 20) / load.value_bytes).min(RECORDS_MAX)
}

impl Load {
    fn what(self, records: u64) -> String {
        let Self { value_bytes, .. } = self;
        let settings = match self.produces {
            true => {
                "batches of at most 64 KiB, 5 ms of linger, `acks=all`, idempotent, not compressed, at most 100,000 \
                 records or 32 MiB on their way"
            }
            false => {
                "all partitions from their start, checksums verified, fetches as both have them by default"
            }
        };
        format!(
            "{records} records of {value_bytes} bytes with keys of {KEY_BYTES}, {PARTITIONS} partitions of a topic with \
             `write.caching=true`; {settings}; CPU of the client's process"
        )
    }
}

/// Turns of both sides, first one and then the other first.
fn runs(
    load: Load,
    programs: &Programs,
    options: &Options,
    side: &Side,
    quiet: &mut Quiet,
) -> Result<Vec<Run>, String> {
    let count = records(load, options);
    let filled = "filled";
    if !load.produces {
        // Both read what one of them wrote.
        let writes = Load { produces: true, ..load };
        new_topic(side, filled)?;
        measure(&programs.ours, writes, side, filled, count)?;
    }
    let mut runs = Vec::new();
    for pair in 0..options.pairs {
        let mut turn = vec![(Who::Client, &programs.ours)];
        turn.extend(programs.theirs.as_ref().ok().map(|theirs| (Who::Librdkafka, theirs)));
        if pair % 2 == 1 {
            turn.reverse();
        }
        quiet.wait();
        for (who, program) in turn {
            quiet.begin();
            let figures = match load.produces {
                true => {
                    let topic = format!("written-{}-{pair}", who as u8);
                    new_topic(side, &topic)?;
                    let figures = measure(program, load, side, &topic, count)?;
                    admin::delete_topic(side.address, &topic)?;
                    figures
                }
                false => measure(program, load, side, filled, count)?,
            };
            let foreign_percent = quiet.foreign_percent();
            eprintln!("  client {} {}: {figures:.0?}; others {foreign_percent:.0} %", load.shape, who.name());
            runs.push(Run { side: who, pair, figures, foreign_percent });
        }
    }
    Ok(runs)
}

/// The disk is not what is measured.
fn new_topic(side: &Side, name: &str) -> Result<(), String> {
    admin::create_topic(side.address, name, PARTITIONS, Some(("write.caching", "true"))).map(drop)
}

/// Runs a program once. What it takes to connect, and to write a first record, is not counted.
fn measure(
    program: &Path,
    load: Load,
    side: &Side,
    topic: &str,
    records: u64,
) -> Result<BTreeMap<Metric, f64>, String> {
    let words = [
        if load.produces { "produce" } else { "consume" },
        &side.address.to_string(),
        topic,
        &PARTITIONS.to_string(),
        &records.to_string(),
        &load.value_bytes.to_string(),
    ];
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut command = Command::new(program);
    let command = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Reaped(command.spawn().map_err(failed)?);
    let pid = process.0.id();
    let mut told = process.0.stdin.take().ok_or("the load has an input")?;
    let said = lines(process.0.stdout.take().ok_or("the load has an output")?);
    hear(&said, "ready", READY_DEADLINE)?;
    let (begun, before) = (Instant::now(), machine::cpu_seconds(pid)?);
    tell(&mut told).map_err(failed)?;
    let done = hear(&said, "done", WORK_DEADLINE)?;
    let (seconds, cpu_seconds) = (begun.elapsed().as_secs_f64(), machine::cpu_seconds(pid)? - before);
    let resident = machine::memory_mb(pid, "VmHWM")?;
    drop(told);
    if !process.wait_until(Instant::now() + END_DEADLINE).is_some_and(|status| status.success()) {
        return Err(format!("{} did not end well", program.display()));
    }
    let (count, expected) = (done.split_whitespace().collect::<Vec<_>>(), load.bytes(records));
    let parsed = |place: usize| count.get(place).and_then(|word| word.parse::<u64>().ok());
    let (Some(count), Some(bytes)) = (parsed(1), parsed(2)) else { return Err(format!("it said {done}")) };
    // A poll may bring more than was wanted.
    if count < records || bytes != load.bytes(count) {
        return Err(format!("{count} records with {bytes} bytes instead of {records} with {expected}"));
    }
    Ok(BTreeMap::from([
        (Metric::RecordsPerCpuSecond, count as f64 / cpu_seconds),
        (Metric::RecordsPerSecond, count as f64 / seconds),
        (Metric::MostResidentMb, resident),
    ]))
}

impl Load {
    fn bytes(self, records: u64) -> u64 {
        records * (self.value_bytes + KEY_BYTES)
    }
}

fn tell(told: &mut ChildStdin) -> std::io::Result<()> {
    told.write_all(b"go on\n")?;
    told.flush()
}

/// The next line of a program, which must begin with `word`.
fn hear(said: &Receiver<String>, word: &str, time: Duration) -> Result<String, String> {
    match said.recv_timeout(time) {
        Ok(line) if line.starts_with(word) => Ok(line),
        Ok(line) => Err(format!("it said {line} instead of {word}")),
        Err(_) => Err(format!("it ended, or did not say {word} in {time:?}")),
    }
}

impl Programs {
    fn build(options: &Options, places: &Places) -> Result<Self, String> {
        let mut cargo = Command::new("cargo");
        let cargo = cargo.args(["build", "--release", "--package", "client", "--example", "load"]);
        succeed(cargo.current_dir(&places.root), "building our load")?;
        let theirs = match options.kafka {
            true => compile(places),
            false => Err("it is not wanted".to_owned()),
        };
        if let (Err(why), true) = (&theirs, options.kafka) {
            eprintln!("  librdkafka is left out: {why}");
        }
        Ok(Self { ours: places.root.join("target/release/examples/load"), theirs })
    }
}

fn compile(places: &Places) -> Result<PathBuf, String> {
    need(&["cc"])?;
    let library = librdkafka(&places.root, &TestPlaces::find()?.cache)?;
    let folder = library.parent().ok_or("a library lies in a folder")?;
    let program = places.scratch.join("librdkafka-load");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-o"]).arg(&program);
    cc.arg(places.root.join("conformance/librdkafka/load.c")).arg(&library);
    cc.arg(format!("-Wl,-rpath,{}", folder.display()));
    succeed(&mut cc, "compiling the load on librdkafka")?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use crate::bench::side::Who;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_version_in_the_tables_is_that_of_the_package_that_is_pinned() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let pinned = fs::read_to_string(root.join("conformance/python/requirements.txt")).unwrap();
        // This package has 2.16.0 with it. Who pins another one looks which it has.
        assert!(pinned.contains("confluent-kafka==2.16.1\n"));
        assert_eq!(Who::Librdkafka.name(), "librdkafka 2.16.0");
    }
}
