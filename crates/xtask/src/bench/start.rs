//! W11: the time from exec to the first acknowledged record.

use std::collections::BTreeMap;
use std::iter::once;
use std::time::Duration;

use super::admin;
use super::frames::Payload;
use super::metric::Metric;
use super::options::Options;
use super::produce;
use super::quiet::Quiet;
use super::report::{Run, Series};
use super::side::{Places, Side};
use super::workloads::W1_64_KIB;

const FILL_DEADLINE: Duration = Duration::from_secs(120);

pub fn series(options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let runs = started("W11", options, places, quiet, one)?;
    Ok(Series {
        workload: "W11",
        shape: "start".to_owned(),
        what: format!(
            "from exec to the first acknowledged record: on an empty directory (connect, create a topic, produce), and \
             with {} MiB in 12 partitions, after a stop and after kill -9",
            options.data_mib
        ),
        runs,
        notes: Vec::new(),
    })
}

/// Brokers that are each started for one run, by turns. What is left of one is removed.
pub fn started(
    name: &str,
    options: &Options,
    places: &Places,
    quiet: &mut Quiet,
    one: impl Fn(&mut Side, &Options) -> Result<BTreeMap<Metric, f64>, String>,
) -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    for pair in 0..options.pairs {
        let mut turn = options.brokers();
        if pair % 2 == 1 {
            turn.reverse();
        }
        for who in turn {
            eprintln!("  {name} {}", who.name());
            quiet.wait();
            quiet.begin();
            let mut side = Side::start(who, places)?;
            quiet.brokers_are(vec![side.pid()]);
            let figures = one(&mut side, options).map_err(|error| side.explain(&error))?;
            side.kill()?;
            side.remove()?;
            runs.push(Run { side: who, pair, figures, foreign_percent: quiet.foreign_percent() });
        }
    }
    Ok(runs)
}

fn one(side: &mut Side, options: &Options) -> Result<BTreeMap<Metric, f64>, String> {
    let payload = Payload::new(1, 100, false)?;
    let mut figures = BTreeMap::new();
    let topic = admin::ready_topic(side.address, "hello")?;
    admin::first_produce(side.address, &payload.produce(topic, once(0))?.frame)?;
    figures.insert(Metric::EmptyStartMs, side.begun.elapsed().as_secs_f64() * 1e3);

    let full = produce::fill(side, &W1_64_KIB, "full", FILL_DEADLINE, options.data_mib << 20)?;
    let probe = payload.produce(full, once(0))?.frame;
    side.stop()?;
    side.restart()?;
    admin::first_produce(side.address, &probe)?;
    figures.insert(Metric::CleanStartMs, side.begun.elapsed().as_secs_f64() * 1e3);
    side.kill()?;
    side.restart()?;
    admin::first_produce(side.address, &probe)?;
    figures.insert(Metric::CrashStartMs, side.begun.elapsed().as_secs_f64() * 1e3);
    Ok(figures)
}
