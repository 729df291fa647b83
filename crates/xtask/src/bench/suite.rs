//! The order of a whole benchmark: what runs when, and what becomes of the figures.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::machine::{self, Machine};
use super::options::Options;
use super::produce::Stage;
use super::quiet::Quiet;
use super::recorded::{self, Recorded};
use super::report::{Series, Summary};
use super::side::Places;
use super::workloads::WORKLOADS;
use super::{catchup, client, fanout, footprint, journal, limit, partitions, recovery, start};
use crate::Outcome;

#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    series: Vec<Series>,
    summaries: Vec<Summary>,
}

pub fn run(args: &[String]) -> Outcome {
    if let Some((program, args)) = args.split_first()
        && program == "limit"
    {
        return limit::run(args);
    }
    let compare_journal = args.first().is_some_and(|first| first == "journal");
    let options = Options::parse(args.get(usize::from(compare_journal)..).unwrap_or_default())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .ok_or("the xtask crate is not where it should be")?;
    if options.only_docs() {
        return recorded::publish(root);
    }
    let out = root.join("target/bench");
    let places = Places {
        root: root.to_path_buf(),
        // Ports are not shared either, so two runs with different ones do not meet.
        scratch: out.join(format!("run-{}", options.port)),
        port: options.port,
        heap_gib: options.heap_gib.unwrap_or(1),
        pinned: options.pinned,
    };
    fs::create_dir_all(&places.scratch).map_err(|error| format!("{}: {error}", out.display()))?;
    if options.pinned {
        pin_to_first_core()?;
    }
    if compare_journal {
        return journal::run(&options, &places);
    }
    let mut quiet = Quiet::new(options.patience);
    let results =
        Results { machine: Machine::here(&places.scratch), series: Vec::new(), summaries: Vec::new() };
    let mut report = Report {
        results,
        file: out.join("results.json"),
        date: machine::date(),
        revision: machine::revision(),
    };
    let failures = measure(&options, &places, &mut quiet, &mut report);
    if quiet.given_up > 0 {
        println!("{} pairs began while others used the machine: no quiet moment came.", quiet.given_up);
    }
    println!("figures of every run: {}", report.file.display());
    let concluded = conclude(root, &options, report.results);
    if failures.is_empty() { concluded } else { Err(failures.join("\n")) }
}

/// Measures all that is wanted. What fails is no reason not to measure the rest; it is said at the end.
fn measure(options: &Options, places: &Places, quiet: &mut Quiet, report: &mut Report) -> Vec<String> {
    let mut failures = Vec::new();
    let mut note = |what: &str, series: Result<Series, String>, report: &mut Report| {
        let failed = series.and_then(|series| report.add(series)).err();
        if let Some(error) = &failed {
            eprintln!("{what}: {error}");
        }
        failures.extend(
            failed.iter().map(|error| format!("{what}: {}", error.lines().next().unwrap_or_default())),
        );
    };
    let mut stage = None;
    for workload in WORKLOADS.iter().filter(|workload| options.wants(workload.id)) {
        // New brokers after a failure, which may have been theirs.
        let current = match stage.take() {
            Some(stage) => Ok(stage),
            None => Stage::new(options, places),
        };
        let series = current.and_then(|mut current: Stage| {
            let series = current.series(workload, quiet)?;
            stage = Some(current);
            Ok(series)
        });
        note(&format!("{} {}", workload.id, workload.shape), series, report);
    }
    if let Some(Err(error)) = stage.map(Stage::end) {
        note("the end of the brokers", Err(error), report);
    }
    if options.wants("W4") {
        note("W4", fanout::series(options, places, quiet), report);
    }
    if options.wants("W5") {
        note("W5", catchup::series(options, places, quiet), report);
    }
    if options.wants("W9") {
        for count in &options.partitions {
            note("W9", partitions::series(*count, options, places, quiet), report);
        }
    }
    if options.wants("W11") {
        note("W11", start::series(options, places, quiet), report);
    }
    if options.wants("W12") {
        note("W12", footprint::series(options, places, quiet), report);
    }
    if options.wants("W16") {
        note("W16", recovery::series(options, places, quiet), report);
    }
    if options.wants("client") {
        for load in client::LOADS {
            note("client", client::series(load, options, places, quiet), report);
        }
    }
    failures
}

/// What was asked to be done with the figures. All of it is tried before anything fails.
fn conclude(root: &Path, options: &Options, results: Results) -> Outcome {
    let verdict = if options.check {
        Recorded::read(root).and_then(|recorded| recorded.check(&results.summaries))
    } else {
        Ok(())
    };
    if options.record {
        let mut recorded = Recorded::read(root).unwrap_or_else(|_| Recorded::new(results.machine.clone()));
        recorded.replace(results.machine, results.summaries);
        recorded.write(root)?;
    }
    if options.update_docs {
        recorded::publish(root)?;
    }
    verdict
}

/// What has been measured so far; also in the file, so that a run that is cut short leaves it.
struct Report {
    results: Results,
    file: std::path::PathBuf,
    date: String,
    revision: String,
}

impl Report {
    fn add(&mut self, series: Series) -> Outcome {
        let summary = series.summary(&self.date, &self.revision);
        println!("{}", summary.table());
        self.results.series.push(series);
        self.results.summaries.push(summary);
        let text = serde_json::to_string_pretty(&self.results).map_err(|error| error.to_string())?;
        fs::write(&self.file, text + "\n").map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

fn pin_to_first_core() -> Outcome {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(0);
    rustix::thread::sched_setaffinity(None, &cores).map_err(|error| format!("cannot pin the load: {error}"))
}
