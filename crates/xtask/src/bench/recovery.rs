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
use super::report::Series;
use super::side::{Places, Side};
use super::start::started;
use super::workloads::W16;

const FILL_DEADLINE: Duration = Duration::from_secs(300);

pub fn series(options: &Options, places: &Places, quiet: &mut Quiet) -> Result<Series, String> {
    let runs = started("W16", options, places, quiet, one)?;
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

fn one(side: &mut Side, options: &Options) -> Result<BTreeMap<Metric, f64>, String> {
    let topic = produce::fill(side, &W16, "full", FILL_DEADLINE, options.data_mib << 20)?;
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
