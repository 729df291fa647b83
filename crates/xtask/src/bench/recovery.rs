//! W16: a broker that was killed under load with much data in many partitions, until it serves again.

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
use super::workloads::W16;

const FILL_DEADLINE: Duration = Duration::from_secs(300);

pub fn series(options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let mut runs = Vec::new();
    for pair in 0..options.pairs {
        let mut turn = options.brokers();
        if pair % 2 == 1 {
            turn.reverse();
        }
        for who in turn {
            eprintln!("  W16 {}", who.name());
            quiet.wait();
            quiet.begin();
            let mut side = Side::start(who, places)?;
            quiet.brokers_are(vec![side.pid()]);
            let figures = one(&mut side, options.data_mib << 20).map_err(|error| side.explain(&error))?;
            side.kill()?;
            side.remove()?;
            runs.push(Run { side: who, pair, figures, foreign_percent: quiet.foreign_percent() });
        }
    }
    Ok(Series {
        workload: "W16",
        shape: "crash".to_owned(),
        what: format!(
            "from exec after kill -9 to acknowledged records: {} MiB in {} partitions, {}",
            options.data_mib,
            W16.partitions,
            W16.what()
        ),
        runs,
        notes: Vec::new(),
    })
}

fn one(side: &mut Side, bytes: u64) -> Result<BTreeMap<Metric, f64>, String> {
    let topic = produce::fill(side, &W16, "full", FILL_DEADLINE, bytes)?;
    side.kill()?;
    let payload = Payload::new(1, 100, false)?;
    let (first, all) = (payload.produce(topic, once(0))?, payload.produce(topic, 0..W16.partitions)?);
    let mut figures = BTreeMap::new();
    side.restart()?;
    admin::first_produce(side.address, &first.frame)?;
    figures.insert(Metric::CrashStartMs, side.begun.elapsed().as_secs_f64() * 1e3);
    admin::first_produce(side.address, &all.frame)?;
    figures.insert(Metric::AllServedMs, side.begun.elapsed().as_secs_f64() * 1e3);
    Ok(figures)
}
