//! What a broker costs before anybody uses it: the time until the first acknowledged record, and idle memory.

use std::fs;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::figures::Spread;
use super::frames;
use super::machine;
use super::options::Options;
use super::side::{Places, Side, Who};

/// How long after its first record a broker counts as idle.
const REST: Duration = Duration::from_secs(5);

const OURS_STARTS: usize = 10;
const KAFKA_STARTS: usize = 3;

/// The footprint of one side.
#[derive(Debug, Clone, Serialize)]
pub struct Footprint {
    pub side: Who,
    /// From exec to the first acknowledged record, each start on an empty directory.
    pub first_ack_ms: Vec<f64>,
    /// Resident memory some seconds after that, with one topic of one partition.
    pub idle_mb: Vec<f64>,
    /// The executable, where it is one file.
    pub binary_mb: Option<f64>,
}

/// Starts a broker several times on an empty directory.
pub fn measure(who: Who, options: &Options, places: &Places) -> Result<Footprint, String> {
    let binary = fs::metadata(places.binary()).ok().filter(|_| who == Who::Ours);
    let mut footprint = Footprint {
        side: who,
        first_ack_ms: Vec::new(),
        idle_mb: Vec::new(),
        binary_mb: binary.map(|file| file.len() as f64 / 1e6),
    };
    let records = frames::batch(1, 100)?;
    let starts = if who == Who::Ours { OURS_STARTS } else { KAFKA_STARTS };
    for number in 0..starts {
        let side = Side::start(who, places, 1)?;
        let explain = |error: String| side.explain(&error);
        let topic = frames::ready_topic(side.address, "hello").map_err(explain)?;
        let frame = frames::produce(topic, 0, &records)?;
        frames::first_produce(side.address, &frame).map_err(explain)?;
        footprint.first_ack_ms.push(side.begun.elapsed().as_secs_f64() * 1e3);
        // Memory at rest varies little; three looks are enough.
        if options.wants("idle") && number < 3 {
            thread::sleep(REST);
            footprint.idle_mb.push(machine::memory_mb(side.pid(), "VmRSS")?);
        }
        side.end()?;
    }
    Ok(footprint)
}

/// A table in Markdown.
pub fn table(footprints: &[Footprint]) -> String {
    let mut text = "start and idle\n\n| | exec to first acknowledged record, ms | idle, resident MB | binary MB |\n|---|---|---|---|\n".to_owned();
    for one in footprints {
        let show = |values: &[f64], digits| {
            Spread::of(values.iter().copied()).map_or("-".to_owned(), |spread| spread.show(digits))
        };
        text += &format!(
            "| {} | {} | {} | {} |\n",
            one.side.name(),
            show(&one.first_ack_ms, 0),
            show(&one.idle_mb, 1),
            one.binary_mb.map_or("-".to_owned(), |size| format!("{size:.1}")),
        );
    }
    text
}
