//! Runs seeds: `simulation --seed S [--scenario NAME] [--seconds N] [--quiet] [--trace FILE] [--log FILTER]`, or
//! `--seeds N [--from S]` for many, one after the other. `--json` is for programs: one line a seed, with what came of it.
//!
//! The last line of each run is `seed S trace HASH acked N faults N violations N`; what is wrong comes before it.
//!
//! With the feature `planted`, `--bug NAME` plants a bug, and `--bugs` lists them.

mod summary;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use kernel::planted::Bug;
use simulation::run::{Outcome, run};
use simulation::scenario::Scenario;

/// What the command line asks for.
struct Wanted {
    first: u64,
    count: u64,
    scenario: Scenario,
    trace: Option<String>,
    bug: Option<Bug>,
    json: bool,
    log: bool,
    list_bugs: bool,
}

const USAGE: &str = "simulation (--seed S | --seeds N [--from S]) [--scenario NAME] [--seconds N] [--quiet] \
                     [--trace FILE] [--log] [--json] [--bug NAME], or --bugs";

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|wanted| run_all(&wanted)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let scenario = Scenario::all().into_iter().next().ok_or("there is no scenario")?;
    let mut wanted = Wanted {
        first: 1,
        count: 1,
        scenario,
        trace: None,
        bug: None,
        json: false,
        log: false,
        list_bugs: false,
    };
    let mut quiet = false;
    let mut seconds = None;
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("{text:?} is not a number\n{USAGE}"));
        match flag.as_str() {
            "--seed" => (wanted.first, wanted.count) = (number(value()?)?, 1),
            "--from" => wanted.first = number(value()?)?,
            "--seeds" => wanted.count = number(value()?)?,
            "--seconds" => seconds = Some(number(value()?)?),
            "--quiet" => quiet = true,
            "--log" => wanted.log = true,
            "--json" => wanted.json = true,
            "--bug" => wanted.bug = Some(named(&value()?)?),
            "--bugs" => (wanted.count, wanted.list_bugs) = (0, true),
            "--trace" => wanted.trace = Some(value()?),
            "--scenario" => {
                let name = value()?;
                let names = || Scenario::all().iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
                wanted.scenario = Scenario::named(&name)
                    .ok_or_else(|| format!("{name:?} is none of the scenarios: {}", names()))?;
            }
            _ => return Err(format!("{flag:?} is not known\n{USAGE}")),
        }
    }
    if quiet {
        wanted.scenario = wanted.scenario.quiet();
    }
    if let Some(seconds) = seconds {
        wanted.scenario = wanted.scenario.lasting(Duration::from_secs(seconds));
    }
    Ok(wanted)
}

/// A bug that is in this program.
fn named(name: &str) -> Result<Bug, String> {
    if !cfg!(feature = "planted") {
        return Err("this program has no planted bugs: build it with the feature `planted`".to_owned());
    }
    Bug::named(name).ok_or_else(|| format!("{name:?} is no planted bug; --bugs lists them"))
}

#[cfg(feature = "planted")]
fn plant(bug: Option<Bug>) {
    kernel::planted::plant(bug);
}

#[cfg(not(feature = "planted"))]
fn plant(_: Option<Bug>) {}

/// Runs the seeds; returns whether all were without violations.
fn run_all(wanted: &Wanted) -> Result<bool, String> {
    if wanted.list_bugs {
        Bug::ALL.iter().for_each(|bug| println!("{bug:?}\t{}", bug.describe()));
    }
    if wanted.log {
        tracing_subscriber::fmt().with_writer(io::stderr).without_time().init();
    }
    let mut clean = true;
    for seed in wanted.first..wanted.first.saturating_add(wanted.count) {
        let sink = wanted.trace.as_deref().map(trace_file).transpose()?;
        plant(wanted.bug);
        let outcome = run(seed, &wanted.scenario, sink).map_err(|error| error.to_string())?;
        clean &= outcome.violations.is_empty();
        if wanted.json {
            println!("{}", summary::json(&outcome));
            continue;
        }
        if !outcome.violations.is_empty() {
            explain(&outcome, wanted);
        }
        println!("{outcome}");
    }
    Ok(clean)
}

fn explain(outcome: &Outcome, wanted: &Wanted) {
    print!("{}", outcome.report());
    let bug = wanted.bug.map_or_else(String::new, |bug| format!(" --bug {bug:?}"));
    println!(
        "again: cargo xtask sim --seed {} --scenario {} --seconds {}{bug}",
        outcome.seed,
        outcome.scenario,
        wanted.scenario.time.as_secs()
    );
}

#[expect(clippy::disallowed_methods, reason = "a trace is for whoever asked for it, outside the simulation")]
fn trace_file(path: &str) -> Result<Box<dyn io::Write + Send>, String> {
    let file = std::fs::File::create(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Box::new(io::BufWriter::new(file)))
}
