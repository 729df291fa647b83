//! Runs seeds: `simulation --seed S [--scenario NAME] [--seconds N] [--quiet] [--trace FILE] [--log FILTER]`, or
//! `--seeds N [--from S]` for many, one after the other.
//!
//! The last line of each run is `seed S trace HASH acked N faults N violations N`; what is wrong comes before it.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use simulation::run::{Outcome, run};
use simulation::scenario::Scenario;

/// What the command line asks for.
struct Wanted {
    first: u64,
    count: u64,
    scenario: Scenario,
    trace: Option<String>,
    log: bool,
}

const USAGE: &str = "simulation (--seed S | --seeds N [--from S]) [--scenario NAME] [--seconds N] [--quiet] \
                     [--trace FILE] [--log]";

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
    let mut wanted = Wanted { first: 1, count: 1, scenario, trace: None, log: false };
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

/// Runs the seeds; returns whether all were without violations.
fn run_all(wanted: &Wanted) -> Result<bool, String> {
    if wanted.log {
        tracing_subscriber::fmt().with_writer(io::stderr).without_time().init();
    }
    let mut clean = true;
    for seed in wanted.first..wanted.first.saturating_add(wanted.count) {
        let sink = wanted.trace.as_deref().map(trace_file).transpose()?;
        let outcome = run(seed, &wanted.scenario, sink).map_err(|error| error.to_string())?;
        if !outcome.violations.is_empty() {
            clean = false;
            explain(&outcome, wanted);
        }
        println!("{outcome}");
    }
    Ok(clean)
}

fn explain(outcome: &Outcome, wanted: &Wanted) {
    print!("{}", outcome.report());
    println!(
        "again: cargo xtask sim --seed {} --scenario {} --seconds {}",
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
