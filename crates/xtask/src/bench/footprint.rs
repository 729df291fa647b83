//! W12: what a broker takes when nobody uses it, and under W1.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use super::admin;
use super::machine;
use super::metric::Metric;
use super::options::Options;
use super::produce;
use super::quiet::Quiet;
use super::report::{Run, Series};
use super::side::{Places, Side, Who};
use super::workloads::W1_64_KIB;

/// How long after it has answered a broker counts as idle.
const REST: Duration = Duration::from_secs(5);

pub fn series(options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let mut runs = Vec::new();
    for pair in 0..options.pairs {
        for who in options.brokers() {
            eprintln!("  W12 {}", who.name());
            let side = Side::start(who, places)?;
            quiet.these_are_ours(vec![side.pid()]);
            let figures = one(&side, options, places).map_err(|error| side.explain(&error))?;
            side.end()?;
            runs.push(Run { side: who, pair, figures, foreign_percent: 0.0 });
        }
    }
    Ok(Series {
        workload: "W12",
        shape: "footprint".to_owned(),
        what: format!(
            "resident memory {REST:?} after the first answer, and at most under {} of W1 with 64 KiB batches",
            format_args!("{:?}", options.seconds)
        ),
        runs,
        notes: vec!["memory is the process's own; the page cache is not in it, on either side".to_owned()],
    })
}

fn one(side: &Side, options: &Options, places: &Places) -> Result<BTreeMap<Metric, f64>, String> {
    let mut figures = BTreeMap::new();
    admin::ready_topic(side.address, "hello")?;
    thread::sleep(REST);
    figures.insert(Metric::IdleMb, machine::memory_mb(side.pid(), "VmRSS")?);
    produce::fill(side, &W1_64_KIB, "full", options.seconds, options.mib << 20)?;
    figures.insert(Metric::LoadedMb, machine::memory_mb(side.pid(), "VmHWM")?);
    if side.who == Who::Ours {
        let binary = fs::metadata(places.binary()).map_err(|error| error.to_string())?;
        figures.insert(Metric::BinaryMb, binary.len() as f64 / 1e6);
    }
    Ok(figures)
}
